"""G.722 at 64 kbit/s (ITU-T G.722), for the rows that speak it: a codec with state, so one object per row.

Its audio is 16 kHz in two bands; the rows' buffers are 8 kHz, which is the lower band, so that is what is
decoded and encoded here: an octet per sample, and no resampling. (Its RTP clock is 8 kHz as well, by mistake
made law in RFC 3551, 4.5.2.) Between two phones that both speak it packets are relayed as they are, in both
bands.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from G722 import G722

Int64 = npt.NDArray[np.int64]
Int16 = npt.NDArray[np.int16]
UInt8 = npt.NDArray[np.uint8]

RATE = 8000
BIT_RATE = 64000


class Decoder:
    """One stream of octets to samples of 8 kHz."""

    def __init__(self) -> None:
        self._codec = G722(RATE, BIT_RATE)

    def decode(self, payload: bytes) -> Int16:
        """As many samples as octets."""
        return np.frombuffer(self._codec.decode(payload), np.int16)


class Encoder:
    """One stream of samples of 8 kHz to octets."""

    def __init__(self) -> None:
        self._codec = G722(RATE, BIT_RATE)

    def encode(self, samples: Int16) -> UInt8:
        """As many octets as samples."""
        return np.frombuffer(self._codec.encode(samples), np.uint8)


class Decoders:
    """Those of the rows that need one."""

    def __init__(self) -> None:
        self._rows: dict[int, Decoder] = {}

    def make(self, row: int) -> None:
        """The row may hear G.722."""
        self._rows.setdefault(row, Decoder())

    def drop(self, row: int) -> None:
        """The row's leg has ended."""
        self._rows.pop(row, None)

    def decode(self, rows: Int64, payloads: UInt8) -> Int16:
        """Payloads [packet, octet] of `rows` to samples of the same shape."""
        frames = [
            self._rows[row].decode(payload.tobytes())
            for row, payload in zip(rows.tolist(), payloads, strict=True)
        ]
        return np.stack(frames)

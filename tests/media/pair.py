"""Two rows that are bridged, and what their phones say and hear."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from tests.media.rig import Datagram, Rig, Sent, packet

from ringback.media import codecs
from ringback.media.g722 import Decoder, Encoder
from ringback.media.model import Codec

Audio = npt.NDArray[np.int16]
Changes = Mapping[str, object]
PAYLOAD_TYPES: dict[Codec, int] = {"PCMU": 0, "PCMA": 8, "G722": 9}


def speaks(codec: Codec) -> dict[str, object]:
    """The part of a remote that says so."""
    return {
        "codec": codec,
        "send_payload_type": PAYLOAD_TYPES[codec],
        "receive": {PAYLOAD_TYPES[codec]: codec},
    }


def voice(seed: int, frames: int) -> Audio:
    """Noise of its own kind, [frame, sample]: it is like nothing else."""
    noise = np.random.default_rng(seed).normal(0, 4000, frames * 160)
    smooth = np.clip(np.convolve(noise, [0.4, 0.3, 0.2, 0.1], "same"), -32767, 32767)
    audio: Audio = smooth.astype(np.int16).reshape(-1, 160)
    return audio


def packets(audio: Audio, start: int = 0, codec: Codec = "PCMU", ssrc: int = 0xABCD) -> list[bytes]:
    """The frames as RTP, numbered from `start`."""
    encoder = Encoder()
    numbers = codecs.CODECS
    octets = [
        encoder.encode(frame) if codec == "G722" else codecs.encode(frame[None], numbers[codec])[0]
        for frame in audio
    ]
    return [
        packet(start + n, (start + n) * 160, frame.tobytes(), payload_type=PAYLOAD_TYPES[codec], ssrc=ssrc)
        for n, frame in enumerate(octets)
    ]


def heard(sent: Sequence[Sent], codec: Codec = "PCMU") -> Audio:
    """What audio packets sound like, one after the other."""
    decoder = Decoder()
    return np.concatenate(
        [
            decoder.decode(one.payload) if codec == "G722" else one.samples(codecs.CODECS[codec])
            for one in sent
            if one.payload_type == PAYLOAD_TYPES[codec]
        ]
    )


def resemblance(said: Audio, got: Audio) -> float:
    """The likeness of the clearest of several short pieces: a busy machine breaks what a tick makes."""
    return max(likeness(said, got, piece * 160, 320) for piece in range(5, len(said) - 5, 5))


def likeness(said: Audio, got: Audio, start: int = 1600, length: int = 1600) -> float:
    """How well `got` holds a part of what was said, at any delay: 1 is all of it, and nothing else."""
    part = said.reshape(-1)[start : start + length].astype(np.float64)
    windows = np.lib.stride_tricks.sliding_window_view(got.astype(np.float64), len(part))
    power = np.sqrt((windows**2).sum(axis=1) * (part**2).sum())
    return float((windows @ part / np.maximum(power, 1.0)).max())


class Pair(Rig):
    """Rows 0 and 1, bridged. `by_tick` keeps the relay out of it."""

    def __init__(
        self, *, by_tick: bool = False, zero: Changes | None = None, one: Changes | None = None
    ) -> None:
        super().__init__(2)
        self.remote(0, **(zero or {}))
        self.remote(1, **(one or {}))
        if by_tick:
            self.amplify(0, 0.001)
            self.amplify(1, 0.001)
        self.bridges.join(0, 1)
        self.relays = 0
        """How many packets were relayed."""
        self.sent: dict[int, list[Sent]] = {0: [], 1: []}

    def rest(self, ticks: int) -> None:
        """Nobody says anything."""
        self.talk(ticks=ticks)

    def talk(self, zero: Sequence[bytes] = (), one: Sequence[bytes] = (), *, ticks: int = 0) -> None:
        """Each says its packets, one a tick; what they are sent is kept."""
        for n in range(max(len(zero), len(one), ticks)):
            said: list[Datagram] = [(row, all[n]) for row, all in ((0, zero), (1, one)) if n < len(all)]
            ticked = self.step(*said)
            for row, sent in (*self.relayed, *ticked.items()):
                self.sent[row].append(sent)
            self.relays += len(self.relayed)
            self.relayed.clear()

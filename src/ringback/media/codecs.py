"""G.711 by table (ITU-T G.711): whole blocks of legs at once.

Linear samples are 16 bit, so that what is decoded needs no scaling before it is mixed or measured.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Int16 = npt.NDArray[np.int16]
UInt8 = npt.NDArray[np.uint8]

PCMU = 0
PCMA = 1
G722 = 2
"""Has state, and lives in `ringback.media.g722`."""
CODECS = {"PCMU": PCMU, "PCMA": PCMA, "G722": G722}
SILENCE = (0xFF, 0xD5)
"""The octet for the quietest sample of G.711, by codec."""

ULAW_BIAS = 132
ULAW_CLIP = 32635


def _expand_ulaw() -> Int16:
    code = ~np.arange(256, dtype=np.uint8) & 0xFF
    exponent = (code >> 4 & 7).astype(np.int32)
    magnitude = (((code & 15).astype(np.int32) << 3) + ULAW_BIAS << exponent) - ULAW_BIAS
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)


def _expand_alaw() -> Int16:
    code = np.arange(256, dtype=np.uint8) ^ 0x55
    exponent = (code >> 4 & 7).astype(np.int32)
    mantissa = ((code & 15).astype(np.int32) << 4) + 8
    magnitude = np.where(exponent == 0, mantissa, (mantissa + 0x100) << np.maximum(exponent - 1, 0))
    return np.where(code & 0x80, magnitude, -magnitude).astype(np.int16)


def _compress_ulaw() -> UInt8:
    sample = np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int32)
    magnitude = np.minimum(np.abs(sample), ULAW_CLIP) + ULAW_BIAS
    exponent = np.floor(np.log2(magnitude)).astype(np.int32) - 7
    code = np.where(sample < 0, 0x80, 0) | exponent << 4 | (magnitude >> (exponent + 3) & 15)
    octets: UInt8 = (~code & 0xFF).astype(np.uint8)
    return octets


def _compress_alaw() -> UInt8:
    # Negative samples are taken as their ones' complement, as A-law has no zero between its two lowest
    # levels.
    sample = np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int32)
    magnitude = np.where(sample >= 0, sample, ~sample) >> 3
    exponent = np.maximum(np.floor(np.log2(np.maximum(magnitude, 1))).astype(np.int32) - 4, 0)
    mantissa = magnitude >> np.maximum(exponent, 1) & 15
    code = (exponent << 4 | mantissa | np.where(sample >= 0, 0x80, 0)) ^ 0x55
    octets: UInt8 = code.astype(np.uint8)
    return octets


LINEAR = np.stack([_expand_ulaw(), _expand_alaw()])
"""[codec, octet] to sample."""

COMPRESSED = np.stack([_compress_ulaw(), _compress_alaw()])
"""[codec, sample as unsigned 16 bit] to octet."""


def _pairs(codec: int) -> npt.NDArray[np.uint32]:
    """Two octets to two samples: half the look-ups of a whole frame."""
    octets = np.arange(65536, dtype=np.uint16).view(np.uint8).reshape(-1, 2)
    return np.ascontiguousarray(LINEAR[codec][octets]).view(np.uint32).reshape(-1)


_LINEAR_PAIRS = (_pairs(PCMU), _pairs(PCMA))


TRANSCODED = {
    (PCMU, PCMA): COMPRESSED[PCMA][LINEAR[PCMU].view(np.uint16)],
    (PCMA, PCMU): COMPRESSED[PCMU][LINEAR[PCMA].view(np.uint16)],
}
"""From one codec's octet to the other's, by (from, to)."""


def decode(payloads: UInt8, codec: int) -> Int16:
    """Payloads [packet, octet], C-contiguous, to samples of the same shape."""
    if payloads.shape[1] % 2:
        samples: Int16 = LINEAR[codec].take(payloads)
        return samples
    pairs: Int16 = _LINEAR_PAIRS[codec].take(payloads.view(np.uint16)).view(np.int16)
    return pairs


def encode(samples: Int16, codec: int) -> UInt8:
    """Samples [row, sample], C-contiguous, to octets of the same shape."""
    octets: UInt8 = COMPRESSED[codec].take(samples.view(np.uint16))
    return octets

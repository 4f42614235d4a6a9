from __future__ import annotations

import numpy as np
import pytest

from ringback.media import codecs


def ulaw_to_linear(code: int) -> int:
    """ITU-T G.711, table 2a, by its formula: 14 bits, here as 16."""
    code = ~code & 0xFF
    magnitude = ((2 * (code & 15) + 33) << (code >> 4 & 7)) - 33
    return -4 * magnitude if code & 0x80 else 4 * magnitude


def alaw_to_linear(code: int) -> int:
    """ITU-T G.711, table 1a, by its formula: 13 bits, here as 16."""
    code ^= 0x55
    exponent, mantissa = code >> 4 & 7, code & 15
    magnitude = 2 * mantissa + 1 if exponent == 0 else (2 * mantissa + 33) << (exponent - 1)
    return 8 * magnitude if code & 0x80 else -8 * magnitude


REFERENCES = [(codecs.PCMU, ulaw_to_linear), (codecs.PCMA, alaw_to_linear)]


@pytest.mark.parametrize("codec", [codecs.PCMU, codecs.PCMA])
def test_every_octet_decodes_as_the_standard_says(codec: int) -> None:
    reference = REFERENCES[codec][1]
    octets = np.arange(256, dtype=np.uint8).reshape(2, 128)
    assert codecs.decode(octets, codec).reshape(-1).tolist() == [reference(code) for code in range(256)]


@pytest.mark.parametrize("codec", [codecs.PCMU, codecs.PCMA])
def test_every_sample_encodes_to_the_level_of_its_interval(codec: int) -> None:
    samples = np.arange(-32768, 32768, dtype=np.int64)
    octets = codecs.encode(samples.astype(np.int16)[None, :], codec)[0]
    exponent = ((~octets if codec == codecs.PCMU else octets ^ 0x55) >> 4 & 7).astype(np.int64)
    # Intervals double with each segment, but A-law's first two are alike; the ends are clipped.
    step = 8 << exponent if codec == codecs.PCMU else 16 << np.maximum(exponent - 1, 0)
    error = np.abs(codecs.LINEAR[codec][octets] - samples)
    assert (error <= step // 2)[np.abs(samples) < 32000].all()
    assert error.max() <= 32768 - 32124


@pytest.mark.parametrize("codec", [codecs.PCMU, codecs.PCMA])
def test_what_is_decoded_encodes_to_itself(codec: int) -> None:
    octets = np.arange(256, dtype=np.uint8)[None, :]
    linear = codecs.decode(octets, codec)
    assert (codecs.decode(codecs.encode(linear, codec), codec) == linear).all()


def test_silence_is_the_quietest_octet() -> None:
    zero = np.zeros((1, 2), np.int16)
    assert codecs.encode(zero, codecs.PCMU)[0, 0] == codecs.SILENCE[codecs.PCMU]
    assert codecs.encode(zero, codecs.PCMA)[0, 0] == codecs.SILENCE[codecs.PCMA]


def test_payloads_of_odd_length_decode_too() -> None:
    octets = np.arange(33, dtype=np.uint8)[None, :]
    assert codecs.decode(octets, codecs.PCMA)[0].tolist() == [alaw_to_linear(code) for code in range(33)]

"""What the far ends of the benches say: the server's work must not be less than with people."""

from __future__ import annotations

import socket

import numpy as np
import numpy.typing as npt
import pytest
from bench.load import HOST, FarEnds, compiled
from bench.machine import default_cores

from ringback.media import codecs, detect
from ringback.media.dtmf import FAINTEST, ToneBank
from ringback.media.model import SpeechDetection

SECONDS = 4.0
HEADER, PAYLOAD, PCMU = 12, 160, 0


async def said(speech: float) -> npt.NDArray[np.int16]:
    """What a telephone gets, [frame, sample]."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as telephone:
        telephone.bind((HOST, 0))
        telephone.setblocking(False)
        far = FarEnds(SECONDS, default_cores()[1], speech)
        await far.start()
        await far.run([telephone.getsockname()[1]])
        packets = [telephone.recv(2048)[HEADER:] for _ in range(int(SECONDS * 50))]
    payloads = np.frombuffer(b"".join(packets), np.uint8).reshape(-1, PAYLOAD)
    return codecs.decode(payloads, PCMU)


@pytest.mark.skipif(not compiled(), reason="no C compiler")
@pytest.mark.parametrize(("speech", "spurts"), [(1.0, 1), (0.6, 2)])
async def test_far_ends_speak_and_are_never_silent(speech: float, spurts: int) -> None:
    """Keys are looked for while they speak, and none is found; speech is heard, and its end in a pause."""
    frames = await said(speech)
    assert np.abs(frames).max(axis=1).min() > 0
    power = (frames.astype(float) ** 2).mean(axis=1)
    assert (power > FAINTEST).mean() == pytest.approx(speech, abs=0.02)
    bank, detectors = ToneBank(1), detect.SpeechDetectors(1)
    bank.enable(0, True)
    detectors.configure(0, SpeechDetection())
    began = ended = 0
    for frame in frames:
        energy = bank.feed(frame[None])
        assert not bank.keys(1, energy)
        level = detect.level(energy[:, 1:].sum(axis=1), PAYLOAD)
        starts, stops = detectors.listen(1, level, np.array([False]), np.array([True]))
        began, ended = began + len(starts), ended + len(stops)
    assert began == spurts
    assert ended == (spurts if speech < 1 else 0)

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
import pytest
from tests.media.rig import Sent, event

from ringback.media import codecs
from ringback.media.keying import EventPacket, Finished, Keyer
from ringback.media.send import Senders
from ringback.media.streams import Streams

Int16 = npt.NDArray[np.int16]
TONE = (np.sin(np.arange(16000) * 0.3) * 8000).astype(np.int16).reshape(-1, 1, 160)


class Line:
    """Senders of one row."""

    def __init__(self, **changes: object) -> None:
        self.senders = Senders(1, Streams(1, 1), 0)
        self.senders.begin(0)
        self.configure(**changes)

    def configure(self, **changes: object) -> None:
        values: dict[str, object] = {
            "active": True,
            "payload_type": 0,
            "codec": "PCMU",
            "frames": 1,
            "event_type": 101,
        }
        self.senders.configure(0, **(values | changes))  # type: ignore[arg-type]

    def tick(self, frame: Int16 | None = None) -> Sent | None:
        audible = np.array([frame is not None])
        out = self.senders.build(
            1, np.zeros((1, 160), np.int16) if frame is None else frame, audible, ~self.senders.active
        )
        if not len(out.rows):
            return None
        return Sent.parse(out.packets[0, : out.lengths[0]].tobytes())

    def ticks(self, count: int) -> list[Sent]:
        return [sent for _ in range(count) if (sent := self.tick()) is not None]


@pytest.mark.parametrize(("codec", "number"), [("PCMU", codecs.PCMU), ("PCMA", codecs.PCMA)])
def test_audio_and_silence_are_one_continuous_stream(codec: str, number: int) -> None:
    line = Line(codec=codec, payload_type=number * 8)
    stream = [line.tick(TONE[n] if n % 3 else None) for n in range(50)]
    packets = [sent for sent in stream if sent is not None]
    assert len(packets) == 50
    assert [sent.marker for sent in packets] == [True] + [False] * 49
    for number_of, (one, two) in enumerate(itertools.pairwise(packets)):
        assert two.sequence == (one.sequence + 1) & 0xFFFF
        assert two.timestamp == (one.timestamp + 160) & 0xFFFFFFFF
        assert two.ssrc == one.ssrc
        assert two.payload_type == number * 8
        assert one.silent == (number_of % 3 == 0)
    heard = packets[1].samples(number).astype(int)
    assert np.abs(heard - TONE[1, 0]).max() < 300
    assert (line.senders.packets[0], line.senders.octets[0]) == (50, 8000)


@pytest.mark.parametrize("frames", [2, 3])
def test_longer_packets_hold_their_frames_in_order(frames: int) -> None:
    line = Line(frames=frames)
    packets = [sent for n in range(frames * 10) if (sent := line.tick(TONE[n])) is not None]
    assert len(packets) == 10
    assert {len(sent.payload) for sent in packets} == {160 * frames}
    assert packets[1].timestamp == (packets[0].timestamp + 160 * frames) & 0xFFFFFFFF
    heard = np.concatenate([sent.samples() for sent in packets]).astype(int)
    assert np.abs(heard - TONE[: frames * 10].reshape(-1)).max() < 300


def test_the_first_timestamp_is_that_of_the_first_frame() -> None:
    line = Line(frames=3)
    before = int(line.senders.timestamp[0])
    assert line.ticks(3)[0].timestamp == before


def test_nothing_is_sent_while_inactive_but_time_goes_on() -> None:
    line = Line()
    first = line.ticks(1)[0]
    line.configure(active=False)
    assert line.ticks(10) == []
    line.configure()
    second = line.ticks(1)[0]
    assert second.marker
    assert second.sequence == (first.sequence + 1) & 0xFFFF
    assert second.timestamp == (first.timestamp + 11 * 160) & 0xFFFFFFFF


def test_a_new_codec_keeps_the_stream() -> None:
    line = Line()
    first = line.ticks(1)[0]
    line.configure(codec="PCMA", payload_type=8)
    second = line.ticks(1)[0]
    assert (second.payload_type, second.ssrc, second.marker) == (8, first.ssrc, False)
    assert second.payload == b"\xd5" * 160


def press(line: Line, digits: str, duration: int = 100, gap: int = 100) -> list[Sent]:
    keyer = Keyer()
    keyer.press(1, digits, duration, gap, "rfc4733")
    out: list[Sent] = []
    while True:
        step, _ = keyer.step()
        if step is None and not keyer.busy:
            return out
        if isinstance(step, EventPacket):
            line.senders.put_event(0, step.payload, step.first)
        sent = line.tick()
        assert sent is not None
        out.append(sent)


def test_an_event_is_sent_as_rfc_4733_says() -> None:
    line = Line()
    before = line.ticks(1)[0]
    sent = press(line, "5")
    events = [one for one in sent if one.payload_type == 101]
    assert [one.marker for one in events] == [True] + [False] * 6
    assert {one.timestamp for one in events} == {(before.timestamp + 160) & 0xFFFFFFFF}
    assert [one.sequence for one in events] == [(before.sequence + 1 + n) & 0xFFFF for n in range(7)]
    lasting = [event(5, 160 * n) for n in range(1, 5)]
    assert [one.payload for one in events] == lasting + [event(5, 800, end=True)] * 3
    after = line.ticks(1)[0]
    # Time went on meanwhile; the audio after an event is a new talk spurt.
    assert after.timestamp == (before.timestamp + 160 * (len(sent) + 1)) & 0xFFFFFFFF
    first_audio = next(one for one in [*sent, after] if one.payload_type == 0)
    assert first_audio.marker
    assert int(line.senders.event_packets[0]) == 7


def test_keys_are_apart_and_pauses_long() -> None:
    sent = press(Line(), "1w2W3")
    starts = [index for index, one in enumerate(sent) if one.payload_type == 101 and one.marker]
    assert [one - two for one, two in zip(starts[1:], starts, strict=False)] == [10 + 25, 10 + 50]


def test_an_event_drops_a_half_filled_packet() -> None:
    line = Line(frames=2)
    line.tick()
    line.senders.put_event(0, event(1, 160), True)
    sent = line.tick()
    assert sent is not None
    assert sent.payload == event(1, 160)
    assert [len(one.payload) for one in line.ticks(4)] == [320, 320]


def test_tones_where_events_were_not_negotiated() -> None:
    keyer = Keyer()
    keyer.press(4, "5", 60, 40, "inband")
    keyer.press(5, "w", 60, 40, "inband")
    steps = [keyer.step() for _ in range(3 + 2 + 25 + 1)]
    frames = [step for step, _ in steps[:3]]
    assert all(isinstance(frame, np.ndarray) and np.abs(frame).max() > 5000 for frame in frames)
    assert [step for step, _ in steps[3:]] == [None] * 28
    assert [finished for _, finished in steps if finished] == [
        [Finished(4, "inband")],
        [Finished(5, "inband")],
    ]
    assert not keyer.busy

"""What is remembered for a while, and no longer."""

from __future__ import annotations

from ringback.sip.recent import Recent


class Clock:
    def __init__(self) -> None:
        self.now = 7.0

    def __call__(self) -> float:
        return self.now


def test_it_is_remembered_for_a_while_and_at_most_twice_as_long() -> None:
    clock = Clock()
    recent: Recent[str] = Recent(clock, 10.0, 100)
    assert not recent
    clock.now += 9.0
    recent.note("a", "x")
    clock.now += 10.0
    assert (recent.get("a"), bool(recent)) == ("x", True)
    clock.now += 10.0
    assert (recent.get("a"), bool(recent)) == (None, False)
    recent.note("b", "y")
    clock.now += 100.0
    assert recent.get("b") is None


def test_the_last_so_many_are_remembered_and_never_more_than_twice_as_many() -> None:
    recent: Recent[int] = Recent(Clock(), 10.0, 100)
    for number in range(1000):
        recent.note(number, number)
        held = [each for each in range(number + 1) if recent.get(each) is not None]
        assert held[-100:] == list(range(max(0, number - 99), number + 1))
        assert len(held) <= 200


def test_what_is_forgotten_is_not_remembered() -> None:
    recent: Recent[int] = Recent(Clock(), 10.0, 2)
    for number in range(3):
        recent.note(number, number)
    recent.forget(0)
    recent.forget(2)
    assert [recent.get(number) for number in range(3)] == [None, 1, None]

"""What is complained of over and over gets a line now and then."""

from __future__ import annotations

from ringback.routing.hush import Hush


def test_each_is_told_of_once_a_minute_and_those_kept_back_are_counted() -> None:
    now = [0.0]
    hush = Hush(lambda: now[0])
    assert [hush.tell("a"), hush.tell("a"), hush.tell("a"), hush.tell("b")] == [0, None, None, 2]
    now[0] = 59.9
    assert hush.tell("a") is None
    now[0] = 60.0
    assert [hush.tell("a"), hush.tell("a")] == [1, None]


def test_many_together_are_no_flood_either() -> None:
    now = [0.0]
    hush = Hush(lambda: now[0], most=3)
    assert [hush.tell(n) for n in range(10)] == [0, 0, 0, *[None] * 7]
    now[0] = 60.0
    assert hush.tell(0) == 7

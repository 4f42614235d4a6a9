"""Which of the lent legs is opened next."""

from __future__ import annotations

import pytest

from ringback.media.clockwork import FRAME, PHASES, STEP, soonest, until_tick
from ringback.media.offers import FEW, LEAD, MANY, UNEVEN, Offers
from ringback.media.protocol import Offer

SOON = LEAD + 0.001
EPOCH = 77.7


def lent(rows: int) -> Offers:
    """Offers of that many rows, in no order."""
    offers = Offers(EPOCH)
    for row in sorted(range(rows), key=lambda row: (row * 7) % rows):
        offers.put(Offer(row, 1, 20000 + 2 * row, 20001 + 2 * row))
    return offers


def before(phase: int) -> float:
    """A moment shortly before a phase's tick, with just the time that it takes to get ready for it."""
    return EPOCH + 1000 * FRAME + phase * STEP - SOON


@pytest.mark.parametrize("phase", range(PHASES))
def test_a_leg_comes_into_the_phase_whose_tick_is_soonest(phase: int) -> None:
    assert lent(16).take(before(phase)).row == phase


@pytest.mark.parametrize("phase", range(PHASES))
def test_a_tick_that_is_too_soon_is_left_to_others(phase: int) -> None:
    moment = before(phase) + 2 * (SOON - LEAD)
    assert until_tick(phase, moment - EPOCH) < LEAD
    assert lent(16).take(moment).row == (phase + 1) % PHASES


def test_within_a_phase_the_lowest_row_goes_first() -> None:
    offers = lent(16)
    assert [offers.take(before(2)).row for _ in range(4)] == [2, 6, 10, 14]


def filled(offers: Offers, count: int) -> list[int]:
    """So many legs are opened: how many came into each phase."""
    rows = [offers.take(before(2)).row for _ in range(count)]
    return [sum(row % PHASES == phase for row in rows) for phase in range(PHASES)]


def test_phases_stay_about_evenly_filled() -> None:
    for legs in (FEW, MANY + FEW * PHASES, 3 * MANY):
        each = filled(lent(4 * MANY), legs)
        assert sum(each) == legs
        assert max(each[::2]) - min(each[::2]) <= UNEVEN
        assert each[2] == max(each)
    assert max(each) - min(each) <= UNEVEN


def test_as_long_as_legs_are_not_many_every_second_phase_is_spared() -> None:
    offers = lent(4 * MANY)
    first = filled(offers, FEW)
    assert min(first) > 0
    assert filled(offers, MANY - FEW)[1::2] == [0, 0]
    then = filled(offers, FEW)
    assert then[::2] == [0, 0]


def test_a_phase_that_is_spared_is_there_when_nothing_else_is_lent() -> None:
    offers = Offers(EPOCH)
    for row in range(1, 4 * FEW, 2):
        offers.put(Offer(row, 1, 20000, 20001))
    assert sum(filled(offers, 2 * FEW)) == 2 * FEW


def test_what_is_closed_makes_room_in_its_phase() -> None:
    offers = lent(200)
    rows = [offers.take(before(1)).row for _ in range(UNEVEN)]
    assert {row % PHASES for row in rows} == {1}
    assert offers.take(before(1)).row % PHASES != 1
    offers.closed(rows[0])
    assert offers.take(before(1)).row % PHASES == 1


def test_a_phase_of_which_nothing_is_lent_is_passed_over() -> None:
    offers = Offers(EPOCH)
    assert not offers
    offers.put(Offer(7, 1, 20000, 20001))
    assert offers
    assert offers.take(before(0)).row == 7
    assert not offers
    with pytest.raises(LookupError, match="lent"):
        offers.take(before(0))


@pytest.mark.parametrize("since", [n * STEP / 7 for n in range(-40, 40)])
def test_the_phase_whose_tick_is_next(since: float) -> None:
    left = [until_tick(phase, since) for phase in range(PHASES)]
    assert left[soonest(since)] == min(left)

"""From where a leg takes its media: peers behind NAT are learnt, strangers are not."""

from __future__ import annotations

from tests.media.rig import PEER, Rig, event, packet

from ringback.media.latch import WINDOW
from ringback.media.model import Digit, FirstRtp


def test_the_first_packet_is_told_and_latched() -> None:
    rig = Rig()
    rig.remote()
    rig.step((0, packet(1, 160)))
    rig.step((0, packet(2, 320)))
    assert rig.of(FirstRtp) == [FirstRtp(*PEER)]
    assert rig.phase.statistics(0, rig.now).remote_address == PEER


def test_a_neighbouring_address_is_learnt_and_sent_to() -> None:
    rig = Rig()
    rig.remote()
    behind = ("192.0.2.99", 1024)
    rig.step((0, packet(1, 160), behind))
    assert rig.of(FirstRtp) == [FirstRtp(*behind)]
    assert rig.phase.statistics(0, rig.now).remote_address == behind


def test_the_signalled_address_wins_over_what_a_port_hears_from_an_earlier_call() -> None:
    """A phone that has not noticed the end of its call sends on for a moment, from the same host."""
    rig = Rig()
    rig.remote()
    leftover = (PEER[0], PEER[1] + 400)
    rig.step((0, packet(1, 160, ssrc=1), leftover))
    assert rig.phase.statistics(0, rig.now).remote_address == leftover
    rig.step((0, packet(1, 160, ssrc=2)))
    rig.step((0, packet(2, 320, ssrc=1), leftover))
    assert rig.phase.statistics(0, rig.now).remote_address == PEER


def test_strangers_are_counted_and_heard_by_nobody() -> None:
    """A spray over the port range before and during a call takes nothing over."""
    rig = Rig()
    rig.remote(host="9.9.9.9")
    stranger, peer = ("8.8.8.8", 5000), ("9.9.9.9", PEER[1])
    for number in range(30):
        rig.step((0, packet(number, number * 160, b"\x00" * 160, ssrc=1), stranger))
    assert not rig.of(FirstRtp)
    rig.step((0, packet(1, 160), peer))
    for number in range(2, 200):
        rig.step(
            (0, packet(number, number * 160), peer),
            (0, packet(number, 1 << 20, event(1, 160), payload_type=101, ssrc=1), stranger),
            (0, packet(number, 1 << 20, event(1, 160), payload_type=101, ssrc=1), ("9.9.9.9", 666)),
        )
    statistics = rig.phase.statistics(0, rig.now)
    assert rig.of(FirstRtp) == [FirstRtp(*peer)]
    assert not rig.of(Digit)
    assert statistics.packets_wrong_source == 30 + 2 * 198
    assert statistics.packets_received == 199
    assert statistics.packets_lost == 0
    assert statistics.remote_address == peer


def test_strangers_do_not_keep_the_peer_out() -> None:
    """A spray on many ports, longer than the window, before a peer behind NAT begins."""
    rig = Rig(20)
    behind = ("9.9.9.77", 5000)
    for row in range(20):
        rig.remote(row, host="9.9.9.9")
    for number in range(WINDOW + 10):
        rig.step(*[(row, packet(number, number * 160), ("8.8.8.8", 5000)) for row in range(20)])
    assert not rig.of(FirstRtp)
    rig.step((0, packet(1, 160), behind))
    assert rig.of(FirstRtp) == [FirstRtp(*behind)]


def test_a_flood_on_calls_that_are_up_delays_no_other_ones_learning() -> None:
    rig = Rig(20)
    for row in range(20):
        rig.remote(row, host="9.9.9.9")
    peer, behind = ("9.9.9.9", PEER[1]), ("9.9.9.77", 5000)
    for number in range(WINDOW):
        rig.step(*[(row, packet(number, number * 160), peer) for row in range(19)])
    flood = [(row, packet(0, 0), ("8.8.8.8", 5000)) for row in range(19)]
    rig.step(*flood, (19, packet(1, 160), behind))
    assert FirstRtp(*behind) in rig.of(FirstRtp)


def test_the_latch_closes_after_its_window() -> None:
    rig = Rig()
    rig.remote()
    leftover = (PEER[0], PEER[1] + 400)
    for number in range(WINDOW):
        rig.step((0, packet(number, number * 160), leftover))
    rig.step((0, packet(WINDOW, WINDOW * 160)))
    statistics = rig.phase.statistics(0, rig.now)
    assert (statistics.packets_received, statistics.packets_wrong_source) == (WINDOW, 1)
    assert statistics.remote_address == leftover


def test_a_changed_remote_opens_the_latch_again_and_the_same_does_not() -> None:
    rig = Rig()
    behind, later = ("192.0.2.99", 1024), ("192.0.2.98", 1025)
    rig.remote()
    rig.step((0, packet(1, 160), behind))
    rig.remote(codec="PCMA", send_payload_type=8)
    rig.step((0, packet(2, 320), later))
    assert rig.phase.statistics(0, rig.now).remote_address == behind
    rig.remote(port=PEER[1] + 2)
    rig.step((0, packet(3, 480), later))
    assert rig.phase.statistics(0, rig.now).remote_address == later
    assert rig.of(FirstRtp) == [FirstRtp(*behind), FirstRtp(*later)]

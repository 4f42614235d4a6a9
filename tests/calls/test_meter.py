"""What is counted of calls and messages; the rest is seen on a running server."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.calls.making import answered_record

from ringback.calls.events import CallAnswered, CallEnded, MediaStatistics
from ringback.calls.meter import Meter
from ringback.calls.status import CallStatus, EndedBy
from ringback.calls.timeline import SocketMessage


def ended(**media: int) -> CallEnded:
    return CallEnded(
        status=CallStatus.COMPLETED,
        cause="",
        by=EndedBy.REMOTE,
        sip_status=200,
        sip_reason="OK",
        media=MediaStatistics(**media),
    )


def value(meter: Meter, name: str, **labels: str) -> float | None:
    return meter.registry.get_sample_value(f"ringback_{name}", labels)


def message(kind: str, ok: bool, elapsed_ms: float | None = None) -> SocketMessage:
    return SocketMessage(
        call_id="the call",
        dialect="jambonz",
        kind="webhook" if kind == "webhook" else "callback",
        name="verb:hook",
        url="wss://app.example/ivr",
        data={},
        ok=ok,
        elapsed_ms=elapsed_ms,
    )


def test_packets_that_never_were_are_not_taken_off() -> None:
    """A far end that counts packets twice reports fewer than none as lost."""
    meter, call = Meter(), answered_record()
    event = ended(packets_in=100, packets_out=90, lost_in=3, lost_out=-4, late=2)
    meter.happened(call, event, call.updated_at)
    found = {name: value(meter, f"rtp_packets_{name}_total") for name in ("received", "sent", "lost", "late")}
    assert found == {"received": 100, "sent": 90, "lost": 3, "late": 2}
    assert value(meter, "rtp_packets_lost_remote_total") == 0


def test_a_call_that_was_answered_is_not_counted_again_at_its_end() -> None:
    meter, call = Meter(), answered_record()
    meter.happened(call, ended(), call.updated_at)
    families = {family.name: family for family in meter.registry.collect()}
    counted = [s.value for s in families["ringback_call_setups"].samples if s.name.endswith("_total")]
    assert sum(counted) == 0 < len(counted)


@pytest.mark.parametrize(("seconds", "counted"), [(3.0, 3.0), (-3.0, 0.0)])
def test_the_time_of_a_set_up(seconds: float, counted: float) -> None:
    """A clock may be set back meanwhile."""
    meter, call = Meter(), answered_record()
    meter.happened(call, CallAnswered(), call.created_at + timedelta(seconds=seconds))
    assert value(meter, "call_setup_seconds_sum", direction=call.direction) == counted
    assert value(meter, "call_setups_total", direction=call.direction, outcome="answered") == 1


def test_messages_over_a_socket() -> None:
    meter = Meter()
    for each in (message("webhook", True, 12.0), message("webhook", False, 5000.0), message("webhook", True)):
        meter.messaged(each)
    for ok in (True, True, False):
        meter.messaged(message("callback", ok))
    assert value(meter, "webhook_seconds_sum", dialect="jambonz", outcome="ok") == 0.012
    assert value(meter, "webhook_seconds_count", dialect="jambonz", outcome="failed") == 1
    assert value(meter, "callbacks_total", transport="websocket", outcome="delivered") == 2
    assert value(meter, "callbacks_total", transport="websocket", outcome="failed") == 1

"""The benches that speak REST: their pieces, and one tiny run of each."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from bench.api import Api
from bench.callees import Callees
from bench.rates import Spent, Step
from bench.system import ACCOUNT
from tests.bench.running import ran
from tests.patience import PATIENCE

from bench import history, outbound, rest
from ringback.net.clock import utcnow
from ringback.store import CallFilter, RecordingFilter, Store


def step(rate: float, **changes: float) -> Step:
    """A rate's figures, made up."""
    return Step(
        rate=rate,
        calls=100,
        failures={503: int(changes["failed"])} if changes.get("failed") else {},
        untold=int(changes.get("untold", 0)),
        repeated=0,
        times={"POST→reply": (5.0, changes.get("p99", 20.0))},
        spent=Spent(cpu={"control": 4.0, "media": 2.0}, core=0.5, load=0.1, others=0.0),
    )


@pytest.mark.parametrize(
    ("steps", "said", "reached"),
    [
        ([step(50), step(100)], "100 held", None),
        ([step(50), step(240)], "240 held", True),
        ([step(50), step(100, failed=3)], "50 held", False),
        ([step(50, p99=300)], "not even 50", False),
        ([step(50, untold=1)], "not even 50", False),
    ],
)
def test_what_was_held(steps: list[Step], said: str, reached: bool | None) -> None:
    figure = outbound.figure(steps, "laml", 5.0)
    assert said in figure.result
    assert figure.reached is reached


@pytest.mark.parametrize("dialect", rest.DIALECTS)
def test_an_order_names_both_hooks(dialect: str) -> None:
    order = Api(dialect, "http://127.0.0.1:1").order("+1", "+2", "http://app.test")
    assert f"http://app.test/{dialect}/voice" in str(order)
    assert f"http://app.test/{dialect}/status" in str(order)


async def test_callees_say_who_called_and_when_it_ended() -> None:
    callees = Callees(4000, ("PCMU",))
    told: list[object] = []
    callees.on_called = lambda caller, port: told.append((caller, port))
    callees.on_ended = told.append
    host, _, port = callees.address.partition(":")
    loop = asyncio.get_running_loop()
    replies: asyncio.Queue[bytes] = asyncio.Queue()

    class Peer(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, _: object) -> None:
            replies.put_nowait(data)

    transport, _ = await loop.create_datagram_endpoint(Peer, remote_addr=(host, int(port)))
    head = "Via: SIP/2.0/UDP x\r\nFrom: <sip:+1415@x>;tag=1\r\nTo: <sip:2@x>\r\nCall-ID: a\r\n"
    try:
        for method in ("INVITE", "INVITE", "BYE"):
            body = "m=audio 5000 RTP/AVP 0\r\n" if method == "INVITE" else ""
            transport.sendto(f"{method} sip:2@x SIP/2.0\r\n{head}CSeq: 1 {method}\r\n\r\n{body}".encode())
            assert b"SIP/2.0 200 OK" in await asyncio.wait_for(replies.get(), PATIENCE)
    finally:
        transport.close()
        callees.close()
    assert told == [("+1415", 5000), "+1415"]
    assert callees.repeated == 1


async def test_a_past_is_there_to_be_listed(tmp_path: Path) -> None:
    await history.fill(tmp_path, 1200)
    async with await Store.open("sqlite", tmp_path) as store:
        calls = await store.calls(CallFilter(accounts=(ACCOUNT,)), limit=2000)
        recordings = await store.recordings(RecordingFilter(), limit=2000)
    assert len(calls) == 1200
    assert {call.status for call in calls} == {*history.STATUSES}
    assert calls[0].created_at < utcnow().timestamp()
    assert 200 < len(recordings) < 300


@pytest.mark.parametrize("dialect", rest.DIALECTS)
def test_a_short_run_of_outbound(dialect: str, tmp_path: Path) -> None:
    report, said = ran("outbound", tmp_path, "--rates", "5", "--seconds", "1", "--dialect", dialect)
    assert "Calls placed by REST" in said
    assert dialect in report.figures[0].result or report.figures[0].result.startswith("not even")


def test_a_short_run_of_rest(tmp_path: Path) -> None:
    report, said = ran("rest", tmp_path, "--calls", "3000", "--seconds", "0.05")
    assert "1,000 in a page" in said
    assert report.figures[0].values["calls"] == 3000

"""Failing applications and unanswered ends in the whole server: real SIP, audio and web application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ringback.testing.kit import NUMBER, RunningServer, WebApp
from ringback.testing.softphone import CallFailed, PhoneCall


class Bench:
    """A server and its application."""

    def __init__(self, server: RunningServer, app: WebApp) -> None:
        self.server = server
        self.app = app

    async def refused(self) -> tuple[PhoneCall, int]:
        """Call, and be refused: the call, and the status that said so."""
        async with self.server.phone() as phone:
            call = await phone.call(NUMBER)
            with pytest.raises(CallFailed) as caught:
                await call.answered()
            await call.ended()
        return call, caught.value.status

    async def final_status(self) -> str:
        """What the status callback says."""
        return str((await self.app.request("/status")).fields["CallStatus"])


@pytest.fixture
async def bench(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    async with WebApp() as app:
        settings = app.settings("laml", tmp_path, profile=request.param, fallback_url=f"{app.url}/fallback")
        async with RunningServer(settings) as server:
            yield Bench(server, app)
            await server.settled()


both = pytest.mark.parametrize("bench", ["twilio", "signalwire"], indirect=True)


@both
async def test_a_dead_application_is_a_failed_call_that_was_never_answered(
    bench: Bench, request: pytest.FixtureRequest
) -> None:
    call, status = await bench.refused()
    assert status == 500
    assert await bench.final_status() == "failed"
    assert (await bench.app.request("/fallback")).fields["ErrorCode"] in ("11200", "11217")
    # Twilio's profile tells the caller in words, as early media; SignalWire's just ends the call.
    spoken = len(call.heard()) > 8000
    assert spoken == ("twilio" in request.node.name)


@both
async def test_a_verb_that_is_not_built_leads_to_the_fallback(bench: Bench) -> None:
    bench.app.reply("/voice", "<Response><Enqueue>support</Enqueue></Response>")
    bench.app.reply("/fallback", "<Response><Reject reason='busy'/></Response>")
    _, status = await bench.refused()
    assert status == 486
    assert await bench.final_status() == "busy"
    asked = await bench.app.request("/fallback")
    assert (asked.fields["ErrorCode"], asked.fields["CallStatus"]) == ("13750", "ringing")
    assert asked.fields["ErrorUrl"] == f"{bench.app.url}/voice"


@pytest.mark.parametrize("bench", ["signalwire"], indirect=True)
@pytest.mark.parametrize("inner", ["", "<Pause length='0'/>", "<Pause length='0'/><Reject/>"])
async def test_a_document_that_ends_unanswered_is_no_answer(bench: Bench, inner: str) -> None:
    bench.app.reply("/voice", f"<Response>{inner}</Response>")
    _, status = await bench.refused()
    assert status == 603
    assert await bench.final_status() == "no-answer"


@pytest.mark.parametrize("bench", ["twilio"], indirect=True)
async def test_hanging_up_answers_first(bench: Bench) -> None:
    bench.app.reply("/voice", "<Response><Hangup/></Response>")
    async with bench.server.phone() as phone:
        call = await phone.call(NUMBER)
        await call.answered()
        await call.ended()
    assert await bench.final_status() == "completed"

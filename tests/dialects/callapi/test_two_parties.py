"""Asking a real web application about more than one party: Dial, screening, transfers, transcriptions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

import pytest
from tests.dialects.callapi.conftest import AC, CALL, INSTANCE, SID, Make
from tests.dialects.callapi.making import RECORDING, recording

from ringback.calls.application import Action, Document, NewCall, Redirected, Referred, Screening
from ringback.calls.events import TranscriptionFailed
from ringback.calls.outcome import Outcome
from ringback.calls.record import CallRecord
from ringback.calls.status import CallStatus, Direction
from ringback.calls.verbs import Callee, Dial, Gather, HangUp, Hook, Say, Target
from ringback.dialects.callapi.settings import Settings
from ringback.dialects.callapi.webhook import CallApiApplication
from ringback.routing.directory import Account

CHILD = UUID(int=7)
HELLO = "<Response><Say>hello</Say></Response>"
BOB = Callee(target=Target(kind="client", address="bob"), shown="bob")


@pytest.fixture
def speaking(services: Any, account: Account, application: Any) -> Callable[..., CallApiApplication]:
    """The dialect's side of the application, its voice URL at /voice."""

    def make(**settings: Any) -> CallApiApplication:
        given = {"voice": Hook(url=f"{application.url}/voice"), **settings}
        return CallApiApplication(services, account, Settings(**given))

    return make


def told(asked: Any) -> dict[str, str]:
    """The fields of a request."""
    return dict(parse_qsl(asked.body, keep_blank_values=True))


def names(document: Document | None) -> list[str]:
    assert document is not None
    return [type(verb).__name__ for verb in document.verbs]


@pytest.fixture
def leg(record: Make) -> CallRecord:
    """A dialled leg that was answered."""
    return record(
        id=CHILD,
        parent_id=CALL,
        direction=Direction.OUTBOUND_DIAL,
        status=CallStatus.IN_PROGRESS,
        to="bob",
        sip_call_id="abc@host",
    )


async def test_a_dial_carries_what_is_not_in_its_markup(
    speaking: Any, application: Any, record: Make
) -> None:
    refer = Hook(url="http://app.test/refer")
    application.replies["/voice"] = "<Response><Dial>1</Dial><Say>x</Say></Response>"
    document = await speaking(refer=refer).ask(NewCall(), record())
    dial, say = document.verbs
    assert isinstance(dial, Dial)
    assert dial.refer_hook == refer
    assert isinstance(say, Say)


async def test_the_call_that_was_dialled_is_named_afterwards(
    speaking: Any, application: Any, record: Make
) -> None:
    application.replies["/next"] = HELLO
    speaker = speaking()
    hook = Hook(url=f"{application.url}/next")
    await speaker.ask(Action(verb=Gather(), hook=hook, outcome=Outcome(digits="1")), record())
    dialled = Outcome(callee=CHILD, callee_status=CallStatus.BUSY)
    await speaker.ask(Action(verb=Dial(callees=()), hook=hook, outcome=dialled), record())
    await speaker.ask(Redirected(hook=hook), record())
    before, action, after = [told(asked) for asked in application.asked]
    assert "OutboundCallSid" not in before
    assert (action["DialCallStatus"], action["DialCallSid"]) == ("busy", f"ID{INSTANCE}-CA{CHILD.hex}")
    assert action["OutboundCallSid"] == after["OutboundCallSid"] == action["DialCallSid"]


# -- screening


async def test_a_screening_that_accepts(
    speaking: Any, application: Any, record: Make, leg: CallRecord
) -> None:
    application.replies["/screen"] = HELLO
    speaker = speaking().for_callee(BOB, record())
    hook = Hook(url=f"{application.url}/screen?who=bob")
    document = await speaker.ask(Screening(hook=hook, headers=(("X-Agent", "7"),)), leg)
    assert names(document) == ["Say"]
    assert document.at_end is None
    (asked,) = application.asked
    fields = told(asked)
    assert fields["who"] == "bob"
    assert fields["CallSid"] == f"ID{INSTANCE}-CA{CHILD.hex}"
    assert (fields["PostStatus"], fields["Direction"]) == ("callback", "outbound-dial")
    assert (fields["SipCallId"], fields["SipHeader_X-Agent"]) == ("abc@host", "7")
    assert not {"InstanceId", "CallTimestamp"} & fields.keys()


@pytest.mark.parametrize(
    ("reply", "verbs"),
    [
        ("<Response/>", []),
        ("<Response><Pause/></Response>", ["Pause"]),
        ("<Response><Say>a</Say><Hangup/></Response>", ["Say", "HangUp"]),
        ("<Response><Say>a</Say><Dial>1</Dial><Say>b</Say></Response>", ["Say", "HangUp"]),
        ("<Response><Say>", ["HangUp"]),
        ((404, "text/xml", ""), ["HangUp"]),
    ],
)
async def test_what_a_screening_does(
    speaking: Any, application: Any, record: Make, leg: CallRecord, reply: Any, verbs: list[str]
) -> None:
    """With a HangUp among them the callee refuses."""
    application.replies["/screen"] = reply
    speaker = speaking().for_callee(BOB, record())
    document = await speaker.ask(Screening(hook=Hook(url=f"{application.url}/screen")), leg)
    assert names(document) == verbs


async def test_what_a_screening_leads_to_is_part_of_it(
    speaking: Any, application: Any, record: Make, leg: CallRecord
) -> None:
    application.replies.update({"/screen": "<Response><Gather/></Response>", "/key": HELLO})
    speaker = speaking().for_callee(BOB, record())
    await speaker.ask(Screening(hook=Hook(url=f"{application.url}/screen")), leg)
    hook = Hook(url=f"{application.url}/key")
    document = await speaker.ask(Action(verb=Gather(), hook=hook, outcome=Outcome(digits="1")), leg)
    assert (names(document), document.at_end) == (["Say"], None)
    # A script that REST gives this leg is one of its own.
    document = await speaker.ask(Redirected(hook=hook, by_control=True), leg)
    assert (names(document), document.at_end) == (["Say"], HangUp())


# -- transfers


@pytest.fixture
def referred(application: Any) -> Callable[..., Referred]:
    def make(**fields: Any) -> Referred:
        given: dict[str, Any] = {
            "hook": Hook(url=f"{application.url}/refer"),
            "refer_to": "sip:carol@host",
            "refer_to_user": "carol",
            "referring_call": CHILD,
            "referred_call": CALL,
        }
        return Referred(**{**given, **fields})

    return make


async def test_the_callee_transfers_the_caller(
    speaking: Any, application: Any, record: Make, calls: Any, leg: CallRecord, referred: Any
) -> None:
    caller = record(status=CallStatus.IN_PROGRESS)
    calls.add(caller, leg)
    application.replies["/refer"] = "<Response><Dial><Client>carol</Client></Dial></Response>"
    speaker = speaking()
    document = await speaker.ask(referred(), caller)
    assert names(document) == ["Dial"]
    assert document.application is speaker
    fields = told(application.asked[0])
    assert (fields["ReferTarget"], fields["Transferor"]) == ("carol", "bob")
    assert (fields["Transferee"], fields["CallSid"]) == ("13035550000", SID)


async def test_the_caller_transfers_the_callee(
    speaking: Any, application: Any, record: Make, calls: Any, leg: CallRecord, referred: Any
) -> None:
    """The script runs on bob's leg, also if that was screened before."""
    caller = record(status=CallStatus.IN_PROGRESS)
    calls.add(caller, leg)
    dial = "<Response><Dial>1</Dial></Response>"
    application.replies.update({"/screen": "<Response/>", "/refer": dial})
    speaker = speaking().for_callee(BOB, caller)
    await speaker.ask(Screening(hook=Hook(url=f"{application.url}/screen")), leg)
    document = await speaker.ask(referred(referring_call=CALL, referred_call=CHILD), leg)
    assert (names(document), document.at_end) == (["Dial"], HangUp())
    fields = told(application.asked[1])
    assert (fields["Transferor"], fields["Transferee"]) == ("13035550000", "bob")


@pytest.mark.parametrize("reply", ["<Response/>", "<Response>", (500, "text/xml", HELLO)])
async def test_a_transfer_without_a_script_is_refused(
    speaking: Any, application: Any, record: Make, referred: Any, reply: Any
) -> None:
    application.replies["/refer"] = reply
    assert await speaking().ask(referred(), record(status=CallStatus.IN_PROGRESS)) is None
    fields = told(application.asked[0])
    assert (fields["Transferor"], fields["Transferee"]) == ("", "13035550000")  # the other call is unknown


# -- transcriptions


async def test_a_transcription_that_does_not_come(speaking: Any, record: Make) -> None:
    hook = Hook(url="http://app.test/text", username="u", password="p")
    event = TranscriptionFailed(id=UUID(int=9), recording=recording(), hook=hook)
    (delivery,) = speaking().deliveries(event, record())
    assert (delivery.url, delivery.method, delivery.auth) == (hook.url, "POST", ("u", "p"))
    fields = dict(delivery.fields)
    assert (fields["CallSid"], fields["PostStatus"]) == (SID, "callback")
    assert delivery.fields[-4:] == (
        ("TranscriptionText", None),
        ("TranscriptionStatus", "failed"),
        ("TranscriptionUrl", None),
        (
            "RecordingUrl",
            f"http://127.0.0.1:8080/call/2012-04-24/Accounts/{AC}/Recordings/RE{RECORDING.hex}.wav",
        ),
    )

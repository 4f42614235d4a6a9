"""Transfers, as a verb: what is called or asked of the far end, and what follows; what its hooks are told."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.dialects.jambonz.making import CALL, CALLEE, CREATED, record
from tests.dialects.jambonz.phone import Phone
from tests.dialects.jambonz.webapps import SocketApp

from ringback.calls.events import CallAnswered, CallEnded, CallRinging
from ringback.calls.outcome import EndOfVerb, Outcome
from ringback.calls.status import CallStatus, EndedBy
from ringback.calls.verbs import (
    Answering,
    Callee,
    Clip,
    Dial,
    Fallbacks,
    Gather,
    HangUp,
    Hook,
    MachineDetection,
    Play,
    Redirect,
    Refer,
    Reports,
    Say,
    Target,
    Transfer,
    Unbuilt,
)
from ringback.dialects.jambonz.errors import InvalidApplication
from ringback.dialects.jambonz.markup import parse
from ringback.dialects.jambonz.outcomes import action
from ringback.dialects.jambonz.payload import call_info
from ringback.dialects.jambonz.session import session_for
from ringback.routing.directory import Speech

HTTP = session_for(Speech(), "https://app.example/voice/start")
PHONE = {"type": "phone", "number": "+14155550123"}
CAROL = {"type": "sip", "sipUri": "sip:carol@192.0.2.9"}
BOB = Callee(target=Target(kind="number", address="+14155550123"), shown="+14155550123")
PROMPT = Say(answering=Answering.ANSWER, texts=("Press 1",))
CONFIRM = Gather(
    prompts=(PROMPT,), first_digit_timeout=15.0, finish_keys=frozenset(), max_digits=1, expected="1"
)


def parsed(**properties: Any) -> tuple[Any, list[str]]:
    document = parse([{"verb": "transfer", "target": [PHONE], **properties}], HTTP)
    (verb,) = document.verbs
    return verb, [note.message for note in document.notes]


def made(**properties: Any) -> Transfer:
    verb, notes = parsed(**properties)
    assert isinstance(verb, Transfer)
    assert not notes
    return verb


def dialled(**properties: Any) -> Dial:
    dial = made(**properties).by
    assert isinstance(dial, Dial)
    return dial


# -- blind


def test_blind_is_a_refer_unless_said_otherwise() -> None:
    assert made(mode="blind", id="t", actionHook="/done") == Transfer(
        id="t",
        answering=Answering.ANSWER,
        by=Refer(refer_to="+14155550123", timeout=30.0),
        action=Hook(url="https://app.example/done"),
    )


@pytest.mark.parametrize(
    ("target", "refer_to"),
    [
        (PHONE, "+14155550123"),
        (CAROL, "sip:carol@192.0.2.9"),
        ({"type": "user", "name": "carol@sip.example.com"}, "sip:carol@sip.example.com"),
        ({**PHONE, "overrideTo": "+14155550199"}, "+14155550199"),
    ],
)
def test_whom_a_refer_names(target: dict[str, Any], refer_to: str) -> None:
    by = made(mode="blind", target=[target]).by
    assert isinstance(by, Refer)
    assert by.refer_to == refer_to


def test_all_that_a_refer_carries() -> None:
    verb = made(
        mode="blind",
        blindMethod="refer",
        target=[{**CAROL, "headers": {"X-Order": "7"}}],
        callerId="+14155550100",
        timeout=10,
        eventHook="/going",
    )
    assert verb.by == Refer(
        refer_to="sip:carol@192.0.2.9",
        referred_by="+14155550100",
        headers=(("X-Order", "7"),),
        progress=Hook(url="https://app.example/going"),
        timeout=10.0,
    )


@pytest.mark.parametrize(
    ("properties", "part"),
    [
        ({"confirm": {"prompt": "p", "digit": "1"}}, "confirm"),
        ({"target": [PHONE, CAROL]}, "several targets"),
        ({"target": [{"type": "user", "name": "carol"}]}, "a user without its domain"),
        ({"target": [{**CAROL, "proxy": "192.0.2.1"}]}, "target property proxy"),
        ({"target": [{**PHONE, "confirmHook": "/c"}]}, "target property confirmHook"),
    ],
)
def test_what_a_refer_cannot_do_is_an_error_that_names_it(properties: dict[str, Any], part: str) -> None:
    verb, _ = parsed(mode="blind", **properties)
    assert isinstance(verb, Unbuilt)
    assert not verb.failure
    assert verb.note.message == f"transfer: not supported: {part} with blindMethod refer"
    assert isinstance(made(mode="blind", blindMethod="dial", **properties).by, Dial)


def test_a_target_that_cannot_be_called() -> None:
    verb, _ = parsed(mode="warm", target=[{"type": "teams", "number": "+1"}])
    assert verb.note.message == "transfer: target type teams is not supported"


def test_blind_by_calling() -> None:
    assert dialled(mode="blind", blindMethod="dial", callerId="+14155550100") == Dial(
        callees=(BOB,), caller_id="+14155550100", ring_timeout=30.0, ringback="us"
    )


def test_what_only_a_warm_transfer_has_is_noted() -> None:
    verb, notes = parsed(mode="blind", brief={"text": "t"}, onHoldHook="/hold", callerPresent=False)
    assert isinstance(verb, Transfer)
    assert notes == ["transfer: only a warm transfer has onHoldHook, brief"]


# -- warm


def test_warm_with_the_caller_parked() -> None:
    dial = dialled(
        mode="warm",
        target=[PHONE, CAROL],
        brief={"text": "Hello", "synthesizer": {"vendor": "google", "voice": "Anna"}},
        confirm={"prompt": "Press 1", "digit": "1"},
        onHoldHook="/hold",
        timeout=5,
        eventHook="/going",
    )
    brief = Say(answering=Answering.ANSWER, texts=("Hello",), vendor="google", voice="Anna")
    told = Reports(hook=Hook(url="https://app.example/going"))
    assert [callee.shown for callee in dial.callees] == ["+14155550123", "sip:carol@192.0.2.9"]
    assert {callee.briefing for callee in dial.callees} == {(brief, CONFIRM)}
    assert {callee.reports for callee in dial.callees} == {told}
    assert (dial.parks, dial.hold_hook, dial.ring_timeout) == (
        True,
        Hook(url="https://app.example/hold"),
        5.0,
    )
    assert not dial.announcement


def test_warm_with_the_caller_present() -> None:
    dial = dialled(
        mode="warm",
        callerPresent=True,
        brief={"text": "Hello"},
        confirm={"prompt": "Press 1", "digit": "1"},
        onHoldHook="/hold",
    )
    assert dial.callees[0].briefing == (CONFIRM,)
    assert dial.announcement == (Say(answering=Answering.ANSWER, texts=("Hello",)),)
    assert (dial.parks, dial.hold_hook) == (False, None)


def test_a_prompt_may_be_fetched() -> None:
    (gather,) = dialled(mode="warm", confirm={"prompt": "https://a/p.wav", "digit": "#"}).callees[0].briefing
    assert isinstance(gather, Gather)
    assert (gather.prompts, gather.expected) == ((Play(clips=(Clip("https://a/p.wav"),)),), "#")


def test_who_answers_is_known_before_anything_is_said() -> None:
    wanted = dialled(mode="warm", amd={"actionHook": "/amd"}).detection
    assert isinstance(wanted, MachineDetection)
    assert (wanted.asynchronous, wanted.people_only, wanted.follow) == (False, True, False)


# -- what follows


def test_what_follows_by_outcome() -> None:
    verb = made(
        mode="warm",
        disposition={"onNoAnswer": "voicemail", "onBusy": "hangup", "voicemailUrl": "https://vm.example/"},
    )
    redirect = Redirect(hook=Hook(url="https://vm.example/"))
    assert verb.fallbacks == Fallbacks(no_answer=(redirect,), busy=(HangUp(),))


def test_voicemail_may_be_called() -> None:
    url = "sip:vm@192.0.2.8"
    verb = made(mode="warm", disposition={"onDecline": "voicemail", "voicemailUrl": url})
    (dial,) = verb.fallbacks.declined
    assert isinstance(dial, Dial)
    assert dial.callees == (Callee(target=Target(kind="sip", address=url), shown=url),)


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ({"mode": "cold"}, "invalid value cold must be one of blind,warm"),
        ({"target": []}, "transfer: missing value for target"),
        ({"mode": "blind", "target": []}, "transfer: missing value for target"),
        ({"confirm": {"prompt": "p"}}, "transferConfirm: missing value for digit"),
        ({"confirm": {"prompt": "p", "digit": "12"}}, "transfer: property digit has invalid data type"),
        ({"brief": {}}, "transferBrief: missing value for text"),
        ({"disposition": {"onBusy": "voicemail"}}, "transfer: missing value for voicemailUrl"),
        ({"disposition": {"onBusy": "x"}}, "invalid value x must be one of return,voicemail,hangup"),
        (
            {"disposition": {"onBusy": "voicemail", "voicemailUrl": "http://"}},
            "transfer: voicemailUrl is not a url",
        ),
        (
            {"disposition": {"onBusy": "voicemail", "voicemailUrl": "sip:a b"}},
            "transfer: voicemailUrl is not a url",
        ),
        ({"callerId": "a\r\nb"}, "transfer: property callerId has invalid data type"),
    ],
)
def test_wrong_ones(properties: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidApplication) as caught:
        parse([{"verb": "transfer", "mode": "warm", "target": [PHONE], **properties}], HTTP)
    assert caught.value.message == message


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
PROPERTIES = ("blindMethod", "callerPresent", "callerId", "timeout", "confirm", "amd", "disposition", "brief")


@given(
    st.sampled_from(["blind", "warm"]),
    st.fixed_dictionaries({}, optional=dict.fromkeys(PROPERTIES, JSON)),
    st.fixed_dictionaries({"prompt": st.text(), "digit": st.text(max_size=2)}) | st.none(),
    st.fixed_dictionaries({"onBusy": st.just("voicemail"), "voicemailUrl": st.text()}) | st.none(),
)
def test_anything_is_a_verb_or_an_error(mode: str, more: dict[str, Any], confirm: Any, after: Any) -> None:
    given_ = {
        **more,
        "confirm": confirm or more.get("confirm"),
        "disposition": after or more.get("disposition"),
    }
    try:
        document = parse([{"verb": "transfer", "mode": mode, "target": [PHONE], **given_}], HTTP)
    except InvalidApplication:
        return
    assert isinstance(document.verbs[0], Transfer | Unbuilt)


# -- what the hooks are told

DIAL = Dial(callees=(BOB,))
AFTER = Fallbacks(no_answer=(HangUp(),), busy=(Redirect(hook=Hook(url="https://vm.example/")),))
LEG = {"dial_call_sid": str(CALLEE)}


@pytest.mark.parametrize(
    ("outcome", "fields"),
    [
        (
            {"bridged": True, "sip_status": 200, "callee_status": CallStatus.COMPLETED},
            {"transfer_result": "bridged", "transfer_reason": "completed", "sip_status": 200},
        ),
        (
            {"callee_status": CallStatus.NO_ANSWER},
            {"transfer_result": "failed", "transfer_reason": "no-answer", "sip_status": 487},
        ),
        (
            {"callee_status": CallStatus.BUSY, "sip_status": 486},
            {"transfer_result": "voicemail", "transfer_reason": "busy", "sip_status": 486},
        ),
        (
            {"callee_status": CallStatus.DECLINED, "sip_status": 603},
            {"transfer_result": "returned", "transfer_reason": "declined", "sip_status": 603},
        ),
        (
            {"callee_status": CallStatus.FAILED, "sip_status": 503},
            {"transfer_result": "failed", "transfer_reason": "error", "sip_status": 503},
        ),
        (
            {"callee_status": CallStatus.CANCELED, "end": EndOfVerb.HUNG_UP},
            {"transfer_result": "failed", "transfer_reason": "caller-abandoned", "sip_status": 487},
        ),
    ],
)
def test_how_it_ended(outcome: dict[str, Any], fields: dict[str, Any]) -> None:
    call = record(status=CallStatus.IN_PROGRESS, sip_status=None, answered_at=CREATED)
    verb = Transfer(by=DIAL, fallbacks=AFTER)
    payload = action(call, verb, Outcome(**{"end": EndOfVerb.FAILED, "callee": CALLEE, **outcome}))
    assert payload == {**call_info(call), **LEG, **fields}


@pytest.mark.parametrize(
    ("outcome", "fields"),
    [
        (
            {"sip_status": 202, "notified_status": 200},
            {"transfer_result": "bridged", "transfer_reason": "completed", "sip_status": 200},
        ),
        (
            {"sip_status": 405, "end": EndOfVerb.FAILED},
            {"transfer_result": "failed", "transfer_reason": "error", "sip_status": 405},
        ),
    ],
)
def test_how_a_refer_ended(outcome: dict[str, Any], fields: dict[str, Any]) -> None:
    call = record(status=CallStatus.IN_PROGRESS, sip_status=None, answered_at=CREATED)
    verb = Transfer(by=Refer(refer_to="sip:a@b"))
    assert fields.items() <= action(call, verb, Outcome(**outcome)).items()


GOING = Hook(url="https://app.example/going")
RINGING = CallRinging(sip_status=180, sip_reason="Ringing", early_media=False)
ANSWERED = CallAnswered()
BUSY = CallEnded(
    status=CallStatus.BUSY, cause="busy", by=EndedBy.REMOTE, sip_status=486, sip_reason="Busy Here"
)


async def test_the_event_hook_is_told_how_the_leg_goes(phones: Any) -> None:
    caller: Phone = phones("https://app.example/start")

    def told(leg: Phone, event: Any) -> list[Any]:
        return [msgspec.json.decode(due.json) for due in leg.tell(event) if due.url == GOING.url]

    leg = caller.callee(reports=Reports(hook=GOING))
    assert told(leg, RINGING) == [{"event": "transfer-status", "call_status": 180}]
    assert told(leg, ANSWERED) == [{"event": "transfer-status", "call_status": 200}]
    assert told(leg, msgspec.structs.replace(BUSY, status=CallStatus.COMPLETED)) == []
    busy = caller.callee(reports=Reports(hook=GOING))
    assert told(busy, BUSY) == [{"event": "transfer-status", "call_status": 486}]
    assert told(caller.callee(), RINGING) == []


async def test_over_a_socket_too(phones: Any, socket_app: SocketApp) -> None:
    caller: Phone = phones(socket_app.url)
    socket, _ = await caller.open(socket_app)
    caller.callee(reports=Reports(hook=Hook(url="/going"))).tell(RINGING)
    assert (await socket.next("call:status"))["data"]["call_status"] == "ringing"
    message = await socket.next("verb:hook")
    assert (message["hook"], message["data"]) == ("/going", {"event": "transfer-status", "call_status": 180})
    assert message["call_sid"] == str(CALL)

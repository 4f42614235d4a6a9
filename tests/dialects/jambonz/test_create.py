"""`POST …/Calls`: what is placed, and what is refused in which words."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from tests.dialects.jambonz.conftest import Ask
from tests.dialects.jambonz.making import ACCOUNT, APPLICATION, CALL, OTHER, configured, record
from tests.dialects.memory import MemoryCalls

from ringback.calls.control import LimitReached, Overloaded, Unroutable
from ringback.calls.services import Services
from ringback.calls.verbs import Hook, Target
from ringback.routing.directory import Application

CALLS = f"/v1/Accounts/{ACCOUNT.id}/Calls"
SPEECH = {
    "speech_synthesis_vendor": "google",
    "speech_synthesis_language": "en-US",
    "speech_synthesis_voice": "default",
    "speech_recognizer_vendor": "google",
    "speech_recognizer_language": "en-US",
}
PHONE = {"type": "phone", "number": "+15085551213"}
VALID = {"from": "+15085551212", "to": PHONE, "application_sid": str(APPLICATION)}
OWN = {"from": "+15085551212", "to": PHONE, "call_hook": "https://app.example/hook", **SPEECH}


@pytest.fixture(autouse=True)
def known(services: Services) -> None:
    services.directory.put(
        configured("https://app.example/voice", status_callback="https://app.example/status")
    )


async def test_a_call_that_is_under_way_already(rest: Ask, calls: MemoryCalls) -> None:
    calls.found["create"] = record(sip_call_id="abc@192.0.2.7")
    assert (await rest("POST", CALLS, json=VALID)).json == {"sid": str(CALL), "callId": "abc@192.0.2.7"}


async def test_create_by_application(rest: Ask, calls: MemoryCalls) -> None:
    body: dict[str, Any] = {
        **VALID,
        "tag": {"x_test_id": "42"},
        "timeout": 30,
        "timeLimit": 600,
        "headers": {"X-A": "b"},
        "callerName": "Acme",
        "fromHost": "acme.example",
        "call_hook": "https://ignored.example/",
    }
    reply = await rest("POST", CALLS, json=body)
    request = calls.requests[0]
    assert reply.status == 201
    sid = reply.json["sid"]
    assert reply.json == {"sid": sid, "callId": sid}
    assert UUID(sid) in calls.records
    assert request.to == Target(kind="number", address="+15085551213", headers=(("X-A", "b"),))
    assert (request.from_, request.to_shown, request.application_id) == (
        "+15085551212",
        "+15085551213",
        APPLICATION,
    )
    assert (request.ring_timeout, request.time_limit) == (30.0, 600.0)
    assert (request.caller_name, request.from_host) == ("Acme", "acme.example")
    assert request.custom == {"x_test_id": "42"}
    state = request.application.state()
    assert state["call_hook"]["url"] == "https://app.example/voice"  # the application's wins over the body's
    assert state["status_hook"]["url"] == "https://app.example/status"
    assert request.detection is None


async def test_create_with_detection_and_hooks_for_the_dialog(rest: Ask, calls: MemoryCalls) -> None:
    body = {
        **VALID,
        "to": {**PHONE, "proxy": "sip:192.0.2.8"},
        "amd": {"actionHook": "/amd", "thresholdWordCount": 5},
        "referHook": "/refer",
        "sipRequestWithinDialogHook": {"url": "https://other.example/request", "method": "GET"},
        "answerOnBridge": True,
        "dual_streams": True,
    }
    assert (await rest("POST", CALLS, json=body)).status == 201
    request = calls.requests[0]
    assert request.to.proxy == "sip:192.0.2.8"
    assert request.detection is not None
    assert request.detection.report == Hook(url="https://app.example/amd")
    assert (request.detection.words_threshold, request.detection.asynchronous) == (5, True)
    state = request.application.state()
    assert state["refer_hook"]["url"] == "https://app.example/refer"
    assert state["request_hook"] == {
        "url": "https://other.example/request",
        "method": "GET",
        "username": None,
        "password": None,
    }


async def test_create_with_hooks_of_its_own(rest: Ask, calls: MemoryCalls) -> None:
    hook = {"url": "https://app.example/s", "method": "GET", "username": "u", "password": "p"}
    reply = await rest("POST", CALLS, json={**OWN, "call_status_hook": hook})
    assert reply.status == 201
    request = calls.requests[0]
    assert request.application_id is None
    assert request.ring_timeout == 60.0
    state = request.application.state()
    assert state["call_hook"]["method"] == "POST"
    assert state["status_hook"] == hook
    assert state["speech"]["synthesis_voice"] == ""


async def test_create_with_a_document(rest: Ask, calls: MemoryCalls) -> None:
    body = {**OWN, "app_json": '[{"verb":"say","text":"hi"}]'}
    del body["call_hook"]
    assert (await rest("POST", CALLS, json=body)).status == 201
    assert calls.requests[0].application.state()["app_json"] == '[{"verb":"say","text":"hi"}]'


@pytest.mark.parametrize(
    ("to", "target", "shown"),
    [
        (
            {**PHONE, "trunk": "carrier", "from": {"user": "77", "host": "h.example"}},
            Target(kind="number", address="+15085551213", trunk="carrier"),
            "+15085551213",
        ),
        (
            {"type": "user", "name": "alice@acme.example"},
            Target(kind="client", address="alice"),
            "alice@acme.example",
        ),
        (
            {
                "type": "sip",
                "sipUri": "sip:a@b.example",
                "auth": {"username": "u", "password": "p"},
                "headers": {"X-B": "c"},
            },
            Target(
                kind="sip", address="sip:a@b.example", headers=(("X-B", "c"),), username="u", password="p"
            ),
            "sip:a@b.example",
        ),
    ],
)
async def test_targets(rest: Ask, calls: MemoryCalls, to: Any, target: Target, shown: str) -> None:
    assert (await rest("POST", CALLS, json={**VALID, "to": to})).status == 201
    request = calls.requests[0]
    assert (request.to, request.to_shown) == (target, shown)
    if "from" in to:
        assert (request.caller_id, request.from_host) == ("77", "h.example")


ALL_FIVE = "either application_sid or set of " + ", ".join(SPEECH) + " required"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "missing from parameter"),
        ([], "missing from parameter"),
        ({**VALID, "from": ""}, "missing from parameter"),
        ({**VALID, "from": 15085551212}, "missing from parameter"),
        ({**VALID, "from": "x" * 257}, "missing from parameter"),
        ({**VALID, "from": "1\r\nX: y"}, "missing from parameter"),
        ({"from": "+1"}, "missing or invalid to property: null"),
        ({**VALID, "to": "+1"}, 'missing or invalid to property: "+1"'),
        ({**VALID, "to": {"type": "phone"}}, 'missing or invalid to property: {"type":"phone"}'),
        (
            {**VALID, "to": {"type": "fax", "number": "1"}},
            'missing or invalid to property: {"type":"fax","number":"1"}',
        ),
        (
            {**VALID, "to": {"type": "sip", "sipUri": "a@b"}},
            'missing or invalid to property: {"type":"sip","sipUri":"a@b"}',
        ),
        ({**VALID, "to": {**PHONE, "proxy": "sip:"}}, "invalid proxy"),
        ({**VALID, "to": {**PHONE, "confirmHook": "/c"}}, "to property confirmHook is not supported"),
        ({**VALID, "to": {**PHONE, "vmail": True}}, "to property vmail is not supported"),
        (
            {**VALID, "to": {"type": "user", "name": "bob", "overrideTo": "77"}},
            "to property overrideTo is not supported for type user",
        ),
        ({**VALID, "to": {"type": "teams", "number": "1"}}, "to type teams is not supported"),
        ({"from": "+1", "to": PHONE}, ALL_FIVE),
        ({**OWN, "speech_recognizer_language": ""}, ALL_FIVE),
        ({**VALID, "application_sid": str(CALL)}, f"application_sid not found {CALL}"),
        ({**VALID, "application_sid": "x"}, "application_sid not found x"),
        ({**OWN, "call_hook": None}, "either application_sid or call_hook required"),
        ({**OWN, "call_hook": "/hook"}, "call_hook url be an absolute url"),
        ({**OWN, "call_hook": "https://"}, "call_hook url be an absolute url"),
        ({**OWN, "call_hook": {"method": "POST"}}, "call_hook: missing value for url"),
        ({**OWN, "call_hook": 7}, "call_hook must be a string or an object containing a url property"),
        ({**OWN, "call_status_hook": "ftp://a/b"}, "call_status_hook url be an absolute url"),
        ({**OWN, "app_json": "[{}]"}, "invalid app_json: malformed jambonz payload: missing verb property"),
        ({**VALID, "amd": {"thresholdWordCount": 5}}, "amd: missing value for actionHook"),
        ({**VALID, "amd": True}, "invalid amd"),
        ({**VALID, "amd": {"actionHook": "/a", "speed": 1}}, "amd: unknown property speed"),
        ({**VALID, "transcribe": {}, "record": {"action": "x"}}, "record is not supported"),
        ({**VALID, "referHook": 7}, "referHook must be a string or an object containing a url property"),
        ({**VALID, "tag": "x"}, "invalid tag data"),
        ({**VALID, "timeout": 0}, "invalid timeout"),
        ({**VALID, "timeLimit": "60"}, "invalid timeLimit"),
        ({**VALID, "headers": {"X-A": "1\r\n"}}, "invalid header 'X-A'"),
        ({**VALID, "headers": []}, "invalid headers"),
        ({**VALID, "callerName": "a\nb"}, "invalid callerName"),
    ],
)
async def test_create_refuses(rest: Ask, calls: MemoryCalls, body: Any, message: str) -> None:
    reply = await rest("POST", CALLS, json=body)
    assert (reply.status, reply.json) == (400, {"msg": message})
    assert not calls.requests


async def test_only_applications_of_this_dialect_and_account(rest: Ask, services: Services) -> None:
    for application in (
        Application(id=UUID(int=1), account_id=ACCOUNT.id, name="xml", dialect="laml"),
        Application(id=UUID(int=2), account_id=OTHER.id, name="theirs", dialect="jambonz"),
    ):
        services.directory.put(application)
        reply = await rest("POST", CALLS, json={**VALID, "application_sid": str(application.id)})
        assert reply.json["msg"].startswith("application_sid not found")


@pytest.mark.parametrize("body", [b"{", b"\xff", b"[" * 100_000])
async def test_what_is_no_json(rest: Ask, body: bytes) -> None:
    reply = await rest("POST", CALLS, data=body)
    assert reply.status == 400
    assert reply.json["msg"].startswith("the body is not JSON")


async def test_what_is_too_large(rest: Ask) -> None:
    reply = await rest("POST", CALLS, data=b" " * (10 * 1024 * 1024 + 1))
    assert (reply.status, list(reply.json)) == (413, ["msg"])


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (Unroutable("no trunk"), 422, "no trunk"),
        (LimitReached("too many are waiting"), 422, "too many are waiting"),
        (Overloaded("shutting down"), 480, "no available feature servers at this time"),
    ],
)
async def test_calls_that_cannot_be_placed(
    rest: Ask, calls: MemoryCalls, error: Exception, status: int, message: str
) -> None:
    calls.fail = error
    reply = await rest("POST", CALLS, json=VALID)
    assert (reply.status, reply.json) == (status, {"msg": message})

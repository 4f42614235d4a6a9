"""The REST surface, through ASGI: who may ask, which paths there are, and calls in JSON and XML."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from lxml import etree
from tests.dialects.callapi.conftest import AC, INSTANCE, SID, Make

from ringback.calls.events import Noted, encode
from ringback.calls.status import CallStatus, Direction
from ringback.calls.verbs import Note
from ringback.routing.directory import Account
from ringback.store.records import StoredEvent

# -- who asks


@pytest.mark.parametrize(
    ("auth", "status"),
    [
        (("secret", ""), 200),
        (("secret", AC), 200),
        (("secret", "3fa85f64-5717-4562-b3fc-2c963f66afa6"), 200),
        ((AC, "secret"), 200),
        (("3fa85f64-5717-4562-b3fc-2c963f66afa6", "secret"), 200),
        (None, 401),
        (("", ""), 401),
        ((AC, ""), 401),
        ((AC, "wrong"), 401),
        (("wrong", AC), 401),
        (("alice", "secret"), 401),
        (("secret", "AC11111111222243338444555555555555"), 401),
        (("hidden", ""), 403),
        (("AC11111111222243338444555555555555", "hidden"), 403),
    ],
)
async def test_credentials(rest: Any, auth: Any, status: int) -> None:
    reply = await rest("GET", "Calls.json", auth=auth)
    assert reply.status == status
    if status != 200:
        assert reply.text == ""
    if status == 401:
        assert reply.headers["www-authenticate"] == 'Basic realm="Restcomm realm"'


@pytest.mark.parametrize("account", ["ACffffffffffffffffffffffffffffffff", "nonsense"])
async def test_an_account_that_does_not_exist(rest: Any, account: str) -> None:
    reply = await rest("GET", "Calls.json", base=f"/call/2012-04-24/Accounts/{account}/")
    assert reply.status == 404


async def test_another_accounts_calls_do_not_exist(
    rest: Any, calls: Any, record: Make, other: Account
) -> None:
    calls.add(record(account_id=other.id, status=CallStatus.IN_PROGRESS))
    assert (await rest("GET", f"Calls/{SID}.json")).status == 404
    assert (await rest("GET", f"Calls/{SID}/Recordings.json")).status == 404
    assert (await rest("POST", f"Calls/{SID}.json", {"Status": "completed"})).status == 406
    assert (await rest("GET", "Calls.json")).json["calls"] == []
    assert not calls.done


# -- paths and forms


@pytest.mark.parametrize("base", ["/call", "/restcomm", ""])
@pytest.mark.parametrize("path", ["Calls/{}.json", "Calls.json/{}", "Calls/{}/", "ListCalls/{}.json"])
async def test_a_call_under_every_path(rest: Any, calls: Any, record: Make, base: str, path: str) -> None:
    calls.add(record())
    for sid in (SID, SID[35:], "9d3572be-9f7a-41ea-97f4-5ffeb3239325"):
        reply = await rest(
            "GET",
            path.format(sid),
            base=f"{base}/2012-04-24/Accounts/{AC}/",
            headers={"accept": "application/json"},
        )
        assert reply.json["sid"] == SID


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("GET", "Nothing", 404, None),
        ("GET", "", 404, None),
        ("GET", "Calls/a/b/c", 404, None),
        ("GET", "Calls/nonsense.json", 404, None),
        ("DELETE", f"Calls/{SID}.json", 405, "GET, POST"),
        ("PUT", "Calls.json", 405, "GET, POST"),
        ("POST", f"Calls/{SID}/Recordings.json", 405, "GET"),
    ],
)
async def test_what_is_not_there(
    rest: Any, calls: Any, record: Make, method: str, path: str, status: int, allow: str | None
) -> None:
    calls.add(record())
    reply = await rest(method, path)
    assert (reply.status, reply.text, reply.headers.get("allow")) == (status, "", allow)


async def test_below_the_prefix_but_no_account(rest: Any) -> None:
    assert (await rest("GET", "", base="/call/2012-04-24/Somewhere/Else")).status == 404


@pytest.mark.parametrize(
    ("headers", "kind"),
    [
        ({}, "application/xml"),
        ({"accept": "*/*"}, "application/xml"),
        ({"accept": "text/html"}, "application/xml"),
        ({"accept": "application/json"}, "application/json"),
    ],
)
async def test_xml_unless_json_is_asked_for(
    rest: Any, calls: Any, record: Make, headers: dict[str, str], kind: str
) -> None:
    calls.add(record())
    reply = await rest("GET", f"Calls/{SID}", headers=headers)
    assert reply.headers["content-type"].startswith(kind)


# -- representations


async def test_every_member_of_an_ended_inbound_call(
    rest: Any, calls: Any, record: Make, later: Callable[[float], datetime]
) -> None:
    number, parent = UUID(int=7), UUID(int=8)
    calls.add(
        record(
            status=CallStatus.COMPLETED,
            number_id=number,
            parent_id=parent,
            answered_at=later(5),
            ended_at=later(65),
            updated_at=later(65),
            answered_by="human",
            forwarded_from="8005550100",
            caller_name="A & <b>\x01",
        )
    )
    reply = await rest("GET", f"Calls/{SID}.json")
    assert reply.json == {
        "sid": SID,
        "InstanceId": f"ID{INSTANCE}",
        "date_created": "Tue, 26 May 2020 17:59:16 +0000",
        "date_updated": "Tue, 26 May 2020 18:00:21 +0000",
        "parent_call_sid": f"ID{INSTANCE}-CA{parent.hex}",
        "account_sid": AC,
        "to": "+18044731212",
        "from": "+13035550000",
        "phone_number_sid": f"PN{number.hex}",
        "status": "completed",
        "start_time": "2020-05-26T17:59:16.555Z",
        "end_time": "2020-05-26T18:00:21.555Z",
        "duration": 60,
        "price": "0.00",
        "price_unit": "USD",
        "direction": "inbound",
        "answered_by": "human",
        "api_version": "2012-04-24",
        "forwarded_from": "8005550100",
        "caller_name": "A & <b>\x01",
        "uri": f"/2012-04-24/Accounts/{AC}/Calls/{SID}.json",
        "ring_duration": 5,
        "subresource_uris": {
            "notifications": f"/2012-04-24/Accounts/{AC}/Calls/{SID}/Notifications.json",
            "recordings": f"/2012-04-24/Accounts/{AC}/Calls/{SID}/Recordings.json",
        },
    }
    root = etree.fromstring((await rest("GET", f"Calls/{SID}")).text.encode())
    assert root.findtext("Call/CallerName") == "A & <b>\ufffd"
    assert root.findtext("Call/Ring_duration") == "5"


async def test_xml_keeps_empty_elements(rest: Any, calls: Any, record: Make) -> None:
    calls.add(record())
    root = etree.fromstring((await rest("GET", f"Calls/{SID}")).text.encode())
    assert root.tag == "RestcommResponse"
    assert [child.tag for child in root[0]] == [
        "Sid",
        "InstanceId",
        "DateCreated",
        "DateUpdated",
        "ParentCallSid",
        "AccountSid",
        "To",
        "From",
        "PhoneNumberSid",
        "Status",
        "StartTime",
        "EndTime",
        "Duration",
        "Price",
        "PriceUnit",
        "Direction",
        "AnsweredBy",
        "ApiVersion",
        "ForwardedFrom",
        "CallerName",
        "Uri",
        "Ring_duration",
        "SubresourceUris",
    ]
    assert root.findtext("Call/AnsweredBy") == ""
    assert root.findtext("Call/CallerName") == "Unknown"
    assert [child.tag for child in root[0][-1]] == ["Notifications", "Recordings"]


async def test_an_outbound_call_starts_at_the_answer_and_runs(rest: Any, calls: Any, record: Make) -> None:
    answered = datetime.now(UTC) - timedelta(seconds=30)
    calls.add(
        record(
            direction=Direction.OUTBOUND_API,
            status=CallStatus.IN_PROGRESS,
            answered_at=answered,
            updated_at=answered,
        )
    )
    call = (await rest("GET", f"Calls/{SID}.json")).json
    assert 30 <= call["duration"] <= 32
    assert call["start_time"][:19] == answered.isoformat()[:19]
    assert "caller_name" not in call


async def test_one_digit_days_are_not_padded(rest: Any, calls: Any, record: Make) -> None:
    calls.add(record(created_at=datetime(2018, 6, 7, 16, 56, 33, tzinfo=UTC)))
    assert (await rest("GET", f"Calls/{SID}.json")).json["date_created"] == "Thu, 7 Jun 2018 16:56:33 +0000"


async def test_no_recordings_and_the_notes_as_notifications(
    rest: Any, calls: Any, services: Any, record: Make, later: Callable[[float], datetime]
) -> None:
    calls.add(record())
    assert (await rest("GET", f"Calls/{SID}/Recordings.json")).json == []
    assert "<Recordings></Recordings>" in (await rest("GET", f"Calls/{SID}/Recordings")).text
    notes = [
        Note(level="warning", code="13910", message="x is an invalid length value."),
        Note(level="error", code="11206", message="no", detail={"url": "http://app.test/"}),
        Note(level="info", code="voice", message="not told"),
    ]
    at = later(3).timestamp()
    services.store.kept[str(record().id)] = [
        StoredEvent(str(record().id), number, kind, at, payload)
        for number, (kind, payload) in enumerate(
            [("call.ringing", b"{}"), *(("call.noted", encode(Noted(note=note))) for note in notes)]
        )
    ]
    listed = (await rest("GET", f"Calls/{SID}/Notifications.json")).json
    assert [(one["log"], one["error_code"], one["message_text"]) for one in listed] == [
        (1, 13910, "x is an invalid length value."),
        (0, 11206, "no"),
    ]
    assert listed[1]["request_url"] == "http://app.test/"
    assert listed[0]["call_sid"] == SID
    assert listed[0]["sid"].startswith("NO")
    assert len({one["sid"] for one in listed}) == 2
    assert (await rest("GET", "", base="/call" + listed[1]["uri"])).json == listed[1]
    assert (await rest("GET", f"Calls/{SID}/Notifications/NO1.json")).status == 404

"""The REST surface, through ASGI: what it accepts, what it answers, in JSON and XML."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from lxml import etree

from ringback.calls.control import Overloaded
from ringback.calls.events import Noted, encode
from ringback.calls.record import CallRecord
from ringback.calls.status import CallStatus, Direction
from ringback.calls.verbs import Hook, Note
from ringback.dialects.callapi.webhook import Settings
from ringback.routing.directory import Account
from ringback.store.records import StoredEvent

Make = Callable[..., CallRecord]

INSTANCE = "0123456789abcdef0123456789abcdef"
AC = "AC3fa85f6457174562b3fc2c963f66afa6"
SID = f"ID{INSTANCE}-CA9d3572be9f7a41ea97f45ffeb3239325"
NEW = {"From": "8044735555", "To": "3035551212", "Url": "http://app.test/voice"}


# -- creating


async def test_create_answers_with_the_queued_call(rest: Any, calls: Any) -> None:
    reply = await rest("POST", "Calls.json", NEW)
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
    (call,) = calls.records.values()
    sid = f"ID{INSTANCE}-CA{call.id.hex}"
    uri = f"/2012-04-24/Accounts/{AC}/Calls/{sid}"
    assert list(reply.json.items()) == [
        ("sid", sid),
        ("InstanceId", f"ID{INSTANCE}"),
        ("date_created", "Tue, 26 May 2020 17:59:16 +0000"),
        ("date_updated", "Tue, 26 May 2020 17:59:16 +0000"),
        ("account_sid", AC),
        ("to", "3035551212"),
        ("from", "8044735555"),
        ("status", "queued"),
        ("start_time", "2020-05-26T17:59:16.555Z"),
        ("price", "0.00"),
        ("price_unit", "USD"),
        ("direction", "outbound-api"),
        ("api_version", "2012-04-24"),
        ("uri", f"{uri}.json"),
        (
            "subresource_uris",
            {"notifications": f"{uri}/Notifications.json", "recordings": f"{uri}/Recordings.json"},
        ),
    ]
    assert '{\n  "sid": "ID' in reply.text  # pretty-printed


async def test_create_defaults(rest: Any, calls: Any) -> None:
    await rest("POST", "Calls.json", NEW)
    (request,) = calls.requests
    assert (request.from_, request.from_host, request.to_shown) == ("8044735555", None, "3035551212")
    assert (request.to.kind, request.to.address, request.to.headers) == ("number", "3035551212", ())
    assert request.ring_timeout == 60.0
    assert request.application.settings == Settings(
        voice=Hook(url="http://app.test/voice"), events=("completed",)
    )


async def test_every_parameter_of_create(rest: Any, calls: Any) -> None:
    more = {
        "Method": "get",
        "FallbackUrl": "http://app.test/fallback",
        "FallbackMethod": "GET",
        "StatusCallback": "http://app.test/status",
        "StatusCallbackMethod": "GET",
        "StatusCallbackEvent": "answered,initiated, ringing",
        "Timeout": "20",
        "DetectVoicemail": "yes",
        "Username": "u",
        "Password": "p",
    }
    await rest("POST", "Calls.json", {**NEW, **more})
    (request,) = calls.requests
    assert request.ring_timeout == 20.0
    assert (request.to.username, request.to.password) == ("u", "p")
    assert request.application.settings == Settings(
        voice=Hook(url="http://app.test/voice", method="GET"),
        fallback=Hook(url="http://app.test/fallback", method="GET"),
        status=Hook(url="http://app.test/status", method="GET"),
        events=("initiated", "ringing", "answered"),
        detect_voicemail=True,
    )


@pytest.mark.parametrize(
    ("to", "kind", "address", "headers", "shown"),
    [
        ("sip:alice@h:5080", "sip", "sip:alice@h:5080", (), "alice"),
        ("alice@h", "sip", "sip:alice@h", (), "alice"),
        (
            "sip:alice@h;transport=tcp?a=b%20c&X-d=e",
            "sip",
            "sip:alice@h;transport=tcp",
            (("X-a", "b c"), ("X-d", "e")),
            "alice",
        ),
        ("client:bob?k=v", "client", "bob", (("X-k", "v"),), "bob"),
        ("+14155550100", "number", "+14155550100", (), "+14155550100"),
    ],
)
async def test_targets(
    rest: Any, calls: Any, to: str, kind: str, address: str, headers: Any, shown: str
) -> None:
    await rest("POST", "Calls.json", {**NEW, "To": to, "From": " sip:me@here "})
    (request,) = calls.requests
    assert (request.to.kind, request.to.address, request.to.headers) == (kind, address, headers)
    assert request.to_shown == shown
    assert (request.from_, request.from_host) == ("me", "here")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"From": None}, "From can not be null."),
        ({"To": ""}, "To can not be null."),
        ({"Url": None}, "Url can not be null."),
        ({"Url": "nowhere"}, "Url is not a valid URL"),
        ({"Method": "PUT"}, "Method must be GET or POST."),
        ({"FallbackUrl": "ftp://x"}, "FallbackUrl is not a valid URL"),
        ({"StatusCallback": "x"}, "StatusCallback is not a valid URL"),
        ({"StatusCallbackMethod": "PUT"}, "StatusCallbackMethod must be GET or POST."),
        ({"StatusCallbackEvent": "answered,exploded"}, "exploded is not a StatusCallbackEvent"),
        ({"Timeout": "soon"}, "Timeout must be a number of seconds"),
        ({"Timeout": "0"}, "Timeout must be a number of seconds"),
        ({"To": "a@b\r\nX: y"}, "To must not contain control characters."),
        ({"From": "1\n2"}, "From must not contain control characters."),
        ({"To": "a@h?x=1%0d%0ay"}, "To must not contain control characters."),
        ({"To": "a@h?b c=1"}, "'b c' in To is not a header name."),
        ({"To": "a@h?x=" + "y" * 1024}, "The headers in To must not be longer"),
        ({"To": "a@" + "h" * 255}, "To must not be longer"),
        ({"To": "client:"}, "To names no client."),
    ],
)
async def test_wrong_parameters_are_plain_text(rest: Any, change: dict[str, Any], text: str) -> None:
    form = {name: value for name, value in {**NEW, **change}.items() if value is not None}
    reply = await rest("POST", "Calls.json", form)
    assert reply.status == 400
    assert reply.headers["content-type"] == "text/plain; charset=utf-8"
    assert reply.text.startswith(text)


async def test_calls_that_cannot_be_placed(rest: Any, calls: Any, unroutable: Exception) -> None:
    calls.fail = unroutable
    reply = await rest("POST", "Calls.json", NEW)
    assert (reply.status, reply.text) == (500, str(unroutable))
    calls.fail = Overloaded("shutting down")
    reply = await rest("POST", "Calls.json", NEW)
    assert (reply.status, reply.text, reply.headers["retry-after"]) == (503, "shutting down", "1")


@pytest.mark.parametrize("path", ["Calls.json", "Calls"])
async def test_a_fault_of_ours_is_a_500(
    rest: Any, calls: Any, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    calls.fail = RuntimeError("broken")
    reply = await rest("POST", path, NEW)
    assert (reply.status, reply.text) == (500, "Internal Server Error")
    assert reply.headers["content-type"] == "text/plain; charset=utf-8"
    assert "broken" in caplog.text


async def test_bodies_that_cannot_be_used(rest: Any) -> None:
    too_large = await rest("POST", "Calls.json", headers={"content-length": "10000001"})
    assert too_large.status == 413
    bad = await rest("POST", "Calls.json", body=b"{", headers={"content-type": "application/json"})
    assert bad.status == 400
    parts = await rest(
        "POST", "Calls.json", body=b"x", headers={"content-type": "multipart/form-data; boundary=b"}
    )
    assert parts.status == 415


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


# -- lists


def many(record: Make, count: int, **fields: Any) -> list[CallRecord]:
    start = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return [record(id=uuid4(), created_at=start + timedelta(seconds=n), **fields) for n in range(count)]


async def test_pages(rest: Any, calls: Any, record: Make) -> None:
    made = many(record, 5)
    calls.add(*made)
    first = (await rest("GET", "Calls.json?PageSize=2&From=0000")).json
    uri = f"/2012-04-24/Accounts/{AC}/Calls.json"
    after = f"ID{INSTANCE}-CA{made[3].id.hex}"
    assert list(first.items())[:-1] == [
        ("page", 0),
        ("num_pages", 2),
        ("page_size", 2),
        ("total", 5),
        ("start", "0"),
        ("end", "2"),
        ("uri", uri),
        ("first_page_uri", f"{uri}?Page=0&PageSize=2&From=0000"),
        ("previous_page_uri", "null"),
        ("next_page_uri", f"{uri}?Page=1&PageSize=2&From=0000&AfterSid={after}"),
        ("last_page_uri", f"{uri}?Page=2&PageSize=2&From=0000"),
    ]
    assert [call["sid"][37:] for call in first["calls"]] == [made[4].id.hex, made[3].id.hex]

    seen, link = [], first["first_page_uri"]
    while link != "null":
        page = (await rest("GET", "", base=link)).json
        seen += [call["sid"] for call in page["calls"]]
        link = page["next_page_uri"]
    assert len(set(seen)) == len(seen) == 5
    assert (page["start"], page["end"], page["previous_page_uri"][-27:]) == (
        "4",
        "5",
        "Page=1&PageSize=2&From=0000",
    )


async def test_the_envelope_in_xml(rest: Any, calls: Any, record: Make) -> None:
    calls.add(*many(record, 3))
    root = etree.fromstring((await rest("GET", "Calls?PageSize=2")).text.encode())
    envelope = root[0]
    assert envelope.tag == "Calls"
    assert list(envelope.attrib) == [
        "page",
        "numpages",
        "pagesize",
        "total",
        "start",
        "end",
        "uri",
        "firstpageuri",
        "previouspageuri",
        "nextpageuri",
        "lastpageuri",
    ]
    assert (envelope.get("total"), len(envelope)) == ("3", 2)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", {"order": "newest", "match_suffix": True, "started_from": None}),
        ("From=5550000&To=1212", {"from_": "5550000", "to": "1212"}),
        ("Status=ringing", {"statuses": frozenset({CallStatus.RINGING, CallStatus.EARLY_MEDIA})}),
        (
            "Status=BUSY",
            {
                "statuses": frozenset(
                    {CallStatus.BUSY, CallStatus.DECLINED, CallStatus.REJECTED, CallStatus.REJECTED_BUSY}
                )
            },
        ),
        ("StartTime=2020-05-26", {"started_from": datetime(2020, 5, 26, tzinfo=UTC)}),
        ("EndTime=2020-05-26", {"ended_before": datetime(2020, 5, 27, tzinfo=UTC)}),
        ("StartTime=2020-05-26T10:10:10", {"started_from": datetime(2020, 5, 26, 10, 10, 10, tzinfo=UTC)}),
        ("StartTime=2020-05-26%2010:10:10", {"started_from": datetime(2020, 5, 26, 10, 10, 10, tzinfo=UTC)}),
        ("EndTime=2020-05-26T10:10:10", {"ended_before": datetime(2020, 5, 26, 10, 10, 11, tzinfo=UTC)}),
        (f"ParentCallSid={SID}", {"parent_id": UUID("9d3572be-9f7a-41ea-97f4-5ffeb3239325")}),
        ("ParentCallSid=x", {"parent_id": UUID(int=0)}),
        ("SortBy=DateCreated", {"order": "created_at"}),
        ("SortBy=Duration:desc", {"order": "-duration"}),
        ("SortBy=from:ASC", {"order": "from"}),
        ("SortBy=DateAsc", {"order": "oldest"}),
        ("Reverse=true", {"order": "newest"}),
        ("Reverse=false", {"order": "oldest"}),
        ("SubAccounts=true&localOnly=true", {"order": "newest"}),
    ],
)
async def test_filters(rest: Any, calls: Any, record: Make, query: str, expected: dict[str, Any]) -> None:
    calls.count = lambda which: _number(1)
    reply = await rest("GET", f"Calls.json?{query}")
    assert reply.status == 200
    (which,) = calls.filters
    assert {name: getattr(which, name) for name in expected} == expected


async def _number(value: int) -> int:
    return value


@pytest.mark.parametrize("query", ["Status=bored", "ConferenceSid=CF1", "CallSid=x", f"CallSid={SID}"])
async def test_filters_that_nothing_matches(rest: Any, calls: Any, record: Make, query: str) -> None:
    calls.add(*many(record, 1))
    reply = await rest("GET", f"Calls.json?{query}")
    assert (reply.json["total"], reply.json["calls"], reply.json["next_page_uri"]) == (0, [], "null")


@pytest.mark.parametrize(
    "query",
    [
        "StartTime=soon",
        "EndTime=2020-99-99",
        "Page=x",
        "Page=-1",
        "Page=20001",
        "Page=2",
        "PageSize=x",
        "PageSize=2001",
    ],
)
async def test_wrong_filters(rest: Any, calls: Any, record: Make, query: str) -> None:
    calls.add(*many(record, 3))
    reply = await rest("GET", f"Calls.json?{query}")
    assert (reply.status, reply.text) == (400, "")


@pytest.mark.parametrize("sort", ["Colour", "From:up", "From:", ":desc"])
async def test_a_wrong_order_has_a_message(rest: Any, sort: str) -> None:
    reply = await rest("GET", f"Calls.json?SortBy={sort}")
    assert (reply.status, list(reply.json)) == (400, ["message"])
    reply = await rest("GET", f"Calls?SortBy={sort}")
    assert etree.fromstring(reply.text.encode()).findtext("Message")


async def test_an_empty_page_size(rest: Any, calls: Any, record: Make) -> None:
    calls.add(*many(record, 3))
    reply = await rest("GET", "Calls.json?PageSize=0")
    assert (reply.json["total"], reply.json["num_pages"], reply.json["calls"]) == (3, 0, [])


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_list_calls_is_about_today(rest: Any, calls: Any, record: Make, method: str) -> None:
    calls.add(*many(record, 2), record())
    form = {"Limit": "10"} if method == "POST" else None
    assert (await rest(method, "ListCalls.json", form)).json["total"] == 2
    everything = await rest(method, "ListCalls.json?StartTime=2020-01-01", form)
    assert everything.json["total"] == 3
    one = await rest(method, f"ListCalls.json?CallSid={SID}", form)
    assert [call["sid"] for call in one.json["calls"]] == [SID]


# -- changing


async def test_a_new_script(rest: Any, calls: Any, services: Any, record: Make, account: Account) -> None:
    before = Settings(status=Hook(url="http://app.test/status"), events=("completed",))
    state = {"dialect": "callapi", "status": {"url": "http://app.test/status"}, "events": ["completed"]}
    calls.add(record(status=CallStatus.IN_PROGRESS, application_state=state))
    form = {
        "Url": "http://app.test/new",
        "Method": "GET",
        "FallbackUrl": "http://app.test/fallback",
        "MoveConnectedCallLeg": "true",
    }
    reply = await rest("POST", f"Calls/{SID}.json", form)
    assert (reply.status, reply.json["status"]) == (200, "in-progress")
    ((what, hook, application),) = calls.done
    assert (what, hook) == ("redirect", Hook(url="http://app.test/new", method="GET"))
    assert application.settings.status == before.status
    assert application.settings.events == before.events
    assert application.settings.fallback == Hook(url="http://app.test/fallback")


async def test_a_script_for_a_call_of_another_dialect(rest: Any, calls: Any, record: Make) -> None:
    calls.add(record(dialect="laml", status=CallStatus.IN_PROGRESS, application_state={"status": 1}))
    form = {"Url": "http://app.test/new", "StatusCallback": "http://app.test/s"}
    assert (await rest("POST", f"Calls.json/{SID}", form)).status == 200
    ((_, _, application),) = calls.done
    assert application.settings.status == Hook(url="http://app.test/s")


@pytest.mark.parametrize(
    ("status", "form", "done"),
    [
        (CallStatus.RINGING, {"Status": "canceled"}, [("cancel",)]),
        (CallStatus.IN_PROGRESS, {"Status": "canceled"}, [("cancel",)]),
        (CallStatus.IN_PROGRESS, {"Status": "completed"}, [("hang_up",)]),
        (CallStatus.RINGING, {"Status": "completed", "Url": "http://x/"}, [("hang_up",)]),
        (CallStatus.IN_PROGRESS, {"Mute": "true"}, [("mute", True)]),
        (CallStatus.IN_PROGRESS, {"Mute": "false"}, [("mute", False)]),
        (CallStatus.RINGING, {"Mute": "true"}, [("mute", True)]),
    ],
)
async def test_changes(
    rest: Any, calls: Any, record: Make, status: CallStatus, form: dict[str, str], done: list[Any]
) -> None:
    calls.add(record(status=status))
    assert (await rest("POST", f"Calls/{SID}.json", form)).status == 200
    assert calls.done == done


async def test_only_another_callback(rest: Any, calls: Any, record: Make) -> None:
    calls.add(record(status=CallStatus.IN_PROGRESS))
    form = {"StatusCallback": "http://app.test/s", "StatusCallbackMethod": "GET"}
    assert (await rest("POST", f"Calls/{SID}.json", form)).status == 200
    ((what, application),) = calls.done
    assert what == "set_application"
    assert application.settings.status == Hook(url="http://app.test/s", method="GET")


@pytest.mark.parametrize(
    ("state", "sid", "form", "status", "text"),
    [
        (CallStatus.IN_PROGRESS, "nonsense", {"Status": "completed"}, 400, "nonsense is not a call SID."),
        (CallStatus.IN_PROGRESS, "CA" + "f" * 32, {"Status": "completed"}, 406, ""),
        (CallStatus.COMPLETED, SID, {"Status": "completed"}, 410, "Call is already completed."),
        (CallStatus.BUSY, SID, {"Url": "http://x/"}, 410, "Call is already completed."),
        (CallStatus.IN_PROGRESS, SID, {}, 409, "Nothing to change"),
        (CallStatus.IN_PROGRESS, SID, {"MoveConnectedCallLeg": "true"}, 409, "Nothing to change"),
        (CallStatus.IN_PROGRESS, SID, {"Status": "paused"}, 400, "Status must be canceled or completed."),
        (CallStatus.IN_PROGRESS, SID, {"Mute": "loud"}, 400, "Mute must be true or false."),
        (CallStatus.IN_PROGRESS, SID, {"Url": "x"}, 400, "Url is not a valid URL"),
        (CallStatus.IN_PROGRESS, SID, {"Url": "http://x/", "Method": "PUT"}, 400, "Method must be"),
        (CallStatus.RINGING, SID, {"Url": "http://x/"}, 409, "the call is ringing"),
    ],
)
async def test_changes_that_are_refused(
    rest: Any,
    calls: Any,
    record: Make,
    state: CallStatus,
    sid: str,
    form: dict[str, str],
    status: int,
    text: str,
) -> None:
    calls.add(record(status=state))
    reply = await rest("POST", f"Calls/{sid}.json", form)
    assert reply.status == status
    assert reply.text.startswith(text)
    if not text:
        assert reply.text == ""


async def test_a_call_that_ends_meanwhile(rest: Any, calls: Any, record: Make) -> None:
    live, over = record(status=CallStatus.IN_PROGRESS), record(status=CallStatus.COMPLETED)
    calls.add(over)
    answers = [live, over]

    async def get(account_id: UUID, call_id: UUID) -> CallRecord:
        return answers.pop(0)

    calls.get = get
    reply = await rest("POST", f"Calls/{SID}.json", {"Status": "completed"})
    assert (reply.status, reply.text) == (410, "Call is already completed.")

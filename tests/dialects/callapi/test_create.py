"""Making calls over REST, through ASGI: every parameter, default and error."""

from __future__ import annotations

from typing import Any

import pytest
from tests.dialects.callapi.conftest import AC, INSTANCE

from ringback.calls.control import LimitReached, Overloaded
from ringback.calls.verbs import Hook, MachineDetection
from ringback.dialects.callapi.settings import Settings

NEW = {"From": "8044735555", "To": "3035551212", "Url": "http://app.test/voice"}


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
    assert request.detection is None
    assert request.application.settings == Settings(
        voice=Hook(url="http://app.test/voice"), events=("completed",)
    )


async def test_what_is_no_parameter_is_said(rest: Any, calls: Any) -> None:
    reply = await rest("POST", "Calls.json", {**NEW, "Record": "true", "Tmieout": "5"})
    assert reply.status == 200
    (request,) = calls.requests
    assert [(note.level, note.detail["parameter"]) for note in request.notes] == [
        ("warning", "Record"),
        ("warning", "Tmieout"),
    ]
    assert "Dial with record" in request.notes[0].message


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
    assert request.detection == MachineDetection()
    assert not request.detection.asynchronous
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
    assert (request.to.kind, request.to.address) == (kind, address)
    assert request.to.headers == headers
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
    for later in (Overloaded("shutting down"), LimitReached("too many")):
        calls.fail = later
        reply = await rest("POST", "Calls.json", NEW)
        assert (reply.status, reply.text, reply.headers["retry-after"]) == (503, later.message, "1")


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

"""REST with wrong input: the right refusal, in each dialect's own form, and nothing worse."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from tests.world import FLAVOURS, HANG_UP, LAML, RestReply, World

pytestmark = pytest.mark.asyncio(loop_scope="module")

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
TEN_MEGABYTES = 10 * 1024 * 1024
NOBODY = "00000000-0000-4000-8000-000000000000"


def check(flavour: str, reply: RestReply, status: int, *, creating: bool = False) -> None:
    """A refusal as the service sends it."""
    assert reply.status == status, reply
    if flavour in LAML:
        error = reply.json
        if flavour == "signalwire" and creating and status == 400:
            (error,) = reply.json["errors"]
            assert error.keys() == {"code", "message", "more_info"}
            assert isinstance(error["code"], str)
            return
        assert error.keys() == {"code", "message", "more_info", "status"}
        assert isinstance(error["code"], int)
        assert error["status"] == status
    elif flavour == "jambonz":
        if reply.headers["content-type"].startswith(JSON):
            assert reply.json.keys() == {"msg"}
        else:
            assert reply.text in ("Unauthorized", "Not Found", "Method Not Allowed")
    else:
        assert reply.headers.get("content-type", "text/plain").startswith("text/plain")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ended(world: World) -> AsyncIterator[str]:
    """The UUID of a call that has ended."""
    number = world.number("twilio", HANG_UP["twilio"])
    async with world.server.phone() as phone:
        call = await phone.call(number)
        await call.ended()
        await world.server.settled()
    yield str((await world.record(call)).id)


# -- who asks


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize(
    "header",
    ["", "x" * 300, "Basic !!!", "Basic YWJj", "Basic OjpuOg==", "Bearer wrong", "Bearer", "Digest a=b", "é"],
)
async def test_without_the_right_credentials(world: World, flavour: str, header: str) -> None:
    rest = world.rest(flavour)
    for method, path in (("GET", rest.calls), ("POST", rest.calls), ("GET", f"{rest.base}/nothing")):
        reply = await rest.request(method, path, headers={"Authorization": header})
        check(flavour, reply, 401)
        assert reply.headers["www-authenticate"].startswith("Bearer" if flavour == "jambonz" else "Basic")


@pytest.mark.parametrize("flavour", FLAVOURS)
async def test_the_token_of_another_account(world: World, flavour: str) -> None:
    own, foreign = world.rest(flavour), world.foreign_rest(flavour)
    refused = 401 if flavour in LAML else 403
    for method in ("GET", "POST"):
        check(flavour, await foreign.request(method, own.calls), refused)


@pytest.mark.parametrize("flavour", FLAVOURS)
async def test_a_call_of_another_account_is_an_unknown_one(world: World, flavour: str, ended: str) -> None:
    foreign = world.foreign_rest(flavour)
    unknown = 406 if flavour == "callapi" else 404
    requests: list[tuple[str, dict[str, Any], int]] = [
        ("GET", {}, 404),
        ("POST", {"data": {"Status": "completed"}}, unknown),
        ("DELETE", {}, 404),
    ]
    if flavour == "jambonz":
        requests[1] = ("PUT", {"json": {"call_status": "completed"}}, 404)
    if flavour == "callapi":
        requests.pop()
    for method, body, status in requests:
        check(flavour, await foreign.request(method, foreign.call(ended), **body), status)
        check(flavour, await foreign.request(method, foreign.call(NOBODY), **body), status)
    assert (await world.record(ended)).status == "completed"


# -- paths and methods


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize("path", ["/nothing", "/calls", "/Calls/x/y/z", "/Calls/%2e%2e/secret", "/Calls%00"])
async def test_paths_that_lead_nowhere(world: World, flavour: str, path: str) -> None:
    rest = world.rest(flavour)
    check(flavour, await rest.request("GET", f"{rest.base}{path}"), 404)


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_methods_that_the_path_has_not(world: World, flavour: str, method: str) -> None:
    rest = world.rest(flavour)
    reply = await rest.request(method, rest.calls)
    check(flavour, reply, 405)
    assert set(reply.headers["allow"].split(", ")) == {"GET", "POST"}


@pytest.mark.parametrize("flavour", FLAVOURS)
async def test_head_is_a_get_without_a_body(world: World, flavour: str) -> None:
    rest = world.rest(flavour)
    reply = await rest.request("HEAD", rest.calls)
    assert (reply.status, reply.text) == (200, "")


ODD_SIDS = [
    *("CA", "x", "x" * 5000, "CA" + "f" * 31, "CA" + "g" * 32, "CA" + "f" * 33),
    *("%00", "%F0%9F%98%80", "%FF%FE", "..%2F..", "'%3B drop table calls--", "null", "undefined", "-1", "0"),
    *("{00000000-0000-4000-8000-000000000000}", "00000000-0000-4000-8000-00000000000"),
]


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize("sid", ODD_SIDS, ids=lambda sid: str(sid)[:40])
async def test_odd_sids(world: World, flavour: str, sid: str) -> None:
    """404; where the service tells a malformed one apart, 400."""
    rest = world.rest(flavour)
    got = await rest.request("GET", rest.call(sid))
    check(flavour, got, 400 if flavour == "jambonz" and "%2F" not in sid else 404)
    changed = await rest.request("POST", rest.call(sid), data=b"Status=completed", headers={"Accept": JSON})
    assert changed.status in (400, 404)
    check(flavour, changed, changed.status)


@pytest.mark.parametrize("flavour", FLAVOURS)
async def test_every_spelling_of_a_sid_is_the_same_call(world: World, flavour: str, ended: str) -> None:
    rest, digits = world.rest(flavour), ended.replace("-", "")
    shown = [
        await rest.get(rest.call(sid))
        for sid in (ended, ended.upper(), digits, f"CA{digits}", f"ID{'0' * 32}-CA{digits}")
    ]
    assert all(each == shown[0] for each in shown)


# -- bodies


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize("kind", [FORM, JSON])
async def test_a_body_over_ten_megabytes(world: World, flavour: str, kind: str) -> None:
    """With its length declared, and in chunks."""
    rest = world.rest(flavour)

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(11):
            yield b"x" * 1024 * 1024

    for body in (io.BytesIO(b"x" * (TEN_MEGABYTES + 1)), chunks()):
        reply = await rest.request("POST", rest.calls, data=body, headers={"Content-Type": kind})
        check(flavour, reply, 413)


BODIES = [
    ("multipart/form-data; boundary=x", b"--x--", 415),
    (JSON, b"{", 400),
    (JSON, b"[1]", 400),
    (JSON, b'"text"', 400),
    (JSON, b"[" * 100_000, 400),
    (JSON, b"\xff\xfe\x00", 400),
    (JSON, b'{"From": NaN}', 400),
    (JSON, b'{"To": {"a": 1}, "to": [], "from": 5, "From": [[]]}', 400),
    (FORM, b"&".join(b"a=%d" % n for n in range(5000)), 400),
    (FORM, b"\xff\xfe\x00", 400),
    ("text/plain", b"hello", 400),
    ("application/xml", b"<Call/>", 400),
    ("image/png", b"\x89PNG", 400),
    ("no type at all", b"?", 400),
    (FORM, b"", 400),
]


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize(("kind", "body", "status"), BODIES, ids=lambda value: str(value)[:24])
async def test_bodies_that_cannot_be_used(
    world: World, flavour: str, kind: str, body: bytes, status: int
) -> None:
    rest = world.rest(flavour)
    wanted = 400 if flavour == "jambonz" else status  # which reads everything as JSON
    reply = await rest.request("POST", rest.calls, data=body, headers={"Content-Type": kind})
    check(flavour, reply, wanted, creating=True)

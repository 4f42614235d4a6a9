"""REST below /v1: who may ask, and for what."""

from __future__ import annotations

import pytest
from tests.dialects.jambonz.conftest import Ask
from tests.dialects.jambonz.making import ACCOUNT, APPLICATION, CALLS, ONE, OTHER, record
from tests.dialects.memory import MemoryCalls

pytestmark = pytest.mark.usefixtures("a_call")


@pytest.mark.parametrize("path", [CALLS, ONE, "/v1/Accounts", "/v1/nothing", "/v1"])
@pytest.mark.parametrize("token", [None, "wrong", ""])
async def test_without_the_token_nothing(rest: Ask, path: str, token: str | None) -> None:
    reply = await rest("GET", path, token=token)
    assert (reply.status, reply.text) == (401, "Unauthorized")


@pytest.mark.parametrize(
    ("method", "path", "status", "text"),
    [
        ("GET", f"/v1/Accounts/{OTHER.id}/Calls", 403, '{"msg":"insufficient permissions"}'),
        ("GET", "/v1/Accounts/nonsense/Calls", 400, '{"msg":"Bad request"}'),
        ("GET", f"{CALLS}/nonsense", 400, '{"msg":"Bad request"}'),
        ("GET", f"{CALLS}/{APPLICATION}", 404, "Not Found"),
        ("DELETE", f"{CALLS}/{APPLICATION}", 404, "Not Found"),
        ("GET", "/v1/nothing/here", 404, "Not Found"),
        ("GET", "/v1", 404, "Not Found"),
        ("DELETE", CALLS, 405, "Method Not Allowed"),
        ("PATCH", ONE, 405, "Method Not Allowed"),
    ],
)
async def test_wrong_places(rest: Ask, method: str, path: str, status: int, text: str) -> None:
    reply = await rest(method, path)
    assert (reply.status, reply.text) == (status, text)
    assert status != 405 or "GET" in reply.headers["allow"]


async def test_another_accounts_call_is_unknown(rest: Ask, calls: MemoryCalls) -> None:
    calls.add(record(account_id=OTHER.id))
    for method, body in (("GET", None), ("PUT", {"tag": {"a": 1}}), ("DELETE", None)):
        reply = await rest(method, ONE, json=body)
        assert (reply.status, reply.text) == (404, "Not Found")


@pytest.mark.parametrize(
    "sid", [str(ACCOUNT.id), ACCOUNT.id.hex, f"AC{ACCOUNT.id.hex}", str(ACCOUNT.id).upper()]
)
async def test_every_spelling_of_the_account(rest: Ask, sid: str) -> None:
    assert (await rest("GET", f"/v1/Accounts/{sid}/Calls/")).status == 200


async def test_a_fault_of_ours_is_a_500(rest: Ask, calls: MemoryCalls) -> None:
    calls.fail = RuntimeError("broken")
    reply = await rest("DELETE", ONE)
    assert (reply.status, reply.text) == (500, "Internal Server Error")

"""Live calls changed from outside: other documents, hang-up, keys, mute, one change after the other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.patience import PATIENCE
from tests.server.site import DIALECTS, NUMBERS, OTHER_TOKEN, SPEAKS, Site, loud_seconds

from ringback.calls.control import CallFilter as Wanted
from ringback.routing.directory import Account
from ringback.store.records import CallFilter
from ringback.testing.softphone import PhoneCall

pytestmark = pytest.mark.asyncio(loop_scope="module")


@asynccontextmanager
async def up(site: Site, dialect: str) -> AsyncIterator[tuple[PhoneCall, str]]:
    """A call that waits for a key, and its SID."""
    site.reply(dialect, "voice", SPEAKS[dialect].gather(f"/{dialect}/digits", keys=1, timeout=60))
    async with site.caller() as phone:
        call = await phone.call(NUMBERS[dialect])
        await call.answered()
        asked = await site.app.request(f"/{dialect}/voice")
        yield call, str(asked.fields["call_sid" if dialect == "jambonz" else "CallSid"])


async def change(site: Site, dialect: str, sid: str, **fields: Any) -> tuple[int, Any]:
    method = "PUT" if dialect == "jambonz" else "POST"
    return await site.request(method, dialect, f"Calls/{sid}", **fields)


def redirect_to(site: Site, dialect: str) -> dict[str, Any]:
    url = f"{site.app.url}/{dialect}/other"
    return {"call_hook": url} if dialect == "jambonz" else {"Url": url}


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_redirect_takes_over_at_once(site: Site, dialect: str) -> None:
    tone = site.tone("/tone.wav", 0.3)
    speaks = SPEAKS[dialect]
    site.reply(dialect, "other", speaks.play(tone), speaks.hang_up())
    async with up(site, dialect) as (call, sid):
        status, body = await change(site, dialect, sid, **redirect_to(site, dialect))
        assert status in (200, 202), body
        assert await call.ended() == "remote"
    assert loud_seconds(call.heard()) > 0.2


@pytest.mark.parametrize(
    ("dialect", "status", "said"),
    [("laml", 400, "21220"), ("twilio", 400, "21220"), ("callapi", 409, "ringing"), ("jambonz", 202, "")],
)
async def test_a_redirect_of_an_incoming_call_that_still_rings(
    site: Site, dialect: str, status: int, said: str
) -> None:
    """jambonz runs it; the others redirect only what is answered, and the call goes on as it was."""
    site.reply(dialect, "voice", SPEAKS[dialect].pause(60))
    site.reply(dialect, "other", SPEAKS[dialect].reject_busy())
    async with site.caller() as phone:
        call = await phone.call(NUMBERS[dialect])
        asked = await site.app.request(f"/{dialect}/voice")
        sid = str(asked.fields["call_sid" if dialect == "jambonz" else "CallSid"])
        got, body = await change(site, dialect, sid, **redirect_to(site, dialect))
        assert got == status, body
        assert said in str(body)
        if status == 202:
            await site.app.request(f"/{dialect}/other")
        call.hang_up()
    await site.server.settled()
    assert status == 202 or f"/{dialect}/other" not in [asked.path for asked in site.app.asked]


END = {
    "laml": {"Status": "completed"},
    "twilio": {"Status": "completed"},
    "callapi": {"Status": "completed"},
    "jambonz": {"call_status": "completed"},
}


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_hang_up(site: Site, dialect: str) -> None:
    async with up(site, dialect) as (call, sid):
        status, body = await change(site, dialect, sid, **END[dialect])
        assert status in (200, 202), body
        assert await call.ended() == "remote"
        await site.server.settled()
        status, _ = await change(site, dialect, sid, **END[dialect])
        assert status >= 400, "a call that is over cannot be ended"
    [row] = await site.server.store.calls(CallFilter(), limit=1)
    assert (row.status, row.ended_by) == ("completed", "control")


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_another_accounts_calls_do_not_exist(site: Site, dialect: str) -> None:
    other = next(account for account in site.server.directory.all(Account) if account.name == "other")
    theirs: dict[str, Any] = {"token": OTHER_TOKEN, "account": other}
    async with up(site, dialect) as (call, sid):
        method = "PUT" if dialect == "jambonz" else "POST"
        for verb, fields in (("GET", {}), (method, END[dialect]), ("DELETE", {})):
            status, _ = await site.request(verb, dialect, f"Calls/{sid}", **theirs, **fields)
            assert status in (404, 405, 406), verb
        status, body = await site.request("GET", dialect, "Calls", **theirs)
        assert status == 200
        assert sid not in str(body)
        call.hang_up()


async def test_mute_ignores_keys_until_it_is_taken_back(site: Site) -> None:
    async with up(site, "jambonz") as (call, sid):
        site.reply("jambonz", "digits", SPEAKS["jambonz"].hang_up())
        assert (await change(site, "jambonz", sid, mute_status="mute"))[0] == 202
        await call.press("1")
        assert (await change(site, "jambonz", sid, mute_status="unmute"))[0] == 202
        await call.press("2")
        await call.ended()
    assert (await site.app.request("/jambonz/digits")).fields["digits"] == "2"


async def test_keys_are_sent(site: Site) -> None:
    async with up(site, "jambonz") as (call, sid):
        status, body = await change(site, "jambonz", sid, dtmf={"digit": "5", "duration": 100})
        assert status == 202, body
        async with asyncio.timeout(PATIENCE):
            while call.audio.events_heard != ["5"]:
                await call.audio.arrival()
        call.hang_up()


async def test_the_applications_own_data_is_kept_and_told(site: Site) -> None:
    async with up(site, "jambonz") as (call, sid):
        assert (await change(site, "jambonz", sid, tag={"order": 7}))[0] == 202
        call.hang_up()
    await site.server.settled()
    [row] = await site.server.store.calls(CallFilter(), limit=1)
    assert row.custom == {"order": 7}


async def test_changes_are_made_in_the_order_in_which_they_came(site: Site) -> None:
    """Ten redirects at once: the last one wins, and none is left half done."""
    async with up(site, "laml") as (call, sid):
        for number in range(10):
            document = SPEAKS["laml"].document(SPEAKS["laml"].gather(f"/won/{number}", keys=1, timeout=60))
            site.app.reply(f"/change/{number}", document)
            site.app.reply(f"/won/{number}", "<Response><Hangup/></Response>")
        statuses = []
        for number in range(10):
            status, _ = await change(site, "laml", sid, Url=f"{site.app.url}/change/{number}")
            statuses.append(status)
        assert statuses == [200] * 10
        await site.app.request("/change/9")
        await call.hears(len(call.heard()) / 8000 + 0.2)
        await call.press("1")
        await call.ended()
    assert [asked.path for asked in site.app.asked if asked.path.startswith("/won/")] == ["/won/9"]


async def test_lists_count_and_delete(site: Site) -> None:
    async with up(site, "laml") as (call, sid):
        status, _ = await site.request("DELETE", "laml", f"Calls/{sid}")
        assert status >= 400, "a live call is not forgotten"
        call.hang_up()
    await site.server.settled()
    calls, account = site.server.switchboard, site.account.id
    before = await calls.count(Wanted(account_id=account))
    assert len(await calls.list(Wanted(account_id=account), limit=1000)) == before
    assert await calls.count(Wanted(account_id=account, statuses=frozenset())) == 0
    assert (await site.request("DELETE", "laml", f"Calls/{sid}"))[0] == 204
    assert await calls.count(Wanted(account_id=account)) == before - 1


async def test_of_several_who_delete_a_call_one_has_done_it(site: Site) -> None:
    async with up(site, "laml") as (call, sid):
        call.hang_up()
    await site.server.settled()
    deleted = await asyncio.gather(*(site.request("DELETE", "laml", f"Calls/{sid}") for _ in range(5)))
    assert sorted(status for status, _ in deleted) == [204, 404, 404, 404, 404]

"""A client with several telephones: all of them ring, one is answered; and devices that call each other."""

from __future__ import annotations

import pytest
from tests.server.site import NUMBERS, Site

from ringback.calls.timeline import lines_of
from ringback.store.records import CallFilter
from ringback.testing.softphone import CallFailed

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_all_contacts_ring_and_the_first_to_answer_is_connected(site: Site) -> None:
    site.reply("laml", "voice", "<Hangup/>")
    async with site.server.phone() as desk, site.server.phone() as mobile:
        await desk.register()
        await mobile.register()
        sid = await site.create("laml", "alice")
        at_desk, at_mobile = await desk.incoming(), await mobile.incoming()
        at_desk.ring()
        at_mobile.ring()
        at_mobile.answer()
        assert await at_mobile.ended() == "remote"
        await at_desk.ended()
        await site.server.settled()
    assert (await site.call("laml", sid))["status"] == "completed"
    text = await _messages(site, sid)
    assert "Call completed elsewhere" in text


async def test_all_contacts_refusing_is_the_best_of_their_refusals(site: Site) -> None:
    async with site.server.phone() as desk, site.server.phone() as mobile:
        await desk.register()
        await mobile.register()
        sid = await site.create("laml", "alice")
        at_desk, at_mobile = await desk.incoming(), await mobile.incoming()
        at_mobile.reject(486)
        at_desk.reject(480)
        await site.server.settled()
    assert (await site.call("laml", sid))["status"] == "busy"


async def test_giving_up_silences_all_of_them(site: Site) -> None:
    async with site.server.phone() as desk, site.server.phone() as mobile:
        await desk.register()
        await mobile.register()
        sid = await site.create("laml", "alice")
        at_desk, at_mobile = await desk.incoming(), await mobile.incoming()
        at_desk.ring()
        at_mobile.ring()
        status, body = await site.post("laml", f"Calls/{sid}", Status="canceled")
        assert status == 200, body
        assert (await at_desk.ended(), await at_mobile.ended()) == ("remote", "remote")
        await site.server.settled()


async def test_a_device_calls_another(site: Site) -> None:
    async with site.server.phone() as alice, site.server.phone("bob", "builder") as bob:
        await bob.register()
        mine = await alice.call("bob")
        theirs = await bob.incoming()
        assert theirs.invite is not None
        assert theirs.invite.from_.uri.user == "alice"
        theirs.ring()
        theirs.answer()
        await mine.answered()
        await theirs.hears(0.2)
        mine.hang_up()
        assert await theirs.ended() == "remote"
        await site.server.settled()
    rows = await site.server.store.calls(CallFilter(), limit=2)
    assert {(row.direction, row.status) for row in rows} == {
        ("inbound", "completed"),
        ("outbound-dial", "completed"),
    }


@pytest.mark.parametrize(("refusal", "told"), [(486, 486), (603, 603)])
async def test_a_device_hears_why_another_does_not_answer(site: Site, refusal: int, told: int) -> None:
    async with site.server.phone() as alice, site.server.phone("bob", "builder") as bob:
        await bob.register()
        mine = await alice.call("bob")
        (await bob.incoming()).reject(refusal)
        with pytest.raises(CallFailed) as refused:
            await mine.answered()
        assert refused.value.status == told
        await site.server.settled()


async def test_a_device_that_is_not_registered_is_not_reached(site: Site) -> None:
    async with site.server.phone() as alice:
        with pytest.raises(CallFailed) as refused:
            await (await alice.call("bob")).answered()
        assert refused.value.status == 480
        await site.server.settled()


async def test_a_device_reaches_no_telephone_number_outside(site: Site) -> None:
    async with site.server.phone() as alice:
        with pytest.raises(CallFailed) as refused:
            await (await alice.call("+493012345678")).answered()
        assert refused.value.status == 404


async def test_numbers_come_before_devices(site: Site) -> None:
    site.reply("laml", "voice", "<Hangup/>")
    async with site.server.phone() as alice:
        await (await alice.call(NUMBERS["laml"])).ended()
        await site.app.request("/laml/voice")
        await site.server.settled()


async def _messages(site: Site, sid: str) -> str:
    return " ".join(str(line.data) for line in await lines_of(site.server.store, sid))


async def test_rest_shows_who_is_registered(site: Site) -> None:
    async with site.server.phone() as alice:
        assert (await site.request("GET", "jambonz", "RegisteredSipUsers"))[1] == []
        await alice.register()
        assert (await site.request("GET", "jambonz", "RegisteredSipUsers"))[1] == ["alice@127.0.0.1"]
        status, shown = await site.request("GET", "jambonz", "RegisteredSipUsers/alice")
        assert status == 200
        assert (shown["name"], shown["protocol"], shown["registered_status"]) == ("alice", "udp", "active")
        assert shown["contact"].startswith("sip:alice@127.0.0.1:")
        status, shown = await site.request("GET", "jambonz", "RegisteredSipUsers/nobody")
        assert (status, shown["registered_status"]) == (200, "inactive")
        status, body = await site.post("jambonz", "RegisteredSipUsers", users="alice")
        assert status == 400, body

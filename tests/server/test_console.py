"""The page and the health check: what they show, and to whom."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.patience import rest_client
from tests.server.site import NUMBERS, OTHER_TOKEN, SPEAKS, Site, basic, site_settings

from ringback.config import Settings
from ringback.store.records import CallFilter
from ringback.testing.kit import TOKEN, RunningServer, WebApp

pytestmark = pytest.mark.asyncio(loop_scope="module")

ELSEWHERE = {"Host": "ringback.example.com"}


async def get(site: Site, path: str, **headers: str) -> tuple[int, str, dict[str, str]]:
    async with site.rest.get(f"{site.server.http_url}{path}", headers=headers) as reply:
        return reply.status, await reply.text(), dict(reply.headers)


async def a_call(site: Site) -> str:
    """A call that was; its id."""
    site.reply("laml", "voice", SPEAKS["laml"].say("&lt;evil&gt;"), SPEAKS["laml"].hang_up())
    async with site.server.phone("<script>", "") as phone:
        call = await phone.call(NUMBERS["laml"])
        await call.answered()
        call.hang_up()
        await site.server.settled()
    [row] = await site.server.store.calls(CallFilter(), limit=1)
    return row.id


async def test_the_page_shows_accounts_numbers_and_calls(site: Site) -> None:
    await a_call(site)
    status, page, headers = await get(site, "/")
    assert status == 200
    assert headers["Content-Type"].startswith("text/html")
    for text in ("test", "other", *NUMBERS.values(), "alice", f"{site.app.url}/laml/voice", "completed"):
        assert text in page, text
    assert "<script>" not in page, "what callers send is text, not markup"


async def test_a_calls_time_line(site: Site) -> None:
    id = await a_call(site)
    status, page, _ = await get(site, f"/console/calls/{id}")
    assert status == 200
    for text in ("INVITE sip:", "200 OK", "/laml/voice", "ended: completed"):
        assert text in page, text
    assert "<script>" not in page
    async with site.rest.get(
        f"{site.server.http_url}/console/calls/{id}", headers={"Accept": "application/json"}
    ) as reply:
        lines: list[dict[str, Any]] = await reply.json()
    assert {line["kind"] for line in lines} >= {"sip", "call", "verb", "webhook"}
    assert [line["at"] for line in lines] == sorted(line["at"] for line in lines)


@pytest.mark.parametrize("path", ["/console/calls/11111111-1111-4111-8111-111111111111", "/console/calls/x"])
async def test_a_call_that_is_not_there(site: Site, path: str) -> None:
    assert (await get(site, path))[0] == 404


async def test_under_another_name_credentials_are_asked_for(site: Site) -> None:
    """A web page elsewhere could give its own name our address: its visitors' browsers must learn nothing."""
    status, page, headers = await get(site, "/", **ELSEWHERE)
    assert status == 401
    assert headers["WWW-Authenticate"].startswith("Basic")
    assert "alice" not in page


async def test_who_comes_through_a_proxy_on_this_machine_is_asked_for_credentials(site: Site) -> None:
    here = {"Host": "localhost"}
    assert (await get(site, "/", **here))[0] == 200
    assert (await get(site, "/", **here, **{"X-Forwarded-For": "198.51.100.7"}))[0] == 401


@pytest.mark.parametrize(("https", "status"), [("127.0.0.1:0", 200), ("0.0.0.0:0", 401)])
async def test_https_that_others_reach_closes_the_page_on_both(data: Path, https: str, status: int) -> None:
    """Whoever reaches it can ask under the name `localhost`."""
    async with (
        WebApp() as app,
        RunningServer(over_https(site_settings(app, data), https)) as server,
        rest_client() as rest,
    ):
        assert server.web.secure_url is not None
        port = server.web.secure_url.rpartition(":")[2]
        for url in (f"https://127.0.0.1:{port}", server.http_url):
            async with rest.get(url, headers={"Host": "localhost"}, ssl=False) as reply:
                assert reply.status == status, url
                assert (NUMBERS["laml"] in await reply.text()) is (status == 200)
            known = {"Host": "localhost", **basic("test", TOKEN)}
            async with rest.get(url, headers=known, ssl=False) as reply:
                assert reply.status == 200, url


def over_https(settings: Settings, https: str) -> Settings:
    return msgspec.structs.replace(settings, server=msgspec.structs.replace(settings.server, https=https))


@pytest.mark.parametrize(
    ("user", "token", "status"),
    [
        ("test", TOKEN, 200),
        ("sid", TOKEN, 200),
        ("test", "wrong", 401),
        ("nobody", TOKEN, 401),
        ("other", TOKEN, 401),
    ],
)
async def test_who_may_see_it_then(site: Site, user: str, token: str, status: int) -> None:
    name = f"AC{site.account.id.hex}" if user == "sid" else user
    assert (await get(site, "/", **ELSEWHERE, **basic(name, token)))[0] == status


async def test_an_account_sees_its_own_only(site: Site) -> None:
    id = await a_call(site)
    status, page, _ = await get(site, "/", **ELSEWHERE, **basic("other", OTHER_TOKEN))
    assert status == 200
    assert NUMBERS["laml"] not in page
    assert "alice" not in page
    mine = await get(site, f"/console/calls/{id}", **ELSEWHERE, **basic("test", TOKEN))
    theirs = await get(site, f"/console/calls/{id}", **ELSEWHERE, **basic("other", OTHER_TOKEN))
    assert (mine[0], theirs[0]) == (200, 404)


async def test_health(site: Site) -> None:
    async with site.rest.get(f"{site.server.http_url}/health", headers=ELSEWHERE) as reply:
        assert reply.status == 200
        body = await reply.json()
    assert (body["status"], body["store"], body["calls"]) == ("ok", "ok", 0)
    assert len(body["media"]) == 1

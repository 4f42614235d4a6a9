"""An account's web application says which devices there are, and gets what it needs to tell."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from ringback.config.tables import AccountTable, ApplicationTable
from ringback.routing.directory import Client
from ringback.testing.kit import TOKEN, Asked, RunningServer, WebApp, settings_for
from ringback.testing.softphone import CallFailed

pytestmark = pytest.mark.asyncio(loop_scope="module")
SECRET = "wh_secret_test"
PASSWORDS = {"dave": "moon"}
HANG_UP = [{"verb": "hangup"}]


def right(asked: Asked) -> bool:
    """What a web application computes: the digest over the password that it knows."""
    fields = asked.fields
    ha1 = _md5(f"{fields['username']}:{fields['realm']}:{PASSWORDS.get(fields['username'])}")
    ha2 = _md5(f"{fields['method']}:{fields['uri']}")
    parts = (ha1, fields["nonce"], fields["nc"], fields["cnonce"], fields["qop"], ha2)
    return bool(fields["response"] == _md5(":".join(parts)))


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def judge(asked: Asked) -> dict[str, Any]:
    return {"status": "ok", "expires": 120} if right(asked) else {"status": "fail", "msg": "who are you"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[WebApp, RunningServer]]:
    data: Path = tmp_path_factory.mktemp("hook")
    async with WebApp() as app:
        application = ApplicationTable(name="app", dialect="jambonz", voice_url=f"{app.url}/voice")
        account = AccountTable(
            name="test",
            token=TOKEN,
            webhook_secret=SECRET,
            registration_hook=f"{app.url}/auth",
            registration_hook_username="us",
            registration_hook_password="pw",
            device_application="app",
        )
        settings = settings_for(data, application, account=(account,), trunk=(), client=())
        async with RunningServer(settings) as server:
            yield app, server


@pytest_asyncio.fixture(loop_scope="module")
async def site(shared: tuple[WebApp, RunningServer]) -> AsyncIterator[tuple[WebApp, RunningServer]]:
    app, server = shared
    app.reply("/auth", judge)
    app.reply("/voice", HANG_UP)
    yield shared
    await server.settled()
    app.forget()


async def test_the_application_admits_a_device(site: tuple[WebApp, RunningServer]) -> None:
    app, server = site
    async with server.phone("dave", "moon") as phone:
        await phone.register()
        asked = await app.request("/auth")
        assert asked.basic == ("us", "pw")
        assert (asked.fields["method"], asked.fields["scheme"]) == ("REGISTER", "digest")
        assert asked.fields["source_address"] == "127.0.0.1"
        assert asked.fields["expires"] == 300
        assert asked.fields["headers"]["user-agent"] == "Ringback softphone"
        assert _signed(asked)
        # It can be called by its name while it is registered, for as long as the application said.
        client = server.directory.client("dave")
        assert isinstance(client, Client)
        assert client.guest
        call = await phone.call("anything")
        await call.ended()
        invited = await app.request("/auth")
        assert invited.fields["method"] == "INVITE"
        assert (await app.request("/voice")).fields["from"] == "dave"
    async with server.phone("dave", "moon") as phone:
        await phone.register(expires=0)
        assert server.directory.client("dave") is None


@pytest.mark.parametrize(("user", "password"), [("dave", "sun"), ("nobody", "moon")])
async def test_the_application_refuses_a_device(
    site: tuple[WebApp, RunningServer], user: str, password: str
) -> None:
    _, server = site
    async with server.phone(user, password) as phone:
        with pytest.raises(CallFailed) as refused:
            await phone.register()
        assert refused.value.status == 403
        call = await phone.call("anything")
        with pytest.raises(CallFailed) as refused:
            await call.answered()
        assert refused.value.status == 403
    assert server.directory.client(user) is None


async def test_a_call_may_go_to_another_application(site: tuple[WebApp, RunningServer]) -> None:
    app, server = site
    app.reply("/auth", {"status": "ok", "call_hook": f"{app.url}/other", "call_status_hook": "relative"})
    app.reply("/other", HANG_UP)
    async with server.phone("dave", "moon") as phone:
        call = await phone.call("anything")
        await call.ended()
    assert (await app.request("/other")).fields["direction"] == "inbound"


HEADERS = {
    "X-Plan": "gold",
    "x-n": 5,
    "Contact": "<sip:us@h>",
    "expires": "9",
    "X-Bad": "a\r\nVia: x",
    "No Name": "",
}


@pytest.mark.parametrize(("said", "status"), [("ok", 200), ("fail", 403)])
async def test_the_answer_carries_what_the_application_adds(
    site: tuple[WebApp, RunningServer], said: str, status: int
) -> None:
    app, server = site
    app.reply("/auth", {"status": said, "msg": "so it is", "headers": HEADERS})
    async with server.phone("dave", "moon") as phone:
        response = await phone.sign_on()
        assert response.status == status
        assert [response.headers.get(name) for name in ("X-Plan", "X-N")] == ["gold", "5"]
        assert response.headers.get("X-Reason") == (None if status == 200 else "so it is")
        assert response.headers.get("X-Bad") is None
        assert "sip:us@h" not in str(response.headers.get_all("Contact"))
        call = await phone.call("anything")
        with pytest.raises(CallFailed):
            await call.answered()


@pytest.mark.parametrize(
    ("reply", "status"),
    [
        (web.Response(status=404), 404),
        (web.Response(status=302), 500),
        ("<Response/>", 403),
        ([], 403),
        ({"status": "OK?"}, 403),
    ],
)
async def test_an_answer_that_is_none_admits_nobody(
    site: tuple[WebApp, RunningServer], reply: Any, status: int
) -> None:
    app, server = site
    app.reply("/auth", lambda _: reply)
    async with server.phone("dave", "moon") as phone:
        with pytest.raises(CallFailed) as refused:
            await phone.register()
    assert refused.value.status == status


async def test_an_address_may_be_barred(data: Path) -> None:
    async with WebApp() as app:
        application = ApplicationTable(name="app", dialect="jambonz", voice_url=f"{app.url}/voice")
        account = AccountTable(name="test", token=TOKEN, registration_hook=f"{app.url}/auth")
        app.reply("/auth", {"status": "fail", "blacklist": 60})
        async with (
            RunningServer(settings_for(data, application, account=(account,))) as server,
            server.phone("dave", "moon") as phone,
        ):
            for status in (403, 503):
                with pytest.raises(CallFailed) as refused:
                    await phone.register()
                assert refused.value.status == status
        assert len([asked for asked in app.asked if asked.path == "/auth"]) == 1


def _signed(asked: Asked) -> bool:
    stamp, _, signature = asked.headers["jambonz-signature"].partition(",")
    text = stamp.removeprefix("t=").encode() + b"." + asked.body
    return signature == "v1=" + hmac.new(SECRET.encode(), text, "sha256").hexdigest()

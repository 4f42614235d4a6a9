from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from twilio.request_validator import RequestValidator

from ringback.net.cookies import Cookies
from ringback.net.guard import AddressPolicy
from ringback.net.http import HttpPool
from ringback.webhooks.ask import Asker, WebhookFailure, WebhookRequest
from ringback.webhooks.policy import FetchPolicy, RetryPolicy

FIELDS = (("CallSid", "CA1"), ("From", "+14155550100"), ("Forwarded", None))


class Application:
    """An application under test: remembers what it was asked, answers as told."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, str], dict[str, str]]] = []
        self.statuses: list[int] = []
        self.location = "/voice"

    async def answer(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.asked.append((request.method, str(request.url), form, headers))
        if request.path == "/slow":
            await asyncio.sleep(30)
        status = self.statuses.pop(0) if self.statuses else 200
        response = web.Response(status=status, text="<Response/>", content_type="text/xml")
        if 300 <= status < 400:
            response.headers["Location"] = self.location
        response.set_cookie("visits", str(len(self.asked)))
        return response


@pytest.fixture
async def application() -> Application:
    return Application()


@pytest.fixture
async def base(application: Application) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", application.answer)
    async with TestServer(app) as server:
        yield str(server.make_url("")).rstrip("/")


@pytest.fixture
async def asker() -> AsyncIterator[Asker]:
    pool = HttpPool(AddressPolicy(allow_private=True))
    yield Asker(pool)
    await pool.close()


async def test_a_signed_post(asker: Asker, application: Application, base: str) -> None:
    request = WebhookRequest(
        url=f"{base}/voice?x=1#rc=2",
        fields=FIELDS,
        scheme="twilio",
        key="token",
        headers=(("User-Agent", "TwilioProxy/1.1"),),
    )
    reply = await asker.ask(request)
    assert (reply.status, reply.text(), reply.content_type, reply.attempts) == (
        200,
        "<Response/>",
        "text/xml",
        1,
    )
    assert reply.url == f"{base}/voice?x=1"
    [(method, url, form, headers)] = application.asked
    assert (method, url) == ("POST", f"{base}/voice?x=1")
    assert form == {"CallSid": "CA1", "From": "+14155550100", "Forwarded": ""}
    assert headers["user-agent"] == "TwilioProxy/1.1"
    assert headers["content-type"].startswith("application/x-www-form-urlencoded")
    assert RequestValidator("token").validate(url, form, headers["x-twilio-signature"])


async def test_a_signed_get(asker: Asker, application: Application, base: str) -> None:
    await asker.ask(
        WebhookRequest(url=f"{base}/voice?x=1", method="GET", fields=FIELDS, scheme="twilio", key="t")
    )
    [(method, _, form, headers)] = application.asked
    raw = f"{base}/voice?x=1&CallSid=CA1&From=%2B14155550100&Forwarded"
    assert (method, form) == ("GET", {})
    assert RequestValidator("t").validate(raw, {}, headers["x-twilio-signature"])


async def test_a_redirect_loses_or_keeps_the_parameters(
    asker: Asker, application: Application, base: str
) -> None:
    application.statuses = [302, 200, 302, 200]
    reply = await asker.ask(WebhookRequest(url=f"{base}/old", fields=FIELDS))
    assert reply.url == f"{base}/voice"
    await asker.ask(
        WebhookRequest(url=f"{base}/old", fields=FIELDS, policy=FetchPolicy(redirect_keeps_method=True))
    )
    assert [(method, bool(form)) for method, _, form, _ in application.asked] == [
        ("POST", True),
        ("GET", False),
        ("POST", True),
        ("POST", True),
    ]


async def test_redirects_that_are_not_followed_are_statuses(
    asker: Asker, application: Application, base: str
) -> None:
    application.statuses = [302]
    with pytest.raises(WebhookFailure) as failed:
        await asker.ask(WebhookRequest(url=f"{base}/old", policy=FetchPolicy(max_redirects=0)))
    assert (failed.value.kind, failed.value.status) == ("http-status", 302)


async def test_an_unaccepted_status_comes_with_its_reply(
    asker: Asker, application: Application, base: str
) -> None:
    application.statuses = [404]
    with pytest.raises(WebhookFailure, match="404") as failed:
        await asker.ask(WebhookRequest(url=f"{base}/voice"))
    assert (failed.value.kind, failed.value.status, failed.value.attempts) == ("http-status", 404, 1)
    assert failed.value.reply is not None
    assert failed.value.reply.body == b"<Response/>"


async def test_retries_until_accepted(asker: Asker, application: Application, base: str) -> None:
    application.statuses = [500, 503]
    retries = RetryPolicy(attempts=3, on=frozenset({"5xx"}), backoff=(0.0,))
    reply = await asker.ask(WebhookRequest(url=f"{base}/voice", policy=FetchPolicy(retries=retries)))
    assert reply.attempts == 3


async def test_the_fragment_asks_for_retries(asker: Asker, application: Application, base: str) -> None:
    application.statuses = [500, 500, 500]
    policy = FetchPolicy(retries=RetryPolicy(backoff=(0.0,)))
    with pytest.raises(WebhookFailure) as failed:
        await asker.ask(WebhookRequest(url=f"{base}/voice#rc=1&rp=5xx", policy=policy))
    assert (failed.value.status, failed.value.attempts) == (500, 2)


async def test_no_retry_that_the_total_time_cannot_hold(
    asker: Asker, application: Application, base: str
) -> None:
    application.statuses = [500]
    policy = FetchPolicy(total_timeout=0.5, retries=RetryPolicy(5, frozenset({"5xx"}), (60.0,)))
    with pytest.raises(WebhookFailure) as failed:
        await asker.ask(WebhookRequest(url=f"{base}/voice", policy=policy))
    assert failed.value.attempts == 1


async def test_a_silent_application(asker: Asker, base: str) -> None:
    with pytest.raises(WebhookFailure) as failed:
        await asker.ask(WebhookRequest(url=f"{base}/slow#rt=100"))
    assert (failed.value.kind, failed.value.status) == ("timeout", None)
    assert failed.value.elapsed_ms >= 90.0


async def test_nobody_there(asker: Asker) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/voice"
        policy = FetchPolicy(retries=RetryPolicy(attempts=2, backoff=(0.0,)))
        with pytest.raises(WebhookFailure) as failed:
            await asker.ask(WebhookRequest(url=url, policy=policy))
    assert (failed.value.kind, failed.value.attempts, failed.value.url) == ("connect", 2, url)


async def test_a_url_that_is_none(asker: Asker) -> None:
    with pytest.raises(WebhookFailure, match="expected a URL") as failed:
        await asker.ask(WebhookRequest(url="voice.php"))
    assert failed.value.kind == "invalid-url"


async def test_cookies_belong_to_the_conversation(asker: Asker, application: Application, base: str) -> None:
    cookies = Cookies()
    for _ in range(2):
        await asker.ask(WebhookRequest(url=f"{base}/voice"), cookies)
    await asker.ask(WebhookRequest(url=f"{base}/voice"))
    sent = [headers.get("cookie") for _, _, _, headers in application.asked]
    assert sent == [None, "visits=1", None]


async def test_json_and_credentials(asker: Asker, application: Application, base: str) -> None:
    await asker.ask(
        WebhookRequest(url=f"{base}/voice", json=b'{"a":1}', auth=("u", "p"), scheme="jambonz", key="s")
    )
    [(_, _, _, headers)] = application.asked
    assert headers["content-type"] == "application/json"
    assert headers["authorization"].startswith("Basic ")
    assert headers["jambonz-signature"].startswith("t=")

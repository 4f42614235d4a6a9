"""A REGISTER with something wrong in it gets an answer, and changes nothing."""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import Sequence

import pytest
from tests.patience import PATIENCE
from tests.server.site import Site

from ringback.sip.auth import DigestClient
from ringback.sip.flow import split_address
from ringback.sip.message import Request, Response, make_response
from ringback.sip.parse import parse_message
from ringback.testing.kit import DEVICE, DEVICE_PASSWORD

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Device:
    """A device that says what it is told to, and proves who it is."""

    def __init__(self, server: str) -> None:
        self._server = server
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.connect(split_address(server))
        self._cseq = 0

    def __enter__(self) -> Device:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    @property
    def address(self) -> str:
        """Where it is, as `host:port`."""
        host, port = self._socket.getsockname()
        return f"{host}:{port}"

    async def register(self, *lines: str) -> Response:
        """The final response to a REGISTER with these lines, after the challenge."""
        challenge = await self._exchange(lines)
        assert challenge.status == 401
        digest = DigestClient(DEVICE, DEVICE_PASSWORD)
        rows = challenge.headers.get_all("WWW-Authenticate")
        proof = digest.authorize(rows, "REGISTER", f"sip:{self._server}")
        return await self._exchange([*lines, f"Authorization: {proof}"])

    async def _exchange(self, lines: Sequence[str]) -> Response:
        host, port = self._socket.getsockname()
        self._cseq += 1
        own = [
            f"REGISTER sip:{self._server} SIP/2.0",
            f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{secrets.token_hex(8)}",
            "Max-Forwards: 70",
            f"From: <sip:{DEVICE}@{self._server}>;tag=1",
            f"To: <sip:{DEVICE}@{self._server}>",
            f"Call-ID: {port}",
            f"CSeq: {self._cseq} REGISTER",
        ]
        self._socket.send("\r\n".join([*own, *lines, "Content-Length: 0", "", ""]).encode())
        response = await self._received()
        assert isinstance(response, Response)
        return response

    async def refuse(self) -> Request:
        """The INVITE that comes next, which is refused as by somebody who is busy."""
        invite = await self._received()
        assert isinstance(invite, Request)
        self._socket.send(make_response(invite, 486, to_tag="d").encode())
        acknowledged = await self._received()
        assert isinstance(acknowledged, Request)
        assert acknowledged.method == "ACK"
        return invite

    async def _received(self) -> Request | Response:
        loop = asyncio.get_running_loop()
        return parse_message(await asyncio.wait_for(loop.sock_recv(self._socket, 65536), PATIENCE))


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (["Contact: <sip:alice@127.0.0.1:5099"], None),
        (["Contact: <mailto:alice@example.org>"], "Contact Is No SIP URI"),
        (["Contact: <sip:alice@127.0.0.1:5099>", "Expires: soon"], "Malformed Expires"),
        (["Contact: <sip:alice@127.0.0.1:5099>", "Path: <tel:+1>"], "Path Is No SIP URI"),
        (["Contact: <sip:alice@127.0.0.1:5099>", "Path: <sip:proxy"], None),
        (["Contact: *", "Expires: 60"], "Contact * Needs Expires 0 And No Other Contact"),
        (
            ["Contact: *", "Contact: <sip:alice@127.0.0.1:5099>", "Expires: 0"],
            "Contact * Needs Expires 0 And No Other Contact",
        ),
    ],
)
async def test_what_is_wrong_is_said(site: Site, lines: list[str], reason: str | None) -> None:
    with Device(site.server.sip_address) as device:
        response = await device.register(*lines)
    assert response.status == 400
    assert reason in (None, response.reason)


async def test_a_right_one_is_taken(site: Site) -> None:
    with Device(site.server.sip_address) as device:
        response = await device.register("Contact: <sip:alice@127.0.0.1:5099>", "Expires: 60")
        assert response.status == 200
        assert response.headers.get("Contact") == "<sip:alice@127.0.0.1:5099>;expires=60"
        assert (await device.register("Contact: *", "Expires: 0")).status == 200


async def test_a_device_is_called_through_the_proxies_it_registered_through(site: Site) -> None:
    """RFC 3327: the first of them is the one beside us."""
    with Device(site.server.sip_address) as device:
        path = f"<sip:{device.address};lr>, <sip:far.example;lr>"
        contact = "<sip:alice@192.0.2.9:5099>"
        response = await device.register(f"Contact: {contact}", f"Path: {path}", "Expires: 60")
        assert response.headers.get_all("Path") == path.split(", ")
        await site.create("laml", f"client:{DEVICE}")
        invite = await device.refuse()
        assert str(invite.uri) == "sip:alice@192.0.2.9:5099"
        assert [f"<{route.uri}>" for route in invite.routes] == path.split(", ")
        assert (await device.register("Contact: *", "Expires: 0")).headers.get("Path") is None


async def test_a_fault_of_ours_is_answered(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a mistake")

    monkeypatch.setattr(site.server.telephony._registrar, "register", broken)
    with Device(site.server.sip_address) as device:
        assert (await device.register("Contact: <sip:alice@127.0.0.1:5099>")).status == 500
    assert "a mistake" in caplog.text

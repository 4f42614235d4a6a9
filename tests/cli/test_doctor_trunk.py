"""`ringback doctor trunk`: what a carrier says, and what to change at which end."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from ringback.cli.doctor_trunk import TrialCall, doctor_trunk, examined
from ringback.cli.finding import Finding
from ringback.cli.trunk_advice import of_invite, of_options, of_register
from ringback.config import load
from ringback.routing.directory import Trunk
from ringback.sip.auth_server import DigestServer
from ringback.sip.endpoint import SipEndpoint
from ringback.sip.inbound import InboundCall
from ringback.sip.incoming import IncomingRequest
from ringback.sip.message import Response
from ringback.sip.negotiate import LocalMedia, answer
from ringback.sip.sdp import SessionDescription

CONFIG = """
[server]
http = "127.0.0.1:{http}"
sip = ["udp:127.0.0.1:{sip}"]
data = "{data}"
[[account]]
name = "a"
token = "t"
[[number]]
number = "+14155550100"
[[trunk]]
name = "carrier"
username = "us"
password = "{password}"
register = true
gateways = [{{ host = "{host}", transport = "{transport}" }}]
"""


class Carrier:
    """Registers those with the right password, and does with calls what the test says."""

    def __init__(self) -> None:
        self._digest = DigestServer(
            "carrier", {"us": "secret"}.get, asyncio.get_running_loop().time, algorithms=("MD5",)
        )
        self.endpoint = SipEndpoint(on_register=self._register, on_invitation=self._invited)
        self.contacts: list[str | None] = []
        self.invited: list[InboundCall] = []
        self.answers: Callable[[InboundCall], None] = lambda call: call.reject(486)

    def _register(self, incoming: IncomingRequest) -> None:
        request = incoming.request
        rows = request.headers.get_all("Authorization")
        if self._digest.verify(rows, "REGISTER", request.uri).username is None:
            headers = [("WWW-Authenticate", value) for value in self._digest.challenges()]
            incoming.reply(401, headers=headers)
        else:
            self.contacts.append(request.headers.get("Contact"))
            incoming.reply(200, headers=[("Contact", "<sip:us@192.0.2.1>;expires=60")])

    def _invited(self, call: InboundCall) -> None:
        self.invited.append(call)
        self.answers(call)

    @property
    def address(self) -> str:
        return self.endpoint.listening[0].partition(":")[2]


@pytest.fixture
async def carrier() -> AsyncIterator[Carrier]:
    carrier = Carrier()
    await carrier.endpoint.start(["udp:127.0.0.1:0"])
    yield carrier
    await carrier.endpoint.stop(1.0)


@pytest.fixture
def settings(data: Path, free_port: Callable[..., int]) -> Callable[..., Path]:
    def write(host: str, password: str = "secret", transport: str = "udp") -> Path:
        data.mkdir()
        file = data / "ringback.toml"
        file.write_text(
            CONFIG.format(
                http=free_port(), sip=free_port("udp"), data=data, host=host, password=password,
                transport=transport,
            )
        )  # fmt: skip
        return file

    return write


async def look(config: Path, test: TrialCall | None = None) -> list[Finding]:
    loaded = load(config)
    (trunk,) = loaded.directory().all(Trunk)
    return [finding async for finding in examined(loaded, trunk, test or TrialCall())]


def rewrite(file: Path, old: str, new: str) -> None:
    file.write_text(file.read_text().replace(old, new))


def levels(found: list[Finding]) -> list[str]:
    return [finding.level for finding in found]


async def test_a_sound_trunk(
    carrier: Carrier, settings: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    config = settings(carrier.address)
    assert await doctor_trunk("carrier", TrialCall(), config) == 0
    said = capsys.readouterr().out
    assert "is there: OPTIONS got 200 OK" in said
    assert "takes our username and password (1 contact is bound)" in said
    assert carrier.contacts == [None], "asking must not take the place of the server's own contact"
    assert not carrier.invited


async def test_a_wrong_password(carrier: Carrier, settings: Callable[..., Path]) -> None:
    config = settings(carrier.address, "wrong")
    found = await look(config)
    assert levels(found) == ["warning", "ok", "error"]
    assert "REGISTER got 401" in found[-1].what
    assert "does not take this username and password" in found[-1].advice
    assert await doctor_trunk("carrier", TrialCall(), config) == 1


async def test_nobody_there(settings: Callable[..., Path]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as holder:
        holder.bind(("127.0.0.1", 0))  # and does not listen
        config = settings(f"127.0.0.1:{holder.getsockname()[1]}", transport="tcp")
        found = await look(config)
    assert levels(found) == ["warning", "error"], "without an answer nothing more is tried"
    assert "nobody listens at that port" in found[-1].advice


async def test_one_gateway_that_says_nothing_holds_up_nobody(
    carrier: Carrier, settings: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ringback.cli.doctor_trunk._PATIENCE", 1.0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        config = settings(carrier.address)
        port = silent.getsockname()[1]
        other = f'{{ host = "{carrier.address}"'
        mute = f'{{ host = "127.0.0.1:{port}", transport = "udp" }}, {other}'
        await asyncio.to_thread(rewrite, config, other, mute)
        began = time.monotonic()
        found = await look(config, TrialCall(number="+493012345678"))
        assert time.monotonic() - began < 20.0, "not the 32 s that SIP waits"
    assert levels(found) == ["warning", "ok", "ok", "ok", "error", "warning"]
    assert "no answer at all" in found[-2].what
    assert "the test call was not tried" in found[-1].what


async def test_a_name_without_an_address(settings: Callable[..., Path]) -> None:
    found = await look(settings("carrier.invalid"))
    assert found[-1].level == "error"
    assert "its name has no address" in found[-1].what


async def test_the_test_call_is_placed_as_the_server_would(
    carrier: Carrier, settings: Callable[..., Path]
) -> None:
    def answered(call: InboundCall) -> None:
        assert call.offer is not None
        call.ring()
        description, _ = answer(SessionDescription.parse(call.offer), LocalMedia("127.0.0.1", 40000))
        call.answer(description.encode())

    carrier.answers = answered
    config = settings(carrier.address)
    found = await look(config, TrialCall(number="+493012345678"))
    assert levels(found) == ["warning", "ok", "ok", "ok"]
    assert "the call to +493012345678 was answered: 180 Ringing, then 200 OK" in found[-1].what
    (call,) = carrier.invited
    assert call.request.from_.uri.user == "+14155550100"
    assert call.state == "ended"


@pytest.mark.parametrize(
    ("status", "level", "advice"),
    [
        (486, "ok", ""),
        (404, "error", "change number_format, strip or prefix"),
        (403, "error", "a caller id that is not yours"),
        (488, "error", "G.711"),
        (503, "error", "no line free"),
    ],
)
async def test_what_the_test_call_got(
    carrier: Carrier, settings: Callable[..., Path], status: int, level: str, advice: str
) -> None:
    carrier.answers = lambda call: call.reject(status)
    found = await look(settings(carrier.address), TrialCall(number="+493012345678"))
    assert found[-1].level == level
    assert advice in found[-1].advice
    assert str(status) in found[-1].what


async def test_a_test_call_that_rings_for_ever(carrier: Carrier, settings: Callable[..., Path]) -> None:
    carrier.answers = lambda call: call.ring()
    found = await look(settings(carrier.address), TrialCall(number="+493012345678", seconds=0.3))
    assert found[-1].level == "ok"
    assert "180 Ringing, then no answer" in found[-1].what


async def test_what_is_no_number_is_not_called(carrier: Carrier, settings: Callable[..., Path]) -> None:
    found = await look(settings(carrier.address), TrialCall(number="alice"))
    assert found[-1].level == "error"
    assert not carrier.invited


async def test_a_trunk_that_is_not_there(
    settings: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert await doctor_trunk("carier", TrialCall(), settings("h")) == 2
    assert "there is no trunk 'carier'; there is carrier" in capsys.readouterr().err


async def test_a_trunk_that_only_sends_calls(tmp_path: Path) -> None:
    file = tmp_path / "ringback.toml"
    text = '[[account]]\nname = "a"\ntoken = "t"\n[[trunk]]\nname = "in"\ninbound_from = ["192.0.2.0/24"]\n'
    file.write_text(f'[server]\ndata = "{tmp_path}/data"\n{text}')
    found = await look(file)
    assert levels(found) == ["ok", "warning"]


# -- what answers mean


def answered(status: int, reason: str = "") -> Response:
    response = Response(status, reason)
    response.headers.add("Via", "SIP/2.0/UDP h")
    return response


@pytest.mark.parametrize(
    ("response", "level", "words"),
    [
        (answered(200, "OK"), "ok", "is there"),
        (answered(404), "ok", "is there"),
        (answered(401), "ok", "wants a digest"),
        (answered(403), "warning", "allow your public address"),
        (answered(503), "error", "takes no calls"),
        (answered(500), "warning", "it has trouble"),
        (Response(408), "error", "no answer at all"),
        (Response(502), "error", "no address"),
    ],
)
def test_options(response: Response, level: str, words: str) -> None:
    finding = of_options("gw", response)
    assert finding.level == level
    assert words in f"{finding.what} {finding.advice}"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 423, 488, 503])
def test_every_refusal_of_a_registration_comes_with_advice(status: int) -> None:
    finding = of_register("gw", answered(status))
    assert (finding.level, bool(finding.advice)) == ("error", True)
    assert "got nowhere" in of_register("gw", Response(408)).what


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 420, 482, 483, 484, 488, 500, 503, 604, 606])
def test_every_refusal_of_a_call_comes_with_advice(status: int) -> None:
    finding = of_invite("gw", status, "No", "rejected", "192.0.2.1")
    assert (finding.level, bool(finding.advice)) == ("error", True)
    assert "got nowhere" in of_invite("gw", 408, "", "timeout", "192.0.2.1").what

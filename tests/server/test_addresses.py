"""Which address the far end is told: the advertised one, where RTP is bound, or ours on the way there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.patience import rest_client
from tests.ports import rtp_range
from tests.server.site import NUMBERS, SPEAKS, Site, loud_seconds, serve_tone, site_settings

from ringback.sip.inbound import InboundCall
from ringback.sip.sdp import SessionDescription
from ringback.testing.kit import RunningServer, WebApp
from ringback.testing.softphone import Softphone

LAML = SPEAKS["laml"]

WAYS = {
    "bound everywhere": ({"sip": ("udp:0.0.0.0:0",), "rtp": rtp_range("0.0.0.0")}, "127.0.0.1"),
    "IPv6": ({"sip": ("udp:[::1]:0",), "rtp": rtp_range("[::1]")}, "::1"),
}
EVERYWHERE = WAYS["bound everywhere"][0]
ADVERTISED = "127.0.0.2"
"""This machine as well, but no address that it would tell by itself."""


def settings(app: WebApp, data: Path, changes: dict[str, Any]) -> Any:
    made = site_settings(app, data)
    return msgspec.structs.replace(made, server=msgspec.structs.replace(made.server, **changes))


def reached(server: RunningServer, host: str) -> str:
    """`host:port` of the server for a phone on this machine."""
    port = server.sip_address.rpartition(":")[2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def audio_address(sdp: bytes | None) -> str:
    """Where a session description asks for audio."""
    assert sdp is not None
    description = SessionDescription.parse(sdp)
    return description.connection_of(description.media[0])


@pytest.mark.parametrize(("changes", "host"), WAYS.values(), ids=WAYS)
async def test_audio_finds_its_way_in_both_directions(data: Path, changes: dict[str, Any], host: str) -> None:
    await finds_its_way(data, changes, host)


async def test_a_port_may_be_advertised_beside_the_address(data: Path, free_port: Callable[..., int]) -> None:
    port = free_port("udp")
    changes = {**EVERYWHERE, "sip": (f"udp:0.0.0.0:{port}",), "advertise": f"{ADVERTISED}:{port}"}
    await finds_its_way(data, changes, "127.0.0.1", told=ADVERTISED)


async def test_what_is_advertised_wins_over_where_rtp_is_bound(data: Path) -> None:
    changes = {"sip": EVERYWHERE["sip"], "advertise": ADVERTISED}
    await finds_its_way(data, changes, "127.0.0.1", told=ADVERTISED)


async def finds_its_way(data: Path, changes: dict[str, Any], host: str, *, told: str = "") -> None:
    """Calls both ways with a phone at `host`, which is told the address `told`, its own if not given."""
    async with (
        WebApp() as app,
        RunningServer(settings(app, data, changes)) as server,
        rest_client() as rest,
        Softphone("+14155559999", server=reached(server, host), host=host) as phone,
    ):
        site = Site(app, server, rest)
        tone = serve_tone(app, "/tone.wav", 0.5)
        site.reply("laml", "voice", LAML.play(tone), LAML.hang_up())
        inbound = await phone.call(NUMBERS["laml"])
        await inbound.ended()
        assert audio_address(inbound.session.offers.remote_sdp) == (told or host)
        assert loud_seconds(inbound.heard()) > 0.2
        await site.create("laml", f"sip:bob@{phone.listening.partition(':')[2]}")
        outbound = await phone.incoming()
        session = outbound.session
        assert isinstance(session, InboundCall)
        assert audio_address(session.offer) == (told or host)
        outbound.answer()
        await outbound.ended()
        assert loud_seconds(outbound.heard()) > 0.2
        await server.settled()

"""Two media workers: two parties that are connected have their media in different ones, and never notice."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.patience import PATIENCE
from tests.server.neutral import Neutral, callee, hears_tone, talk
from tests.server.site import NUMBERS, serve_tone, site_settings

from ringback.calls.events import Bridged
from ringback.calls.verbs import Clip, Dial, Play
from ringback.dialects.laml import Laml
from ringback.media.plane import MediaLeg, MediaPlane
from ringback.testing.kit import RunningServer, WebApp

NUMBER = NUMBERS["laml"]


async def test_legs_of_two_workers_hear_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The callee's leg is opened elsewhere, as when the caller's worker has no port left."""
    app = Neutral()
    monkeypatch.setattr(Laml, "application", lambda *_: app)
    opened: list[MediaLeg] = []
    open_leg = MediaPlane.open_leg

    def anywhere(plane: MediaPlane, on_event: Any, *, near: MediaLeg | None = None) -> MediaLeg:
        opened.append(open_leg(plane, on_event))
        return opened[-1]

    monkeypatch.setattr(MediaPlane, "open_leg", anywhere)
    async with WebApp() as web:
        settings = site_settings(web, tmp_path)
        settings = msgspec.structs.replace(
            settings, server=msgspec.structs.replace(settings.server, media_workers=2)
        )
        last = Play(clips=(Clip(serve_tone(web, "/last.wav", 1.0, 1500.0)),), loop=0)
        async with (
            RunningServer(settings) as server,
            server.phone("+14155559999", "") as caller,
            server.phone("bob", "") as bob,
        ):
            app.answer("new-call", Dial(callees=(callee(bob),)), last)
            call = await caller.call(NUMBER)
            called = await bob.incoming()
            called.answer()
            await asyncio.gather(call.answered(), app.event(Bridged))
            assert [leg.link.settings.worker for leg in opened] in ([0, 1], [1, 0])
            await talk(call, called)
            await call.press("7")
            async with asyncio.timeout(PATIENCE):
                while called.audio.events_heard != ["7"]:
                    await called.audio.arrival()
            called.hang_up()
            await hears_tone(call, 1500.0)
            call.hang_up()
            await server.settled()

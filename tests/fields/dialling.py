"""Dials with XML markup: the document, the far ends, and the requests that belong to one case."""

from __future__ import annotations

from contextlib import AsyncExitStack

from tests.world import HANG_UP, World, uri_of

from ringback.testing.kit import Asked, Reply
from ringback.testing.softphone import PhoneCall, Softphone


class DialCase:
    """One caller, some who are dialled, and the requests that belong to them."""

    def __init__(self, world: World, flavour: str, name: str, *, between: str) -> None:
        """`between`: what is written between two events that are subscribed to."""
        self.world = world
        self.paths = {what: f"/{what}/{flavour}/{name}" for what in ("screen", "done", "leg", "recorded")}
        self._events = between.join(("initiated", "ringing", "answered", "completed"))
        world.app.reply(self.paths["screen"], "<Response/>")
        world.app.reply(self.paths["done"], HANG_UP[flavour])

    def sip(self, phone: Softphone) -> str:
        """The noun that calls a phone and tells everything about its leg."""
        return (
            f"<Sip url='{self.paths['screen']}' statusCallback='{self.paths['leg']}' "
            f"statusCallbackEvent='{self._events}'>{uri_of(phone)}</Sip>"
        )

    def dial(self, *phones: Softphone, attributes: str = "") -> Reply:
        """The document that calls them all at once."""
        nouns = "".join(self.sip(phone) for phone in phones)
        return f"<Response><Dial action='{self.paths['done']}' {attributes}>{nouns}</Dial></Response>"

    def about(self, to: str) -> tuple[list[Asked], list[Asked], list[Asked]]:
        """What was asked and told about one who was called: screening, action, and the leg's callbacks."""
        requests, paths = self.world.requests, self.paths
        return requests(paths["screen"], To=to), requests(paths["done"]), requests(paths["leg"], To=to)


async def phones(stack: AsyncExitStack, world: World, *names: str) -> list[Softphone]:
    """A device that calls, and phones that are called."""
    found = [await stack.enter_async_context(world.server.phone())]
    for name in names:
        found.append(await stack.enter_async_context(Softphone(name, server=world.server.sip_address)))
    return found


async def refused(call: PhoneCall) -> None:
    """Busy."""
    call.ring()
    call.reject(486)


async def unknown(call: PhoneCall) -> None:
    """Nobody there of that name."""
    call.reject(404)

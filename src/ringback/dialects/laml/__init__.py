"""SignalWire LaML and Twilio TwiML: one dialect in two profiles.

`Laml` is what the engine and the server see of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.routing import BaseRoute

from ringback.calls.services import Services
from ringback.dialects.laml.profiles import SIGNALWIRE
from ringback.dialects.laml.rest import Rest
from ringback.dialects.laml.settings import configured
from ringback.dialects.laml.webhook import LamlApplication, restored
from ringback.routing.directory import Account, Application

__all__ = ["Laml"]


class Laml:
    """`ringback.calls.application.Dialect`, with the REST routes of both services."""

    name = "laml"

    def __init__(self, services: Services) -> None:
        self._services = services
        self._rest = Rest(services)

    def application(self, account: Account, application: Application) -> LamlApplication:
        """A configured application, made ready for one call."""
        return LamlApplication(self._services, account, configured(application))

    def restore(self, account: Account, state: Mapping[str, Any]) -> LamlApplication:
        """The application of a call found open after a restart."""
        return LamlApplication(self._services, account, restored(state, SIGNALWIRE))

    def routes(self) -> list[BaseRoute]:
        """`/api/laml/2010-04-01/…` and `/2010-04-01/…`."""
        return self._rest.routes()

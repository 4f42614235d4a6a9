"""The dialect as the engine and the server see it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from starlette.routing import BaseRoute

from ringback.dialects.jambonz.rest import routes
from ringback.dialects.jambonz.setup import read_setup, setup_of
from ringback.dialects.jambonz.webhook import JambonzApplication

if TYPE_CHECKING:
    from ringback.calls.services import Services
    from ringback.routing.directory import Account, Application


class Jambonz:
    """`ringback.calls.application.Dialect`: JSON verbs over HTTP and WebSocket, REST below `/v1`."""

    name = "jambonz"

    def __init__(self, services: Services) -> None:
        self._services = services

    def application(self, account: Account, application: Application) -> JambonzApplication:
        """A configured application, made ready for one call."""
        return JambonzApplication(self._services, account, setup_of(application))

    def restore(self, account: Account, state: Mapping[str, Any]) -> JambonzApplication:
        """The application of a call found open after a restart."""
        return JambonzApplication(self._services, account, read_setup(state))

    def routes(self) -> list[BaseRoute]:
        """Everything below `/v1`."""
        return routes(self._services)

"""The dialect as the engine and the server meet it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.routing import BaseRoute

from ringback.calls.services import Services
from ringback.calls.verbs import Hook
from ringback.dialects.callapi.rest import routes
from ringback.dialects.callapi.settings import Settings, read_settings
from ringback.dialects.callapi.webhook import CallApiApplication
from ringback.routing.directory import Account
from ringback.routing.directory import Application as ConfiguredApplication


class CallApi:
    """CallAPI and RestComm RCML (`ringback.calls.application.Dialect`)."""

    name = "callapi"

    def __init__(self, services: Services) -> None:
        self._services = services

    def application(self, account: Account, application: ConfiguredApplication) -> CallApiApplication:
        """What a number's own settings make."""

        def hook(url: str, method: str) -> Hook | None:
            if not url:
                return None
            return Hook(
                url=url,
                method=method or "POST",
                username=application.username or None,
                password=application.password or None,
            )

        settings = Settings(
            voice=hook(application.voice_url, application.voice_method),
            fallback=hook(application.fallback_url, application.fallback_method),
            status=hook(application.status_callback, application.status_callback_method),
            refer=hook(application.refer_url, application.refer_method),
        )
        return CallApiApplication(self._services, account, settings)

    def restore(self, account: Account, state: Mapping[str, Any]) -> CallApiApplication:
        """From `CallApiApplication.state()`; what cannot be read calls nobody back."""
        return CallApiApplication(self._services, account, read_settings(state) or Settings())

    def routes(self) -> list[BaseRoute]:
        """The REST surface, under each of its prefixes."""
        return routes(self._services)

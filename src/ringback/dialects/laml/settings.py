"""Where an application of this dialect is reached, as configured or as a REST request gave it."""

from __future__ import annotations

import msgspec

from ringback.calls.verbs import Hook
from ringback.net.guard import same_origin
from ringback.routing.directory import Application as ConfiguredApplication

DEFAULT_EVENTS = ("completed",)


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Also the stored state of an application on a call: whatever rendering its callbacks needs."""

    profile: str
    voice_url: str = ""
    voice_method: str = "POST"
    fallback_url: str = ""
    fallback_method: str = "POST"
    status_callback: str = ""
    status_callback_method: str = "POST"
    events: tuple[str, ...] = DEFAULT_EVENTS
    """The progress events that `status_callback` subscribes to; inbound calls tell their end only."""
    username: str = ""
    """HTTP Basic credentials, for the origin of `voice_url` only."""
    password: str = ""


def configured(application: ConfiguredApplication) -> Settings:
    """The settings of a configured application."""
    return Settings(
        profile=application.profile or "signalwire",
        voice_url=application.voice_url,
        voice_method=application.voice_method,
        fallback_url=application.fallback_url,
        fallback_method=application.fallback_method,
        status_callback=application.status_callback,
        status_callback_method=application.status_callback_method,
        username=application.username,
        password=application.password,
    )


def credentials(hook: Hook, settings: Settings) -> tuple[str, str] | None:
    """HTTP Basic credentials for a place: its own, else the application's for its own origin."""
    if hook.username is not None:
        return hook.username, hook.password or ""
    if settings.username and same_origin(hook.url, settings.voice_url):
        return settings.username, settings.password
    return None

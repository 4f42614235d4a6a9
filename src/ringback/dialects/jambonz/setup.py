"""What an application on a call was made from, in a form that outlives the process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec

from ringback.calls.verbs import Hook
from ringback.routing.directory import Application, Speech


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """Hooks, settings and speech defaults: of a configured application, or of a REST request."""

    application_id: UUID | None = None
    call_hook: Hook
    status_hook: Hook | None = None
    app_json: str = ""
    """Verbs that are run instead of asking the call hook."""
    env_vars: dict[str, str] = {}
    speech: Speech = Speech()
    refer_hook: Hook | None = None
    """Asked when the far end asks to be transferred; given when the call was placed."""
    request_hook: Hook | None = None
    """Asked about requests inside the dialog, likewise."""

    def state(self) -> dict[str, Any]:
        """JSON types only; `read_setup` reads it back."""
        state: dict[str, Any] = msgspec.to_builtins(self)
        return state


def setup_of(application: Application) -> Setup:
    """The setup of a configured application. Its credentials serve both hooks."""
    status = None
    if application.status_callback:
        status = _hook(application, application.status_callback, application.status_callback_method)
    return Setup(
        application_id=application.id,
        call_hook=_hook(application, application.voice_url, application.voice_method),
        status_hook=status,
        app_json=application.app_json,
        env_vars=application.env_vars,
        speech=application.speech,
    )


def read_setup(state: Mapping[str, Any]) -> Setup:
    """A setup as `Setup.state` wrote it.

    Raises:
        msgspec.ValidationError: it is none.
    """
    return msgspec.convert(dict(state), Setup)


def _hook(application: Application, url: str, method: str) -> Hook:
    return Hook(
        url=url,
        method=method.upper(),
        username=application.username or None,
        password=application.password or None,
    )

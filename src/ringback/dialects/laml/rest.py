"""The REST surface: which resource a path names, and what every request has in common.

Both services' prefixes are served, with and without `.json`; the account's spelling in the path chooses the
profile.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount
from starlette.types import Receive, Scope, Send

from ringback.calls.services import Services
from ringback.dialects.http import BadBody
from ringback.dialects.laml import calls, others, recordings, transcriptions
from ringback.dialects.laml.audio import send_audio, wanted_audio
from ringback.dialects.laml.errors import ApiError, bad_method, not_found, of_body
from ringback.dialects.laml.exchange import (
    SIGNALWIRE_PREFIX,
    TWILIO_PREFIX,
    Exchange,
    Handler,
    authenticated,
    prefix_of,
    profile_of,
    refusal,
    segments_of,
)
from ringback.dialects.laml.profiles import TWILIO
from ringback.dialects.laml.resources import View
from ringback.net.clock import utcnow

log = logging.getLogger(__name__)

Handlers = Mapping[str, Handler]  # by HTTP method


class Rest:
    """An ASGI application for all that lies below the prefixes."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._since = utcnow()

    def routes(self) -> list[BaseRoute]:
        """The longer prefix first."""
        return [Mount(SIGNALWIRE_PREFIX, app=self), Mount(TWILIO_PREFIX, app=self)]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1000})
            return
        request = Request(scope, receive)
        response = await self.handle(request)
        await response(scope, receive, send)

    async def handle(self, request: Request) -> Response:
        """Answer one request; whatever is wrong with it becomes an error in the profile's form."""
        path = request.scope["path"]
        profile = profile_of(request)
        creating = request.method == "POST" and segments_of(path)[2:] == ["Calls"]
        try:
            return await self._answer(request)
        except ApiError as error:
            return refusal(error, profile, creating_call=creating)
        except BadBody as problem:
            return refusal(of_body(problem), profile, creating_call=creating)
        except Exception:
            log.exception("%s %s failed", request.method, path)
            return refusal(ApiError(20500, "Internal Server Error", 500), profile)

    async def _answer(self, request: Request) -> Response:
        path = request.scope["path"]
        audio = wanted_audio(request)
        if audio is not None:
            return await send_audio(request, audio, self._services)
        account = authenticated(request, self._services)
        view = View(profile_of(request), prefix_of(path), account)
        exchange = Exchange(request, self._services, account, view, self._since)
        handlers = _resource(segments_of(path), exchange)
        if handlers is None:
            raise not_found(path)
        handler = handlers.get("GET" if request.method == "HEAD" else request.method)
        if handler is None:
            raise bad_method(request.method, ", ".join(handlers))
        return await handler(exchange)


def _resource(segments: list[str], exchange: Exchange) -> Handlers | None:
    """The handlers of a path below the prefix: `Accounts`, `Accounts/{Sid}`, `Accounts/{Sid}/…`."""
    match segments[1:]:
        case []:
            return {"GET": others.account_list}
        case [_]:
            return {"GET": others.account}
        case [_, "Calls"]:
            return {"GET": calls.listing, "POST": calls.create}
        case [_, "Calls", sid]:
            return {
                "GET": _with(calls.retrieve, sid),
                "POST": _with(calls.update, sid),
                "DELETE": _with(calls.delete, sid),
            }
        case [_, "Calls", sid, *below]:
            return _below_call(sid, below, exchange)
        case [_, "Recordings"]:
            return {"GET": recordings.listing}
        case [_, "Recordings", sid]:
            return {"GET": _with(recordings.retrieve, sid), "DELETE": _with(recordings.delete, sid)}
        case [_, "Recordings", sid, "Transcriptions"]:
            return {"GET": _with(transcriptions.of_recording_listing, sid)}
        case [_, "Recordings", sid, "Transcriptions", transcription]:
            return {
                "GET": lambda exchange: transcriptions.of_recording_retrieve(exchange, sid, transcription),
                "DELETE": lambda exchange: transcriptions.of_recording_delete(exchange, sid, transcription),
            }
        case [_, "Transcriptions"]:
            return {"GET": transcriptions.listing}
        case [_, "Transcriptions", sid]:
            return {"GET": _with(transcriptions.retrieve, sid), "DELETE": _with(transcriptions.delete, sid)}
        case [_, kind]:
            return others.list_handlers(kind)
        case [_, "Applications", sid]:
            return {"GET": _with(others.application, sid)}
        case [_, "IncomingPhoneNumbers", sid]:
            return {"GET": _with(others.number, sid)}
    return None


def _below_call(sid: str, below: list[str], exchange: Exchange) -> Handlers | None:
    twilio = exchange.profile is TWILIO
    match below:
        case ["Recordings"]:
            return {
                "GET": _with(recordings.of_call_listing, sid),
                "POST": _with(recordings.of_call_create, sid),
            }
        case ["Recordings", recording]:
            return {
                "GET": lambda exchange: recordings.of_call_retrieve(exchange, sid, recording),
                "POST": lambda exchange: recordings.of_call_update(exchange, sid, recording),
                "DELETE": lambda exchange: recordings.of_call_delete(exchange, sid, recording),
            }
        case ["Notifications"] if twilio:
            return {"GET": _with(others.call_notifications, sid)}
        case ["Notifications", notification] if twilio:
            return {"GET": lambda exchange: others.call_notification(exchange, sid, notification)}
        case ["Streams"]:
            return {"POST": _with(others.unbuilt_of_call, sid)}
        case [kind] if twilio and kind in others.TWILIO_CALL_RESOURCES:
            return {"POST": _with(others.unbuilt_of_call, sid)}
    return None


def _with(handler: Callable[[Exchange, str], Awaitable[Response]], sid: str) -> Handler:
    return lambda exchange: handler(exchange, sid)

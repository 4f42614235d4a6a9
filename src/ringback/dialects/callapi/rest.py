"""The REST surface: paths, forms of the reply, credentials, and which handler does what.

Any path segment may end in `.json`, which asks for JSON, as does `Accept`; else the answer is XML.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from ringback.calls.control import CallerNotOwned, LimitReached, NoSuchCall, Overloaded, Unroutable
from ringback.calls.events import Noted, decode
from ringback.calls.record import CallRecord
from ringback.calls.services import Services
from ringback.dialects.callapi.create import read_request
from ringback.dialects.callapi.errors import Refusal, unauthorized
from ringback.dialects.callapi.listing import list_calls
from ringback.dialects.callapi.modify import modify
from ringback.dialects.callapi.recordings import (
    FORMS,
    audio,
    delete_recording,
    list_recordings,
    one_recording,
    recordings_of,
)
from ringback.dialects.callapi.represent import Listing, Resource, as_response, message_response
from ringback.dialects.callapi.resources import call_resource, notification_resource
from ringback.dialects.callapi.sids import API_VERSION
from ringback.dialects.http import (
    BadBody,
    Parameters,
    basic_credentials,
    query_parameters,
    read_parameters,
    same_secret,
)
from ringback.dialects.spelling import read_sid
from ringback.routing.directory import Account

log = logging.getLogger(__name__)

PREFIXES = ("/call", "/restcomm", "")
"""The last makes the `uri` members, which start at the version, links that work."""

_MAX_BODY = 10_000_000
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]

Handler = Callable[[Account, Parameters], Awaitable[Resource | Listing | Response]]


def routes(services: Services) -> list[BaseRoute]:
    """Everything below each prefix."""
    surface = Surface(services)
    return [
        Route(f"{prefix}/{API_VERSION}/{{path:path}}", surface.handle, methods=_METHODS)
        for prefix in PREFIXES
    ]


class Surface:
    """The handlers of one server."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def handle(self, request: Request) -> Response:
        """Any request below a prefix."""
        segments, as_json = _path(request)
        try:
            answer = await self._answer(request, segments)
            return answer if isinstance(answer, Response) else await as_response(answer, json=as_json)
        except Refusal as refusal:
            return _refused(refusal, json=as_json)
        except BadBody as problem:
            return _refused(Refusal(problem.status, problem.message), json=as_json)
        except Exception:
            log.exception("%s %s failed", request.method, request.url.path)
            return _refused(Refusal(500, "Internal Server Error"), json=as_json)

    async def _answer(self, request: Request, segments: list[str]) -> Resource | Listing | Response:
        if len(segments) < 2 or segments[0] != "Accounts":
            raise Refusal(404)
        if _is_audio(segments) and request.method in ("GET", "HEAD"):
            return await audio(self._services, segments[1], segments[3])  # without credentials
        account = self._account(request, segments[1])
        handlers = self._handlers(segments[2:])
        if not handlers:
            raise Refusal(404)
        handler = handlers.get("GET" if request.method == "HEAD" else request.method)
        if handler is None:
            raise Refusal(405, headers={"Allow": ", ".join(handlers)})
        parameters = query_parameters(request)
        if request.method == "POST":
            body = await read_parameters(request, _MAX_BODY)
            parameters = Parameters((*parameters.pairs, *body.pairs))
        return await handler(account, parameters)

    def _handlers(self, segments: list[str]) -> dict[str, Handler]:
        match segments:
            case ["Calls"]:
                return {"GET": self._list("Calls"), "POST": self._create}
            case ["Calls", sid]:
                return {"GET": self._retrieve(sid), "POST": self._modify(sid)}
            case ["Calls", sid, "Recordings"]:
                return {"GET": self._recordings(sid)}
            case ["Calls", sid, "Notifications"]:
                return {"GET": self._notifications(sid)}
            case ["Calls", sid, "Notifications", notification]:
                return {"GET": self._notification(sid, notification)}
            case ["Recordings"]:
                return {"GET": self._all_recordings}
            case ["Recordings", sid]:
                return {"GET": self._recording(sid), "DELETE": self._delete_recording(sid)}
            case ["ListCalls"]:
                return {"GET": self._list("ListCalls"), "POST": self._list("ListCalls")}
            case ["ListCalls", sid]:
                return {"GET": self._retrieve(sid), "POST": self._retrieve(sid)}
        return {}

    def _account(self, request: Request, sid: str) -> Account:
        """The account in the path, if the credentials are its own: the token on either side of the colon."""
        given = basic_credentials(request)
        id = read_sid(sid)
        wanted = None if id is None else self._services.directory.account(id)
        if given is None:
            raise unauthorized()
        user, password = given
        accounts = self._services.directory.all(Account)
        owners = [account for account in accounts if _is_owner(account, user, password)]
        if wanted is not None and wanted in owners:
            return wanted
        if not owners:
            raise unauthorized()
        raise Refusal(404 if wanted is None else 403)

    # -- handlers

    def _list(self, path: str) -> Handler:
        async def handler(account: Account, parameters: Parameters) -> Listing:
            return await list_calls(
                self._services, account, parameters, path=path, today_only=path == "ListCalls"
            )

        return handler

    async def _create(self, account: Account, parameters: Parameters) -> Resource:
        request = read_request(self._services, account, parameters)
        try:
            return self._call(await self._services.calls.create(request))
        except CallerNotOwned as problem:
            raise Refusal(400, problem.message) from None
        except Unroutable as problem:
            raise Refusal(500, problem.message) from None
        except (LimitReached, Overloaded) as problem:
            raise Refusal(503, problem.message, headers={"Retry-After": "1"}) from None

    def _retrieve(self, sid: str) -> Handler:
        async def handler(account: Account, parameters: Parameters) -> Resource:
            return self._call(await self._known(account, sid))

        return handler

    def _modify(self, sid: str) -> Handler:
        async def handler(account: Account, parameters: Parameters) -> Resource:
            return self._call(await modify(self._services, account, sid, parameters))

        return handler

    def _recordings(self, sid: str) -> Handler:
        async def handler(account: Account, parameters: Parameters) -> Listing:
            return await recordings_of(self._services, await self._known(account, sid))

        return handler

    async def _all_recordings(self, account: Account, parameters: Parameters) -> Listing:
        return await list_recordings(self._services, account, parameters)

    def _recording(self, sid: str) -> Handler:
        async def handler(account: Account, parameters: Parameters) -> Resource:
            return await one_recording(self._services, account, sid)

        return handler

    def _delete_recording(self, sid: str) -> Handler:
        async def handler(account: Account, parameters: Parameters) -> Response:
            return await delete_recording(self._services, account, sid)

        return handler

    def _notifications(self, sid: str) -> Handler:
        async def handler(account: Account, parameters: Parameters) -> Listing:
            call = await self._known(account, sid)
            return Listing("Notifications", await self._notes(call))

        return handler

    def _notification(self, sid: str, notification: str) -> Handler:
        async def handler(account: Account, parameters: Parameters) -> Resource:
            for resource in await self._notes(await self._known(account, sid)):
                if resource.members[0].value == notification:
                    return resource
            raise Refusal(404)

        return handler

    async def _known(self, account: Account, sid: str) -> CallRecord:
        id = read_sid(sid)
        if id is None:
            raise Refusal(404)
        try:
            return await self._services.calls.get(account.id, id)
        except NoSuchCall:
            raise Refusal(404) from None

    async def _notes(self, call: CallRecord) -> list[Resource]:
        found = []
        for stored in await self._services.store.events(str(call.id)):
            if stored.kind != "call.noted":
                continue
            event = decode(stored.payload)
            if isinstance(event, Noted) and event.note.level != "info":
                at = datetime.fromtimestamp(stored.at, UTC)
                found.append(
                    notification_resource(
                        call, self._services.instance, event.note, sequence=stored.sequence, at=at
                    )
                )
        return found

    def _call(self, call: CallRecord) -> Resource:
        return call_resource(call, self._services.instance, datetime.now(UTC))


def _is_owner(account: Account, user: str, password: str) -> bool:
    """`token:`, `token:SID` or `SID:token`. Both sides are compared, whatever the other one says."""
    left, right = same_secret(user, account.token), same_secret(password, account.token)
    return (left and (not password or read_sid(password) == account.id)) or (
        right and read_sid(user) == account.id
    )


def _is_audio(segments: list[str]) -> bool:
    return (
        len(segments) == 4 and segments[2] == "Recordings" and segments[3].rpartition(".")[2].lower() in FORMS
    )


def _path(request: Request) -> tuple[list[str], bool]:
    """The segments without `.json`, and whether JSON is wanted."""
    segments = [segment for segment in request.path_params["path"].split("/") if segment]
    bare = [segment.removesuffix(".json") for segment in segments]
    return bare, bare != segments or "json" in request.headers.get("accept", "").lower()


def _refused(refusal: Refusal, *, json: bool) -> Response:
    if refusal.shaped:
        return message_response(refusal.text, refusal.status, json=json)
    return Response(
        refusal.text,
        refusal.status,
        headers=refusal.headers,
        media_type="text/plain" if refusal.text else None,
    )

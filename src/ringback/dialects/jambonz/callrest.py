"""The calls of an account over REST: placed, listed, read, changed, ended."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from ringback.calls.control import (
    CallerNotOwned,
    CallFilter,
    CallIsOver,
    ControlError,
    LimitReached,
    NoSuchCall,
    Overloaded,
    Unroutable,
    WrongState,
)
from ringback.calls.record import CallRecord
from ringback.calls.recordings.control import NoSuchRecording
from ringback.calls.status import LIVE, Direction
from ringback.calls.verbs import Hook
from ringback.dialects.http import read_json
from ringback.dialects.jambonz.cdr import DIRECTIONS
from ringback.dialects.jambonz.create import hook_of, read_create
from ringback.dialects.jambonz.errors import ApiError, InvalidApplication
from ringback.dialects.jambonz.payload import STATUSES, status_name, statuses_named
from ringback.dialects.jambonz.resources import call_resource
from ringback.dialects.jambonz.session import Session, session_for
from ringback.dialects.jambonz.setup import Setup, read_setup
from ringback.dialects.jambonz.sids import spell
from ringback.dialects.jambonz.update import Update, read_update
from ringback.dialects.jambonz.webhook import JambonzApplication
from ringback.dialects.spelling import read_sid
from ringback.net.clock import utcnow
from ringback.net.slices import gradually

if TYPE_CHECKING:
    from ringback.calls.services import Services
    from ringback.routing.directory import Account

Handler = Callable[[Request, "Account"], Awaitable[Response]]

KEPT = timedelta(hours=1)  # an ended call stays in the list that long
_MOST = 5000


class CallResource:
    """Handlers for `/v1/Accounts/{AccountSid}/Calls` and what is below it."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def create(self, request: Request, account: Account) -> Response:
        """Place a call: 201 with its identifiers once it is stored and on its way."""
        services = self._services
        wanted = read_create(await read_json(request), account, services.directory)
        application = JambonzApplication(services, account, wanted.setup)
        call_request = wanted.request(account, application)
        try:
            call = await services.calls.create(call_request)
        except (Unroutable, CallerNotOwned, LimitReached) as error:
            raise ApiError(422, error.message) from error
        except Overloaded as error:
            raise ApiError(480, "no available feature servers at this time") from error
        sid = spell(call.id)
        return JSONResponse({"sid": sid, "callId": call.sip_call_id or sid}, status_code=201)

    async def list(self, request: Request, account: Account) -> Response:
        """Calls that are up, and those that ended within the last hour; newest first."""
        now = utcnow()
        query = request.query_params
        status = query.get("callStatus")
        if status is not None and status not in STATUSES:
            raise ApiError(400, "invalid callStatus")
        statuses = None if status is None else statuses_named(status)
        if statuses is not None and not statuses:
            return JSONResponse([])
        which = CallFilter(
            account_id=account.id,
            statuses=statuses,
            directions=_directions(query.get("direction")),
            from_=_number(query.get("from")),
            to=_number(query.get("to")),
            live_or_ended_after=now - KEPT,
        )
        found = await self._services.calls.list(which, limit=_MOST)
        calls = [call for call in found if status in (None, status_name(call.status, call.direction))]
        url = self._services.public_url
        items = await gradually(msgspec.json.encode(call_resource(call, url, now)) for call in calls)
        return Response(b"[" + b",".join(items) + b"]", media_type="application/json")

    async def count(self, request: Request, account: Account) -> Response:
        """How many calls are up, by direction."""
        counts = {}
        for name, directions in DIRECTIONS.items():
            which = CallFilter(account_id=account.id, statuses=LIVE, directions=directions)
            counts[name] = await self._services.calls.count(which)
        return JSONResponse(counts)

    async def retrieve(self, request: Request, account: Account) -> Response:
        call = await self._call(request, account)
        return JSONResponse(call_resource(call, self._services.public_url, utcnow()))

    async def delete(self, request: Request, account: Account) -> Response:
        """End the call, in whatever state it is. One that has ended is left as it is."""
        call = await self._call(request, account)
        try:
            await self._services.calls.hang_up(account.id, call.id)
        except CallIsOver:
            pass
        return Response(status_code=204)

    async def update(self, request: Request, account: Account) -> Response:
        """Change the live call: 202 once it was accepted."""
        id = _call_id(request)
        update = read_update(await read_json(request), spell(id))
        try:
            call = await self._services.calls.get(account.id, id)
            response = await self._apply(update, call, account)
        except NoSuchCall as error:
            raise ApiError(404) from error
        except CallIsOver as error:
            raise ApiError(422, f"call session is gone for call_sid {spell(id)}") from error
        except (WrongState, NoSuchRecording) as error:
            message = "current call state is incompatible with requested action"
            raise ApiError(422, f"{message} for call_sid {spell(id)}") from error
        except ControlError as error:
            raise ApiError(422, error.message) from error
        except InvalidApplication as error:
            raise ApiError(400, error.message) from error
        if response is not None:
            return JSONResponse({"status": response[0], "reason": response[1]})
        return PlainTextResponse("Accepted", status_code=202)

    async def _apply(self, update: Update, call: CallRecord, account: Account) -> tuple[int, str] | None:
        """Do what was asked for; what a request inside the dialog was answered."""
        calls = self._services.calls
        session = _session_of(call)
        hook = hook_of(update.call_hook, "call_hook", session)
        callee_hook = hook_of(update.child_call_hook, "child_call_hook", session)
        status_hook = hook_of(update.call_status_hook, "call_status_hook", session)
        response = None
        for change in update.changes:
            response = await change.apply(calls, account.id, call.id, session or Session())
        if update.call_status == "no-answer":
            await calls.cancel(account.id, call.id, as_no_answer=True)
        elif update.call_status == "completed":
            await self._complete(call)
        if hook is not None:
            await self._redirect(hook, status_hook, callee_hook, call, account)
        elif callee_hook is not None:
            await calls.redirect_callee(account.id, call.id, hook=callee_hook)
        return response

    async def _complete(self, call: CallRecord) -> None:
        """Only an answered call can be completed."""
        if not call.status.final and call.answered_at is None:
            raise WrongState(f"call {call.id} is not answered")
        await self._services.calls.hang_up(call.account_id, call.id)

    async def _redirect(
        self,
        hook: Hook,
        status_hook: Hook | None,
        callee_hook: Hook | None,
        call: CallRecord,
        account: Account,
    ) -> None:
        """Another hook answers from now on; a call of another dialect comes over to this one."""
        application = None
        if _setup_of(call) is None:
            setup = Setup(call_hook=hook, status_hook=status_hook)
            application = JambonzApplication(self._services, account, setup)
        calls = self._services.calls
        if callee_hook is not None:
            await calls.redirect_both(
                account.id,
                call.id,
                to=hook,
                callee_to=callee_hook,
                status_hook=status_hook,
                application=application,
            )
            return
        await calls.redirect(
            account.id,
            call.id,
            hook=hook,
            application=application,
            status_hook=status_hook,
            while_ringing=True,
        )

    async def _call(self, request: Request, account: Account) -> CallRecord:
        try:
            return await self._services.calls.get(account.id, _call_id(request))
        except NoSuchCall as error:
            raise ApiError(404) from error


def _setup_of(call: CallRecord) -> Setup | None:
    """What the call's application was made from, where it is one of this dialect."""
    state: dict[str, Any] = call.application_state
    return read_setup(state) if call.dialect == "jambonz" and "call_hook" in state else None


def _session_of(call: CallRecord) -> Session | None:
    """Where relative hooks of the call lead and how it speaks, where it is one of this dialect."""
    setup = _setup_of(call)
    return session_for(setup.speech, setup.call_hook.url) if setup is not None else None


def _call_id(request: Request) -> UUID:
    id = read_sid(request.path_params["call_sid"])
    if id is None:
        raise ApiError(400, "Bad request")
    return id


def _directions(name: str | None) -> frozenset[Direction] | None:
    if name is not None and name not in DIRECTIONS:
        raise ApiError(400, "invalid direction")
    return None if name is None else DIRECTIONS[name]


def _number(text: str | None) -> str | None:
    """A number in a query; a + that nobody escaped arrives as a space."""
    return "+" + text[1:] if text is not None and text.startswith(" ") else text

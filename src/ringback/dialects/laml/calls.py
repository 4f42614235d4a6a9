"""The handlers of `/Calls`."""

from __future__ import annotations

from uuid import UUID

import msgspec
from starlette.responses import Response

from ringback.calls.application import Document
from ringback.calls.control import CallIsOver, CallRequest, ControlError, WrongState
from ringback.calls.record import CallRecord
from ringback.calls.verbs import Hook
from ringback.dialects.http import Parameters
from ringback.dialects.laml import checks, parameters
from ringback.dialects.laml.call_list import read_filter
from ringback.dialects.laml.errors import ApiError, invalid, not_found, of_control
from ringback.dialects.laml.exchange import Exchange, reply, written
from ringback.dialects.laml.notes import DocumentError
from ringback.dialects.laml.parameters import CallParameters, Hooks, read_hooks
from ringback.dialects.laml.profiles import SIGNALWIRE, TWILIO
from ringback.dialects.laml.settings import Settings, configured
from ringback.dialects.laml.webhook import LamlApplication, restored
from ringback.dialects.spelling import read_sid


async def create(exchange: Exchange) -> Response:
    """`POST /Calls`: place a call."""
    given = parameters.read_call(await exchange.body(), exchange.profile)
    application = _application(exchange, given)
    document = _document(exchange, application, given.hooks)
    request = CallRequest(
        account=exchange.account,
        application=application,
        application_id=given.application_id,
        to=given.target,
        to_shown=given.to,
        from_=given.from_,
        caller_id=given.caller_id,
        from_host=given.from_host,
        ring_timeout=given.ring_timeout,
        time_limit=given.time_limit,
        send_digits=given.send_digits,
        document=document,
        recording=given.recording,
        detection=given.detection,
    )
    try:
        call = await exchange.services.calls.create(request)
    except ControlError as error:
        raise of_control(error, exchange.profile, exchange.path) from error
    return reply(exchange.view.call(call), exchange.profile.created_status)


def _application(exchange: Exchange, given: CallParameters) -> LamlApplication:
    """The application of the call: the configured one, or the one that the request describes."""
    remarks = (*given.hooks.remarks, *given.remarks)
    if given.application_id is None:
        settings = _with_hooks(Settings(profile=exchange.profile.name), given.hooks)
        return LamlApplication(exchange.services, exchange.account, settings, remarks)
    found = exchange.services.directory.application(given.application_id)
    if found is None or found.account_id != exchange.account.id or found.dialect != "laml":
        raise ApiError(21218, "ApplicationSid names no application of this account")
    settings = msgspec.structs.replace(configured(found), profile=exchange.profile.name)
    return LamlApplication(exchange.services, exchange.account, settings, remarks)


def _with_hooks(settings: Settings, hooks: Hooks) -> Settings:
    """The settings with what a request says in their place."""
    changes: dict[str, object] = {}
    if hooks.url is not None:
        changes |= {"voice_url": hooks.url, "voice_method": hooks.method}
    if hooks.fallback_url is not None:
        changes |= {"fallback_url": hooks.fallback_url, "fallback_method": hooks.fallback_method}
    if hooks.status_callback is not None:
        changes |= {
            "status_callback": hooks.status_callback,
            "status_callback_method": hooks.status_callback_method,
        }
    if hooks.events is not None:
        changes["events"] = hooks.events
    return msgspec.structs.replace(settings, **changes)


def _document(exchange: Exchange, application: LamlApplication, hooks: Hooks) -> Document | None:
    if hooks.markup is None:
        return None
    try:
        return application.document_of(hooks.markup)
    except DocumentError as problem:
        code = int(problem.note.code) if exchange.profile is TWILIO else 20422
        raise ApiError(code, f"Twiml is not a valid document: {problem.note.message}") from None


async def listing(exchange: Exchange) -> Response:
    """`GET /Calls`: newest first."""
    page = exchange.wanted()
    which = read_filter(exchange.query, exchange.account.id, page)
    calls = await exchange.services.calls.list(which, limit=page.size + 1, offset=page.offset)
    items = await written(exchange.view.call(call) for call in calls[: page.size])
    return exchange.listed("calls", "Calls", items, page, more=len(calls) > page.size)


async def find(exchange: Exchange, sid: str) -> CallRecord:
    """The account's call with that SID; raises ApiError 404."""
    id = _call_id(exchange, sid)
    try:
        return await exchange.services.calls.get(exchange.account.id, id)
    except ControlError as error:
        raise of_control(error, exchange.profile, exchange.path) from error


def _call_id(exchange: Exchange, sid: str) -> UUID:
    id = read_sid(sid)
    if id is None:
        raise not_found(exchange.path)
    return id


async def retrieve(exchange: Exchange, sid: str) -> Response:
    """`GET /Calls/{Sid}`."""
    return reply(exchange.view.call(await find(exchange, sid)))


async def delete(exchange: Exchange, sid: str) -> Response:
    """`DELETE /Calls/{Sid}`: forget an ended call."""
    id = _call_id(exchange, sid)
    try:
        await exchange.services.calls.delete(exchange.account.id, id)
    except ControlError as error:
        raise of_control(error, exchange.profile, exchange.path) from error
    return Response(status_code=204)


async def update(exchange: Exchange, sid: str) -> Response:
    """`POST /Calls/{Sid}`: end the call, run another document on it, or change its callbacks."""
    call = await find(exchange, sid)
    given = await exchange.body()
    hooks = read_hooks(given, exchange.profile)
    try:
        call = await _apply(exchange, call, given, hooks)
    except ControlError as error:
        raise of_control(error, exchange.profile, exchange.path) from error
    return reply(exchange.view.call(call))


async def _apply(exchange: Exchange, call: CallRecord, given: Parameters, hooks: Hooks) -> CallRecord:
    calls, account_id = exchange.services.calls, exchange.account.id
    status = given.get("Status").strip()
    if status not in ("", "completed", "canceled"):
        raise invalid(
            "Status", "completed or canceled", status, 20422 if exchange.profile is TWILIO else 10000
        )
    limit = checks.number(given, "TimeLimit", 0, 1, parameters.LONGEST_LIMIT)
    if status == "completed":
        return await calls.hang_up(account_id, call.id)
    if status == "canceled":
        return await _cancel(exchange, call)
    if call.status.final and (hooks.url or hooks.markup or hooks.other_than_document or limit):
        raise CallIsOver("the call has ended")
    if limit:
        call = await calls.limit_time(account_id, call.id, limit)
    application = None
    if hooks.markup or hooks.other_than_document or call.dialect != "laml":
        application = _changed_application(exchange, call, hooks)
    if hooks.url is not None:
        hook = Hook(url=hooks.url, method=hooks.method)
        return await calls.redirect(account_id, call.id, hook=hook, application=application)
    if hooks.markup is not None and application is not None:
        document = _document(exchange, application, hooks)
        return await calls.redirect(account_id, call.id, document=document, application=application)
    if hooks.other_than_document and application is not None:
        return await calls.set_application(account_id, call.id, application)
    return call


def _changed_application(exchange: Exchange, call: CallRecord, hooks: Hooks) -> LamlApplication:
    """What answers from now on: the call's present application with the changes, or, where that speaks
    another dialect, a new one."""
    if call.dialect == "laml":
        settings = restored(call.application_state, exchange.profile)
    else:
        settings = Settings(profile=exchange.profile.name)
    return LamlApplication(exchange.services, exchange.account, _with_hooks(settings, hooks), hooks.remarks)


async def _cancel(exchange: Exchange, call: CallRecord) -> CallRecord:
    try:
        return await exchange.services.calls.cancel(exchange.account.id, call.id)
    except WrongState:
        if exchange.profile is SIGNALWIRE:
            raise ApiError(10000, "A call that is in progress cannot be canceled") from None
        return call  # Twilio leaves an answered call alone

"""The handlers of `/Recordings` and `/Calls/{Sid}/Recordings`."""

from __future__ import annotations

from uuid import UUID

from starlette.responses import Response

from ringback.calls.control import CallIsOver, ControlError, WrongState
from ringback.calls.recordings.control import RecordingFilter
from ringback.calls.recordings.recording import Recording
from ringback.dialects.laml import calls
from ringback.dialects.laml.call_list import read_span
from ringback.dialects.laml.errors import ApiError, invalid, not_found, of_control
from ringback.dialects.laml.exchange import Exchange, reply, written
from ringback.dialects.laml.recording_parameters import read_change, read_plan
from ringback.dialects.laml.recording_resources import of_call, resource
from ringback.dialects.spelling import read_sid

CURRENT = "Twilio.CURRENT"
"""Stands for the recording of a call that was begun last, at both services."""


async def listing(exchange: Exchange) -> Response:
    """`GET /Recordings`: newest first, of one call or all."""
    query = exchange.query
    if query.get("ConferenceSid"):
        return exchange.page("recordings", "Recordings", [])
    call_id = None
    if query.get("CallSid"):
        call_id = read_sid(query.get("CallSid"))
        if call_id is None:
            raise invalid("CallSid", "the SID of a call", query.get("CallSid"))
    return await _page(exchange, call_id, "Recordings")


async def retrieve(exchange: Exchange, sid: str) -> Response:
    """`GET /Recordings/{Sid}.json`."""
    recording = await find(exchange, read_sid(sid))
    return reply(resource(exchange.view, recording, exchange.services.public_url))


async def delete(exchange: Exchange, sid: str) -> Response:
    """`DELETE /Recordings/{Sid}`: forget it and its audio."""
    recording = await find(exchange, read_sid(sid))
    return await _delete(exchange, recording)


async def of_call_listing(exchange: Exchange, sid: str) -> Response:
    """`GET /Calls/{Sid}/Recordings`."""
    call = await calls.find(exchange, sid)
    return await _page(exchange, call.id, f"Calls/{sid}/Recordings")


async def of_call_create(exchange: Exchange, sid: str) -> Response:
    """`POST /Calls/{Sid}/Recordings`: record the call from now on."""
    call = await calls.find(exchange, sid)
    plan, _ = read_plan(await exchange.body(), source="control")
    try:
        recording = await exchange.services.calls.start_recording(exchange.account.id, call.id, plan)
    except ControlError as error:
        raise _ineligible(exchange, error) from error
    return reply(of_call(exchange.view, recording), exchange.profile.created_status)


async def of_call_retrieve(exchange: Exchange, sid: str, recording: str) -> Response:
    """`GET /Calls/{Sid}/Recordings/{Sid}`."""
    return reply(of_call(exchange.view, await _find_of_call(exchange, sid, recording)))


async def of_call_update(exchange: Exchange, sid: str, recording: str) -> Response:
    """`POST /Calls/{Sid}/Recordings/{Sid}`: pause, go on with or end a recording under way."""
    call = await calls.find(exchange, sid)
    id = None if recording == CURRENT else (await _find_of_call(exchange, sid, recording)).id
    what, silence = read_change(await exchange.body(), exchange.profile)
    try:
        changed = await exchange.services.calls.change_recording(
            exchange.account.id, call.id, what, recording_id=id, silence=silence
        )
    except ControlError as error:
        raise _ineligible(exchange, error) from error
    return reply(of_call(exchange.view, changed))


async def of_call_delete(exchange: Exchange, sid: str, recording: str) -> Response:
    """`DELETE /Calls/{Sid}/Recordings/{Sid}`."""
    return await _delete(exchange, await _find_of_call(exchange, sid, recording))


async def _page(exchange: Exchange, call_id: UUID | None, kind: str) -> Response:
    """One page of a list; `kind` is its path below the account's."""
    view, page = exchange.view, exchange.wanted()
    created_from, created_before = read_span(exchange.query, "DateCreated")
    # What came after the first page was read belongs to none of its followers.
    if page.offset and (created_before is None or page.anchor < created_before):
        created_before = page.anchor
    which = RecordingFilter(
        account_id=exchange.account.id,
        call_ids=None if call_id is None else frozenset({call_id}),
        created_from=created_from,
        created_before=created_before,
    )
    found = await exchange.services.recordings.list(which, limit=page.size + 1, offset=page.offset)
    shown = found[: page.size]
    url = exchange.services.public_url
    items = await written(
        resource(view, each, url) if kind == "Recordings" else of_call(view, each) for each in shown
    )
    return exchange.listed("recordings", kind, items, page, more=len(found) > page.size)


async def find(exchange: Exchange, id: UUID | None) -> Recording:
    """The account's recording with that id; raises ApiError 404."""
    if id is None:
        raise not_found(exchange.path)
    try:
        return await exchange.services.recordings.get(exchange.account.id, id)
    except ControlError as error:
        raise of_control(error, exchange.profile, exchange.path) from error


async def _find_of_call(exchange: Exchange, sid: str, recording: str) -> Recording:
    call = await calls.find(exchange, sid)
    found = await find(exchange, read_sid(recording))
    if found.call_id != call.id:
        raise not_found(exchange.path)
    return found


async def _delete(exchange: Exchange, recording: Recording) -> Response:
    try:
        await exchange.services.recordings.delete(exchange.account.id, recording.id)
    except ControlError as error:
        raise of_control(error, exchange.profile, exchange.path) from error
    return Response(status_code=204)


def _ineligible(exchange: Exchange, error: ControlError) -> ApiError:
    """A call that cannot be recorded, or a recording that is over."""
    if isinstance(error, CallIsOver | WrongState):
        return ApiError(21220, f"Requested resource is not eligible for recording: {error.message}")
    return of_control(error, exchange.profile, exchange.path)

"""`…/RecentCalls`: what became of past calls, and the audio of those that were recorded."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response

from ringback.calls.control import CallFilter, NoSuchCall, Overloaded
from ringback.calls.record import CallRecord
from ringback.calls.recordings.control import NoSuchRecording, RecordingFilter, RecordingIsLive
from ringback.calls.recordings.recording import Recording, RecordingStatus
from ringback.calls.status import FINAL
from ringback.dialects.http import parse_moment
from ringback.dialects.jambonz.cdr import DIRECTIONS, cdr
from ringback.dialects.jambonz.errors import ApiError
from ringback.dialects.spelling import read_sid
from ringback.net.clock import utcnow
from ringback.net.slices import gradually

if TYPE_CHECKING:
    from ringback.calls.services import Services
    from ringback.routing.directory import Account

MOST = 500  # calls in a page
_MOST_RECORDINGS = 5000
_LONGEST_DAYS = 3650
_FORMS = {"wav": "audio/wav", "mp3": "audio/mpeg"}
_KEPT = frozenset({RecordingStatus.COMPLETED})


class RecentCalls:
    """Handlers for `/v1/Accounts/{AccountSid}/RecentCalls` and what is below it."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def list(self, request: Request, account: Account) -> Response:
        """A page of the calls that have ended, newest first."""
        page = _number(request, "page", 10**9)
        count = _number(request, "count", MOST)
        which = self._filter(request, account)
        calls, total = await self._services.calls.page(which, limit=count, offset=(page - 1) * count)
        recorded = await self._recorded(account, calls)
        parents = await self._parents(account, calls)
        made = (
            cdr(
                call,
                account,
                recorded=call.id in recorded,
                parent_call_id=parents.get(call.parent_id) if call.parent_id else None,
            )
            for call in calls
        )
        rows = await gradually(msgspec.Raw(msgspec.json.encode(row)) for row in made)
        body = {"total": total, "page_size": count, "batch": len(rows), "page": page, "data": rows}
        return Response(msgspec.json.encode(body), media_type="application/json")

    def _filter(self, request: Request, account: Account) -> CallFilter:
        query = request.query_params
        direction = query.get("direction")
        if direction is not None and direction not in DIRECTIONS:
            raise ApiError(400, 'invalid "direction" query arg')
        start, end = _span(request)
        text = query.get("filter", "").strip()
        sid = read_sid(text) if text else None
        return CallFilter(
            account_id=account.id,
            call_ids=None if sid is None else frozenset({sid}),
            statuses=FINAL,
            directions=None if direction is None else DIRECTIONS[direction],
            trunk=query.get("trunk") or None,
            answered={"true": True, "false": False}.get(query.get("answered", "")),
            party="" if sid is not None else _part(text),
            started_from=start,
            started_before=end,
        )

    async def _recorded(self, account: Account, calls: Sequence[CallRecord]) -> set[UUID]:
        """Those of the calls that have a recording."""
        which = RecordingFilter(
            account_id=account.id, call_ids=frozenset(call.id for call in calls), statuses=_KEPT
        )
        found = await self._services.recordings.list(which, limit=_MOST_RECORDINGS)
        return {recording.call_id for recording in found}

    async def _parents(self, account: Account, calls: Sequence[CallRecord]) -> dict[UUID, str]:
        """The SIP Call-IDs of the calls that dialled these."""
        known = {call.id: call.sip_call_id for call in calls}
        others = frozenset(call.parent_id for call in calls if call.parent_id is not None) - known.keys()
        which = CallFilter(account_id=account.id, call_ids=others)
        found = await self._services.calls.list(which, limit=len(others))
        return known | {call.id: call.sip_call_id for call in found}

    # -- audio

    async def download(self, request: Request, account: Account) -> Response:
        """The recording of a call as WAV or MP3, or the part of it that a Range names (RFC 9110, 14)."""
        form = request.path_params["form"]
        recording = await self._recording(request, account)
        if form not in _FORMS:
            raise ApiError(404)
        try:
            file = await self._services.recordings.file(recording, form=form)
        except NoSuchRecording as error:
            raise ApiError(404) from error
        except Overloaded as error:
            raise ApiError(503, error.message) from error
        if file.path is None:
            return RedirectResponse(file.url or "", 307)
        return FileResponse(file.path, media_type=_FORMS[form], filename=f"{recording.call_id}.{form}")

    async def delete(self, request: Request, account: Account) -> Response:
        """Forget the recording of a call; both forms of it go."""
        recording = await self._recording(request, account)
        try:
            await self._services.recordings.delete(account.id, recording.id)
        except NoSuchRecording as error:
            raise ApiError(404) from error
        except RecordingIsLive as error:
            raise ApiError(422, error.message) from error
        except Overloaded as error:
            raise ApiError(500, error.message) from error
        return Response(status_code=204)

    async def _recording(self, request: Request, account: Account) -> Recording:
        """The latest recording of the call in the path, which is filed under the day the call began on."""
        path = request.path_params
        id = read_sid(path["call_sid"])
        if id is None:
            raise ApiError(400, "Bad request")
        try:
            call = await self._services.calls.get(account.id, id)
        except NoSuchCall as error:
            raise ApiError(404) from error
        if (path["year"], path["month"], path["day"]) != tuple(f"{call.created_at:%Y %m %d}".split()):
            raise ApiError(404)
        which = RecordingFilter(account_id=account.id, call_ids=frozenset({call.id}), statuses=_KEPT)
        found = await self._services.recordings.list(which, limit=1)
        if not found:
            raise ApiError(404)
        return found[0]


def _number(request: Request, name: str, most: int) -> int:
    text = request.query_params.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= most):
        raise ApiError(400, f'missing or invalid "{name}" query arg')
    return int(text)


def _span(request: Request) -> tuple[datetime | None, datetime | None]:
    """From `days` back until now, or `start` to `end`; without either, everything that is kept."""
    if "days" in request.query_params:
        days = _number(request, "days", _LONGEST_DAYS)
        return utcnow() - timedelta(days=days), None
    return _moment(request, "start", 0), _moment(request, "end", 1)


def _moment(request: Request, name: str, which: int) -> datetime | None:
    """A date or time; a bare day as `end` is the end of that day."""
    text = request.query_params.get(name, "")
    if not text:
        return None
    span = parse_moment(text)
    if span is None:
        raise ApiError(400, f'missing or invalid "{name}" query arg')
    return span[which]


def _part(text: str) -> str:
    """A part of a number. It is no regular expression here, but for what people put around a number."""
    return text.removeprefix("^").removesuffix("$").replace("\\", "").removeprefix(".*").removesuffix(".*")

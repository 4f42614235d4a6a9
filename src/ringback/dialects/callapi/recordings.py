"""Recordings over REST: lists, one, by call, the audio, and deleting them. Source: CallAPI "Recordings".

There is a recording here once it has ended with something in it, as at the service.
"""

from __future__ import annotations

from uuid import UUID

from starlette.responses import FileResponse, RedirectResponse, Response

from ringback.calls.control import Overloaded
from ringback.calls.record import CallRecord
from ringback.calls.recordings.control import NoSuchRecording, RecordingFilter, RecordingIsLive
from ringback.calls.recordings.recording import Recording, RecordingStatus
from ringback.calls.services import Services
from ringback.dialects.callapi.errors import Refusal
from ringback.dialects.callapi.paging import check_page, envelope, read_moment, read_order, read_page
from ringback.dialects.callapi.represent import Listing, Resource
from ringback.dialects.callapi.resources import account_uri, recording_resource
from ringback.dialects.callapi.sids import recording_sid
from ringback.dialects.http import Parameters
from ringback.dialects.spelling import read_sid
from ringback.net.slices import gradually
from ringback.routing.directory import Account

FORMS = ("wav", "mp3")
"""What audio is given as, by the ending of its address."""

_THERE = frozenset({RecordingStatus.PROCESSING, RecordingStatus.COMPLETED})
_MOST_OF_A_CALL = 1000
_FIELDS = {"datecreated": "created_at", "duration": "duration", "callsid": "call_id"}


async def list_recordings(services: Services, account: Account, parameters: Parameters) -> Listing:
    """One page of the account's recordings, newest first.

    Raises:
        Refusal: 400 for a bad date, page or order.
    """
    page = read_page(parameters)
    start, end = read_moment(parameters, "StartTime"), read_moment(parameters, "EndTime")
    which = RecordingFilter(
        account_id=account.id,
        call_ids=_calls(parameters),
        statuses=_THERE,
        created_from=start[0] if start else None,
        created_before=end[1] if end else None,
        order=read_order(parameters, _FIELDS),
    )
    total = await services.recordings.count(which)
    check_page(page, total)
    found = await services.recordings.list(which, limit=page.size, offset=page.offset) if page.size else []
    return Listing(
        "Recordings",
        await gradually(_resource(services, recording) for recording in found),
        "recordings",
        envelope(
            f"{account_uri(account.id)}/Recordings.json",
            parameters,
            page,
            total,
            count=len(found),
            last_sid=recording_sid(found[-1].id) if found else None,
        ),
    )


async def recordings_of(services: Services, call: CallRecord) -> Listing:
    """All of one call, the first first, without an envelope."""
    which = RecordingFilter(
        account_id=call.account_id, call_ids=frozenset({call.id}), statuses=_THERE, order="oldest"
    )
    found = await services.recordings.list(which, limit=_MOST_OF_A_CALL)
    return Listing("Recordings", [_resource(services, recording) for recording in found])


async def one_recording(services: Services, account: Account, sid: str) -> Resource:
    """One recording.

    Raises:
        Refusal: 404.
    """
    return _resource(services, await _known(services, account.id, sid))


async def delete_recording(services: Services, account: Account, sid: str) -> Response:
    """Forget it, and its audio: 200 without a body.

    Raises:
        Refusal: 404; 409 while it is being finished; 503 while its storage cannot be reached.
    """
    recording = await _known(services, account.id, sid)
    try:
        await services.recordings.delete(account.id, recording.id)
    except NoSuchRecording:
        raise Refusal(404) from None
    except RecordingIsLive as problem:
        raise Refusal(409, problem.message) from None
    except Overloaded as problem:
        raise _later(problem) from None
    return Response(status_code=200)


async def audio(services: Services, account_sid: str, name: str) -> Response:
    """`RE….wav` or `RE….mp3`, for everybody who knows the address; parts of it by Range.

    Raises:
        Refusal: 404; 503 while too much is converted.
    """
    sid, _, form = name.rpartition(".")
    form = form.lower()
    owner = read_sid(account_sid)
    recording = await _known(services, None, sid)
    if recording.account_id != owner:
        raise Refusal(404)
    try:
        file = await services.recordings.file(recording, form=form)
    except NoSuchRecording:
        raise Refusal(404) from None
    except Overloaded as problem:
        raise _later(problem) from None
    if file.url is not None:
        return RedirectResponse(file.url, 307)
    if file.path is None:
        raise Refusal(404)
    return FileResponse(file.path, media_type="audio/x-wav" if form == "wav" else file.media_type)


async def _known(services: Services, account_id: UUID | None, sid: str) -> Recording:
    id = read_sid(sid)
    try:
        recording = None if id is None else await services.recordings.get(account_id, id)
    except NoSuchRecording:
        recording = None
    if recording is None or recording.status not in _THERE:
        raise Refusal(404)
    return recording


def _later(problem: Overloaded) -> Refusal:
    return Refusal(503, problem.message, headers={"Retry-After": "5"})


def _resource(services: Services, recording: Recording) -> Resource:
    return recording_resource(recording, services.instance, services.public_url)


def _calls(parameters: Parameters) -> frozenset[UUID] | None:
    text = parameters.get("CallSid").strip()
    if not text:
        return None
    return frozenset({read_sid(text) or UUID(int=0)})  # what is no SID is no call

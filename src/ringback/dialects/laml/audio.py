"""The audio of recordings, which is sent to whoever knows its link: without credentials, as WAV or MP3.

The SID is 122 bits of chance, and both services hand such links out to be played and mailed.
"""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response

from ringback.calls.control import ControlError, Overloaded
from ringback.calls.services import Services
from ringback.dialects.http import integer
from ringback.dialects.laml.errors import ApiError, invalid, not_found
from ringback.dialects.laml.exchange import segments_of
from ringback.dialects.spelling import read_sid

_FORMS = ("wav", "mp3")


class Wanted(msgspec.Struct, frozen=True):
    """A recording's audio, as a path names it."""

    account: str
    recording: str
    form: str


def wanted_audio(request: Request) -> Wanted | None:
    """What a request for audio is about; None where it is about something else.

    `/Recordings/{Sid}` is WAV, unless nothing but JSON is accepted.
    """
    path = request.scope["path"]
    if request.method not in ("GET", "HEAD") or path.endswith(".json"):
        return None
    match segments_of(path):
        case ["Accounts", account, "Recordings", name]:
            sid, dot, form = name.rpartition(".")
            if dot:
                return Wanted(account, sid, form) if form in _FORMS else None
            return None if _only_json(request) else Wanted(account, name, "wav")
    return None


def _only_json(request: Request) -> bool:
    accepted = request.headers.get("accept", "*/*")
    return "application/json" in accepted and "*/*" not in accepted and "audio" not in accepted


async def send_audio(request: Request, wanted: Wanted, services: Services) -> Response:
    """The audio, or the part of it that a Range names (RFC 9110 section 14).

    `RequestedChannels=1` mixes two channels down.

    Raises:
        ApiError: 20404; 16113 for two channels of a recording that has one; 20503 while
            too much is converted.
    """
    path = request.scope["path"]
    account_id, id = read_sid(wanted.account), read_sid(wanted.recording)
    if account_id is None or id is None:
        raise not_found(path)
    given = request.query_params.get("RequestedChannels", "")
    channels = integer(given, least=1, most=2)
    if given and channels is None:
        raise invalid("RequestedChannels", "1 or 2", given)
    try:
        recording = await services.recordings.get(account_id, id)
        if (channels or 1) > recording.plan.channels:
            raise ApiError(16113, "Cannot download a dual-channel presentation of a mono recording")
        file = await services.recordings.file(recording, form=wanted.form, channels=channels)
    except Overloaded as error:
        raise ApiError(20503, f"Service unavailable: {error.message}", 503) from error
    except ControlError as error:
        raise not_found(path) from error
    if file.path is None:
        return RedirectResponse(file.url or "", 302)
    return FileResponse(file.path, media_type=file.media_type)

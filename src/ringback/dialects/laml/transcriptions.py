"""Transcriptions: of each recording that a text was wanted of there is one, which has failed, as nothing
recognises speech.

Sources: SignalWire "Transcriptions" of the Compatibility API; "Transcriptions" and "Recording transcriptions"
of Twilio's 2010-04-01 API.
"""

from __future__ import annotations

from uuid import UUID

from starlette.responses import PlainTextResponse, Response

from ringback.calls.control import ControlError
from ringback.calls.recordings.control import RecordingFilter
from ringback.calls.recordings.recording import Recording
from ringback.dialects.http import rfc2822
from ringback.dialects.laml import recordings
from ringback.dialects.laml.errors import not_found, of_control
from ringback.dialects.laml.exchange import Exchange, reply, written
from ringback.dialects.laml.profiles import API_VERSION, TWILIO
from ringback.dialects.laml.recording_fields import seconds
from ringback.dialects.laml.resources import Resource
from ringback.dialects.laml.sids import RECORDING, TRANSCRIPTION, spell
from ringback.dialects.spelling import read_sid


def counterpart(id: UUID) -> UUID:
    """The transcription of a recording, and the recording of a transcription: they differ in the last bit."""
    return UUID(int=id.int ^ 1)


async def listing(exchange: Exchange) -> Response:
    """`GET /Transcriptions`: newest first."""
    page = exchange.wanted()
    which = RecordingFilter(
        account_id=exchange.account.id,
        created_before=page.anchor if page.offset else None,
        transcribed=True,
    )
    found = await exchange.services.recordings.list(which, limit=page.size + 1, offset=page.offset)
    items = await written(_resource(exchange, each) for each in found[: page.size])
    return exchange.listed("transcriptions", "Transcriptions", items, page, more=len(found) > page.size)


async def retrieve(exchange: Exchange, sid: str) -> Response:
    """`GET /Transcriptions/{Sid}`; with the suffix `.txt` its text alone."""
    name = sid.removesuffix(".txt")
    recording = await _find(exchange, read_sid(name))
    return PlainTextResponse("") if name != sid else reply(_resource(exchange, recording))


async def delete(exchange: Exchange, sid: str) -> Response:
    """`DELETE /Transcriptions/{Sid}`: forget it; the recording stays."""
    return await _forget(exchange, await _find(exchange, read_sid(sid)))


async def of_recording_listing(exchange: Exchange, sid: str) -> Response:
    """`GET /Recordings/{Sid}/Transcriptions`."""
    recording = await recordings.find(exchange, read_sid(sid))
    items = [_resource(exchange, recording, below=True)] if recording.transcribed else []
    return exchange.page("transcriptions", f"Recordings/{sid}/Transcriptions", items)


async def of_recording_retrieve(exchange: Exchange, sid: str, transcription: str) -> Response:
    """`GET /Recordings/{Sid}/Transcriptions/{Sid}`; with the suffix `.txt` its text alone."""
    name = transcription.removesuffix(".txt")
    recording = await _find_below(exchange, sid, name)
    return (
        PlainTextResponse("") if name != transcription else reply(_resource(exchange, recording, below=True))
    )


async def of_recording_delete(exchange: Exchange, sid: str, transcription: str) -> Response:
    """`DELETE /Recordings/{Sid}/Transcriptions/{Sid}`."""
    return await _forget(exchange, await _find_below(exchange, sid, transcription))


def _resource(exchange: Exchange, recording: Recording, *, below: bool = False) -> Resource:
    profile, view = exchange.profile, exchange.view
    sid = spell(profile, TRANSCRIPTION, counterpart(recording.id))
    recording_sid = spell(profile, RECORDING, recording.id)
    above = f"/Recordings/{recording_sid}" if below and profile is TWILIO else ""
    return {
        "sid": sid,
        "account_sid": view.account_sid,
        "api_version": API_VERSION,
        "recording_sid": recording_sid,
        "date_created": rfc2822(recording.ended_at or recording.created_at),
        "date_updated": rfc2822(recording.updated_at),
        "duration": str(seconds(recording)) if profile is TWILIO else seconds(recording),
        "price": None,
        "price_unit": "USD",
        "status": "failed",
        "transcription_text": "",
        "type": "fast",
        "uri": f"{view.account_path}{above}/Transcriptions/{sid}.json",
    }


async def _find(exchange: Exchange, id: UUID | None) -> Recording:
    """The recording of the transcription with that id."""
    recording = await recordings.find(exchange, counterpart(id) if id else None)
    if not recording.transcribed:
        raise not_found(exchange.path)
    return recording


async def _find_below(exchange: Exchange, sid: str, transcription: str) -> Recording:
    recording = await _find(exchange, read_sid(transcription))
    if recording.id != read_sid(sid):
        raise not_found(exchange.path)
    return recording


async def _forget(exchange: Exchange, recording: Recording) -> Response:
    try:
        await exchange.services.recordings.forget_transcription(exchange.account.id, recording.id)
    except ControlError as error:
        raise of_control(error, exchange.profile, exchange.path) from error
    return Response(status_code=204)

"""Say and Play: getting the audio, and playing it until it ends or the call does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ringback.audio.errors import AudioError
from ringback.calls.events import Noted
from ringback.calls.outcome import EndOfVerb, Outcome
from ringback.calls.verbs import Clip, HangUp, Note, OnError, Play, Say, Silence
from ringback.calls.waiting import first_of
from ringback.media import model as media
from ringback.speech.protocol import SpeechError, SpeechRequest

if TYPE_CHECKING:
    from ringback.calls.call import Call

NEVER = media.StopOn()


async def say(call: Call, verb: Say, stop_on: media.StopOn = NEVER, *, over: bool = False) -> Outcome:
    """Speak the texts, in place of what else is heard or `over` it."""
    try:
        sources = await call.while_up(_spoken(call, verb))
    except (SpeechError, AudioError) as error:
        return await _failed(call, verb, str(error))
    if sources is None:
        return Outcome(end=EndOfVerb.HUNG_UP)
    return await play_sources(call, sources, loop=verb.loop, stop_on=stop_on, over=over)


async def play(call: Call, verb: Play, stop_on: media.StopOn = NEVER, *, over: bool = False) -> Outcome:
    """Play the clips, in place of what else is heard or `over` it."""
    try:
        sources = await call.while_up(_fetched(call, verb))
    except AudioError as error:
        return await _failed(call, verb, str(error))
    if sources is None:
        return Outcome(end=EndOfVerb.HUNG_UP)
    return await play_sources(
        call,
        sources,
        loop=verb.loop,
        offset_ms=verb.offset_ms,
        limit=verb.limit,
        stop_on=stop_on,
        over=over,
    )


async def play_sources(
    call: Call,
    sources: Sequence[media.Playable],
    *,
    loop: int,
    offset_ms: int = 0,
    limit: float | None = None,
    stop_on: media.StopOn = NEVER,
    over: bool = False,
) -> Outcome:
    """Play what is there; ends by itself, by `stop_on`, by `limit` (seconds), or with the call."""
    if not sources:
        return Outcome()
    playback = call.leg.play(sources, loop=loop, offset_ms=offset_ms, stop_on=stop_on, over=over)
    if playback is None:
        return Outcome(end=EndOfVerb.FAILED, error="there is no media to play on")
    try:
        await first_of(playback.done, call.over_future, timeout=limit)
        if not playback.done.done() and not call.over:
            call.leg.stop_playback(over=over)
            await first_of(playback.done, call.over_future)
    finally:
        if not playback.done.done():
            call.leg.stop_playback(over=over)
    if not playback.done.done():
        return Outcome(end=EndOfVerb.HUNG_UP)
    done = playback.done.result()
    return Outcome(
        end=EndOfVerb.HUNG_UP if call.over else EndOfVerb.DONE,
        played_ms=done.played_ms,
        offset_ms=done.offset_ms,
    )


async def _spoken(call: Call, verb: Say) -> list[media.Playable]:
    return [
        await call.engine.audio.speech(
            SpeechRequest(
                text=text, ssml=verb.ssml, voice=verb.voice, language=verb.language, vendor=verb.vendor
            ),
            cached=verb.use_cache,
            on_note=lambda text: call.note("info", "voice", text),
        )
        for text in verb.texts
        if text.strip()
    ]


async def _fetched(call: Call, verb: Play) -> list[media.Playable]:
    return [
        media.Silence(clip.milliseconds)
        if isinstance(clip, Silence)
        else await call.engine.audio.url(clip.url, account=str(call.record.account_id))
        for clip in verb.clips
    ]


async def _failed(call: Call, verb: Say | Play, why: str) -> Outcome:
    """The prompt could not be had: note it, and hang up where the dialect does."""
    what = "speech" if isinstance(verb, Say) else "audio"
    detail = {"urls": [c.url for c in verb.clips if isinstance(c, Clip)]} if isinstance(verb, Play) else {}
    call.append(Noted(note=Note(level="error", code=what, message=why, detail=detail)))
    if verb.on_error is OnError.HANG_UP:
        await call.hang_up(HangUp(cause=why))
    return Outcome(end=EndOfVerb.FAILED, error=why)

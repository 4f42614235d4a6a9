"""Whether the services that the settings name are there, and let us in: speech, and where recordings go."""

from __future__ import annotations

import asyncio
import secrets
import tempfile
from pathlib import Path

import aiohttp

from ringback.calls.recordings.storage import ObjectStorage, StorageError
from ringback.cli.finding import Finding
from ringback.config import Settings

_SPEECH_SECONDS, _STORAGE_SECONDS = 5.0, 15.0


async def services(settings: Settings) -> list[Finding]:
    """Both at the same time; nothing about what is not configured."""
    found = await asyncio.gather(_speech(settings), _storage(settings))
    return [finding for finding in found if finding is not None]


async def _speech(settings: Settings) -> Finding | None:
    """Ask it for its models, which costs nothing (OpenAI API reference, "List models"): many that copy the
    interface have no such list, but who answers is there."""
    speech = settings.speech
    if speech.provider == "espeak":
        return None
    url = f"{speech.base_url.rstrip('/')}/models"
    headers = {"Authorization": f"Bearer {speech.api_key}"} if speech.api_key else {}
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_SPEECH_SECONDS)) as session,
            session.get(url, headers=headers, allow_redirects=False) as reply,
        ):
            status = reply.status
    except (aiohttp.ClientError, TimeoutError) as error:
        why = str(error) or f"not within {_SPEECH_SECONDS:g} s"
        advice = "check speech.base_url; until it answers, the built-in voice speaks in its place"
        return Finding("error", f"the speech service at {speech.base_url} does not answer: {why}", advice)
    if status in (401, 403):
        what = f"the speech service at {speech.base_url} does not let us in ({status})"
        return Finding("error", what, "check speech.api_key, or the variable RINGBACK_SPEECH__API_KEY")
    if status >= 500:
        what = f"the speech service at {speech.base_url} is not well: it answered {status}"
        return Finding("warning", what, "look at its own log or status page")
    key = " and takes the key" if status == 200 and speech.api_key else ""
    return Finding("ok", f"speech: the service at {speech.base_url} answers{key}")


async def _storage(settings: Settings) -> Finding | None:
    """Store a few octets where recordings go, and remove them."""
    url = settings.recordings.storage
    if not url:
        return None
    name = f"ringback-doctor-{secrets.token_hex(4)}.txt"
    try:
        storage = ObjectStorage(url, settings.recordings.storage_options)
        with tempfile.TemporaryDirectory() as scratch:
            file = Path(scratch) / name
            await asyncio.to_thread(file.write_text, "Made by ringback doctor; it can be removed.\n")
            async with asyncio.timeout(_STORAGE_SECONDS):
                location = await storage.put(file, name)
    except (StorageError, TimeoutError) as error:
        advice = (
            "check recordings.storage, its storage_options and the provider's environment; "
            "until then recordings wait in the data directory"
        )
        return Finding("error", f"recordings cannot be stored: {_why(error, url)}", advice)
    try:
        async with asyncio.timeout(_STORAGE_SECONDS):
            await storage.remove(location)
    except (StorageError, TimeoutError) as error:
        advice = "let the credentials remove objects, too: recordings could never be deleted"
        return Finding("error", f"{location} was stored, but cannot be removed: {_why(error, url)}", advice)
    return Finding("ok", f"recordings: an object was stored in {url}, and removed")


def _why(error: Exception, url: str) -> str:
    return str(error) or f"{url}: no answer within {_STORAGE_SECONDS:g} s"

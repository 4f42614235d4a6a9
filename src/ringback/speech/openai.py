"""Any server with OpenAI's `POST /v1/audio/speech`: the service itself, or one of the many that copy it.

Source: OpenAI API reference, "Create speech".
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from ringback.net.http import HttpFailure, HttpLimits, HttpPool, HttpReply
from ringback.speech.pcm import from_container
from ringback.speech.protocol import Gender, Pcm, SpeechError, SpeechErrorKind, SpeechRequest, Voice
from ringback.speech.ssml import strip_ssml
from ringback.speech.voices import resolve_voice

_VOICES: dict[str, Gender] = {
    "alloy": "",
    "ash": "male",
    "ballad": "male",
    "coral": "female",
    "echo": "male",
    "fable": "male",
    "nova": "female",
    "onyx": "male",
    "sage": "female",
    "shimmer": "female",
    "verse": "male",
}
_BY_GENDER: dict[Gender, str] = {"female": "nova", "male": "onyx", "": "alloy"}
_MODEL = "tts-1"
_RAW_RATE = 24000  # what response_format "pcm" means: s16le, 24 kHz, mono
_LIMITS = HttpLimits(connect_timeout=5.0, read_timeout=20.0, total_timeout=30.0, max_body=32 * 1024 * 1024)


class OpenAiSpeech:
    """Speaks over HTTP. `base_url` ends before `/audio/speech`, usually in `/v1`.

    `voice_names` maps what applications say (a voice, or "man" and "woman") to the server's voices, and
    comes before the built-in choice. No `model` means OpenAI's own, `tts-1`. SSML is taken off: the interface
    has none.
    """

    name = "openai"

    def __init__(
        self,
        http: HttpPool,
        *,
        base_url: str,
        api_key: str = "",
        model: str = "",
        voice: str = "",
        voice_names: Mapping[str, str] | None = None,
        limits: HttpLimits = _LIMITS,
    ) -> None:
        self._http = http
        self._url = base_url.rstrip("/") + "/audio/speech"
        self._headers = [("Content-Type", "application/json")]
        if api_key:
            self._headers.append(("Authorization", f"Bearer {api_key}"))
        self._model = model or _MODEL
        self._default = voice
        self._names = {key.lower(): value for key, value in (voice_names or {}).items()}
        self._limits = limits

    def identity(self, request: SpeechRequest) -> str:
        return f"openai {self._url} {self._model} {self._voice(request)} {request.rate:g}"

    def voices(self) -> list[Voice]:
        return [Voice(name, "", gender) for name, gender in _VOICES.items()]

    async def synthesize(self, request: SpeechRequest) -> Pcm:
        """Speak; raises `SpeechError` with the server's words."""
        text = strip_ssml(request.text) if request.ssml else request.text
        if not text.strip():
            raise SpeechError("empty", "there is nothing to say")
        body = {
            "model": self._model,
            "voice": self._voice(request),
            "input": text,
            "response_format": "wav",
            "speed": min(max(request.rate, 0.25), 4.0),
        }
        try:
            reply = await self._http.request(
                "POST", self._url, headers=self._headers, body=msgspec.json.encode(body), limits=self._limits
            )
        except HttpFailure as failure:
            kind: SpeechErrorKind = "timeout" if failure.kind == "timeout" else "unavailable"
            raise SpeechError(kind, failure.message) from failure
        return _sound(reply)

    async def close(self) -> None:
        """Nothing of its own is running; the pool belongs to the caller."""

    def _voice(self, request: SpeechRequest) -> str:
        wanted = request.voice.strip()
        if wanted.lower() in self._names:
            return self._names[wanted.lower()]
        if wanted.lower() in _VOICES:
            return wanted.lower()
        if self._default:
            return self._default
        gender = resolve_voice(wanted, request.language, request.gender).voice.gender
        return self._names.get("man" if gender == "male" else "woman", _BY_GENDER[gender])


def _sound(reply: HttpReply) -> Pcm:
    if reply.status != 200:
        raise SpeechError("provider", f"the speech server answered {reply.status}: {reply.text()[:200]}")
    if not reply.body:
        raise SpeechError("provider", "the speech server sent no audio")
    if reply.content_type in ("audio/pcm", "audio/l16") and not reply.body.startswith(b"RIFF"):
        return Pcm(reply.body[: len(reply.body) // 2 * 2], _RAW_RATE)
    return from_container(reply.body)

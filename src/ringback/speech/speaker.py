"""The facade: choose a provider for a request, speak, and bring the sound to telephone rate."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec

from ringback.speech.pcm import TELEPHONE_RATE, to_rate
from ringback.speech.protocol import Pcm, SpeechError, SpeechRequest, TextToSpeech, Voice
from ringback.speech.voices import resolve_voice

# Names by which applications mean the built-in engine.
_BUILT_IN = frozenset({"", "default", "espeak", "ringback"})


class Spoken(msgspec.Struct, frozen=True):
    """Sound at telephone rate, who made it, and what an event should say about replacements.

    `spare` is set when the chosen provider failed and the built-in one spoke instead.
    """

    pcm: Pcm
    provider: str
    spare: bool = False
    notes: tuple[str, ...] = ()


class Speaker:
    """Speaks with the first provider unless the request names another by `vendor`.

    When that one fails for a reason of its own, the last provider, the built-in one, speaks instead.
    """

    def __init__(self, providers: Sequence[TextToSpeech], *, rate: int = TELEPHONE_RATE) -> None:
        if not providers:
            raise ValueError("expected at least one speech provider")
        self._providers = list(providers)
        self._rate = rate

    def identity(self, request: SpeechRequest) -> str:
        """What decides how the request will sound, beside its text: a part of cache keys."""
        return f"{self._choose(request).identity(request)} {self._rate}"

    def notes(self, request: SpeechRequest) -> tuple[str, ...]:
        """What the chosen provider would replace: foreign vendors, missing voices and languages."""
        provider = self._choose(request)
        found = []
        if request.vendor.lower() not in _BUILT_IN and request.vendor.lower() != provider.name:
            found.append(f"the speech vendor {request.vendor} is not configured: {provider.name} speaks")
        if provider.name == "espeak":
            resolved = resolve_voice(request.voice, request.language, request.gender)
            found.extend([resolved.note] if resolved.note else [])
        return tuple(found)

    def voices(self) -> list[tuple[str, Voice]]:
        """Every voice there is, with the provider that has it."""
        return [(provider.name, voice) for provider in self._providers for voice in provider.voices()]

    async def speak(self, request: SpeechRequest) -> Spoken:
        """Speak, or raise `SpeechError` when not even the built-in provider could."""
        provider = self._choose(request)
        notes = self.notes(request)
        failed = False
        try:
            pcm = await provider.synthesize(request)
        except SpeechError as error:
            spare = self._providers[-1]
            if provider is spare or error.kind in ("empty", "too-long"):
                raise
            notes = (*notes, f"{provider.name} failed ({error.message}): {spare.name} speaks")
            failed, provider, pcm = True, spare, await spare.synthesize(request)
        return Spoken(await asyncio.to_thread(to_rate, pcm, self._rate), provider.name, failed, notes)

    async def close(self) -> None:
        """End all providers."""
        for provider in self._providers:
            await provider.close()

    def _choose(self, request: SpeechRequest) -> TextToSpeech:
        wanted = request.vendor.lower()
        if wanted in ("espeak", "ringback"):
            return next((p for p in self._providers if p.name == "espeak"), self._providers[0])
        return next((p for p in self._providers if p.name == wanted), self._providers[0])

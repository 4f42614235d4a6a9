"""What every text-to-speech provider takes, gives and raises."""

from __future__ import annotations

from typing import Literal, Protocol

import msgspec

Gender = Literal["female", "male", ""]

MAX_TEXT = 20_000  # characters, SSML included: some twenty minutes of speech


class SpeechRequest(msgspec.Struct, frozen=True):
    """Something to be said.

    `text` is plain, or SSML with a `<speak>` root where `ssml` is set. `voice` and `language` (BCP-47, or a
    service's own code) are as the application named them; empty means the default. `rate` is a factor:
    1.0 is normal speed. `vendor` is jambonz's `synthesizer.vendor`; `gender` counts where the voice has none.
    """

    text: str
    ssml: bool = False
    voice: str = ""
    language: str = ""
    rate: float = 1.0
    vendor: str = ""
    gender: Gender = ""


class Pcm(msgspec.Struct, frozen=True):
    """Sound: signed 16-bit little-endian mono, `rate` samples per second."""

    samples: bytes
    rate: int

    @property
    def seconds(self) -> float:
        return len(self.samples) / 2 / self.rate


class Voice(msgspec.Struct, frozen=True):
    """A voice that a provider has."""

    name: str
    language: str
    gender: Gender = ""


SpeechErrorKind = Literal["empty", "too-long", "timeout", "unavailable", "provider"]


class SpeechError(Exception):
    """Nothing could be said; `kind` tells whether the text, the time or the provider was at fault."""

    def __init__(self, kind: SpeechErrorKind, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


class TextToSpeech(Protocol):
    """One provider."""

    @property
    def name(self) -> str:
        """Short and stable: part of cache keys."""
        ...

    def identity(self, request: SpeechRequest) -> str:
        """What, beside the text, decides how it will sound: equal identities give equal sound."""
        ...

    async def synthesize(self, request: SpeechRequest) -> Pcm:
        """Speak, at whatever rate the provider likes; raises `SpeechError`."""
        ...

    def voices(self) -> list[Voice]:
        """The voices that can be asked for by name."""
        ...

    async def close(self) -> None:
        """End what the provider has running."""
        ...

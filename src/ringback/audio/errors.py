"""Why something cannot be played."""

from __future__ import annotations

from typing import Literal

AudioErrorKind = Literal["not-found", "http-status", "unsupported", "too-large", "fetch"]


class AudioError(Exception):
    """No audio. `kind`: "not-found" (404, 410, no such file), "http-status" (any other status), "unsupported"
    (no sound format known here), "too-large" (bytes or duration), "fetch" (no reply). `status`: HTTP's."""

    def __init__(self, kind: AudioErrorKind, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.kind: AudioErrorKind = kind
        self.message = message
        self.status = status

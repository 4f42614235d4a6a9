"""What a playout reads: a finished piece of audio, immutable, shared between calls."""

from __future__ import annotations

import msgspec


class Source(msgspec.Struct, frozen=True):
    """Audio ready to be cut into frames.

    `key` names the content (the same key always means the same samples), `pcm` is signed 16-bit
    little-endian mono, `rate` is in samples per second.
    """

    key: str
    pcm: bytes
    rate: int = 8000

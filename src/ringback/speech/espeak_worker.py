"""A program of its own that speaks with espeak-ng, over its standard input and output.

espeak-ng is free software under the GNU General Public License, version 3 or later; this is the only
file that loads it (from the `espeakng-loader` wheel), and nothing imports this file. Programs
talk to it through a pipe:

    request   4 bytes length (big-endian) · JSON {"text", "ssml", "voice", "rate", "max_seconds"}
    reply     4 bytes length · JSON {"ok", "rate", "bytes", "cut", "error"} · that many bytes of s16le mono

It ends when its standard input does. The library is not re-entrant: one request at a time.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import struct
import sys
from typing import Any, BinaryIO

import espeakng_loader

_SYNCHRONOUS = 0x02  # AUDIO_OUTPUT_SYNCHRONOUS: the callback gets the samples
_UTF8, _SSML, _END_PAUSE = 0x01, 0x10, 0x1000
_RATE, _WORDS_A_MINUTE = 1, 175
_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


class Engine:
    """The library, loaded and initialised."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL(str(espeakng_loader.get_library_path()))
        self._library.espeak_Initialize.argtypes = [
            ctypes.c_int,
            ctypes.c_int,
            ctypes.c_char_p,
            ctypes.c_int,
        ]
        data = str(espeakng_loader.get_data_path()).encode()
        self.rate: int = self._library.espeak_Initialize(_SYNCHRONOUS, 0, data, 0)
        if self.rate <= 0:
            raise RuntimeError("espeak-ng could not be initialised")
        self._parts: list[bytes] = []
        self._left = 0
        self._cut = False
        self._callback = _CALLBACK(self._take)  # kept: the library holds only its address
        self._library.espeak_SetSynthCallback(self._callback)

    def speak(self, request: dict[str, Any]) -> tuple[bytes, bool]:
        """(samples, whether they were cut at the limit)."""
        self._parts.clear()
        self._cut = False
        self._left = int(request["max_seconds"] * self.rate)
        if self._library.espeak_SetVoiceByName(str(request["voice"]).encode()) != 0:
            raise ValueError(f"espeak-ng has no voice {request['voice']!r}")
        words = min(max(int(_WORDS_A_MINUTE * float(request["rate"])), 80), 450)
        self._library.espeak_SetParameter(_RATE, words, 0)
        text = str(request["text"]).replace("\0", " ").encode() + b"\0"
        flags = _UTF8 | _END_PAUSE | (_SSML if request["ssml"] else 0)
        size = ctypes.c_size_t(len(text))
        if self._library.espeak_Synth(text, size, 0, 1, 0, flags, None, None) != 0:
            raise RuntimeError("espeak-ng could not speak this text")
        return b"".join(self._parts), self._cut

    def _take(self, samples: Any, count: int, _: object) -> int:
        if not samples or count <= 0:
            return 0
        if count > self._left:
            self._cut = True
            return 1  # enough: stop speaking
        self._left -= count
        self._parts.append(ctypes.string_at(samples, count * 2))
        return 0


def _answer(engine: Engine, request: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    try:
        samples, cut = engine.speak(request)
    except (ValueError, RuntimeError, KeyError, TypeError) as error:
        return {"ok": False, "rate": engine.rate, "bytes": 0, "cut": False, "error": str(error)}, b""
    return {"ok": True, "rate": engine.rate, "bytes": len(samples), "cut": cut, "error": ""}, samples


def serve(source: BinaryIO, sink: BinaryIO) -> None:
    """Answer requests until the other side closes."""
    engine = Engine()
    while len(head := source.read(4)) == 4:
        request = json.loads(source.read(struct.unpack(">I", head)[0]))
        reply, samples = _answer(engine, request)
        header = json.dumps(reply).encode()
        sink.write(struct.pack(">I", len(header)) + header)
        sink.write(samples)
        sink.flush()


if __name__ == "__main__":
    # The library may print: what it prints must not get into the replies.
    pipe = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    for number in (signal.SIGINT, signal.SIGTERM):
        # Ctrl-C and service managers reach the whole group; we end with our standard input.
        signal.signal(number, signal.SIG_IGN)
    try:
        serve(sys.stdin.buffer, pipe)
    except BrokenPipeError:
        pass

"""Framing of messages on a connection (:rfc:`3261#section-18.3`) with the keep-alives of
:rfc:`5626#section-3.5.1`.
"""

from __future__ import annotations

import enum
import re

from ringback.sip.errors import SipParseError
from ringback.sip.message import Message
from ringback.sip.parse import MAX_MESSAGE, answerable, parse_head

_LENGTH = re.compile(rb"\r\n(?:content-length|l)[ \t]*:([^\r\n]*)", re.IGNORECASE)


class KeepAlive(enum.Enum):
    """``PING``: CRLF CRLF, to be answered with one CRLF; ``PONG``: that one CRLF."""

    PING = b"\r\n\r\n"
    PONG = b"\r\n"


class StreamParser:
    """Cuts a byte stream into messages.

    What ``feed`` returns is in the order of the stream. A ``SipParseError`` among it stands for a message
    that was refused; when it is ``fatal`` the parser reads no further: answer ``partial`` if there is one,
    and close.
    """

    def __init__(self, max_size: int = MAX_MESSAGE) -> None:
        self._max_size = max_size
        self._buffer = bytearray()
        self._searched = 0  # no end of the head in the buffer before this offset
        self._head: Message | SipParseError | None = None  # read, and waiting for its body
        self._length = 0
        self._broken = False

    @property
    def idle(self) -> bool:
        """Nothing of a message is waiting for the rest of it."""
        return not self._buffer and self._head is None

    def feed(self, data: bytes) -> list[Message | KeepAlive | SipParseError]:
        """Take what arrived and return what is complete. Never raises."""
        found: list[Message | KeepAlive | SipParseError] = []
        if self._broken:
            return found
        self._buffer += data
        while (item := self._next()) is not None:
            found.append(item)
            if isinstance(item, SipParseError) and item.fatal:
                self._broken = True
                self._buffer.clear()
                break
        return found

    def _next(self) -> Message | KeepAlive | SipParseError | None:
        if self._head is None:
            if (keep_alive := self._keep_alive()) is not None:
                return keep_alive
            if (error := self._read_head()) is not None:
                return error
        if self._head is None or len(self._buffer) < self._length:
            return None
        message, self._head = self._head, None
        body = bytes(self._buffer[: self._length])
        del self._buffer[: self._length]
        if not isinstance(message, SipParseError):
            message.body = body
        return message

    def _keep_alive(self) -> KeepAlive | None:
        """CRLFs between messages. A CRLF that may be the first half of a ping is a pong once something else
        follows.
        """
        buffer = self._buffer
        if buffer[:4] == b"\r\n\r\n":
            del buffer[:4]
            return KeepAlive.PING
        if buffer[:2] == b"\r\n" and not b"\r\n\r\n".startswith(buffer[:4]):
            del buffer[:2]
            return KeepAlive.PONG
        if buffer == b"\r\n":
            del buffer[:2]
            return KeepAlive.PONG
        return None

    def _read_head(self) -> SipParseError | None:
        buffer = self._buffer
        end = buffer.find(b"\r\n\r\n", max(0, self._searched - 3))
        if max(end, len(buffer) if end < 0 else 0) > self._max_size:
            return SipParseError("Message Too Large", 513, fatal=True)
        if end < 0:
            self._searched = len(buffer)
            return None
        self._searched = 0
        head = bytes(buffer[:end])
        del buffer[: end + 4]
        try:
            message = parse_head(head)
        except SipParseError as error:
            return self._refuse(error, head)
        return self._await_body(message, message.content_length)

    def _refuse(self, error: SipParseError, head: bytes) -> SipParseError | None:
        """A refused message is skipped when it says, beyond doubt, how long it is; else the stream is
        lost.
        """
        length = _undoubted_length(head)
        if length is None or length > self._max_size:
            error.fatal = True
            return error
        self._head, self._length = error, length
        return None

    def _await_body(self, message: Message, length: int | None) -> SipParseError | None:
        if length is None:
            return SipParseError("Missing Content-Length", partial=answerable(message), fatal=True)
        if length > self._max_size:
            return SipParseError("Message Too Large", 513, partial=answerable(message), fatal=True)
        self._head, self._length = message, length
        return None


def _undoubted_length(head: bytes) -> int | None:
    lengths: list[bytes] = _LENGTH.findall(head)
    lines = head.count(b"\r\n")
    if len(lengths) != 1 or head.count(b"\r") != lines or head.count(b"\n") != lines:
        return None
    text = lengths[0].strip(b" \t")
    return int(text) if text.isdigit() and len(text) <= 10 else None

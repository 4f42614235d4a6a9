"""A worker's words to the control side: sent without ever waiting, reports dropped first when they pile
up."""

from __future__ import annotations

import socket
from collections import deque

from ringback.media import protocol
from ringback.media.model import Report

REPORTS_UP_TO = 512
"""Frames waiting beyond which reports are dropped."""
MOST = 200_000
"""Frames waiting beyond which the control side counts as lost: what remains must not be dropped."""
GULP = 64


class Outbox:
    """`put` frames, `flush` when the socket may take more.

    Raises ConnectionError when the other side is gone.
    """

    def __init__(self, connection: socket.socket) -> None:
        self.dropped = 0
        self._connection = connection
        self._frames: deque[bytes] = deque()

    @property
    def waiting(self) -> bool:
        return bool(self._frames)

    def put(self, message: protocol.Message) -> None:
        """Queue a message.

        Statistics are dropped when too many frames wait; keys, ends and closings never.
        """
        if len(self._frames) >= REPORTS_UP_TO and _is_report(message):
            self.dropped += 1
            return
        if len(self._frames) >= MOST:
            raise ConnectionError(f"{MOST} messages wait and the control side reads none")
        self._frames.append(protocol.frame(message))

    def flush(self) -> None:
        """Send what the socket takes now."""
        frames = self._frames
        while frames:
            chunk = b"".join(frames.popleft() for _ in range(min(GULP, len(frames))))
            try:
                sent = self._connection.send(chunk)
            except BlockingIOError:
                sent = 0
            if sent < len(chunk):
                frames.appendleft(chunk[sent:])
                return


def _is_report(message: protocol.Message) -> bool:
    if isinstance(message, protocol.Happened):
        return isinstance(message.event, Report)
    return isinstance(message, protocol.Pulse)

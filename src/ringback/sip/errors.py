"""What can be wrong with what a peer sent.

``SipParseError`` and ``SdpError`` carry the status that answers the request, so that whoever catches one
can reply without knowing the grammar. Both are ``ValueError``: parsing raises these and nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ringback.sip.message import Message


class SipParseError(ValueError):
    """A message (or a part of one) that cannot be used.

    ``status``: the SIP status that answers it (400 unless said otherwise, :rfc:`3261#section-21.4`).
    ``reason``: a short phrase, fit for the status line.
    ``partial``: the request as far as it could be read, when enough of it is there to answer it statelessly
    (a usable topmost Via, and From, To, Call-ID, CSeq); never an ACK, never a response.
    ``fatal``: on a stream, where the next message begins is not known any more: answer, then close.
    """

    def __init__(
        self, reason: str, status: int = 400, *, partial: Message | None = None, fatal: bool = False
    ) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.partial = partial
        self.fatal = fatal


class SdpError(ValueError):
    """A session description that cannot be read (400) or accepted (488, :rfc:`3261#section-21.4.26`)."""

    def __init__(self, reason: str, status: int = 488) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason

"""The one status of a call, finer than any dialect's, so that each dialect can name it in its own words."""

from __future__ import annotations

from enum import StrEnum


class Direction(StrEnum):
    """Who placed the call."""

    INBOUND = "inbound"
    OUTBOUND_API = "outbound-api"
    OUTBOUND_DIAL = "outbound-dial"


class CallStatus(StrEnum):
    """Where a call is in its life; the last nine are final and there is no way back from them."""

    QUEUED = "queued"
    """Accepted over REST; no INVITE has been sent yet."""
    INITIATED = "initiated"
    """An INVITE was received (100 sent) or sent (nothing but 100 came back)."""
    RINGING = "ringing"
    """180 was sent or received."""
    EARLY_MEDIA = "early-media"
    """A provisional response with SDP was sent or received."""
    IN_PROGRESS = "in-progress"
    """200 was sent or received."""
    COMPLETED = "completed"
    """Answered, then ended."""
    BUSY = "busy"
    """486 or 600 came back."""
    DECLINED = "declined"
    """603 came back."""
    UNAVAILABLE = "unavailable"
    """480 or 408 came back."""
    NO_ANSWER = "no-answer"
    """Our ring time passed; CANCEL was sent."""
    CANCELED = "canceled"
    """Cancelled by the application before the answer."""
    ABANDONED = "abandoned"
    """The caller cancelled before we answered."""
    REJECTED_BUSY = "rejected-busy"
    """The application rejected the caller as busy (486)."""
    REJECTED = "rejected"
    """The application rejected the caller with any other code."""
    FAILED = "failed"
    """Anything else: other final responses, no route, no application, transport or media failure."""

    @property
    def final(self) -> bool:
        """Whether the call is over."""
        return self in FINAL


FINAL = frozenset(
    {
        CallStatus.COMPLETED,
        CallStatus.BUSY,
        CallStatus.DECLINED,
        CallStatus.UNAVAILABLE,
        CallStatus.NO_ANSWER,
        CallStatus.CANCELED,
        CallStatus.ABANDONED,
        CallStatus.REJECTED_BUSY,
        CallStatus.REJECTED,
        CallStatus.FAILED,
    }
)

LIVE = frozenset(CallStatus) - FINAL

_BY_SIP_STATUS = {
    486: CallStatus.BUSY,
    600: CallStatus.BUSY,
    603: CallStatus.DECLINED,
    408: CallStatus.UNAVAILABLE,
    480: CallStatus.UNAVAILABLE,
}


def status_of_failure(sip_status: int) -> CallStatus:
    """The final status of an outbound call that ended with this final response (RFC 3261 §21.4-21.6)."""
    return _BY_SIP_STATUS.get(sip_status, CallStatus.FAILED)


class EndedBy(StrEnum):
    """Who ended the call."""

    REMOTE = "remote"
    """The far end: BYE, CANCEL, or a final response to our INVITE."""
    APPLICATION = "application"
    """A verb of the application, or the end of its document."""
    CONTROL = "control"
    """REST or a command on the application's socket."""
    SERVER = "server"
    """Ringback itself: a time limit, shutdown, a lost worker, a failure."""

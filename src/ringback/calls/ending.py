"""How a call ended: the final status and cause, decided from what happened."""

from __future__ import annotations

import msgspec

from ringback.calls.events import CallEnded, MediaStatistics
from ringback.calls.record import CallRecord
from ringback.calls.status import CallStatus, Direction, EndedBy, status_of_failure
from ringback.sip.reasons import REASONS


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """The end, before the media plane's figures are there."""

    status: CallStatus
    cause: str
    by: EndedBy
    sip_status: int
    sip_reason: str | None = None
    headers: tuple[tuple[str, str], ...] = ()

    @classmethod
    def failed(cls, sip_status: int, reason: str, cause: str) -> Ending:
        """An outbound call that was not answered (`ringback.sip.events.Failed`)."""
        causes = {
            "rejected": f"the far end answered {sip_status} {reason}",
            "timeout": "no response came",
            "transport": "no address of the target could be reached",
            "unresolved": "the target's name has no address",
            "refused": "the target's address is refused: it is not public",
        }
        # Only what the far end itself said counts as its word: a 408 of ours is a failure of the network.
        status = status_of_failure(sip_status) if cause == "rejected" else CallStatus.FAILED
        return cls(
            status=status,
            cause=causes.get(cause, cause),
            by=EndedBy.REMOTE if cause == "rejected" else EndedBy.SERVER,
            sip_status=sip_status,
            sip_reason=reason,
        )

    def event(self, media: MediaStatistics | None) -> CallEnded:
        """The event that goes into the log."""
        return CallEnded(
            status=self.status,
            cause=self.cause,
            by=self.by,
            sip_status=self.sip_status,
            sip_reason=self.sip_reason or REASONS.get(self.sip_status, ""),
            headers=self.headers,
            media=media,
        )


def ending_of(
    call: CallRecord,
    by: EndedBy,
    cause: str | None = None,
    status: CallStatus | None = None,
    sip_status: int | None = None,
) -> Ending:
    """The end of a call that we end ourselves, in the state in which it is."""
    if call.answered_at is not None:
        return Ending(
            status=status or CallStatus.COMPLETED,
            cause=cause or "hung up",
            by=by,
            sip_status=call.sip_status or 200,
            sip_reason=call.sip_reason,
        )
    inbound = call.direction is Direction.INBOUND
    return Ending(
        status=status or (CallStatus.REJECTED if inbound else CallStatus.CANCELED),
        cause=cause or ("rejected" if inbound else "cancelled before the answer"),
        by=by,
        sip_status=sip_status or 487,
    )

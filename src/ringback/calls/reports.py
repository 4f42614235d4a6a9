"""What happens on a call's leg, as what it means to the call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ringback.calls import events
from ringback.calls.ending import Ending, ending_of
from ringback.calls.indialog import message, told
from ringback.calls.leg import HeaderList, Sound
from ringback.calls.part import Part
from ringback.calls.status import CallStatus, EndedBy
from ringback.calls.transfer import transfer

if TYPE_CHECKING:
    from ringback.sip.incoming import IncomingRequest


class LegReports(Part):
    """`ringback.calls.leg.LegOwner` of one call."""

    def leg_ringing(self, status: int, reason: str, early_media: bool) -> None:
        """Outbound: a provisional response."""
        call = self._call
        known = call.record.status
        if known is CallStatus.EARLY_MEDIA or (known is CallStatus.RINGING and not early_media):
            return
        if not call.over and not call.is_answered:
            call.append(events.CallRinging(sip_status=status, sip_reason=reason, early_media=early_media))

    def leg_answered(self, status: int, reason: str) -> None:
        """Outbound: 200."""
        call = self._call
        if call.over:
            return
        call.append(events.CallAnswered(sip_status=status, sip_reason=reason, dialog=call.leg.dialog()))
        call.time_limit.start()
        if not call.answered.done():
            call.answered.set_result(True)

    def leg_failed(self, status: int, reason: str, cause: str) -> None:
        """Outbound: a final response that is no 2xx, or none at all."""
        self._call.end(Ending.failed(status, reason, cause))

    def leg_cancelled(self, headers: HeaderList) -> None:
        """Inbound: the caller gave up."""
        self._call.end(
            Ending(
                status=CallStatus.ABANDONED,
                cause="the caller hung up before the answer",
                by=EndedBy.REMOTE,
                sip_status=487,
                sip_reason="Request Terminated",
                headers=tuple(headers),
            )
        )

    def leg_ended(self, by: str, headers: HeaderList, cause: str) -> None:
        """BYE, or the session expired, or it broke (`cause` says how)."""
        remote = by == "remote"
        lost = f"the session was lost: {cause}" if cause else "the session was lost"
        self._call.end(
            Ending(
                status=CallStatus.COMPLETED,
                cause="the far end hung up" if remote else lost,
                by=EndedBy.REMOTE if remote else EndedBy.SERVER,
                sip_status=200,
                sip_reason="OK",
                headers=tuple(headers),
            )
        )

    def leg_key(self, key: str, method: str) -> None:
        """A key."""
        call = self._call
        if call.over:
            return
        call.append(events.DigitReceived(key=key, method=method))

    def leg_sound(self, sound: Sound) -> None:
        """Speech, or a steady tone, begins or ends."""
        call = self._call
        if not call.over:
            call.sounded(sound)

    def leg_silent(self, seconds: float, cause: str) -> None:
        """No RTP."""
        call = self._call
        if not call.over:
            call.append(events.MediaMissing(seconds=seconds, cause=cause))

    def leg_heard_again(self) -> None:
        """RTP again."""
        call = self._call
        if not call.over:
            call.append(events.MediaResumed())

    def leg_held(self, held: bool) -> None:
        """The far end put us on hold, or took us off again."""
        call = self._call
        if not call.over:
            call.append(events.Held(held=held))
            told(call, "INVITE", held=held)

    def leg_told(self, body: bytes, headers: HeaderList) -> None:
        """INFO inside the dialog that names no key."""
        told(self._call, "INFO", body, headers)

    def leg_request(self, incoming: IncomingRequest) -> None:
        """REFER, NOTIFY or MESSAGE inside the dialog."""
        call = self._call
        if incoming.request.method == "REFER":
            transfer(call, incoming)
        elif not message(call, incoming):
            call.requests.handle(incoming)

    def leg_media_lost(self, cause: str) -> None:
        """The media worker is gone: the call cannot go on."""
        call = self._call
        call.leg.hang_up()
        call.end(ending_of(call.record, EndedBy.SERVER, f"media was lost: {cause}", CallStatus.FAILED))

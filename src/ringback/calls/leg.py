"""One party of a call: its SIP session, its media leg, and the offer and answer between the two."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import msgspec

from ringback.calls.branches import Branches
from ringback.calls.discretion import without_credentials
from ringback.calls.dtmf_info import key_of_info
from ringback.calls.events import MediaStatistics
from ringback.calls.negotiation import Negotiation, NotAcceptable
from ringback.calls.statistics import statistics_of
from ringback.media import model as media
from ringback.media.leg import MediaLeg, MediaRecording, Playback
from ringback.media.plane import MediaPlane
from ringback.sip import events as sip
from ringback.sip.inbound import InboundCall
from ringback.sip.incoming import IncomingRequest
from ringback.sip.sdp import SessionDescription
from ringback.sip.session import Session

_FAR_BUFFER = 0.1
"""Seconds: how much a telephone's jitter buffer commonly holds back."""
HeaderList = Sequence[tuple[str, str]]
Sound = media.SpeechStarted | media.SpeechStopped | media.ToneStarted | media.ToneEnded
"""What is heard of a party besides its keys; somebody has to listen for it (`Leg.listening`)."""


class Attention(msgspec.Struct, frozen=True, eq=False):
    """What one listener wants to be told of."""

    speech: media.SpeechDetection | None
    tones: bool


class LegOwner(Protocol):
    """Who is told what happens on a leg. Called from the event loop; must not wait.

    Header fields are those of the message that tells of it, without credentials.
    """

    def leg_ringing(self, status: int, reason: str, early_media: bool) -> None:
        """Outbound: a provisional response (180, 183 …); `early_media`: it came with SDP."""
        ...

    def leg_answered(self, status: int, reason: str) -> None:
        """Outbound: a 2xx, and what it describes can be used."""
        ...

    def leg_failed(self, status: int, reason: str, cause: str) -> None:
        """Outbound: not answered, and nothing follows; `cause` is as in `ringback.sip.events.Failed`, or
        says in words what is wrong with the answer's SDP."""
        ...

    def leg_cancelled(self, headers: HeaderList) -> None:
        """Inbound: the caller gave up before the answer."""
        ...

    def leg_ended(self, by: str, headers: HeaderList, cause: str) -> None:
        """An answered call is over, and not by us; `by` is `remote` (BYE), `timer` or `error`."""
        ...

    def leg_key(self, key: str, method: str) -> None:
        """A key was pressed; `method` is `rfc4733`, `inband` or `info`."""
        ...

    def leg_sound(self, sound: Sound) -> None:
        """Speech or a steady tone began or ended, while it is listened for."""
        ...

    def leg_silent(self, seconds: float, cause: str) -> None:
        """No RTP for so long, although some should come; `cause` says in words what is likely wrong."""
        ...

    def leg_heard_again(self) -> None:
        """RTP comes again."""
        ...

    def leg_media_lost(self, cause: str) -> None:
        """The media worker is gone, and with it the leg's media."""
        ...

    def leg_held(self, held: bool) -> None:
        """The far end put us on hold, or took us off again."""
        ...

    def leg_told(self, body: bytes, headers: HeaderList) -> None:
        """An INFO inside the dialog that names no key."""
        ...

    def leg_request(self, incoming: IncomingRequest) -> None:
        """A REFER, NOTIFY or MESSAGE inside the dialog, which is the owner's to answer."""
        ...


class Leg:
    """A party. Made around an inbound session, or empty and then `place`d."""

    def __init__(self, plane: MediaPlane, owner: LegOwner, *, advertise: str = "") -> None:
        self._plane = plane
        self._owner = owner
        self._advertise = advertise
        self._inbound: InboundCall | None = None
        self._outbound: Branches | None = None
        self._media: MediaLeg | None = None
        self._negotiation: Negotiation | None = None
        self._invited: SessionDescription | None = None
        self._digits_sent: dict[int, asyncio.Future[None]] = {}
        self._attentions: list[Attention] = []
        self._muted = False
        self._gain_db = 0.0
        self._held = False
        self.near: Leg | None = None
        """A party that this one will be connected with: their media are opened side by side."""
        self.codecs: tuple[str, ...] = ()
        """What is offered, in this order; empty: everything we speak, what `near` speaks first."""
        self.response_headers: HeaderList = ()
        """Outbound: those of the far end's final response."""
        self._sounded_until = float("-inf")

    # -- signalling

    @property
    def session(self) -> Session | None:
        """The SIP side, once there is one; of a call that goes several ways the one that is heard."""
        return self._inbound if self._outbound is None else self._outbound.chosen

    @property
    def has_media(self) -> bool:
        """Whether anything can be played or heard."""
        return self._media is not None

    @property
    def codec(self) -> str | None:
        """What the far end is sent; None as long as nothing was agreed."""
        return self._negotiation.codec if self._negotiation is not None else None

    @property
    def held(self) -> bool:
        """Whether the far end has put us on hold."""
        return self._held

    def receive(self, session: InboundCall) -> None:
        """Take over an inbound session. Raises NotAcceptable when its offer holds nothing that we speak."""
        self._inbound = session
        if session.offer is not None:
            self._invited = Negotiation.check(session.offer)
        session.on_event = self._signal

    def place(
        self,
        invite: Callable[[bytes, Callable[[sip.SessionEvent], None]], Branches],
        local_address: str,
    ) -> None:
        """Offer our media and send the INVITE; `local_address` is ours on the way to the peer.

        Raises MediaUnavailable, and ValueError for header fields that cannot be sent.
        """
        negotiation = self._open_media(local_address)
        self._outbound = invite(negotiation.offer(), self._signal)

    def ring(self, headers: HeaderList = ()) -> None:
        """Send 180."""
        if self._inbound is not None:
            self._inbound.ring(headers=headers)

    def early_media(self) -> None:
        """Send 183 with SDP, and media from now on. Raises MediaUnavailable, NotAcceptable."""
        session = self._inbound
        if session is not None and session.offer is not None:
            session.ring(183, sdp=self._local_description(session))

    def answer(self) -> None:
        """Send 200, and media from now on. Raises MediaUnavailable, NotAcceptable."""
        session = self._inbound
        if session is not None:
            session.answer(self._local_description(session))

    def reject(self, status: int, reason: str | None, headers: HeaderList = ()) -> None:
        """Refuse the inbound call."""
        if self._inbound is not None:
            self._inbound.reject(status, reason, headers)

    def cancel(self, headers: HeaderList = ()) -> None:
        """Give up placing the call."""
        if self._outbound is not None:
            self._outbound.cancel(headers)

    def hang_up(self, headers: HeaderList = ()) -> None:
        """End the session in whatever state it is."""
        session = self._inbound or self._outbound
        if session is not None:
            session.bye(headers)

    def dialog(self) -> dict[str, Any]:
        """What a BYE after a restart needs; empty before there is a dialog."""
        state = self.session.dialog_state() if self.session else None
        return {} if state is None else dict(msgspec.to_builtins(state))

    async def close(self) -> MediaStatistics | None:
        """Free the media leg; what it counted, or None if there never was one."""
        if self._inbound is not None:
            self._inbound.on_event = None
        if self._outbound is not None:
            self._outbound.close()
        for sent in self._digits_sent.values():
            if not sent.done():
                sent.set_result(None)
        if self._media is None:
            return None
        return statistics_of(await self._media.close())

    # -- media

    def play(
        self,
        sources: Sequence[media.Playable],
        *,
        loop: int = 1,
        offset_ms: int = 0,
        stop_on: media.StopOn | None = None,
        over: bool = False,
    ) -> Playback | None:
        """Play, in place of what else is heard or `over` it; None while there is no media."""
        if self._media is None:
            return None
        return self._media.play(sources, loop=loop, offset_ms=offset_ms, stop_on=stop_on, over=over)

    def stop_playback(self, *, over: bool = False) -> None:
        """Stop what plays."""
        if self._media is not None:
            self._media.stop_playback(over=over)

    def unheard(self) -> float:
        """Seconds until the far end has surely heard the end of what was played last."""
        return self._sounded_until + _FAR_BUFFER - asyncio.get_running_loop().time()

    def send_digits(self, digits: str, duration_ms: int) -> asyncio.Future[None] | None:
        """Send keys; the future resolves when the last one is out. None while there is no media."""
        if self._media is None:
            return None
        sent: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._digits_sent[self._media.send_digits(digits, duration_ms)] = sent
        return sent

    def mute(self, muted: bool) -> None:
        """Ignore, or hear again, what this party says and presses."""
        self._muted = muted
        if self._media is not None:
            self._media.mute(muted)

    def amplify(self, decibels: float) -> None:
        """Change the level of what this party says."""
        self._gain_db = decibels
        if self._media is not None:
            self._media.amplify(decibels)

    def bridge(self, other: Leg) -> None:
        """Let the two hear each other, where both have media."""
        if self._media is not None and other._media is not None:
            self._media.bridge(other._media)

    def unbridge(self) -> None:
        """Let this party hear only what is played to it."""
        if self._media is not None:
            self._media.unbridge()

    @contextlib.contextmanager
    def listening(self, speech: media.SpeechDetection | None, *, tones: bool = False) -> Iterator[None]:
        """Tell the owner of speech, and of steady tones, until the block ends.

        Of several that listen at a time, the last one's idea of speech holds.
        """
        attention = Attention(speech, tones)
        self._attentions.append(attention)
        self._listen()
        try:
            yield
        finally:
            self._attentions.remove(attention)
            self._listen()

    def record(
        self, path: str, *, channels: int = 1, track: media.RecordingTrack = "both"
    ) -> MediaRecording | None:
        """Record into a WAV file at `path`; None while there is no media. See `MediaLeg.record`."""
        if self._media is None:
            return None
        return self._media.record(path, channels=channels, track=track)

    # -- inside

    def _open_media(self, local_address: str) -> Negotiation:
        """Media, and what the far end is told of it; `local_address` is ours on the way there."""
        if self._negotiation is None:
            near = self.near
            self._media = self._plane.open_leg(self._heard, near=near._media if near is not None else None)
            bound, port = self._media.address
            reached = local_address if ipaddress.ip_address(bound).is_unspecified else bound
            self._negotiation = Negotiation(
                self._advertise or reached,
                port,
                self._media.rtcp_port,
                ipv4_only=":" not in bound,
                codecs=self.codecs,
                favourite=near.codec if near is not None and not self.codecs else None,
            )
            self._listen()
            if self._muted:
                self._media.mute(True)
            if self._gain_db:
                self._media.amplify(self._gain_db)
        return self._negotiation

    def _listen(self) -> None:
        """Tell the media plane what is listened for. Keys always are."""
        if self._media is not None:
            speech = [each.speech for each in self._attentions if each.speech is not None]
            tones = any(each.tones for each in self._attentions)
            self._media.listen(speech=speech[-1] if speech else None, tones=tones)

    def _local_description(self, session: InboundCall) -> bytes:
        negotiation = self._open_media(session.local_address)
        if self._invited is None:
            return negotiation.offer()
        if negotiation.description is None:
            description = negotiation.answer(self._invited)
            self._apply()
            return description
        return negotiation.description

    def _apply(self) -> None:
        """Tell the media plane what was agreed."""
        if self._media is None or self._negotiation is None or self.session is None:
            return
        remote = self._negotiation.remote(self.session.source.host)
        if remote is not None:
            self._media.set_remote(remote)

    def _signal(self, event: sip.SessionEvent) -> None:
        owner = self._owner
        match event:
            case sip.Progress(status, reason, sdp, _):
                self._accept(sdp)
                owner.leg_ringing(status, reason, sdp is not None)
            case sip.Answered(status, reason, sdp, headers):
                self.response_headers = without_credentials(headers.items())
                problem = self._accept(sdp)
                if problem is None:
                    owner.leg_answered(status, reason)
                else:
                    self.hang_up()
                    owner.leg_failed(488, "Not Acceptable Here", problem)
            case sip.Failed(status, reason, headers, cause):
                self.response_headers = without_credentials(headers.items())
                owner.leg_failed(status, reason, cause)
            case sip.Cancelled(headers):
                owner.leg_cancelled(without_credentials(headers.items()))
            case sip.Ended(by, headers, cause):
                owner.leg_ended(by, without_credentials(headers.items()), cause)
            case sip.Confirmed(sdp):
                problem = self._accept(sdp)
                if problem is not None:
                    self.hang_up()
                    owner.leg_ended("error", (), problem)
            case sip.OfferAnswered(sdp):
                self._accept(sdp)
                self._note_hold()
            case sip.Offer(sdp, _):
                self._reply_to_offer(sdp)
            case sip.InfoReceived(content_type, body, headers):
                key = key_of_info(content_type, body)
                if key is not None:
                    self._key(key, "info")
                else:
                    owner.leg_told(body, without_credentials(headers.items()))
            case sip.RequestReceived(incoming):
                owner.leg_request(incoming)
            case sip.OfferWithdrawn():
                pass

    def _accept(self, sdp: bytes | None) -> str | None:
        """The far end's answer to our offer; one that cannot be used leaves what was agreed before.

        Where nothing was, there is no media, and the reason is returned.
        """
        negotiation = self._negotiation
        if negotiation is None:
            return None
        problem = "the far end sent no session description"
        if sdp is not None:
            try:
                negotiation.accept(sdp)
            except NotAcceptable as error:
                problem = f"the far end's session description cannot be used: {error}"
            else:
                self._apply()
        return None if negotiation.description is not None else problem

    def _reply_to_offer(self, sdp: bytes | None) -> None:
        session, negotiation = self.session, self._negotiation
        if session is None:
            return
        if negotiation is None:
            session.refuse_offer(488)  # whatever happens, an offer has to be answered before the next one
            return
        if sdp is None:
            session.reply_offer(negotiation.offer())
            return
        try:
            description = negotiation.answer(sdp)
        except NotAcceptable:
            session.refuse_offer(488)
            return
        session.reply_offer(description)
        self._apply()
        self._note_hold()

    def _note_hold(self) -> None:
        """Whether the far end wants to hear us, as it said last."""
        held = self._negotiation is not None and self._negotiation.held
        if held is not self._held:
            self._held = held
            self._owner.leg_held(held)

    def _heard(self, event: media.MediaEvent) -> None:
        match event:
            case media.Digit(key, _, method):
                self._key(key, method)
            case media.SpeechStarted() | media.SpeechStopped() | media.ToneStarted() | media.ToneEnded():
                self._owner.leg_sound(event)
            case media.DigitsSent(id, _):
                sent = self._digits_sent.pop(id, None)
                if sent is not None and not sent.done():
                    sent.set_result(None)
            case media.PlaybackDone(reason="completed"):
                self._sounded_until = asyncio.get_running_loop().time()
            case media.NoRtp(seconds, _, hint):
                self._owner.leg_silent(seconds, hint)
            case media.RtpResumed():
                self._owner.leg_heard_again()
            case media.LegLost(cause):
                self._owner.leg_media_lost(cause)
            case _:
                pass

    def _key(self, key: str, method: str) -> None:
        if not self._muted:
            self._owner.leg_key(key, method)

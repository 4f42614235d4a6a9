"""What a call tells its owner: one frozen value per thing that happened (``Session.on_event``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from ringback.sip.headers import Headers
    from ringback.sip.incoming import IncomingRequest


class Progress(msgspec.Struct, frozen=True):
    """Outbound: a provisional response above 100. ``sdp`` is early media, when there is any."""

    status: int
    reason: str
    sdp: bytes | None
    headers: Headers


class Answered(msgspec.Struct, frozen=True):
    """Outbound: the first 2xx. ``sdp`` is the answer, or, when the INVITE made no offer, the offer:
    then ``reply_offer`` has to follow, and goes out in the ACK."""

    status: int
    reason: str
    sdp: bytes | None
    headers: Headers


class Failed(msgspec.Struct, frozen=True):
    """Outbound: the call was not answered; nothing follows.

    ``cause``: ``"rejected"`` (a final response), ``"cancelled"`` (we gave up), ``"timeout"`` (nothing came:
    status 408), ``"transport"`` (no address could be reached: 503), ``"unresolved"`` (no address for the
    name: 502), ``"refused"`` (by the address policy: 403).
    """

    status: int
    reason: str
    headers: Headers
    cause: str


class Cancelled(msgspec.Struct, frozen=True):
    """Inbound: the caller gave up before the answer; nothing follows. ``headers`` are those of its CANCEL or
    BYE."""

    headers: Headers


class Confirmed(msgspec.Struct, frozen=True):
    """Inbound: our 200 was acknowledged. ``sdp`` is the answer when the INVITE made no offer."""

    sdp: bytes | None


class Offer(msgspec.Struct, frozen=True):
    """The peer wants (or repeats) a session description: answer by ``reply_offer`` or ``refuse_offer``.

    ``sdp`` None asks for our offer (re-INVITE without a body). ``method``: ``INVITE``, ``UPDATE`` or
    ``PRACK``. A re-INVITE that only refreshes the session comes here too.
    """

    sdp: bytes | None
    method: str


class OfferAnswered(msgspec.Struct, frozen=True):
    """The peer answered an offer of ours (re-INVITE, UPDATE, or the answer to ``reply_offer`` of an empty
    offer)."""

    sdp: bytes


class OfferWithdrawn(msgspec.Struct, frozen=True):
    """The peer cancelled the re-INVITE that made its last Offer: what was agreed before still holds."""

    method: str


class InfoReceived(msgspec.Struct, frozen=True):
    """An INFO inside the dialog; it is already answered with 200."""

    content_type: str
    body: bytes
    headers: Headers


class RequestReceived(msgspec.Struct, frozen=True):
    """A request inside the dialog with one of the ``methods`` that the owner handles (REFER, NOTIFY …):
    ``incoming.reply`` answers it."""

    incoming: IncomingRequest


class Ended(msgspec.Struct, frozen=True):
    """An answered call is over, not by ``bye``: ``by`` is ``"remote"`` (BYE), ``"timer"`` (the session
    expired) or ``"error"`` (no ACK, or the peer no longer knows the call). ``headers`` are the BYE's; empty
    otherwise."""

    by: str
    headers: Headers
    cause: str


SessionEvent = (
    Progress
    | Answered
    | Failed
    | Cancelled
    | Confirmed
    | Offer
    | OfferAnswered
    | OfferWithdrawn
    | InfoReceived
    | RequestReceived
    | Ended
)

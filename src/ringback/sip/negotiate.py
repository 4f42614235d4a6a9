"""Offer and answer for one audio stream (:rfc:`3264`): descriptions in, what the media plane needs to know out.

Payload types belong to a direction: we send with the numbers of the peer's description and receive those of our own.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import Final

import msgspec

from ringback.sip.errors import SdpError
from ringback.sip.sdp import (
    STATIC_PAYLOAD_TYPES,
    Codec,
    Direction,
    Line,
    MediaDescription,
    Origin,
    SessionDescription,
    address,
)

PCMU: Final = Codec("PCMU", 8000)
PCMA: Final = Codec("PCMA", 8000)
COMFORT_NOISE: Final = Codec("CN", 8000)
TELEPHONE_EVENT: Final = "TELEPHONE-EVENT"

_PROTOCOLS: Final = ("RTP/AVP", "RTP/AVPF")
_UNSPECIFIED: Final = ("0.0.0.0", "::")
_FIRST_DYNAMIC: Final = 96
_PREFERRED_DYNAMIC: Final = {TELEPHONE_EVENT: 101}


class Capabilities(msgspec.Struct, frozen=True):
    """What our end can do: ``codecs`` in order of preference, DTMF events (:rfc:`4733`), comfort noise (:rfc:`3389`)."""

    codecs: tuple[Codec, ...] = (PCMU, PCMA)
    telephone_event: str = "0-15"
    """The events that we understand; empty: none."""
    comfort_noise: bool = True
    ptime: int = 20


class LocalMedia(msgspec.Struct, frozen=True):
    """Our end of the stream. One value serves a whole call: ``session_id`` must stay the same."""

    host: str
    port: int
    rtcp_port: int | None = None
    """By default the one after ``port``."""
    capabilities: Capabilities = Capabilities()
    direction: Direction = "sendrecv"
    """What we want; ``sendonly`` puts the peer on hold."""
    rtcp_mux: bool = False
    """Offer :rfc:`5761`. When the peer offers it, it is always accepted."""
    session_id: int = msgspec.field(default_factory=lambda: secrets.randbits(62))


class Negotiated(msgspec.Struct, frozen=True):
    """What both sides agreed on. ``direction`` is ours: ``sendonly`` means that we send and the peer does not."""

    remote_host: str
    remote_port: int
    remote_rtcp_host: str | None
    """None: the RTP address."""
    remote_rtcp_port: int
    rtcp_mux: bool
    codec: str
    """What we send: ``PCMU`` …"""
    send_payload_type: int
    receive: dict[int, str]
    """Payload types that may come, and their codecs."""
    send_dtmf_pt: int | None
    receive_dtmf_pts: frozenset[int]
    cn_pts: frozenset[int]
    ptime: int
    """Milliseconds: what the peer asked to receive, 20 when it did not say; a multiple of 10 from 10 to 60."""
    direction: Direction
    held: bool
    """By the peer: it does not want to hear us, said in either spelling (``a=``, or ``c=0.0.0.0``)."""
    local: SessionDescription
    remote: SessionDescription


def make_offer(local: LocalMedia, previous: Negotiated | None = None) -> SessionDescription:
    """The first offer of a call, or a further one, which keeps the media lines and payload types of ``previous``."""
    raise NotImplementedError


def answer(
    offer: SessionDescription, local: LocalMedia, previous: Negotiated | None = None
) -> tuple[SessionDescription, Negotiated]:
    """Our answer, in which every media line of the offer is answered in its place, and what follows from it.

    An offer that changes nothing gets the description of ``previous``, with the same version. Raises SdpError: 488 when
    no audio stream fits, 400 when an address is missing.
    """
    raise NotImplementedError


def accept_answer(
    offer: SessionDescription, answered: SessionDescription, local: LocalMedia
) -> Negotiated:
    """What follows from the peer's answer to our offer. Raises SdpError (488) when it refuses or does not fit the offer."""
    raise NotImplementedError

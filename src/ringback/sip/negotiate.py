"""Offer and answer for one audio stream (:rfc:`3264`): descriptions in, what the media plane needs to know
out.

Payload types belong to a direction: we send with the numbers of the peer's description and receive those of
our own.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from functools import lru_cache
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
G722: Final = Codec("G722", 8000)
COMFORT_NOISE: Final = Codec("CN", 8000)
TELEPHONE_EVENT: Final = "TELEPHONE-EVENT"

_PROTOCOLS: Final = ("RTP/AVP", "RTP/AVPF")
_UNSPECIFIED: Final = ("0.0.0.0", "::")
_SENDING: Final = ("sendrecv", "sendonly")
_RECEIVING: Final = ("sendrecv", "recvonly")
_FIRST_DYNAMIC: Final = 96
_PREFERRED_DYNAMIC: Final[dict[str, int]] = {TELEPHONE_EVENT: 101}


class Capabilities(msgspec.Struct, frozen=True):
    """What our end can do: ``codecs`` in order of preference, DTMF events (:rfc:`4733`), comfort noise
    (:rfc:`3389`).
    """

    codecs: tuple[Codec, ...] = (PCMU, PCMA, G722)
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
    """What both sides agreed on. ``direction`` is ours: ``sendonly`` means that we send and the peer does
    not.
    """

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
    """Milliseconds: what the peer asked to receive, 20 when it did not say; a multiple of 10 from 10 to
    60.
    """
    direction: Direction
    held: bool
    """By the peer: it does not want to hear us, said in either spelling (``a=``, or ``c=0.0.0.0``)."""
    local: SessionDescription
    remote: SessionDescription


def make_offer(local: LocalMedia, previous: Negotiated | None = None) -> SessionDescription:
    """The first offer of a call, or a further one, which keeps the media lines and payload types of
    ``previous``.
    """
    if previous is None:
        media = [_audio(local, "RTP/AVP", _assign(local.capabilities, {}), local.direction, local.rtcp_mux)]
        return _describe(local, media, ("0 0",), None)
    codecs = _assign(local.capabilities, _known_types(previous), first=previous.codec)
    active = _active_index(previous.local)
    media = [
        _audio(local, line.protocol, codecs, local.direction, local.rtcp_mux or previous.rtcp_mux)
        if index == active
        else line.refused()
        for index, line in enumerate(previous.local.media)
    ]
    return _describe(local, media, previous.local.times, previous)


def remote_hosts(offer: SessionDescription, capabilities: Capabilities) -> set[str]:
    """Where whoever makes this offer wants RTP and RTCP, should it be answered.

    Raises SdpError: 488 when no audio stream fits, 400 when an address is missing.
    """
    theirs = offer.media[_chosen(offer, capabilities)[0]]
    host = offer.connection_of(theirs)
    return {host, (None if theirs.rtcp_mux else theirs.rtcp[1]) or host}


def answer(
    offer: SessionDescription, local: LocalMedia, previous: Negotiated | None = None
) -> tuple[SessionDescription, Negotiated]:
    """Our answer, in which every media line of the offer is answered in its place, and what follows from it.

    An offer that changes nothing gets the description of ``previous``, with the same version. Raises
    SdpError: 488 when no audio stream fits, 400 when an address is missing.
    """
    chosen, codecs = _chosen(offer, local.capabilities)
    theirs = offer.media[chosen]
    direction = _our_direction(local.direction, _effective_direction(offer, theirs))
    ours = _audio(local, theirs.protocol, codecs, direction, theirs.rtcp_mux)
    media = [ours if index == chosen else line.refused() for index, line in enumerate(offer.media)]
    description = _describe(local, media, offer.times or ("0 0",), previous)
    held = _effective_direction(offer, theirs) not in _RECEIVING
    return description, _conclude(description, ours, offer, theirs, direction, held)


def accept_answer(offer: SessionDescription, answered: SessionDescription, local: LocalMedia) -> Negotiated:
    """What follows from the peer's answer to our offer.

    Raises SdpError: 488 when it refuses the stream or does not fit the offer, 400 when an address is missing.
    """
    index = _active_index(offer)
    if index >= len(answered.media):
        raise SdpError("Answer Does Not Match Offer")
    ours, theirs = offer.media[index], answered.media[index]
    if not _usable(theirs) or not _common(theirs, local.capabilities):
        raise SdpError("No Common Audio Codec")
    offered = ours.direction or "sendrecv"
    theirs_now = _effective_direction(answered, theirs)
    direction = _our_direction(offered, theirs_now)
    held = offered in _SENDING and theirs_now not in _RECEIVING
    return _conclude(offer, ours, answered, theirs, direction, held)


def _conclude(
    local: SessionDescription,
    ours: MediaDescription,
    remote: SessionDescription,
    theirs: MediaDescription,
    direction: Direction,
    held: bool,
) -> Negotiated:
    receive, theirs_by_type = ours.codecs, theirs.codecs
    speech = {number: codec for number, codec in receive.items() if _is_speech(codec)}
    # The peer's order decides: its first codec that we listed is the one it likes best.
    send_type, send = next(
        (pair for pair in theirs_by_type.items() if pair[1] in speech.values()), (-1, None)
    )
    if send is None:
        raise SdpError("No Common Audio Codec")
    events = Codec(TELEPHONE_EVENT, send.rate)
    mutual = set(receive.values()) & set(theirs_by_type.values())
    mux = ours.rtcp_mux and theirs.rtcp_mux
    rtcp_port, rtcp_host = (theirs.port, None) if mux else theirs.rtcp
    return Negotiated(
        remote_host=remote.connection_of(theirs),
        remote_port=theirs.port,
        remote_rtcp_host=rtcp_host,
        remote_rtcp_port=rtcp_port,
        rtcp_mux=mux,
        codec=send.name,
        send_payload_type=send_type,
        receive={number: codec.name for number, codec in speech.items()},
        send_dtmf_pt=_type_of(events, theirs_by_type) if events in mutual else None,
        receive_dtmf_pts=frozenset(
            n for n, c in receive.items() if c.name == TELEPHONE_EVENT and c in mutual
        ),
        cn_pts=frozenset(n for n, c in receive.items() if c.name == "CN" and c in mutual),
        ptime=_ptime(theirs),
        direction=direction,
        held=held,
        local=local,
        remote=remote,
    )


# Codecs and payload types.


def _is_speech(codec: Codec) -> bool:
    return codec.name not in (TELEPHONE_EVENT, "CN")


@lru_cache(maxsize=64)
def _wanted(capabilities: Capabilities) -> tuple[Codec, ...]:
    """Everything that we list in an offer, in order."""
    wanted = list(capabilities.codecs)
    rates = dict.fromkeys(codec.rate for codec in capabilities.codecs)
    if capabilities.comfort_noise and 8000 in rates:
        wanted.append(COMFORT_NOISE)
    if capabilities.telephone_event:
        wanted += [Codec(TELEPHONE_EVENT, rate) for rate in rates]
    return tuple(wanted)


def _assign(capabilities: Capabilities, known: dict[int, Codec], first: str = "") -> dict[int, Codec]:
    """Payload types for an offer: a codec keeps the number that it had, and no number changes its codec."""
    wanted = sorted(_wanted(capabilities), key=lambda codec: codec.name != first)
    taken = dict(known)
    assigned: dict[int, Codec] = {}
    for codec in wanted:
        number = _type_of(codec, taken)
        if number is None:
            number = _type_of(codec, STATIC_PAYLOAD_TYPES)
        if number is None or taken.get(number, codec) != codec:
            number = _free_type(codec, taken)
        taken[number] = assigned[number] = codec
    return assigned


def _free_type(codec: Codec, taken: dict[int, Codec]) -> int:
    preferred = _PREFERRED_DYNAMIC.get(codec.name, _FIRST_DYNAMIC)
    free = (number for number in (preferred, *range(_FIRST_DYNAMIC, 128)) if number not in taken)
    return next(free, preferred)


def _type_of(codec: Codec, types: Mapping[int, Codec]) -> int | None:
    return next((number for number, known in types.items() if known == codec), None)


def _known_types(previous: Negotiated) -> dict[int, Codec]:
    """The payload types that this session has used, ours taking precedence (:rfc:`3264#section-8.3.2`)."""
    known: dict[int, Codec] = {}
    for description in (previous.local, previous.remote):
        for media in description.media:
            if media.kind == "audio":
                known = {**media.codecs, **known}
    return known


def _chosen(offer: SessionDescription, capabilities: Capabilities) -> tuple[int, dict[int, Codec]]:
    """Which media line we answer, the first that fits, and with what. Raises SdpError (488)."""
    for index, media in enumerate(offer.media):
        codecs = _common(media, capabilities)
        if codecs:
            return index, codecs
    raise SdpError("No Common Audio Codec")


def _common(media: MediaDescription, capabilities: Capabilities) -> dict[int, Codec]:
    """What of a usable audio stream we can do too, in the order of its description; empty without a speech
    codec.
    """
    if not _usable(media):
        return {}
    wanted = _wanted(capabilities)
    common = {number: codec for number, codec in media.codecs.items() if codec in wanted}
    rates = {codec.rate for codec in common.values() if _is_speech(codec)}
    return {number: codec for number, codec in common.items() if codec.rate in rates}


def _usable(media: MediaDescription) -> bool:
    return media.kind == "audio" and media.port > 0 and media.protocol.upper() in _PROTOCOLS


def _ptime(media: MediaDescription) -> int:
    asked = media.ptime or 20
    if media.maxptime:
        asked = min(asked, media.maxptime)
    return max(10, min(60, asked // 10 * 10))


# Directions, as seen by whose description it is.


def _effective_direction(description: SessionDescription, media: MediaDescription) -> Direction:
    """The direction with the older spelling of hold folded in: who gives no address wants no media."""
    direction = description.direction_of(media)
    if description.connection_of(media) in _UNSPECIFIED:
        return _direction(direction in _SENDING, False)
    return direction


def _our_direction(wanted: Direction, theirs: Direction) -> Direction:
    return _direction(
        wanted in _SENDING and theirs in _RECEIVING, wanted in _RECEIVING and theirs in _SENDING
    )


def _direction(sends: bool, receives: bool) -> Direction:
    if sends:
        return "sendrecv" if receives else "sendonly"
    return "recvonly" if receives else "inactive"


# Our own descriptions.


def _active_index(description: SessionDescription) -> int:
    """Which media line is our audio stream; the number of lines when there is none."""
    media = description.media
    return next((index for index, line in enumerate(media) if _usable(line)), len(media))


def _audio(
    local: LocalMedia, protocol: str, codecs: dict[int, Codec], direction: Direction, rtcp_mux: bool
) -> MediaDescription:
    lines: list[Line] = []
    for number, codec in codecs.items():
        events = codec.name == TELEPHONE_EVENT
        lines.append(("a", f"rtpmap:{number} {str(codec).lower() if events else codec}"))
        if events:
            lines.append(("a", f"fmtp:{number} {local.capabilities.telephone_event}"))
    lines.append(("a", f"ptime:{local.capabilities.ptime}"))
    if local.rtcp_port is not None and local.rtcp_port != local.port + 1:
        lines.append(("a", f"rtcp:{local.rtcp_port}"))
    if rtcp_mux:
        lines.append(("a", "rtcp-mux"))
    lines.append(("a", direction))
    return MediaDescription(tuple(lines), "audio", local.port, 1, protocol, tuple(map(str, codecs)))


def _describe(
    local: LocalMedia, media: Iterable[MediaDescription], times: Iterable[str], previous: Negotiated | None
) -> SessionDescription:
    """Our description; the version of ``previous`` grows by one if, and only if, something changed (section
    8).
    """
    last = previous.local if previous is not None else None
    origin = Origin("-", local.session_id, 1, local.host)
    if last is not None:
        origin = Origin("-", last.origin.session_id, last.origin.version, local.host)
    lines = (("c", address(local.host)), *(("t", value) for value in times))
    description = SessionDescription(lines, origin, "-", tuple(media))
    if last is None or description == last:
        return description
    return description.with_(origin=msgspec.structs.replace(origin, version=origin.version + 1))

"""What the two ends of a leg agreed on, as bytes for SIP and as a remote for the media plane."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from ringback.media.model import Codec, RemoteMedia
from ringback.sip import sdp
from ringback.sip.errors import SdpError
from ringback.sip.negotiate import Capabilities, LocalMedia, Negotiated, accept_answer, answer, make_offer
from ringback.sip.sdp import SessionDescription


class NotAcceptable(Exception):
    """The peer's description holds nothing that we speak (488)."""


class Negotiation:
    """The offers and answers of one leg, one after the other."""

    def __init__(
        self,
        host: str,
        port: int,
        rtcp_port: int,
        *,
        ipv4_only: bool = False,
        codecs: Sequence[str] = (),
        favourite: str | None = None,
    ) -> None:
        """`host` is what the far end is told; `ipv4_only`: our media cannot go to IPv6 addresses.

        `codecs` names what may be spoken, in the order in which it is offered: everything when empty, or when
        nothing of it is known. `favourite` is offered first in any case in which it may be spoken: the codec
        of who is to be connected with the far end, so that neither has to be transcoded.
        """
        self._local = LocalMedia(host, port, rtcp_port, Capabilities(_capable(codecs, favourite)))
        self._ipv4_only = ipv4_only
        self._offered: SessionDescription | None = None
        self._agreed: Negotiated | None = None

    @staticmethod
    def check(offer: bytes) -> None:
        """Raise NotAcceptable for an offer that no port of ours could answer."""
        _, agreed = _answer(offer, LocalMedia("127.0.0.1", 9, session_id=1), None)
        _check_reach(agreed, ipv4_only=False)

    @property
    def codec(self) -> str | None:
        """What we send; None before anything was agreed."""
        return self._agreed.codec if self._agreed else None

    @property
    def description(self) -> bytes | None:
        """Our side of what was agreed; None before."""
        return self._agreed.local.encode() if self._agreed else None

    @property
    def held(self) -> bool:
        """Whether the far end does not want to hear us."""
        return self._agreed is not None and self._agreed.held

    def offer(self) -> bytes:
        """Our (next) offer."""
        self._offered = make_offer(self._local, self._agreed)
        return self._offered.encode()

    def answer(self, offer: bytes) -> bytes:
        """Our answer to the peer's offer. Raises NotAcceptable; what was agreed before then still holds."""
        description, agreed = _answer(offer, self._local, self._agreed)
        _check_reach(agreed, self._ipv4_only)
        self._agreed = agreed
        return description.encode()

    def accept(self, answered: bytes) -> None:
        """The peer's answer to our last offer. Raises NotAcceptable; what was agreed before still holds."""
        if self._offered is None:
            return
        try:
            description = SessionDescription.parse(answered)
            agreed = accept_answer(self._offered, description, self._local)
        except SdpError as error:
            raise NotAcceptable(str(error)) from error
        _check_reach(agreed, self._ipv4_only)
        self._agreed = agreed

    def remote(self, signalling_host: str) -> RemoteMedia | None:
        """What the media plane is told; None before anything was agreed."""
        agreed = self._agreed
        if agreed is None:
            return None
        return RemoteMedia(
            host=agreed.remote_host,
            port=agreed.remote_port,
            send_payload_type=agreed.send_payload_type,
            codec=_codec(agreed.codec),
            receive={pt: _codec(name) for pt, name in agreed.receive.items()},
            rtcp_host=agreed.remote_rtcp_host,
            rtcp_port=agreed.remote_rtcp_port,
            send_dtmf_pt=agreed.send_dtmf_pt,
            receive_dtmf_pts=agreed.receive_dtmf_pts,
            cn_pts=agreed.cn_pts,
            ptime=agreed.ptime,
            direction=agreed.direction,
            held=agreed.held,
            rtcp_mux=agreed.rtcp_mux,
            signalling_host=signalling_host,
        )


def _check_reach(agreed: Negotiated, ipv4_only: bool) -> None:
    """Raise NotAcceptable for a media address to which nothing can be sent."""
    for host in {agreed.remote_host, agreed.remote_rtcp_host or agreed.remote_host}:
        try:
            version = ipaddress.ip_address(host).version
        except ValueError:
            raise NotAcceptable(f"the media address {host} is no address") from None
        if version == 6 and ipv4_only:
            raise NotAcceptable(f"the media address {host} cannot be reached by IPv4")


def _codec(name: str) -> Codec:
    if name == "PCMA":
        return "PCMA"
    return "G722" if name == "G722" else "PCMU"


def _capable(names: Sequence[str], favourite: str | None) -> tuple[sdp.Codec, ...]:
    known = {codec.name: codec for codec in Capabilities().codecs}
    wanted = [known[name] for name in dict.fromkeys(names) if name in known] or list(known.values())
    return tuple(sorted(wanted, key=lambda codec: codec.name != favourite))


def _answer(
    offer: bytes, local: LocalMedia, previous: Negotiated | None
) -> tuple[SessionDescription, Negotiated]:
    try:
        return answer(SessionDescription.parse(offer), local, previous)
    except SdpError as error:
        raise NotAcceptable(str(error)) from error

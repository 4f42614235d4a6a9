"""What the two ends of a leg agreed on, as bytes for SIP and as a remote for the media plane."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Sequence
from functools import lru_cache

from ringback.media.model import Codec, RemoteMedia
from ringback.sip import sdp
from ringback.sip.errors import SdpError
from ringback.sip.negotiate import (
    Capabilities,
    LocalMedia,
    Negotiated,
    accept_answer,
    answer,
    make_offer,
    remote_hosts,
)
from ringback.sip.sdp import SessionDescription

_ALL = Capabilities()


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
    def check(offer: bytes) -> SessionDescription:
        """The offer, read, for `answer`. Raises NotAcceptable for one that no port of ours could answer."""
        try:
            description = SessionDescription.parse(offer)
            hosts = remote_hosts(description, _ALL)
        except SdpError as error:
            raise NotAcceptable(str(error)) from error
        _check_reach(hosts, ipv4_only=False)
        return description

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

    def answer(self, offer: bytes | SessionDescription) -> bytes:
        """Our answer to the peer's offer. Raises NotAcceptable; what was agreed before then still holds."""
        try:
            if isinstance(offer, bytes):
                offer = SessionDescription.parse(offer)
            description, agreed = answer(offer, self._local, self._agreed)
        except SdpError as error:
            raise NotAcceptable(str(error)) from error
        _check_reach(_hosts(agreed), self._ipv4_only)
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
        _check_reach(_hosts(agreed), self._ipv4_only)
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


def _hosts(agreed: Negotiated) -> set[str]:
    return {agreed.remote_host, agreed.remote_rtcp_host or agreed.remote_host}


def _check_reach(hosts: Collection[str], ipv4_only: bool) -> None:
    """Raise NotAcceptable for a media address to which nothing can be sent."""
    for host in hosts:
        version = _version(host)
        if version is None:
            raise NotAcceptable(f"the media address {host} is no address")
        if version == 6 and ipv4_only:
            raise NotAcceptable(f"the media address {host} cannot be reached by IPv4")


@lru_cache(maxsize=1024)
def _version(host: str) -> int | None:
    """4 or 6; None for what is no address."""
    try:
        return ipaddress.ip_address(host).version
    except ValueError:
        return None


def _codec(name: str) -> Codec:
    if name == "PCMA":
        return "PCMA"
    return "G722" if name == "G722" else "PCMU"


def _capable(names: Sequence[str], favourite: str | None) -> tuple[sdp.Codec, ...]:
    known = {codec.name: codec for codec in _ALL.codecs}
    wanted = [known[name] for name in dict.fromkeys(names) if name in known] or list(known.values())
    return tuple(sorted(wanted, key=lambda codec: codec.name != favourite))

"""From where a leg's media may come (symmetric RTP).

A peer behind NAT sends from another address than its SDP says, so the first packets teach us the true one.
That is also how strangers steal calls ("RTP bleed": a spray of packets over the port range), so a leg learns
only

* once per remote: what has been learnt stays until `set_remote` brings a changed remote; except that within
  the first `WINDOW` packets taken, one from the very address that was signalled wins (the other was left over
  from a call that had the port before),
* from the signalled address itself, or its neighbourhood: the same /24 (IPv6: /64), as of a NAT or a media
  farm,
* when the signalled address is private (RFC 1918 and the like) and the source is public, that is, the peer is
  behind NAT and did not notice: from the neighbourhood of the address its signalling comes from; if that is
  unknown or private too, from anywhere public,
* from anywhere when the leg is marked `nat_open`.

Any other packet is counted and ignored: it ends no call, and brings the window no nearer to its end, so that
strangers cannot keep the peer out either.
"""

from __future__ import annotations

import ipaddress

from ringback.media.addresses import Address, parse_host

WINDOW = 50
"""Packets taken from a new remote during which its source may still change: a second of media."""


def may_latch(signalled: str, source: str, signalling: str | None = None, nat_open: bool = False) -> bool:
    """Whether media for a peer that signalled one address may be taken from another."""
    if nat_open:
        return True
    promised, actual = parse_host(signalled), parse_host(source)
    if _neighbours(promised, actual):
        return True
    if promised.is_global or not actual.is_global:
        return False
    via = parse_host(signalling) if signalling is not None else None
    return via is None or not via.is_global or _neighbours(via, actual)


def _neighbours(one: Address, other: Address) -> bool:
    if one.version != other.version:
        return False
    prefix = 24 if one.version == 4 else 64
    return other in ipaddress.ip_network((one, prefix), strict=False)

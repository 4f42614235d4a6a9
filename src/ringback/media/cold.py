"""What a tick rarely touches of a leg: one object each, beside the rows."""

from __future__ import annotations

import msgspec

from ringback.media import addresses
from ringback.media.keying import Keyer
from ringback.media.model import LegStatistics, RemoteMedia
from ringback.media.rtcp import Reporter


class ColdLeg:
    """Settings of one open leg and the state of its rarer doings."""

    __slots__ = ("generation", "inband", "keyer", "opened", "remote", "reporter", "rtcp_source")

    def __init__(self, generation: int, ssrc: int, cname: str, now: float) -> None:
        self.generation = generation
        self.opened = now
        self.remote: RemoteMedia | None = None
        self.inband: bool | None = None
        self.keyer = Keyer()
        self.reporter = Reporter(ssrc, cname)
        self.rtcp_source: tuple[str, int] | None = None
        """Where the peer's RTCP came from, once it did."""

    def listens_inband(self) -> bool:
        """Keys are listened for in the audio unless told otherwise, or the peer sends them as events."""
        if self.inband is not None:
            return self.inband
        return self.remote is None or not self.remote.receive_dtmf_pts

    def rtcp_destination(self, host: str, port: int) -> tuple[str, int, bool] | None:
        """Where RTCP goes when RTP goes to this address: host, port, and whether it shares the RTP port.

        None as long as nobody is there to get it.
        """
        remote = self.remote
        if remote is None or remote.port == 0 or addresses.parse_host(remote.host).is_unspecified:
            return None
        if remote.rtcp_mux:
            return host, port, True
        if self.rtcp_source is not None:
            return *self.rtcp_source, False
        if (host, port) != (remote.host, remote.port):
            return host, port + 1, False  # the peer is behind NAT, and so is what it said of RTCP
        return remote.rtcp_host or host, remote.rtcp_port or port + 1, False

    def hear_rtcp(self, data: bytes, source: tuple[str, int], host: str, wall: float) -> bool:
        """Take in RTCP that came from `source`, when media goes to `host`.

        Returns whether it was taken: from that host, or from one that was announced for it.
        """
        if self.remote is None or source[0] not in (host, self.remote.rtcp_host):
            return False
        if self.reporter.receive(data, wall) and not self.remote.rtcp_mux:
            self.rtcp_source = source
        return True


def with_rtcp(statistics: LegStatistics, reporter: Reporter) -> LegStatistics:
    """Add what RTCP told."""
    block = reporter.last_block
    return msgspec.structs.replace(
        statistics,
        round_trip_ms=reporter.trips.spread,
        remote_packets_lost=block.lost if block else None,
        remote_fraction_lost=block.fraction_lost / 256 if block else None,
        remote_jitter_ms=reporter.jitter.spread,
        rtcp_received=reporter.received,
        rtcp_sent=reporter.sent,
    )

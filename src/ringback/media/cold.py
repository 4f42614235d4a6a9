"""What a tick rarely touches of a leg: one object each, beside the rows."""

from __future__ import annotations

import msgspec

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

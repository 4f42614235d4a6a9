"""The media plane's figures under the names that a call keeps."""

from __future__ import annotations

from ringback.calls.events import MediaStatistics
from ringback.media.model import LegStatistics


def statistics_of(leg: LegStatistics) -> MediaStatistics:
    """What one leg counted."""
    return MediaStatistics(
        packets_in=leg.packets_received,
        packets_out=leg.packets_sent,
        bytes_in=leg.octets_received,
        bytes_out=leg.octets_sent,
        lost_in=leg.packets_lost,
        lost_out=leg.remote_packets_lost or 0,
        late=leg.packets_late,
        duplicates=leg.packets_duplicated,
        jitter_in_min=leg.jitter_ms.minimum,
        jitter_in_avg=leg.jitter_ms.mean,
        jitter_in_max=leg.jitter_ms.maximum,
        jitter_out_min=leg.remote_jitter_ms.minimum,
        jitter_out_avg=leg.remote_jitter_ms.mean,
        jitter_out_max=leg.remote_jitter_ms.maximum,
        rtt_min=leg.round_trip_ms.minimum,
        rtt_avg=leg.round_trip_ms.mean,
        rtt_max=leg.round_trip_ms.maximum,
        dtmf_in=leg.dtmf_packets_received,
        dtmf_out=leg.dtmf_packets_sent,
        flushed=leg.buffer_resyncs,
        skipped=leg.frames_skipped,
        largest_buffer=-(-leg.buffer_max_ms // 20),
        average_ptime=round(leg.mean_ptime_ms) if leg.mean_ptime_ms else 20,
    )

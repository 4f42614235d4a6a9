"""What each leg has sent and received, put together from where it is counted."""

from __future__ import annotations

from ringback.media import addresses
from ringback.media.cold import ColdLeg, with_rtcp
from ringback.media.exchange import Corner
from ringback.media.gate import Gate
from ringback.media.model import LegStatistics
from ringback.media.receive import Intake
from ringback.media.send import Senders


class Accounts:
    """Of the rows of a phase."""

    def __init__(self, corner: Corner, intake: Intake, gate: Gate, senders: Senders) -> None:
        self._corner = corner
        self._intake = intake
        self._gate = gate
        self._senders = senders

    def of(self, row: int, leg: ColdLeg, now: float) -> LegStatistics:
        """What the row, which is that leg's, sent and received so far."""
        got, jitter, sent = self._intake.reception, self._intake.jitter, self._senders
        place = self._corner.place(row)
        ssrc = int(got.ssrc[place])
        statistics = LegStatistics(
            duration_ms=round((now - leg.opened) * 1000),
            packets_received=int(got.packets[place]),
            octets_received=int(got.octets[place]),
            packets_sent=int(sent.packets[row]),
            octets_sent=int(sent.octets[row]),
            packets_lost=got.lost(place),
            packets_late=int(jitter.late[row]),
            packets_duplicated=int(got.duplicates[place]),
            packets_reordered=int(got.reordered[place]),
            packets_invalid=int(got.invalid[place]),
            packets_wrong_source=int(self._gate.wrong_total[row]),
            comfort_noise_packets=int(got.comfort_noise[place]),
            dtmf_packets_received=int(got.events[place]),
            dtmf_packets_sent=int(sent.event_packets[row]),
            frames_concealed=int(jitter.concealed[row]),
            buffer_resyncs=int(jitter.resyncs[row]),
            frames_skipped=int(jitter.skipped[row]),
            frames_inserted=int(jitter.inserted[row]),
            buffer_ms=jitter.delay(row),
            buffer_max_ms=int(jitter.delay_max[row]) * 5,
            mean_ptime_ms=got.mean_ptime(place),
            jitter_ms=got.jitter(place),
            local_ssrc=leg.reporter.ssrc,
            remote_ssrc=ssrc if ssrc >= 0 else None,
            remote_address=addresses.unpack(self._gate.remote[row]) if self._gate.latched[row] else None,
        )
        return with_rtcp(statistics, leg.reporter)

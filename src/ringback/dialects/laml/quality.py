"""A mean opinion score from what the media plane counted (ITU-T G.107, the E-model, for G.711)."""

from __future__ import annotations

from ringback.calls.events import MediaStatistics

_BEST = 93.2  # transmission rating factor with all defaults
_LOSS_ROBUSTNESS = 25.1  # Bpl of G.711 with concealment (ITU-T G.113 appendix I)
_BUFFERED = 2.0  # a jitter buffer holds about twice the jitter
_FIXED_DELAY = 40.0  # packetisation and processing, ms


def mean_opinion_score(media: MediaStatistics) -> float:
    """1.0 to 4.4 for what was heard here; 0.0 when nothing was received."""
    if media.packets_in == 0:
        return 0.0
    return _score(_BEST - _delay_impairment(media) - _loss_impairment(media))


def _delay_impairment(media: MediaStatistics) -> float:
    delay = (media.rtt_avg or 0.0) / 2 + _BUFFERED * (media.jitter_in_avg or 0.0) + _FIXED_DELAY
    return 0.024 * delay + (0.11 * (delay - 177.3) if delay > 177.3 else 0.0)


def _loss_impairment(media: MediaStatistics) -> float:
    missing = media.lost_in + media.late
    share = 100.0 * missing / (media.packets_in + missing)
    return 95.0 * share / (share + _LOSS_ROBUSTNESS)


def _score(rating: float) -> float:
    if rating <= 0:
        return 1.0
    rating = min(rating, 100.0)
    return 1 + 0.035 * rating + rating * (rating - 60) * (100 - rating) * 7e-6

"""What every call works with."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ringback.calls.meter import Meter
from ringback.routing.limits import Limits
from ringback.sip.admission import Admission, Always

if TYPE_CHECKING:
    from ringback.audio.sources import AudioLibrary
    from ringback.calls.application import Dialect
    from ringback.calls.placing import Placing
    from ringback.calls.recordings.archive import Archive
    from ringback.calls.roster import Roster
    from ringback.calls.timeline import TimeLine
    from ringback.media.plane import MediaPlane
    from ringback.sip.endpoint import SipEndpoint
    from ringback.store.store import Store
    from ringback.webhooks.deliver import Deliverer


@dataclass(frozen=True)
class Engine:
    """The parts below the calls and what all calls share, as one value."""

    endpoint: SipEndpoint
    plane: MediaPlane
    store: Store
    deliverer: Deliverer
    audio: AudioLibrary
    time_line: TimeLine
    roster: Roster
    placing: Placing
    archive: Archive
    advertise: str = ""
    """The address to put into SDP; empty: the local address of the route to each peer."""
    max_call_seconds: float = 14400.0
    limits: Limits = field(default_factory=lambda: Limits(time.monotonic))
    """How many calls accounts and trunks have."""
    admission: Admission = field(default_factory=Always)
    """Whether there is time for another call."""
    meter: Meter = field(default_factory=Meter)
    """Counts what happens."""
    dialects: dict[str, Dialect] = field(default_factory=dict)
    """By name; filled once they are there, as they are made with what calls need."""

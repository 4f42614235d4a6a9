"""The control side of the media plane: workers are started here, legs opened on them.

>>> plane = MediaPlane(rtp_host="127.0.0.1")
>>> await plane.start()
>>> leg = plane.open_leg(on_event=print)
>>> leg.set_remote(RemoteMedia("192.0.2.7", 40000, receive_dtmf_pts=frozenset({101}), send_dtmf_pt=101))
>>> leg.play([prompt, Tone((440.0,), 300)], stop_on=StopOn(digits=True))
>>> statistics = await leg.close()
>>> await plane.stop()
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import tempfile
import time
from collections.abc import Callable

from ringback.media.clockwork import STEP
from ringback.media.gateway_link import GatewayLink
from ringback.media.leg import MediaLeg, MediaRecording, Playback
from ringback.media.link import WorkerLink
from ringback.media.model import (
    DTMF_KEYS,
    Digit,
    DigitsSent,
    FirstRtp,
    LegLost,
    LegStatistics,
    MediaEvent,
    MediaUnavailable,
    NoRtp,
    PlaneStatistics,
    Playable,
    PlaybackDone,
    RecordingClosed,
    RemoteMedia,
    Report,
    RtpResumed,
    Silence,
    SpeechDetection,
    SpeechStarted,
    SpeechStopped,
    Spread,
    StopOn,
    TickStatistics,
    Tone,
)
from ringback.media.protocol import Settings
from ringback.media.source import Source

__all__ = [
    "DTMF_KEYS",
    "Digit",
    "DigitsSent",
    "FirstRtp",
    "LegLost",
    "LegStatistics",
    "MediaEvent",
    "MediaLeg",
    "MediaPlane",
    "MediaRecording",
    "MediaUnavailable",
    "NoRtp",
    "PlaneStatistics",
    "Playable",
    "Playback",
    "PlaybackDone",
    "RecordingClosed",
    "RemoteMedia",
    "Report",
    "RtpResumed",
    "Silence",
    "Source",
    "SpeechDetection",
    "SpeechStarted",
    "SpeechStopped",
    "Spread",
    "StopOn",
    "TickStatistics",
    "Tone",
]

log = logging.getLogger(__name__)

RESTART_AFTER = 1.0
"""Seconds before a lost worker is started again, so that one that cannot run does not spin."""


class MediaPlane:
    """Media for many calls. One object per process; use it from the thread of its event loop only.

    `rtp_host` is the address to bind: IPv4, IPv6, or a wildcard (`0.0.0.0`, `::`), in which case the address
    to advertise is the caller's business. `port_range` is inclusive and shared out among the workers: a leg
    takes an even port for RTP and the odd one after it for RTCP. `cores` pins worker i to `cores[i]`.
    `on_worker_lost` is told (worker number, cause) after that worker's legs got `LegLost`; the worker is
    started again by itself. What is recorded goes to a process of its own, which starts with the first
    recording.
    """

    def __init__(
        self,
        *,
        rtp_host: str = "127.0.0.1",
        port_range: tuple[int, int] = (20000, 29999),
        workers: int = 1,
        legs_per_worker: int = 2000,
        cores: tuple[int, ...] | None = None,
        transport: str = "auto",
        port_rest: float = 5.0,
        no_rtp_after: float = 3.0,
        report_every: float = 5.0,
        on_worker_lost: Callable[[int, str], None] | None = None,
    ) -> None:
        first, last = port_range
        if workers < 1 or first < 1 or last > 65535 or last - first + 1 < 2 * workers:
            raise ValueError(f"{workers} media workers cannot share the ports {first}-{last}")
        self._on_worker_lost = on_worker_lost
        self._gateway = GatewayLink()
        epoch = time.monotonic()
        share = (last - first + 1) // workers // 2 * 2
        even = first + first % 2
        # What is said passes here: nobody else may look in.
        self._crossroad = tempfile.mkdtemp(prefix="ringback-media-") if workers > 1 else ""
        self._settings = [
            Settings(
                worker=number,
                # Where workers share cores, their ticks are not to coincide.
                epoch=epoch + number * STEP / workers,
                rtp_host=rtp_host,
                first_port=even + number * share,
                last_port=min(even + (number + 1) * share - 1, last),
                max_legs=legs_per_worker,
                transport=transport,
                port_rest=port_rest,
                no_rtp_after=no_rtp_after,
                report_every=report_every,
                core=None if cores is None else cores[number % len(cores)],
                gateway=self._gateway.address,
                crossroad=self._crossroad,
            )
            for number in range(workers)
        ]
        self._links: list[WorkerLink | None] = [None] * workers
        self._restarts: set[asyncio.Task[None]] = set()
        self._running = False
        self._stopping = asyncio.Event()

    async def start(self) -> None:
        """Start the workers and wait until each has lent its first ports. Raises MediaUnavailable."""
        self._running = True
        self._stopping.clear()
        try:
            self._gateway.listen()
            for settings in self._settings:
                self._links[settings.worker] = await self._launch(settings)
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """End all workers; legs that are still open get `LegLost`."""
        self._running = False
        self._stopping.set()
        # One that is just being started is ended as soon as it can be spoken to: cancelled, it would stay.
        await asyncio.gather(*self._restarts, return_exceptions=True)
        await asyncio.gather(*(link.stop() for link in self._links if link is not None))
        self._links = [None] * len(self._links)
        await self._gateway.stop()
        if self._crossroad:
            shutil.rmtree(self._crossroad, ignore_errors=True)

    @property
    def gateway_pid(self) -> int | None:
        """The process that writes recordings; None until there is one to write."""
        return self._gateway.pid

    @property
    def available(self) -> bool:
        """Whether `open_leg` would find a leg now."""
        return any(link is not None and link.available for link in self._links)

    def open_leg(self, on_event: Callable[[MediaEvent], None], *, near: MediaLeg | None = None) -> MediaLeg:
        """Open a leg at once, in the worker of `near` where one is given, else where the fewest are.

        `on_event` is called from the event loop with each `MediaEvent`. Raises MediaUnavailable.
        """
        links = [link for link in self._links if link is not None and link.available]
        if near is not None:
            links = [link for link in links if link is near.link] or links
        if not links:
            raise MediaUnavailable(
                "no media worker has a free port" if self._running else "media is not running"
            )
        return min(links, key=lambda link: link.open_legs).open(on_event)

    def stats(self) -> PlaneStatistics:
        """The workers' last pulses and the number of legs open now."""
        links = [link for link in self._links if link is not None]
        return PlaneStatistics(
            tuple(link.statistics for link in links), sum(link.open_legs for link in links)
        )

    async def _launch(self, settings: Settings) -> WorkerLink:
        link = WorkerLink(settings, self._lost, self._gateway)
        await link.start()
        return link

    def _lost(self, link: WorkerLink, cause: str) -> None:
        number = link.settings.worker
        log.error("media worker %d was lost: %s", number, cause)
        self._links[number] = None
        if self._running:
            task = asyncio.get_running_loop().create_task(self._relaunch(link.settings))
            self._restarts.add(task)
            task.add_done_callback(self._restarts.discard)
        if self._on_worker_lost is not None:
            self._on_worker_lost(number, cause)

    async def _relaunch(self, settings: Settings) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), RESTART_AFTER)
            if not self._running:
                return
            try:
                self._links[settings.worker] = await self._launch(settings)
            except MediaUnavailable as error:
                log.error("media worker %d does not start: %s", settings.worker, error)
            else:
                return

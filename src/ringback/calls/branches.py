"""The ways that one call may go: all at once, or the next when one fails. To a Leg they are one session.

At once (:rfc:`3261#section-16.7` for a caller's side): the first 2xx wins, the others are cancelled; when all
have failed the best failure is reported. One after the other: the next is tried when the network has not
answered, or only with 5xx; whatever a person or a telephone says ends the search.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from ringback.routing.limits import Over
from ringback.sip.core import HeaderList
from ringback.sip.events import Answered, Failed, Offer, Progress, SessionEvent
from ringback.sip.headers import Headers
from ringback.sip.outbound import OutboundCall

OnEvent = Callable[[SessionEvent], None]
ELSEWHERE = (("Reason", 'SIP;cause=200;text="Call completed elsewhere"'),)
"""On CANCEL, so that a telephone does not show a missed call (:rfc:`3326`)."""


@dataclass(frozen=True)
class Way:
    """One INVITE that may be sent. `admit` says whether a limit speaks against it; `told` hears whether
    anybody was there. When nothing at all came in `answer_seconds`, the next way is tried."""

    start: Callable[[OnEvent], OutboundCall]
    admit: Callable[[], Over | None] = lambda: None
    told: Callable[[bool], None] = lambda there: None
    answer_seconds: float = 5.0


class _Branch:
    """A way that was taken."""

    def __init__(self, way: Way) -> None:
        self.way = way
        self.session: OutboundCall | None = None
        self.failure: Failed | None = None
        self.patience: asyncio.TimerHandle | None = None

    @property
    def live(self) -> bool:
        return self.session is not None and self.failure is None


class Branches:
    """An outbound call over several ways. `on_next` is told which way is tried after which failure."""

    def __init__(
        self,
        ways: Sequence[Way],
        on_event: OnEvent,
        *,
        parallel: bool = False,
        on_next: Callable[[int, Failed], None] | None = None,
    ) -> None:
        """Sends the first INVITE, or all. Raises ValueError for header fields that cannot be sent."""
        self._branches = [_Branch(way) for way in ways]
        self._on_event: OnEvent | None = on_event
        self._on_next = on_next
        self._parallel = parallel
        self._chosen: _Branch | None = None
        self._given_up = False
        self._over = False
        self._begin()

    @property
    def chosen(self) -> OutboundCall | None:
        """The session that media are agreed with: whoever answered, was heard first, or is the only one."""
        live = [branch for branch in self._branches if branch.live]
        branch = self._chosen or (live[0] if len(live) == 1 else None)
        return branch.session if branch is not None else None

    def cancel(self, headers: HeaderList = ()) -> None:
        """Give up before the answer."""
        self._given_up = True
        for branch in self._branches:
            if branch.live and branch.session is not None:
                branch.session.cancel(headers)

    def bye(self, headers: HeaderList = ()) -> None:
        """End it in whatever state it is."""
        self._given_up = True
        for branch in self._branches:
            if branch.live and branch.session is not None:
                branch.session.bye(headers)

    def close(self) -> None:
        """Nobody listens any more."""
        self._over = True
        self._on_event = self._on_next = None
        for branch in self._branches:
            self._calm(branch)
            del branch.way  # none will be taken any more, and each holds the call, as the call holds this
            if branch.session is not None:
                branch.session.on_event = None

    # -- beginning

    def _begin(self) -> None:
        if not self._parallel:
            self._take(0, None)
            return
        try:
            for branch in self._branches:
                self._start(branch)
        except ValueError:
            self.cancel()
            self.close()
            raise
        self._finish_if_all_failed()

    def _take(self, index: int, failure: Failed | None) -> None:
        """Try this way, or the first after it that no limit speaks against."""
        for place in range(index, len(self._branches)):
            if failure is not None and self._on_next is not None:
                self._on_next(place, failure)
            branch = self._branches[place]
            self._start(branch)
            if branch.failure is None:
                if place + 1 < len(self._branches):
                    loop = asyncio.get_running_loop()
                    branch.patience = loop.call_later(
                        branch.way.answer_seconds, self._pass_over, branch, place
                    )
                return
            failure = branch.failure
        self._finish_if_all_failed()

    def _start(self, branch: _Branch) -> None:
        over = branch.way.admit()
        if over is not None:
            branch.failure = Failed(503, over.words, Headers(), over.why)
            return
        branch.session = branch.way.start(lambda event: self._happened(branch, event))

    def _pass_over(self, branch: _Branch, place: int) -> None:
        """Not a word came: somebody else may be quicker."""
        session = branch.session
        if session is None or session.heard or branch.failure is not None or self._given_up:
            return
        session.on_event = None
        session.cancel()
        branch.way.told(False)
        branch.failure = Failed(408, "Request Timeout", Headers(), "timeout")
        self._take(place + 1, branch.failure)

    # -- what happens on the ways

    def _happened(self, branch: _Branch, event: SessionEvent) -> None:
        match event:
            case Answered():
                self._answered(branch, event)
            case Failed():
                self._failed(branch, event)
            case Progress():
                self._progress(branch, event)
            case Offer() if self.chosen is not branch.session:
                # Another one is heard: nothing can be agreed with this one before it answers.
                if branch.session is not None:
                    branch.session.refuse_offer()
            case _:
                self._tell(event)

    def _progress(self, branch: _Branch, event: Progress) -> None:
        """The first one to send early media is heard; that the others ring is told without theirs."""
        if event.sdp is not None and self._chosen is None:
            self._chosen = branch
        heard = event if self._chosen is branch else msgspec.structs.replace(event, sdp=None)
        self._tell(heard)

    def _answered(self, branch: _Branch, event: Answered) -> None:
        if self._over:
            if branch.session is not None:
                branch.session.bye()
            return
        self._over = True
        self._chosen = branch
        branch.way.told(True)
        for other in self._branches:
            self._calm(other)
            if other is not branch and other.live and other.session is not None:
                # CANCEL, or BYE where its 2xx came at the same time.
                other.session.bye(ELSEWHERE)
        if branch.session is not None:
            branch.session.on_event = self._on_event
        self._tell(event)

    def _failed(self, branch: _Branch, failure: Failed) -> None:
        if self._over:
            return
        self._calm(branch)
        branch.failure = failure
        branch.way.told(failure.cause not in ("timeout", "transport", "unresolved"))
        if self._chosen is branch:
            self._chosen = None
        if self._parallel:
            if 600 <= failure.status < 700:
                # A refusal for everybody: nobody else needs to ring.
                for other in self._branches:
                    if other.live and other.session is not None:
                        other.session.cancel()
            self._finish_if_all_failed()
            return
        place = self._branches.index(branch) + 1
        if place < len(self._branches) and not self._given_up and _is_the_networks(failure):
            self._take(place, failure)
        else:
            self._finish(failure if self._given_up else self._best())

    def _finish_if_all_failed(self) -> None:
        if all(branch.failure is not None for branch in self._branches):
            self._finish(self._best())

    def _best(self) -> Failed:
        """The failure that says most: a person's before a telephone's before the network's, the last of
        several that say as much."""
        failures = [branch.failure for branch in self._branches if branch.failure is not None]
        return min(reversed(failures), key=_rank)

    def _finish(self, failure: Failed) -> None:
        self._over = True
        # Not from within the constructor: whoever made this one does not have it yet.
        asyncio.get_running_loop().call_soon(self._tell, failure)

    def _tell(self, event: SessionEvent) -> None:
        if self._on_event is not None:
            self._on_event(event)

    def _calm(self, branch: _Branch) -> None:
        if branch.patience is not None:
            branch.patience.cancel()
            branch.patience = None


def _is_the_networks(failure: Failed) -> bool:
    """Whether another way may lead to the same person: nobody answered, or a server said that it cannot."""
    return failure.cause not in ("rejected", "cancelled") or 500 <= failure.status < 600


def _rank(failure: Failed) -> int:
    if failure.cause != "rejected":
        return 5
    if failure.status >= 600 or failure.status == 486:
        return 0 if failure.status >= 600 else 1
    if failure.status in (408, 480, 487):
        return 3
    return 4 if failure.status >= 500 else 2

"""A request of ours, from the first address tried to its final response.

Address after address (RFC 3263 section 4.3), by TCP first when it is too large for UDP (RFC 3261 section
18.1.1), and once more with credentials when the peer asks for those that were configured (section 22).
"""

from __future__ import annotations

from collections.abc import Callable

from ringback.sip.authorizer import Authorizer
from ringback.sip.core import Core
from ringback.sip.dialog import Dialog
from ringback.sip.flow import Flow
from ringback.sip.message import Request, Response
from ringback.sip.transaction import ClientTransaction, State
from ringback.sip.uri import Uri

VIA_SIZE = 130
"""Octets, at most, that our Via and the start line add to the rest of a request."""

LOCAL_STATUS = {"timeout": 408, "transport": 503, "unresolved": 502, "refused": 403, "cancelled": 487}
"""The response that a local failure is treated as (RFC 3261 section 8.1.3.1)."""

Build = Callable[[Flow], Request]


class Exchange:
    """One request and its fate.

    ``build`` makes the request anew for every attempt (each with its own CSeq). ``on_response`` gets every
    response that is not dealt with here, 2xx of an INVITE again and again; ``on_failure`` gets ``"timeout"``,
    ``"transport"``, ``"unresolved"`` or ``"refused"`` (by the address policy). Exactly one final outcome is
    reported, but for repeated 2xx.
    """

    def __init__(
        self,
        core: Core,
        build: Build,
        authorizer: Authorizer | None,
        on_response: Callable[[Exchange, Response], None],
        on_failure: Callable[[Exchange, str], None],
    ) -> None:
        self._core = core
        self._build = build
        self._authorizer = authorizer
        self._on_response = on_response
        self._on_failure = on_failure
        self._flows: list[Flow] = []
        self._upgraded: Flow | None = None
        self._next_best: Flow | None = None
        self._within = False
        self._tries = 0
        self._stopped = False
        self.transaction: ClientTransaction | None = None
        self.flow: Flow | None = None

    @property
    def request(self) -> Request:
        """The request as it was last sent."""
        assert self.transaction is not None
        return self.transaction.request

    def start(self, next_hop: Uri, dialog: Dialog | None = None) -> Exchange:
        """Sends to where the URI leads; inside a dialog to the observed address of the peer, if there is one,
        and where its connection is gone to the URI after all."""
        core = self._core
        self._within = dialog is not None
        peer = dialog.peer if dialog is not None else None
        observed = dialog.observed if dialog is not None else None
        if observed is None:
            core.locate(next_hop, lambda flows: self._located(flows, core.permitted(next_hop, flows, peer)))
            return self
        self._flows = [observed]
        if observed.reliable:
            core.locate(next_hop, lambda flows: self._flows.extend(core.permitted(next_hop, flows, peer)))
        self._next()
        return self

    def stop(self) -> None:
        """No further attempt; the one that is under way still reports."""
        self._stopped = True

    def _located(self, found: list[Flow], permitted: list[Flow]) -> None:
        self._flows = permitted
        if self._authorizer is not None and not self._within:
            self._authorizer.trust(permitted)
        if self._stopped or not permitted:
            self._on_failure(self, "refused" if found and not permitted else "unresolved")
            return
        self._next()

    def _next(self) -> None:
        flow = self._flows.pop(0)
        request = self._build(flow)
        if self._authorizer is not None:
            self._authorizer.authorize(request, flow)
        core = self._core
        large = not flow.reliable and _size(request) > core.settings.udp_limit
        if large and flow is not self._next_best and core.prefers_tcp(flow):
            self._next_best = flow
            self._flows.insert(0, flow)
            flow = self._upgraded = Flow("tcp", flow.host, flow.port, flow.local_host)
        self.flow = flow
        self.transaction = core.layer.start(request, flow, self._receive, self._fail)

    def _receive(self, response: Response) -> None:
        status = response.status
        if status in (401, 407) and self._may_authorize(response):
            assert self.flow is not None
            self._tries += 1
            self._flows.insert(0, self.flow)
            self._next()
        elif status == 503 and self._flows and not self._stopped:
            self._next()
        else:
            self._on_response(self, response)

    def _may_authorize(self, response: Response) -> bool:
        """True when credentials were configured and have not been refused yet."""
        if self._authorizer is None or self._stopped or self.flow is None:
            return False
        return self._authorizer.learn(response, self.request, self.flow, self._tries)

    def _fail(self, cause: str) -> None:
        if cause == "transport" and self.flow is self._upgraded and self.flow is not None:
            self._core.note_tcp_refused(self.flow)
        if self._flows and not self._stopped:
            self._next()
        else:
            self._on_failure(self, cause)

    def can_cancel(self) -> bool:
        """True once CANCEL may be sent: there was a provisional response and no final one."""
        return self.transaction is not None and self.transaction.state is State.PROCEEDING


def _size(request: Request) -> int:
    lines = request.headers.lines()
    return sum(map(len, lines)) + 2 * len(lines) + len(request.body) + len(str(request.uri)) + VIA_SIZE


def local_response(cause: str) -> Response:
    """The response that stands for a failure which no peer reported."""
    return Response(LOCAL_STATUS[cause])

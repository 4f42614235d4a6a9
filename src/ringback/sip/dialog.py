"""Dialogs (RFC 3261 section 12): who talks to whom, along which route, and with which number next."""

from __future__ import annotations

import msgspec

from ringback.sip.core import DialogKey, is_literal, is_private
from ringback.sip.flow import Flow
from ringback.sip.headers import Headers
from ringback.sip.message import Request, Response
from ringback.sip.uri import NameAddr, Uri

AFTER_RESTART = 10_000
"""How far CSeq jumps for a dialog read from paper: requests after it was written have used some numbers."""


class DialogState(msgspec.Struct, frozen=True):
    """A dialog on paper: enough to send a BYE in it after a restart. Everything as it is written on the wire;
    ``transport``, ``host`` and ``port`` are the next hop, empty when the route or target says it; ``peer`` is
    where the far end was heard first."""

    call_id: str
    local: str
    remote: str
    route_set: tuple[str, ...]
    remote_target: str
    local_cseq: int
    transport: str = ""
    host: str = ""
    port: int = 0
    peer: Flow | None = None


class Dialog:
    """One dialog, early or confirmed. ``local`` and ``remote`` carry the tags; ``peer`` is the way that the
    message which made it came, or went."""

    __slots__ = (
        "call_id",
        "confirmed",
        "key",
        "local",
        "local_cseq",
        "observed",
        "peer",
        "remote",
        "remote_cseq",
        "remote_rseq",
        "remote_target",
        "route_set",
    )

    def __init__(
        self,
        call_id: str,
        local: NameAddr,
        remote: NameAddr,
        remote_target: Uri,
        route_set: list[NameAddr],
        local_cseq: int = 0,
        remote_cseq: int | None = None,
    ) -> None:
        self.call_id = call_id
        self.local = local
        self.remote = remote
        self.key: DialogKey = (call_id, local.tag or "", remote.tag or "")
        """How messages name this dialog."""
        self.remote_target = remote_target
        self.route_set = route_set
        self.local_cseq = local_cseq
        self.remote_cseq = remote_cseq
        self.remote_rseq: int | None = None
        self.observed: Flow | None = None
        self.peer: Flow | None = None
        self.confirmed = False

    @classmethod
    def from_request(cls, request: Request, flow: Flow, local_tag: str, target: Uri) -> Dialog:
        """The dialog that our responses to this request make (section 12.1.1)."""
        local = request.to if request.to.tag else request.to.with_tag(local_tag)
        dialog = cls(
            request.call_id,
            local,
            request.from_,
            target,
            request.record_routes,
            remote_cseq=request.cseq.number,
        )
        dialog.peer = flow
        dialog.note_request_source(request, flow)
        return dialog

    @classmethod
    def from_response(cls, request: Request, response: Response, flow: Flow) -> Dialog:
        """The dialog that a response to our request makes (section 12.1.2)."""
        contact = response.contact
        target = contact.uri if contact is not None else request.uri
        routes = list(reversed(response.record_routes))
        number = request.cseq.number
        dialog = cls(request.call_id, request.from_, response.to, target, routes, local_cseq=number)
        dialog.peer = flow
        dialog.note_peer(flow)
        return dialog

    @classmethod
    def restore(cls, state: DialogState) -> Dialog:
        """A dialog from paper. Raises SipParseError."""
        dialog = cls(
            state.call_id,
            NameAddr.parse(state.local),
            NameAddr.parse(state.remote),
            Uri.parse(state.remote_target),
            [NameAddr.parse(route) for route in state.route_set],
            local_cseq=state.local_cseq + AFTER_RESTART,
        )
        dialog.confirmed = True
        dialog.peer = state.peer
        if state.host:
            dialog.observed = Flow(state.transport, state.host, state.port)
        return dialog

    def state(self) -> DialogState:
        """The dialog on paper."""
        hop, peer = self.observed, self.peer
        return DialogState(
            self.call_id,
            str(self.local),
            str(self.remote),
            tuple(str(route) for route in self.route_set),
            str(self.remote_target),
            self.local_cseq,
            hop.transport if hop else "",
            hop.host if hop else "",
            hop.port if hop else 0,
            Flow(peer.transport, peer.host, peer.port) if peer else None,
        )

    # Where requests go

    def note_request_source(self, request: Request, flow: Flow) -> None:
        """Chooses between the peer's Contact and the address its request really came from.

        With a recorded route the route decides. Otherwise a connection is used again; and for UDP, a peer
        that is its own last hop and answers where it sends from (``rport``, or a sent-by that is the source)
        is behind NAT when its Contact says something else.
        """
        self.observed = None
        if self.route_set:
            return
        if flow.reliable:
            self.observed = flow
            return
        vias = request.vias
        symmetric = vias[0].rport is not None or (vias[0].host, vias[0].port or 5060) == (
            flow.host,
            flow.port,
        )
        natted = len(vias) == 1 and symmetric and self._target_differs(flow)
        if natted or self._target_unreachable(flow):
            self.observed = flow

    def note_peer(self, flow: Flow) -> None:
        """The same for the address that our request went to and the response came from."""
        self.observed = None
        if not self.route_set and self._target_unreachable(flow):
            self.observed = flow

    def _target_differs(self, flow: Flow) -> bool:
        target = self.remote_target
        if target.transport not in (None, flow.transport):
            return False
        return is_literal(target.host) and (target.host, target.port or 5060) != (flow.host, flow.port)

    def _target_unreachable(self, flow: Flow) -> bool:
        target = self.remote_target
        if target.scheme not in ("sip", "sips"):
            return True
        return is_private(target.host) and not is_private(flow.host)

    @property
    def next_hop(self) -> Uri:
        """The URI whose address the next request goes to, unless the observed source is used."""
        return self.route_set[0].uri if self.route_set else self.remote_target

    # Requests of ours

    def request(self, method: str, cseq: int | None = None) -> Request:
        """A request inside the dialog, without Via and Contact (section 12.2.1.1). ``cseq`` is for ACK and
        CANCEL."""
        if cseq is None:
            self.local_cseq += 1
            cseq = self.local_cseq
        uri, routes = self._routing()
        headers = Headers()
        headers.add("Max-Forwards", "70")
        for route in routes:
            headers.add("Route", route)
        headers.add("From", str(self.local))
        headers.add("To", str(self.remote))
        headers.add("Call-ID", self.call_id)
        headers.add("CSeq", f"{cseq} {method}")
        return Request(method, uri, headers, b"")

    def _routing(self) -> tuple[Uri, list[str]]:
        routes = [str(route) for route in self.route_set]
        if not routes or "lr" in self.route_set[0].uri.params:
            return self.remote_target, routes
        # A strict router wants itself in the Request-URI and the target at the end of the route.
        strict = self.route_set[0].uri.with_(headers="")
        return strict, [*routes[1:], f"<{self.remote_target}>"]

    # Requests of the peer's

    def in_order(self, number: int) -> bool:
        """Takes note of the peer's CSeq; False for one that is too low (section 12.2.2)."""
        if self.remote_cseq is not None and number < self.remote_cseq:
            return False
        self.remote_cseq = number
        return True

    def refresh_target(self, message: Request | Response) -> None:
        """A target refresh (re-INVITE, UPDATE, and their 2xx) moves the peer."""
        contact = message.contact
        if contact is not None:
            self.remote_target = contact.uri

"""The transaction layer: which transaction a message belongs to (RFC 3261 sections 17.1.3, 17.2.3 and
18.2)."""

from __future__ import annotations

from collections.abc import Callable
from os import urandom

from ringback.sip.flow import Flow, Outgoing
from ringback.sip.message import Request, Response
from ringback.sip.timers import Timers
from ringback.sip.transaction import TIMEOUT, ClientTransaction, ServerTransaction, State, make_cancel

MAGIC_COOKIE = "z9hG4bK"

Key = tuple[object, ...]
Local = tuple[str, str, int]
"""Transport, host and port of a listening point of ours."""
OnResponse = Callable[[Response], None]
OnFailure = Callable[[str], None]


class TransactionLayer:
    """Every transaction that is alive, found by what its messages carry."""

    def __init__(
        self,
        timers: Timers,
        send: Callable[[Outgoing], None],
        local_for: Callable[[Flow], Local],
    ) -> None:
        """``local_for`` says where a peer on that flow reaches us."""
        self.timers = timers
        self._send = send
        self._local_for = local_for
        self._clients: dict[str, ClientTransaction] = {}
        self._servers: dict[Key, ServerTransaction] = {}
        self._merge: dict[Key, Key] = {}

    def __len__(self) -> int:
        return len(self._clients) + len(self._servers)

    # Client side

    def start(
        self, request: Request, flow: Flow, on_response: OnResponse, on_failure: OnFailure
    ) -> ClientTransaction:
        """Sends a request in a new transaction; its Via is added here."""
        branch = new_branch()
        request.headers.insert_first("Via", self.via(flow, branch))
        return self._start(request, branch, flow, on_response, on_failure)

    def via(self, flow: Flow, branch: str) -> str:
        """Our Via for a request on that flow, asking for the observed port (RFC 3581)."""
        _, host, port = self._local_for(flow)
        shown = f"[{host}]" if ":" in host else host
        return f"SIP/2.0/{flow.transport.upper()} {shown}:{port};branch={branch};rport"

    def cancel(self, invite: ClientTransaction, headers: list[tuple[str, str]]) -> None:
        """Sends the CANCEL of an INVITE that has had a provisional response (RFC 3261 section 9.1)."""
        request = make_cancel(invite.request)
        for name, value in headers:
            request.headers.add(name, value)
        invite.give_up_in(TIMEOUT)
        self._start(request, invite.branch, invite.flow, _ignore_response, _ignore_failure)

    def _start(
        self, request: Request, branch: str, flow: Flow, on_response: OnResponse, on_failure: OnFailure
    ) -> ClientTransaction:
        key = f"{branch} {request.method}"

        def send(data: bytes) -> None:
            self._send(Outgoing(flow, data, key))

        def end() -> None:
            self._clients.pop(key, None)

        transaction = ClientTransaction(
            request, branch, flow, self.timers, send, end, on_response, on_failure
        )
        self._clients[key] = transaction
        transaction.start()
        return transaction

    def receive_response(self, response: Response) -> bool:
        """Hands a response to its transaction; False when there is none. Raises SipParseError."""
        branch = response.via.branch
        transaction = self._clients.get(f"{branch} {response.cseq.method}")
        if transaction is None:
            return False
        if 100 < response.status < 300 and transaction.request.method == "INVITE":
            response.validate()  # before it makes a dialog
        transaction.receive(response)
        return True

    def unfinished(self) -> int:
        """How many of our requests wait for a final response, and of the peers' for ours."""
        clients = sum(1 for client in self._clients.values() if client.state <= State.PROCEEDING)
        return clients + sum(1 for server in self._servers.values() if not server.final)

    def find_client(self, key: str) -> ClientTransaction | None:
        """The transaction that an ``Outgoing.key`` names."""
        return self._clients.get(key)

    # Server side

    def find_server(self, key: Key) -> ServerTransaction | None:
        """The transaction of a ``server_key``."""
        return self._servers.get(key)

    def accept(self, request: Request, key: Key, flow: Flow) -> ServerTransaction | None:
        """A new server transaction; its responses go where RFC 3261 section 18.2.2 and RFC 3581 say. None for
        a request that came already by another path (section 8.2.2.2)."""
        merge_key = _merge_key(request) if request.to.tag is None else None
        if merge_key is not None and self._is_under_way(merge_key, key):
            return None
        target, fallback = response_route(request, flow)

        def send(data: bytes) -> None:
            self._send(Outgoing(target, data, "", fallback))

        def end() -> None:
            self._servers.pop(key, None)
            if merge_key is not None and self._merge.get(merge_key) == key:
                del self._merge[merge_key]

        transaction = ServerTransaction(key, request, flow, self.timers, send, end)
        self._servers[key] = transaction
        if merge_key is not None:
            self._merge[merge_key] = key
        return transaction

    def _is_under_way(self, merge_key: Key, key: Key) -> bool:
        """Whether the same request has another transaction. A refused one is over: some clients repeat it
        with credentials and the same CSeq."""
        owner = self._merge.get(merge_key)
        if owner is None or owner == key:
            return False
        transaction = self._servers.get(owner)
        return transaction is not None and transaction.last_status < 300


def new_branch() -> str:
    """A branch that no other transaction of anybody has (RFC 3261 section 8.1.1.7)."""
    return MAGIC_COOKIE + urandom(8).hex()


def note_source(request: Request, flow: Flow) -> None:
    """Writes into the topmost Via where the request really came from (RFC 3261 18.2.1, RFC 3581 section
    4)."""
    via = request.via
    if via.rport is not None:
        via = via.with_params({"rport": str(flow.port), "received": flow.host})
    elif via.host != flow.host:
        via = via.with_params({"received": flow.host})
    else:
        return
    request.replace_top_via(via)


def response_route(request: Request, flow: Flow) -> tuple[Flow, Flow | None]:
    """Where responses to this request go, and where else when its connection is gone."""
    via = request.via
    sent_by_port = via.port or 5060
    if flow.reliable:
        return flow, Flow(flow.transport, flow.host, sent_by_port, flow.local_host, flow.local_port)
    if via.rport is not None or via.port == flow.port:
        return flow, None
    return Flow(flow.transport, flow.host, sent_by_port, flow.local_host, flow.local_port), None


def server_key(request: Request, method: str | None = None) -> Key:
    """What a request and its repetitions have in common; an ACK has its INVITE's, and a CANCEL, asked with
    ``method="INVITE"``, that of the INVITE it cancels."""
    method = method or request.method
    if method == "ACK":
        method = "INVITE"
    via = request.via
    branch = via.magic_branch
    if branch is not None:
        return (branch, via.sent_by, method)
    # RFC 2543 has no branch to go by: the rules of RFC 3261 section 17.2.3.
    uri, tag = str(request.uri), request.from_.tag
    return (via.branch, via.sent_by, method, request.call_id, request.cseq.number, tag, uri)


def _merge_key(request: Request) -> Key:
    return (request.call_id, request.from_.tag, request.cseq)


def _ignore_response(_: Response) -> None:
    """CANCEL's own outcome changes nothing: what counts is how the INVITE ends."""


def _ignore_failure(_: str) -> None:
    """The INVITE has its own timer once it is cancelled."""

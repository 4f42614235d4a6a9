"""Every timer of the four transactions, in virtual time."""

from __future__ import annotations

import pytest

from ringback.sip.flow import Flow
from ringback.sip.message import Request, Response, make_response
from ringback.sip.parse import parse_message
from ringback.sip.timers import Timers
from ringback.sip.transaction import (
    CLIENT_INVITE,
    CLIENT_OTHER,
    SERVER_INVITE,
    SERVER_OTHER,
    ClientTransaction,
    Input,
    ServerTransaction,
    State,
    Table,
)
from ringback.sip.uri import Uri

UDP = Flow("udp", "192.0.2.2", 5060)
TCP = Flow("tcp", "192.0.2.2", 5060)


def request(method: str) -> Request:
    fields = [
        ("Via", "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1"),
        ("Max-Forwards", "70"),
        ("From", "<sip:a@192.0.2.1>;tag=a"),
        ("To", "<sip:b@192.0.2.2>"),
        ("Call-ID", "1"),
        ("CSeq", f"7 {method}"),
        ("Route", "<sip:192.0.2.9;lr>"),
    ]
    return Request(method, Uri.parse("sip:b@192.0.2.2"), fields)


class Bench:
    """One transaction and everything that comes out of it, with the time at which it does."""

    def __init__(self, method: str, flow: Flow) -> None:
        self.now = 0.0
        self.timers = Timers(lambda: self.now)
        self.sent: list[tuple[float, str]] = []
        self.up: list[str] = []
        self.ended: list[float] = []
        self.request = request(method)
        self.flow = flow

    def _send(self, data: bytes) -> None:
        message = parse_message(data)
        name = message.method if isinstance(message, Request) else str(message.status)
        self.sent.append((round(self.now, 3), name))

    def client(self) -> ClientTransaction:
        transaction = ClientTransaction(
            self.request,
            "z9hG4bK1",
            self.flow,
            self.timers,
            self._send,
            lambda: self.ended.append(round(self.now, 3)),
            lambda response: self.up.append(str(response.status)),
            self.up.append,
        )
        transaction.start()
        return transaction

    def server(self) -> ServerTransaction:
        transaction = ServerTransaction(
            (),
            self.request,
            self.flow,
            self.timers,
            self._send,
            lambda: self.ended.append(round(self.now, 3)),
        )
        transaction.on_ack = lambda request: self.up.append("ACK")
        return transaction

    def response(self, status: int) -> Response:
        return make_response(self.request, status, to_tag="b")

    def until(self, when: float) -> None:
        while (deadline := self.timers.next_deadline()) is not None and deadline <= when:
            self.now = deadline
            self.timers.fire()
        self.now = when

    @property
    def times(self) -> list[float]:
        return [when for when, _ in self.sent]


def test_timers_a_and_b() -> None:
    bench = Bench("INVITE", UDP)
    transaction = bench.client()
    bench.until(100)
    assert bench.times == [0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
    assert bench.up == ["timeout"]
    assert bench.ended == [32]
    assert transaction.terminated


def test_timer_b_alone_on_a_reliable_transport() -> None:
    bench = Bench("INVITE", TCP)
    bench.client()
    bench.until(100)
    assert bench.times == [0]
    assert bench.ended == [32]


def test_a_provisional_response_stops_a_and_b() -> None:
    bench = Bench("INVITE", UDP)
    transaction = bench.client()
    bench.until(0.1)
    transaction.receive(bench.response(180))
    transaction.receive(bench.response(183))
    bench.until(1000)
    assert bench.times == [0]
    assert bench.up == ["180", "183"]
    assert transaction.state is State.PROCEEDING


@pytest.mark.parametrize(("flow", "end"), [(UDP, 32.0), (TCP, 0.0)])
def test_timer_d(flow: Flow, end: float) -> None:
    bench = Bench("INVITE", flow)
    transaction = bench.client()
    transaction.receive(bench.response(486))
    transaction.receive(bench.response(486))
    bench.until(100)
    assert [name for _, name in bench.sent] == ["INVITE", "ACK", "ACK"]
    assert bench.up == ["486"]
    assert bench.ended == [end]


@pytest.mark.parametrize("flow", [UDP, TCP])
def test_timer_m_lets_every_2xx_through(flow: Flow) -> None:
    bench = Bench("INVITE", flow)
    transaction = bench.client()
    transaction.receive(bench.response(200))
    bench.until(20)
    transaction.receive(bench.response(200))
    transaction.receive(bench.response(500))
    bench.until(100)
    assert bench.up == ["200", "200"]
    assert [name for _, name in bench.sent] == ["INVITE"]
    assert bench.ended == [32]


def test_the_ack_of_a_refusal() -> None:
    bench = Bench("INVITE", UDP)
    sent: list[bytes] = []
    transaction = bench.client()
    transaction._send = sent.append
    transaction.receive(bench.response(404))
    ack = parse_message(sent[0])
    assert isinstance(ack, Request)
    assert (ack.cseq.number, ack.cseq.method, ack.via.branch) == (7, "ACK", "z9hG4bK1")
    assert ack.to.tag == "b"
    assert ack.headers.get("Route") == "<sip:192.0.2.9;lr>"


def test_a_cancelled_invite_gives_up() -> None:
    bench = Bench("INVITE", UDP)
    transaction = bench.client()
    transaction.receive(bench.response(100))
    bench.until(10)
    transaction.give_up_in(32)
    bench.until(100)
    assert bench.up == ["100", "timeout"]
    assert bench.ended == [42]


def test_timers_e_and_f() -> None:
    bench = Bench("OPTIONS", UDP)
    bench.client()
    bench.until(100)
    assert bench.times == [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert bench.up == ["timeout"]
    assert bench.ended == [32]


def test_timer_e_after_a_provisional_response() -> None:
    bench = Bench("OPTIONS", UDP)
    transaction = bench.client()
    bench.until(0.2)
    transaction.receive(bench.response(100))
    bench.until(100)
    assert bench.times == [0, 0.5, 4.5, 8.5, 12.5, 16.5, 20.5, 24.5, 28.5]
    assert bench.up == ["100", "timeout"]


def test_timer_f_alone_on_a_reliable_transport() -> None:
    bench = Bench("OPTIONS", TCP)
    bench.client()
    bench.until(100)
    assert bench.times == [0]
    assert bench.ended == [32]


@pytest.mark.parametrize("status", [200, 404])
@pytest.mark.parametrize(("flow", "end"), [(UDP, 5.0), (TCP, 0.0)])
def test_timer_k(status: int, flow: Flow, end: float) -> None:
    bench = Bench("BYE", flow)
    transaction = bench.client()
    transaction.receive(bench.response(status))
    transaction.receive(bench.response(status))
    bench.until(100)
    assert bench.up == [str(status)]
    assert bench.times == [0]
    assert bench.ended == [end]


def test_errors_end_what_has_no_answer() -> None:
    for method in ("INVITE", "BYE"):
        bench = Bench(method, TCP)
        bench.client().fail()
        assert bench.up == ["transport"]
        assert bench.ended == [0]
        bench = Bench(method, TCP)
        transaction = bench.client()
        transaction.receive(bench.response(100))
        transaction.fail()
        assert bench.ended == []


def test_timers_g_and_h() -> None:
    bench = Bench("INVITE", UDP)
    transaction = bench.server()
    transaction.respond(bench.response(486))
    bench.until(100)
    assert bench.times == [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert bench.ended == [32]


def test_timer_h_alone_on_a_reliable_transport() -> None:
    bench = Bench("INVITE", TCP)
    bench.server().respond(bench.response(486))
    bench.until(100)
    assert bench.times == [0]
    assert bench.ended == [32]


@pytest.mark.parametrize(("flow", "end"), [(UDP, 5.0), (TCP, 0.0)])
def test_timer_i(flow: Flow, end: float) -> None:
    bench = Bench("INVITE", flow)
    transaction = bench.server()
    transaction.respond(bench.response(486))
    transaction.receive(bench.request)
    transaction.receive(request("ACK"))
    transaction.receive(request("ACK"))
    transaction.receive(bench.request)
    bench.until(100)
    assert bench.times == [0, 0]
    assert bench.up == []
    assert bench.ended == [end]


@pytest.mark.parametrize(("flow", "end"), [(UDP, 32.0), (TCP, 0.0)])
def test_timer_j(flow: Flow, end: float) -> None:
    bench = Bench("BYE", flow)
    transaction = bench.server()
    transaction.receive(bench.request)
    assert bench.sent == []
    transaction.respond(bench.response(200))
    transaction.receive(bench.request)
    transaction.respond(bench.response(500))
    bench.until(100)
    assert [name for _, name in bench.sent] == ["200", "200"]
    assert bench.ended == [end]


def test_timer_l_and_the_accepted_state() -> None:
    bench = Bench("INVITE", UDP)
    transaction = bench.server()
    transaction.respond(bench.response(180))
    transaction.receive(bench.request)
    transaction.respond(bench.response(200))
    transaction.receive(bench.request)
    transaction.receive(request("ACK"))
    transaction.respond(bench.response(200))
    transaction.respond(bench.response(500))
    bench.until(100)
    assert [name for _, name in bench.sent] == ["180", "180", "200", "200"]
    assert bench.up == ["ACK"]
    assert bench.ended == [32]


def test_a_request_that_nobody_answers_is_forgotten() -> None:
    bench = Bench("MESSAGE", UDP)
    transaction = bench.server()
    transaction.respond(bench.response(100))
    bench.until(100)
    assert bench.ended == [32]
    assert transaction.terminated


@pytest.mark.parametrize("table", [CLIENT_INVITE, CLIENT_OTHER, SERVER_INVITE, SERVER_OTHER])
def test_tables_name_real_states_and_actions(table: Table) -> None:
    owner = ClientTransaction if table in (CLIENT_INVITE, CLIENT_OTHER) else ServerTransaction
    for steps in table.values():
        for happening, (state, actions) in steps.items():
            assert happening in Input
            assert state is State.TERMINATED or state in table
            assert all(callable(getattr(owner, action)) for action in actions)

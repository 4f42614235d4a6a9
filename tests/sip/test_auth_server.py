from __future__ import annotations

import pytest

from ringback.sip.auth import Challenge, Credentials, DigestClient
from ringback.sip.auth_server import DigestServer, Verdict
from ringback.sip.uri import Uri

URI = Uri.parse("sip:bob@h")


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


WRONG = Verdict(wrong=True)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server(clock: Clock) -> DigestServer:
    return DigestServer("ringback", {"alice": "secret"}.get, clock, max_nonces=3)


def answer(
    server: DigestServer, user: str = "alice", password: str = "secret", uri: str = "sip:bob@h"
) -> str:
    row = DigestClient(user, password).authorize(server.challenges(), "INVITE", uri)
    assert row is not None
    return row


def test_challenges_strongest_first(server: DigestServer) -> None:
    rows = [Challenge.parse(row) for row in server.challenges(stale=True)]
    assert [(row.algorithm, row.realm, row.qop, row.stale) for row in rows if row] == [
        ("SHA-256", "ringback", ("auth",), True),
        ("MD5", "ringback", ("auth",), True),
    ]


def test_the_right_password(server: DigestServer) -> None:
    assert server.verify([answer(server)], "INVITE", URI) == Verdict("alice")


@pytest.mark.parametrize("algorithm", ["MD5", "MD5-sess", "SHA-256", "SHA-256-sess", "SHA-512-256"])
@pytest.mark.parametrize("qop", [(), ("auth",), ("auth-int",)])
def test_every_form(clock: Clock, algorithm: str, qop: tuple[str, ...]) -> None:
    server = DigestServer("r", {"a": "p"}.get, clock, algorithms=(algorithm,), qop=qop)
    row = DigestClient("a", "p").authorize(server.challenges(), "INVITE", "sip:bob@h", b"body")
    assert row is not None
    expected = Verdict("a") if qop != ("auth-int",) else WRONG
    assert server.verify([row], "INVITE", URI, b"other") == expected
    if not expected.username:
        assert server.verify([row], "INVITE", URI, b"body") == Verdict("a")


@pytest.mark.parametrize(
    "rows",
    [
        [],
        ["Bearer token"],
        ["Digest nonsense"],
        ['Digest username="alice", realm="ringback", nonce="x", uri="sip:bob@h", response="0"'],
        ['Digest username="alice", realm="ringback", nonce="", uri="", response=""'],
    ],
)
def test_no_usable_credentials(server: DigestServer, rows: list[str]) -> None:
    assert server.verify(rows, "INVITE", URI).username is None


def test_wrong_password_and_unknown_user_look_the_same(server: DigestServer) -> None:
    assert server.verify([answer(server, password="wrong")], "INVITE", URI) == WRONG
    assert server.verify([answer(server, user="nobody")], "INVITE", URI) == WRONG
    assert server.verify([answer(server, user="alice\u00e9")], "INVITE", URI) == WRONG


def test_the_method_the_realm_and_the_algorithm_count(server: DigestServer, clock: Clock) -> None:
    row = answer(server)
    assert server.verify([row], "BYE", URI) == WRONG
    assert server.verify([row.replace("ringback", "other")], "INVITE", URI) == Verdict()
    assert server.verify([row.replace("SHA-256", "SHA-512-256")], "INVITE", URI) == Verdict()
    assert server.verify(["Basic x", row.replace("ringback", "other"), row], "INVITE", URI) == Verdict(
        "alice"
    )


def test_credentials_for_one_callee_do_not_open_another(server: DigestServer) -> None:
    row = answer(server)
    assert server.verify([row], "INVITE", Uri.parse("sip:+19005550100@h")) == Verdict()
    assert server.verify([row], "INVITE", Uri.parse("sip:bob@proxied.example.com;transport=tcp")) == Verdict(
        "alice"
    )
    assert server.verify([answer(server, uri="%%")], "INVITE", URI) == Verdict()


def test_nonces_grow_old(server: DigestServer, clock: Clock) -> None:
    row = answer(server)
    clock.now += 301
    assert server.verify([row], "INVITE", URI) == Verdict(stale=True)
    assert server.verify([answer(server, password="wrong")], "INVITE", URI) == WRONG


def test_credentials_for_the_server_itself_open_once(server: DigestServer) -> None:
    row = answer(server, uri="sip:h")
    assert server.verify([row], "INVITE", URI) == Verdict("alice")
    assert server.verify([row], "INVITE", URI) == Verdict(stale=True)


def test_nonces_of_another_server_are_stale(server: DigestServer, clock: Clock) -> None:
    other = DigestServer("ringback", {"alice": "secret"}.get, clock)
    assert server.verify([answer(other)], "INVITE", URI) == Verdict(stale=True)


def test_a_nonce_count_serves_once(server: DigestServer) -> None:
    client = DigestClient("alice", "secret")
    first = client.authorize(server.challenges(), "INVITE", "sip:bob@h")
    second = client.preauthorize("ringback", "INVITE", "sip:bob@h")
    assert first is not None
    assert second is not None
    assert server.verify([first], "INVITE", URI) == Verdict("alice")
    assert server.verify([first], "INVITE", URI) == Verdict(stale=True)
    assert server.verify([second], "INVITE", URI) == Verdict("alice")
    assert server.verify([first], "INVITE", URI) == Verdict(stale=True)


def test_a_count_of_zero_is_refused(server: DigestServer) -> None:
    challenge = Challenge.parse(server.challenges()[1])
    assert challenge is not None
    credentials = Credentials(
        "alice", "ringback", challenge.nonce, "sip:bob@h", qop="auth", cnonce="c", nc="0", algorithm="MD5"
    )
    response = credentials.expected_response("secret", "INVITE")
    row = credentials.build().replace('response=""', f'response="{response}"')
    assert server.verify([row], "INVITE", URI) == Verdict(stale=True)


def test_without_qop_a_nonce_serves_once(clock: Clock) -> None:
    server = DigestServer("r", {"a": "p"}.get, clock, qop=())
    row = DigestClient("a", "p").authorize(server.challenges(), "INVITE", "sip:bob@h")
    assert row is not None
    assert server.verify([row], "INVITE", URI) == Verdict("a")
    assert server.verify([row], "INVITE", URI) == Verdict(stale=True)


def test_memory_is_bounded_and_forgets_no_replay(server: DigestServer, clock: Clock) -> None:
    rows = []
    for _ in range(5):
        rows.append(answer(server))
        clock.now += 1
        assert server.verify([rows[-1]], "INVITE", URI) == Verdict("alice")
    for row in rows:
        assert server.verify([row], "INVITE", URI) == Verdict(stale=True)


def test_unknown_algorithms_are_refused_at_once(clock: Clock) -> None:
    with pytest.raises(ValueError, match="SHA3"):
        DigestServer("r", lambda _: None, clock, algorithms=("SHA3",))

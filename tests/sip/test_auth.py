from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.sip.auth import Challenge, Credentials, DigestClient, supports
from ringback.sip.errors import SipParseError

RFC2617 = (
    'Digest realm="testrealm@host.com", qop="auth,auth-int", '
    'nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41"'
)


def rfc7616(algorithm: str) -> str:
    return (
        f'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={algorithm}, '
        'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", '
        'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
    )


def client(username: str, password: str, cnonce: str) -> DigestClient:
    return DigestClient(username, password, cnonce=lambda: cnonce)


def credentials(text: str | None) -> Credentials:
    assert text is not None
    parsed = Credentials.parse(text)
    assert parsed is not None
    return parsed


def test_rfc_2617_section_3_5() -> None:
    answer = client("Mufasa", "Circle Of Life", "0a4f113b").authorize([RFC2617], "GET", "/dir/index.html")
    assert credentials(answer).response == "6629fae49393a05397450978507c4ef1"
    assert answer is not None
    assert answer.startswith('Digest username="Mufasa", realm="testrealm@host.com", nonce="dcd98b71')
    assert answer.endswith('opaque="5ccc069c403ebaf9f0171e9517f40e41", qop=auth, nc=00000001')


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_rfc_7616_section_3_9_1(algorithm: str, response: str) -> None:
    mufasa = client("Mufasa", "Circle of Life", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ")
    answer = credentials(mufasa.authorize([rfc7616(algorithm)], "GET", "/dir/index.html"))
    assert (answer.response, answer.qop, answer.nc) == (response, "auth", "00000001")


def test_the_strongest_known_challenge_is_answered() -> None:
    rows = [rfc7616("MD5"), rfc7616("SHA3-512"), rfc7616("SHA-256"), "Basic realm=x", "Digest realm=", "\0"]
    assert credentials(DigestClient("u", "p").authorize(rows, "INVITE", "sip:h")).algorithm == "SHA-256"


def test_challenges_that_nobody_can_answer() -> None:
    rows = ["Basic realm=x", rfc7616("SHA3-512"), 'Digest realm="r", nonce="n", qop="mutual"', "nonsense"]
    assert DigestClient("u", "p").authorize(rows, "INVITE", "sip:h") is None
    assert DigestClient("u", "p").authorize([], "INVITE", "sip:h") is None


def test_without_qop() -> None:
    # The example of RFC 2069 section 2.4, with the response that its errata give.
    row = (
        'Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", '
        'opaque="5ccc069c403ebaf9f0171e9517f40e41"'
    )
    answer = credentials(DigestClient("Mufasa", "CircleOfLife").authorize([row], "GET", "/dir/index.html"))
    assert answer.response == "1949323746fe6a43ef61f9606e7febea"
    assert (answer.qop, answer.nc, answer.cnonce) == (None, None, None)


def test_auth_int_covers_the_body() -> None:
    row = 'Digest realm="r", nonce="n", qop="auth-int"'
    one, other = (
        credentials(client("u", "p", "c").authorize([row], "INVITE", "sip:h", body)) for body in (b"a", b"b")
    )
    assert one.qop == "auth-int"
    assert one.response != other.response
    assert one.response == one.expected_response("p", "INVITE", b"a")


def test_sess() -> None:
    plain, sess = (
        credentials(client("u", "p", "c").authorize([rfc7616(name)], "INVITE", "sip:h"))
        for name in ("SHA-256", "SHA-256-sess")
    )
    assert plain.response != sess.response
    assert sess.algorithm == "SHA-256-sess"
    row = 'Digest realm="r", nonce="n", algorithm=MD5-sess'
    assert credentials(client("u", "p", "c").authorize([row], "INVITE", "sip:h")).cnonce == "c"


def test_nonce_counts_go_up_until_the_nonce_changes() -> None:
    user = DigestClient("u", "p")
    assert user.preauthorize("testrealm@host.com", "BYE", "sip:h") is None
    first = credentials(user.authorize([RFC2617], "INVITE", "sip:h"))
    second = credentials(user.preauthorize("testrealm@host.com", "BYE", "sip:h"))
    third = credentials(user.authorize([RFC2617], "BYE", "sip:h"))
    fourth = credentials(user.authorize([RFC2617.replace("dcd98", "eeeee")], "BYE", "sip:h"))
    assert [one.count for one in (first, second, third, fourth)] == [1, 2, 3, 1]
    assert first.cnonce == second.cnonce != fourth.cnonce


def test_realms_are_remembered_within_bounds() -> None:
    user = DigestClient("u", "p")
    for number in range(100):
        user.authorize([f'Digest realm="{number}", nonce="n"'], "INVITE", "sip:h")
    assert user.preauthorize("0", "INVITE", "sip:h") is None
    assert user.preauthorize("99", "INVITE", "sip:h") is not None


def test_worth_another_try() -> None:
    user = DigestClient("u", "p")
    fresh = user.authorize([RFC2617], "INVITE", "sip:h")
    again = user.authorize([RFC2617], "INVITE", "sip:h")
    assert fresh is not None
    assert again is not None
    renewed = RFC2617.replace("dcd98", "eeeee")
    other = RFC2617.replace("testrealm", "other")
    assert user.worth_another_try([RFC2617], [])
    assert user.worth_another_try([other], [fresh])
    assert user.worth_another_try([renewed + ", stale=TRUE"], [fresh])
    assert user.worth_another_try([renewed], [again])
    assert not user.worth_another_try([renewed], [fresh])
    assert not user.worth_another_try([RFC2617 + ", stale=true"], [fresh])
    assert not user.worth_another_try([rfc7616("SHA3")], [])
    assert not user.worth_another_try(["Basic realm=x"], [])


def test_odd_spellings_of_a_challenge() -> None:
    challenge = Challenge.parse(
        'dIgEsT\tREALM = "a \\"b\\"",,NONCE=abc , qop=auth,algorithm="md5",'
        'stale="True" ,opaque="",domain="sip:h",'
    )
    assert challenge == Challenge('a "b"', "abc", "md5", ("auth",), "", True, "sip:h")
    assert challenge is not None
    assert Challenge.parse(challenge.build()) == challenge
    assert supports("md5-SESS")
    assert not supports("")


@pytest.mark.parametrize(
    "text", ["", "Digest", "Digest realm", 'Digest realm="x', "Digest realm=a, realm=b", "Digest a=b c=d"]
)
def test_malformed_challenges(text: str) -> None:
    with pytest.raises(SipParseError):
        Challenge.parse(text)


def test_incomplete_values() -> None:
    for text in ('Digest realm="r"', 'Digest nonce="n"'):
        with pytest.raises(SipParseError, match="Incomplete"):
            Challenge.parse(text)
    whole = 'Digest username="u", realm="r", nonce="n", uri="sip:h", response="0"'
    assert Credentials.parse(whole) is not None
    assert Credentials.parse("Bearer token") is None
    for text in (whole.replace("uri", "url"), whole + ", qop=auth", whole + ', qop=auth, cnonce="c", nc=xyz'):
        with pytest.raises(SipParseError, match="Incomplete"):
            Credentials.parse(text)


@given(
    st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\r\n\0")), st.text(alphabet='ab"\\, =')
)
def test_credentials_survive_the_wire(username: str, realm: str) -> None:
    row = Challenge(realm, "n", qop=("auth",)).build()
    answer = credentials(DigestClient(username, "p").authorize([row], "INVITE", "sip:h"))
    assert (answer.username, answer.realm) == (username, realm)


@given(st.text())
def test_parsing_is_total(text: str) -> None:
    for parse in (Challenge.parse, Credentials.parse):
        for candidate in (text, "Digest " + text, f'Digest realm="{text}", nonce={text}'):
            try:
                parse(candidate)
            except SipParseError:
                pass

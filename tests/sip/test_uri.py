from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ringback.sip.errors import SipParseError
from ringback.sip.grammar import Params
from ringback.sip.uri import NameAddr, Uri


@pytest.mark.parametrize(
    ("text", "scheme", "user", "password", "host", "port"),
    [
        ("sip:alice@atlanta.com", "sip", "alice", None, "atlanta.com", None),
        ("sip:alice:secretword@atlanta.com;transport=tcp", "sip", "alice", "secretword", "atlanta.com", None),
        (
            "sips:alice@atlanta.com?subject=project%20x&priority=urgent",
            "sips",
            "alice",
            None,
            "atlanta.com",
            None,
        ),
        (
            "sip:+1-212-555-1212:1234@gateway.com;user=phone",
            "sip",
            "+1-212-555-1212",
            "1234",
            "gateway.com",
            None,
        ),
        ("sip:atlanta.com;method=REGISTER?to=alice%40atlanta.com", "sip", None, None, "atlanta.com", None),
        ("sip:alice;day=tuesday@atlanta.com", "sip", "alice;day=tuesday", None, "atlanta.com", None),
        ("SIP:*98#@[2001:DB8::1]:5070", "sip", "*98#", None, "2001:DB8::1", 5070),
        ("sip:a%20b@my_host:5060", "sip", "a b", None, "my_host", 5060),
        ("sip:alice:@h", "sip", "alice", "", "h", None),
    ],
)
def test_parse(
    text: str, scheme: str, user: str | None, password: str | None, host: str, port: int | None
) -> None:
    uri = Uri.parse(text)
    assert (uri.scheme, uri.user, uri.password, uri.host, uri.port) == (scheme, user, password, host, port)
    assert str(uri) == text


def test_parameters_and_headers() -> None:
    uri = Uri.parse("sip:h;Transport=TCP;lr;x=%41?a=b&c=d")
    assert uri.transport == "tcp"
    assert "lr" in uri.params
    assert uri.params["x"] == "%41"
    assert uri.headers == "a=b&c=d"
    assert Uri.parse("sip:h").transport is None
    assert uri.hostport == "h"


@pytest.mark.parametrize(
    "text",
    [
        "", "sip", "sip:", "sip:@h", "sip:a@", "sip:a b@h", " sip:a@h", "sip:a@h ", "sip:a@h\r\n",
        "sip:a@h\0",
        "sip:a@h:", "sip:a@h:70000", "sip:a@h:123456", "sip:a@[::1", "sip:a@::1", "sip:a@[1.2.3.4]",
        "sip:a@[:::1]",
        "sip:a%zz@h", "sip:a@h;", "sip:a@h;a=1;a=2", "sip:a@h;=1", "sip:a@h?", "sip:a<b@h",
        "sip:a\"b@h", "tel:",
        "tel:abc@h", "sip:müller@h", "<sip:a@h>", "nocolon",
    ],
)  # fmt: skip
def test_parse_refuses(text: str) -> None:
    with pytest.raises(SipParseError) as caught:
        Uri.parse(text)
    assert caught.value.status == 400


def test_tel() -> None:
    uri = Uri.parse("tel:+1-(415)-555.0100;phone-context=example.com")
    assert (uri.scheme, uri.user, uri.host) == ("tel", "+1-(415)-555.0100", "")
    assert uri.number == "+14155550100"
    assert uri.params["phone-context"] == "example.com"
    assert str(Uri("tel", "+14155550100")) == "tel:+14155550100"
    assert Uri.parse("sip:+1-415-555-0100;ext=7@h;user=phone").number == "+14155550100"
    assert uri.same_as(Uri.parse("tel:+14155550100;Phone-Context=EXAMPLE.com"))
    assert not uri.same_as(Uri.parse("tel:+14155550100"))


def test_other_schemes() -> None:
    uri = Uri.parse("HTTP://www.example.com/a?b")
    assert (uri.scheme, uri.opaque) == ("http", "//www.example.com/a?b")
    assert str(uri.with_()) == "http://www.example.com/a?b"
    assert uri.same_as(Uri.parse("http://www.example.com/a?b"))
    assert not uri.same_as(Uri.parse("http://www.example.com/"))


# RFC 3261 19.1.4, the examples given there.
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtlanTa.CoM;Transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;security=on"),
        (
            "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
            "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
        ),
        (
            "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
            "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
        ),
        ("sip:a@[2001:db8::1]", "sip:a@[2001:DB8:0::0:1]"),
        ("sip:a%3b@h", "sip:a%3B@h"),
    ],
)
def test_same(one: str, other: str) -> None:
    assert Uri.parse(one).same_as(Uri.parse(other))
    assert Uri.parse(other).same_as(Uri.parse(one))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtlanTa.CoM;Transport=UDP"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
        ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
        ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
        ("sip:a@h", "sips:a@h"),
        ("sip:a;x@h", "sip:a%3Bx@h"),
        ("sip:a:b@h", "sip:a@h"),
        ("sip:h", "sip:a@h"),
        ("sip:[::1]", "sip:h"),
    ],
)
def test_different(one: str, other: str) -> None:
    assert not Uri.parse(one).same_as(Uri.parse(other))
    assert not Uri.parse(other).same_as(Uri.parse(one))


def test_built_uris_escape_what_they_must() -> None:
    uri = Uri(user="a b@c/ü", password="p:w", host="::1", port=5070, params=Params({"lr": ""}), headers="x=1")
    assert str(uri) == "sip:a%20b%40c/%C3%BC:p%3Aw@[::1]:5070;lr?x=1"
    again = Uri.parse(str(uri))
    assert (again.user, again.password, again.host) == (uri.user, uri.password, uri.host)
    assert again == uri
    assert hash(again) == hash(uri)
    assert uri != "text"


@pytest.mark.parametrize(
    "uri",
    [
        Uri(user="a", host="h>\r\nVia: x"),
        Uri(user="a", host="h;tag=1 "),
        Uri(user="", host="h"),
        Uri("tel", "+1;<>"),
        Uri("http", opaque="a b"),
        Uri(host="h", params=Params({"a b": "c"})),
    ],
)
def test_what_cannot_be_read_back_is_not_written(uri: Uri) -> None:
    with pytest.raises(ValueError, match="Malformed"):
        str(uri)


def test_with() -> None:
    uri = Uri.parse("sip:alice@h;transport=udp")
    assert str(uri.with_(port=5070)) == "sip:alice@h:5070;transport=udp"
    assert str(uri.with_(params=uri.params.with_("lr"), user=None)) == "sip:h;transport=udp;lr"
    assert str(uri) == "sip:alice@h;transport=udp"


@given(st.text())
@example("sip:" + ";" * 100)
@example("sip:a" * 1000)
def test_parsing_is_total(text: str) -> None:
    for candidate in (text, "sip:" + text, "tel:" + text):
        try:
            uri = Uri.parse(candidate)
        except SipParseError:
            continue
        assert uri.same_as(uri)
        assert Uri.parse(str(uri)) == uri
        assert Uri.parse(str(uri.with_())).same_as(uri)


@given(st.text(min_size=1, alphabet=st.characters(codec="utf-8")))
def test_any_user_survives(user: str) -> None:
    assert Uri.parse(str(Uri(user=user, host="h"))).user == user


@pytest.mark.parametrize(
    ("text", "name", "uri", "params"),
    [
        ("sip:a@h", "", "sip:a@h", ""),
        ("sip:a@h;tag=1", "", "sip:a@h", ";tag=1"),
        ("<sip:a@h;lr>;tag=1", "", "sip:a@h;lr", ";tag=1"),
        ('"A. \\"B\\" C" <sip:a@h> ;tag=1', 'A. "B" C', "sip:a@h", ";tag=1"),
        ("Anna Schmidt<sip:a@h>", "Anna Schmidt", "sip:a@h", ""),
        ("Müller <sip:a@h>", "Müller", "sip:a@h", ""),
        ('"" <tel:+1>;q=0.5', "", "tel:+1", ";q=0.5"),
        ("<http://x/?a=b,c>", "", "http://x/?a=b,c", ""),
    ],
)
def test_name_addr(text: str, name: str, uri: str, params: str) -> None:
    address = NameAddr.parse(text)
    assert (address.display_name, str(address.uri), str(address.params)) == (name, uri, params)
    assert NameAddr.parse(str(address)) == address


@pytest.mark.parametrize(
    "text",
    [
        "", "<>", "<sip:a@h", "sip:a@h>", "< sip:a@h>", '"open <sip:a@h>', "a, b <sip:a@h>",
        "<sip:a@h>x", "*",
        "sip:a@h?x=y", "<sip:a@h>;tag=1;tag=2", "<sip:a@h>;", '"a" "b" <sip:a@h>', "a;b <sip:a@h>",
    ],
)  # fmt: skip
def test_name_addr_refuses(text: str) -> None:
    with pytest.raises(SipParseError):
        NameAddr.parse(text)


def test_name_addr_lists() -> None:
    both = NameAddr.parse_many('"A, B" <sip:a@h>;q=1, <sip:b,c@h>')
    assert [str(address) for address in both] == ['"A, B" <sip:a@h>;q=1', "<sip:b,c@h>"]
    with pytest.raises(SipParseError):
        NameAddr.parse_many("<sip:a@h>,")


def test_name_addr_changes_by_copies() -> None:
    address = NameAddr(Uri(user="a", host="h"), "A")
    assert address.tag is None
    tagged = address.with_tag("x").with_param("note", "two words")
    assert str(tagged) == '"A" <sip:a@h>;tag=x;note="two words"'
    assert tagged.tag == "x"
    assert tagged.without_params() == address


def test_control_characters_leave_display_names() -> None:
    assert NameAddr.parse('"a\\\x00\\\x07b" <sip:a@h>').display_name == "ab"


@given(st.text(alphabet=st.characters(codec="utf-8")))
@example(" " * 5000)
@example('"' + "\\" * 5000)
def test_name_addr_parsing_is_total(text: str) -> None:
    for candidate in (text, f"{text} <sip:a@h>", f"<sip:a@h>;{text}", f'"{text}" <sip:a@h>'):
        try:
            address = NameAddr.parse(candidate)
        except SipParseError:
            continue
        assert NameAddr.parse(str(address)) == address

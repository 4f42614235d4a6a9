"""Bodies, credentials and values of REST requests."""

from __future__ import annotations

import base64
import threading
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from ringback.dialects import http
from ringback.dialects.http import BadBody, Parameters
from ringback.routing.directory import Account, Directory

ACCOUNT = Account(id=UUID("3fa85f64-5717-4562-b3fc-2c963f66afa6"), name="demo", token="secret")
OTHER = Account(id=UUID(int=7), name="other", token="secret2")
DIRECTORY = Directory([ACCOUNT, OTHER])


def request(body: bytes = b"", query: str = "", **headers: str) -> Request:
    parts = [body[i : i + 1000] for i in range(0, len(body), 1000)] or [b""]

    async def receive() -> dict[str, Any]:
        part = parts.pop(0)
        return {"type": "http.request", "body": part, "more_body": bool(parts)}

    raw = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
    scope = {"type": "http", "method": "POST", "path": "/", "headers": raw, "query_string": query.encode()}
    return Request(scope, receive)


async def test_a_form_with_repeated_and_empty_values() -> None:
    given = await http.read_parameters(request(b"A=1&B=&A=2&C=%2B1+x&D=%ff"))
    assert given.get("A") == "2"
    assert given.all("A") == ["1", "2"]
    assert given.get("B", "default") == ""
    assert given.get("E", "default") == "default"
    assert given.get("C") == "+1 x"
    assert "B" in given
    assert "E" not in given
    assert given.names() == ["A", "B", "C", "D"]


async def test_a_json_object_reads_like_a_form() -> None:
    body = b'{"A": "1", "B": ["x", "y"], "C": true, "D": 5, "E": null, "F": {"g": 1}}'
    given = await http.read_parameters(request(body, content_type="application/json; charset=utf-8"))
    assert given.pairs == (("A", "1"), ("B", "x"), ("B", "y"), ("C", "true"), ("D", "5"), ("F", '{"g":1}'))


@pytest.mark.parametrize(
    ("body", "content_type", "kind", "status"),
    [
        (b"{", "application/json", "bad-json", 400),
        (b'{"a": "\xff"}', "application/json", "bad-json", 400),
        (b"[" * 100000, "application/json", "bad-json", 400),
        (b"[1]", "application/json", "not-an-object", 400),
        (b"x", "multipart/form-data; boundary=y", "unsupported-type", 415),
        (b"&".join(b"a=1" for _ in range(1001)), "", "bad-form", 400),
        (b"a=" + b"%41" * 30_000, "", "bad-form", 400),
        (b"x" * 70_000 + b"=a", "", "bad-form", 400),
        (b'{"a": [%s1]}' % (b"1," * 1000), "application/json", "bad-form", 400),
        (b'{"a": [%s1], "b": [%s1]}' % (b"1," * 500, b"1," * 500), "application/json", "bad-form", 400),
        (b'{"a": "%s"}' % (b"x" * 70_000), "application/json", "bad-form", 400),
        (b'{"a": [%s1]}' % (b"[]," * 50_000), "application/json", "too-large", 413),
    ],
)
async def test_bodies_that_are_refused(body: bytes, content_type: str, kind: str, status: int) -> None:
    with pytest.raises(BadBody) as caught:
        await http.read_parameters(request(body, content_type=content_type))
    assert (caught.value.kind, caught.value.status) == (kind, status)


async def test_a_body_past_the_limit_is_refused_declared_or_not() -> None:
    for headers in ({"content_length": "5001"}, {}, {"content_length": "9" * 5000}):
        with pytest.raises(BadBody) as caught:
            await http.read_body(request(b"x" * 5001, **headers), 5000)
        assert (caught.value.kind, caught.value.status) == ("too-large", 413)
    assert await http.read_body(request(b"x" * 5000, content_length="5000"), 5000) == b"x" * 5000


@pytest.mark.parametrize(("size", "aside"), [(5, False), (50_000, True)])
async def test_a_long_form_is_read_beside_the_event_loop(
    size: int, aside: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[threading.Thread] = []
    parse = http.parse_form

    def noting(body: bytes) -> Parameters:
        threads.append(threading.current_thread())
        return parse(body)

    monkeypatch.setattr(http, "parse_form", noting)
    given = await http.read_parameters(request(b"A=" + b"%41" * (size // 3) + b"&B=%C3%A4"))
    assert given.pairs == (("A", "A" * (size // 3)), ("B", "ä"))
    assert (threads != [threading.main_thread()]) is aside


async def test_json_bodies_as_they_are() -> None:
    assert await http.read_json(request(b' [1, {"a": null}] ')) == [1, {"a": None}]
    assert await http.read_json(request(b"")) is None


def basic(text: str) -> Request:
    return request(authorization="Basic " + base64.b64encode(text.encode()).decode())


@pytest.mark.parametrize(
    "user",
    [
        "3fa85f64-5717-4562-b3fc-2c963f66afa6",
        "AC3fa85f6457174562b3fc2c963f66afa6",
        "3fa85f6457174562b3fc2c963f66afa6",
    ],
)
def test_every_spelling_of_an_account_is_accepted(user: str) -> None:
    assert http.basic_account(basic(f"{user}:secret"), DIRECTORY) == ACCOUNT


@pytest.mark.parametrize(
    "given",
    [
        basic("3fa85f64-5717-4562-b3fc-2c963f66afa6:wrong"),
        basic("3fa85f64-5717-4562-b3fc-2c963f66afa6:secret2"),
        basic("3fa85f64-5717-4562-b3fc-2c963f66afa6:"),
        basic("00000000-0000-0000-0000-000000000001:unknown"),
        basic("demo:secret"),
        basic("no colon"),
        request(authorization="Basic ###"),
        request(authorization="Bearer secret"),
        request(),
    ],
)
def test_wrong_credentials_are_nobody(given: Request) -> None:
    assert http.basic_account(given, DIRECTORY) is None


def test_bearer_tokens() -> None:
    assert http.bearer_token(request(authorization="Bearer abc ")) == "abc"
    assert http.bearer_token(request(authorization="Basic abc")) is None
    assert http.bearer_token(request()) is None
    assert http.token_account("secret2", DIRECTORY) == OTHER
    assert http.token_account("", DIRECTORY) is None
    assert http.token_account("nope", DIRECTORY) is None
    assert not http.same_secret("", "")


def test_values() -> None:
    assert [http.boolean(text) for text in ("true", "True", "1", "false", "0", "", "x")] == [
        True,
        True,
        True,
        False,
        False,
        None,
        None,
    ]
    assert http.integer(" 12 ", least=1, most=12) == 12
    for text in ("", "1.5", "13", "0", "x", "9" * 5000, "²"):
        assert http.integer(text, least=1, most=12) is None
    assert http.words(["a b", "c,d", ""]) == ["a", "b", "c", "d"]
    assert isinstance(Parameters().get("x"), str)


def test_dates() -> None:
    at = datetime(2018, 9, 19, 20, 0, 0, 123456, UTC)
    assert http.rfc2822(at) == "Wed, 19 Sep 2018 20:00:00 +0000"
    assert http.iso8601(at) == "2018-09-19T20:00:00.123Z"
    day = datetime(2024, 1, 31, tzinfo=UTC)
    assert http.parse_moment("2024-01-31") == (day, day + timedelta(days=1))
    second = (datetime(2024, 1, 31, 12, 0, 1, tzinfo=UTC), datetime(2024, 1, 31, 12, 0, 2, tzinfo=UTC))
    for text in (
        "2024-01-31T12:00:01Z",
        "2024-01-31T12:00:01",
        "2024-01-31T14:00:01+02:00",
        "2024-01-31T14:00:01 02:00",
        "2024-01-31 12:00:01",
        "Wed, 31 Jan 2024 12:00:01 +0000",
        "Wed, 31 Jan 2024 12:00:01 GMT",
    ):
        assert http.parse_moment(text) == second, text
    for text in ("", "yesterday", "2024-13-01", "2024-01-31T99:00:00", "9999-12-31"):
        assert http.parse_moment(text) is None, text


@given(st.datetimes(min_value=datetime(1000, 1, 1), timezones=st.timezones()))
def test_dates_are_written_as_rfc_2822_says(at: datetime) -> None:
    assert http.rfc2822(at) == format_datetime(at.astimezone(UTC))

"""What the REST surfaces share: bodies read within a limit, parameters, credentials, booleans and dates."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Literal
from urllib.parse import unquote_to_bytes

import msgspec
from starlette.requests import Request

from ringback.dialects.spelling import read_sid
from ringback.routing.directory import Account, Directory

MAX_BODY = 10 * 1024 * 1024
MAX_JSON = 128 * 1024
"""JSON is read in one go, during which nothing else happens: this much in a few milliseconds at the worst."""
MAX_PARAMETERS = 1000
MAX_VALUE = 64 * 1024
"""A parameter's value, as it is sent."""
_SMALL = 8 * 1024  # what is read on the event loop; above that, in a thread

BodyProblem = Literal["too-large", "bad-json", "not-an-object", "bad-form", "unsupported-type"]
FORM = "application/x-www-form-urlencoded"

_TRUE = frozenset({"true", "1", "yes", "on"})
_FALSE = frozenset({"false", "0", "no", "off"})
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


class BadBody(Exception):
    """A request body that cannot be used; the dialect words it. `status` is the fitting HTTP status."""

    def __init__(self, kind: BodyProblem, message: str) -> None:
        super().__init__(message)
        self.kind: BodyProblem = kind
        self.message = message

    @property
    def status(self) -> int:
        """413 for what is too large, 415 for a foreign media type, else 400."""
        return {"too-large": 413, "unsupported-type": 415}.get(self.kind, 400)


class Parameters:
    """Named values of a query or body; a name may occur several times. Names are case-sensitive."""

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self.pairs: tuple[tuple[str, str], ...] = tuple(pairs)
        self._values: dict[str, list[str]] = {}
        for name, value in self.pairs:
            self._values.setdefault(name, []).append(value)

    def get(self, name: str, default: str = "") -> str:
        """The last value of that name."""
        return self._values[name][-1] if name in self._values else default

    def all(self, name: str) -> list[str]:
        """All values of that name, in order."""
        return list(self._values.get(name, ()))

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def names(self) -> list[str]:
        """The names in the order in which they came."""
        return list(self._values)


async def read_body(request: Request, limit: int = MAX_BODY) -> bytes:
    """The whole body.

    Raises:
        BadBody: `too-large`; what is past the limit is not read.
    """
    declared = integer(request.headers.get("content-length", ""))
    if declared is not None and declared > limit:
        raise BadBody("too-large", f"the body has {declared} bytes, {limit} are allowed")
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > limit:
            raise BadBody("too-large", f"the body has more than {limit} bytes")
    return bytes(body)


async def read_json(request: Request, limit: int = MAX_JSON) -> Any:
    """The body as JSON; None when it is empty.

    Raises:
        BadBody: `too-large`, `bad-json`.
    """
    return _json(await read_body(request, limit))


async def read_parameters(request: Request, limit: int = MAX_BODY) -> Parameters:
    """The body's parameters, from a form or (Content-Type `application/json`) a JSON object.

    In JSON, lists are repeated parameters, booleans `true` and `false`, null is absence, objects JSON text.
    `limit` is a form's; JSON has its own.

    Raises:
        BadBody: `too-large`, `bad-json`, `not-an-object`, `bad-form`, `unsupported-type` (multipart).
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json" or kind.endswith("+json"):
        return _from_json(await read_json(request))
    body = await read_body(request, limit)
    if kind.startswith("multipart/"):
        raise BadBody("unsupported-type", f"expected {FORM} or application/json, got {kind}")
    return parse_form(body) if len(body) <= _SMALL else await asyncio.to_thread(parse_form, body)


def parse_form(body: bytes) -> Parameters:
    """`application/x-www-form-urlencoded`; bytes that are not UTF-8 become U+FFFD.

    Raises:
        BadBody: `bad-form`: too many fields, or one that is too long.
    """
    if body.count(b"&") >= MAX_PARAMETERS:
        raise BadBody("bad-form", f"the body has more than {MAX_PARAMETERS} parameters")
    return Parameters(_field(field) for field in body.split(b"&") if field)


def _field(field: bytes) -> tuple[str, str]:
    name, _, value = field.partition(b"=")
    if len(field) > MAX_VALUE:
        raise _too_long(_unquoted(name[:100]))
    return _unquoted(name), _unquoted(value)


def _unquoted(text: bytes) -> str:
    return unquote_to_bytes(text.replace(b"+", b" ")).decode("utf-8", "replace")


def _too_long(name: str) -> BadBody:
    return BadBody("bad-form", f"the parameter {name[:100]} has more than {MAX_VALUE} bytes")


def query_parameters(request: Request) -> Parameters:
    """The parameters of the URL."""
    return Parameters(request.query_params.multi_items())


def _json(body: bytes) -> Any:
    if not body.strip():
        return None
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadBody("bad-json", f"the body is not JSON: {error}") from None


def _from_json(value: Any) -> Parameters:
    if value is None:
        return Parameters()
    if not isinstance(value, dict):
        raise BadBody("not-an-object", f"expected a JSON object, got {type(value).__name__}")
    pairs: list[tuple[str, str]] = []
    for name, item in value.items():
        given = [one for one in (item if isinstance(item, list) else [item]) if one is not None]
        if len(pairs) + len(given) > MAX_PARAMETERS:
            raise BadBody("bad-form", f"the body has more than {MAX_PARAMETERS} parameters")
        pairs += [(name, _plain(name, one)) for one in given]
    return Parameters(pairs)


def _plain(name: str, value: Any) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    if len(text) > MAX_VALUE:
        raise _too_long(name)
    return text


# -- credentials


def basic_credentials(request: Request) -> tuple[str, str] | None:
    """User and password of `Authorization: Basic …` (RFC 7617); None when absent or broken."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        text = base64.b64decode(value.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    user, colon, password = text.partition(":")
    return (user, password) if colon else None


def bearer_token(request: Request) -> str | None:
    """The token of `Authorization: Bearer …` (RFC 6750); None when absent."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    return value.strip() or None if scheme.lower() == "bearer" else None


def same_secret(given: str, expected: str) -> bool:
    """Compare in constant time; nothing equals an empty secret."""
    return hmac.compare_digest(given.encode(), expected.encode()) and bool(expected)


def basic_account(request: Request, directory: Directory) -> Account | None:
    """The account whose SID, in any spelling, and token the request gives as Basic credentials."""
    credentials = basic_credentials(request)
    if credentials is None:
        return None
    id = read_sid(credentials[0])
    account = None if id is None else directory.account(id)
    # An unknown account costs the same comparison as a wrong token.
    matches = same_secret(credentials[1], account.token if account else "unknown")
    return account if matches and account else None


def token_account(given: str, directory: Directory) -> Account | None:
    """The account with that token; every account is compared, so that time tells nothing."""
    found = None
    for account in directory.all(Account):
        if same_secret(given, account.token) and found is None:
            found = account
    return found


# -- values


def is_one_line(text: str) -> bool:
    """Whether a text can stand in a SIP header: no control characters."""
    return not any(char < " " or char == "\x7f" for char in text)


def boolean(text: str) -> bool | None:
    """`true`, `True`, `1`, … and their opposites; None for anything else."""
    lowered = text.strip().lower()
    return True if lowered in _TRUE else False if lowered in _FALSE else None


def integer(text: str, *, least: int | None = None, most: int | None = None) -> int | None:
    """A decimal number within the bounds; None for anything else."""
    stripped = text.strip()
    if not re.fullmatch(r"[+-]?[0-9]{1,15}", stripped):
        return None
    value = int(stripped)
    if (least is not None and value < least) or (most is not None and value > most):
        return None
    return value


def words(values: Sequence[str]) -> list[str]:
    """List parameters: repeated, or several words in one value, separated by spaces or commas."""
    return [word for value in values for word in re.split(r"[\s,]+", value) if word]


def rfc2822(at: datetime) -> str:
    """`Wed, 19 Sep 2018 20:00:00 +0000`, always UTC."""
    at = at.astimezone(UTC)
    text = str(at)  # taken apart, as long lists hold thousands: `email.utils` takes four times as long
    return f"{_DAYS[at.weekday()]}, {text[8:10]} {_MONTHS[at.month - 1]} {text[:4]} {text[11:19]} +0000"


def iso8601(at: datetime) -> str:
    """`2018-09-19T20:00:00.123Z`, always UTC, milliseconds."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_moment(text: str) -> tuple[datetime, datetime] | None:
    """The span that a date or time in a filter names: [from, before).

    `2024-01-31` is that day in UTC; ISO 8601 date-times and RFC 2822 dates are one second. No zone means UTC.
    None when the text is none of these.
    """
    text = text.strip()
    try:
        if _DAY.fullmatch(text):
            day = datetime.combine(date.fromisoformat(text), datetime.min.time(), UTC)
            return day, day + timedelta(days=1)
        at = _moment(text)
        return at, at + timedelta(seconds=1)
    except (ValueError, OverflowError):
        return None


def _moment(text: str) -> datetime:
    try:
        # A + in a query string that nobody escaped arrives as a space.
        at = datetime.fromisoformat(re.sub(r" (?=\d{2}:?\d{2}$)", "+", text) if "T" in text else text)
    except ValueError:
        at = parsedate_to_datetime(text)
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC).replace(microsecond=0)

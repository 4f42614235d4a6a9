"""Bytes to messages: one datagram, or the head of one framed message.

The parser is total: it returns a message or raises ``SipParseError``, nothing else. Whatever two parsers
could read in two ways (a repeated From, a bare CR, a control character, a Content-Length beyond the end) is
refused.
"""

from __future__ import annotations

import re
from typing import Final, Literal

from ringback.sip.errors import SipParseError
from ringback.sip.grammar import QUOTED, WS
from ringback.sip.headers import Headers
from ringback.sip.message import Message, Request, Response
from ringback.sip.uri import Uri

MAX_MESSAGE: Final = 65_536
MAX_LINE: Final = 8_192
MAX_FIELDS: Final = 256
MAX_URI: Final = 2_048

Kind = Literal["sip", "keepalive", "stun", "garbage"]

_STUN_COOKIE: Final = b"\x21\x12\xa4\x42"
_SINGLE: Final = (
    "From",
    "To",
    "Call-ID",
    "CSeq",
    "Content-Length",
    "Max-Forwards",
    "Content-Type",
    "Expires",
)
_CONTROLS: Final = bytes([*range(9), *range(10, 32), 127])
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_ESCAPED: Final = re.compile(r"\\[^\r\n]")
_FOLD: Final = re.compile(r"[ \t]*\r\n[ \t]+")
_REQUEST_LINE: Final = re.compile(r"([A-Za-z0-9\-.!%*_+`'~]+) ([^ \t]+) (SIP/[0-9]+\.[0-9]+)", re.IGNORECASE)
_STATUS_LINE: Final = re.compile(r"(SIP/[0-9]+\.[0-9]+) ([1-6][0-9]{2})(?: (.*))?", re.IGNORECASE)
_SIP_LINE: Final = re.compile(rb"SIP/[0-9]|[^\r\n]*[ \t]SIP/[0-9.]+[ \t]*\r?\n", re.IGNORECASE)


def classify(datagram: bytes) -> Kind:
    """What a datagram is, at a glance. Keep-alives: CR, LF and NUL only, or nothing at all
    (:rfc:`5626#section-4.4`).
    """
    if not datagram.strip(b"\r\n\0"):
        return "keepalive"
    if datagram[0] < 64 and len(datagram) >= 20 and datagram[4:8] == _STUN_COOKIE:
        return "stun"
    return "sip" if _SIP_LINE.match(datagram.lstrip(b"\r\n")) else "garbage"


def parse_message(data: bytes) -> Message:
    """Read one message that fills a datagram. Raises SipParseError.

    Octets beyond Content-Length are dropped; without Content-Length the body is the rest
    (:rfc:`3261#section-18.3`).
    """
    data = data.lstrip(b"\r\n")
    if len(data) > MAX_MESSAGE:
        raise SipParseError("Message Too Large", 513)
    end = data.find(b"\r\n\r\n")
    if end < 0:
        raise SipParseError("Missing End of Header Fields")
    message = parse_head(data[:end])
    body = data[end + 4 :]
    length = message.content_length
    if length is not None and length != len(body):
        if length > len(body):
            raise SipParseError("Content-Length Exceeds Message", partial=answerable(message))
        body = body[:length]
    message.body = body
    return message


def parse_head(head: bytes) -> Message:
    """Read start line and header fields, without the empty line that ends them. Raises SipParseError."""
    try:
        lines = _lines(head)
        headers = Headers()
        if not headers.append_parsed(lines[1:]):
            raise SipParseError("Malformed Header Field")
        message = _start(lines[0], headers)
        _check(message)
    except SipParseError as error:
        error.partial = _partial(head)
        raise
    return message


def _lines(head: bytes) -> list[str]:
    """The unfolded lines. A control character is an error unless a quoted-string escapes it."""
    controls = len(head) - len(head.translate(None, _CONTROLS))
    text = _decode(head)
    if "\r\n " in text or "\r\n\t" in text:
        text = _FOLD.sub(" ", text)
        controls = -1
    lines = text.split("\r\n")
    # Cheap proof that there is none: all control characters are the CRs and LFs of the line ends.
    if controls != 2 * (len(lines) - 1) and any(map(_has_control, lines)):
        raise SipParseError("Control Character in Header Field")
    if len(lines) > MAX_FIELDS:
        raise SipParseError("Too Many Header Fields")
    if len(text) > MAX_LINE and any(len(line) > MAX_LINE for line in lines):
        raise SipParseError("Header Field Too Long")
    return lines


def _decode(head: bytes) -> str:
    try:
        return head.decode()
    except UnicodeDecodeError:
        # RFC 3261 wants UTF-8; some telephones send Latin-1 names, and Latin-1 reads anything.
        return head.decode("latin-1")


def _has_control(line: str) -> bool:
    if _CONTROL.search(line) is None:
        return False
    return _CONTROL.search(QUOTED.sub(lambda quoted: _ESCAPED.sub("", quoted.group()), line)) is not None


def _start(line: str, headers: Headers) -> Message:
    request = _REQUEST_LINE.fullmatch(line)
    if request is not None:
        method, uri_text, version = request.groups()
        _check_version(version)
        return Request(method, _request_uri(uri_text), headers)
    status = _STATUS_LINE.fullmatch(line)
    if status is None:
        raise SipParseError("Malformed Start Line")
    _check_version(status.group(1))
    return Response(int(status.group(2)), status.group(3) or "", headers)


def _check_version(version: str) -> None:
    if version != "SIP/2.0" and version.upper() != "SIP/2.0":
        raise SipParseError("Version Not Supported", 505)


def _request_uri(text: str) -> Uri:
    if len(text) > MAX_URI:
        raise SipParseError("Request-URI Too Long", 414)
    uri = Uri.parse(text)
    if uri.opaque:
        raise SipParseError("Unsupported URI Scheme", 416)
    if uri.headers:
        raise SipParseError("Header Fields in Request-URI")
    return uri


def _check(message: Message) -> None:
    """What a transaction needs of a message must be there, once, and readable."""
    repeated = message.headers.first_repeated(_SINGLE)
    if repeated is not None:
        raise SipParseError(f"Repeated {repeated}")
    message.read_common()
    if isinstance(message, Request) and message.method != message.cseq.method:
        raise SipParseError("CSeq Does Not Match Method")


def _partial(head: bytes) -> Message | None:
    """As much of a refused request as an answer to it needs, or None."""
    start, *fields = _FOLD.sub(" ", _decode(head[:MAX_MESSAGE])).split("\r\n")[:MAX_FIELDS]
    if start[:4].upper() == "SIP/":
        return None
    headers = Headers()
    for line in fields:
        if len(line) <= MAX_LINE and not _has_control(line):
            headers.append_parsed([line])
    headers.keep_first(_SINGLE)
    method, _, rest = start.partition(" ")
    return answerable(Request(method, Uri(raw=rest.strip(WS).partition(" ")[0]), headers))


def answerable(message: Message) -> Message | None:
    """The message, when it is a request that can be answered: not an ACK, and its Via says where to."""
    if not isinstance(message, Request) or message.method == "ACK":
        return None
    try:
        _ = message.via
    except SipParseError:
        return None
    return message

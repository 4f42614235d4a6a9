"""Session descriptions as values (:rfc:`8866`): read, ask, change, write.

Every line is kept, known or not, so that a description that passes through comes out as it went in. What
the lines mean for a call is in ``ringback.sip.negotiate``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import Any, Final, Literal

import msgspec

from ringback.sip.errors import SdpError

Direction = Literal["sendrecv", "sendonly", "recvonly", "inactive"]
Line = tuple[str, str]

MAX_SIZE: Final = 65_536
MAX_LINES: Final = 2_000
MAX_MEDIA: Final = 64

_NUMBER: Final = re.compile(r"[0-9]{1,20}")
_MEDIA: Final = re.compile(r"([^ ]+) ([0-9]{1,5})(?:/([0-9]{1,3}))? ([^ ]+)((?: +[^ ]+)*) *")
_RTPMAP: Final = re.compile(r"([0-9]{1,3}) +([^ /]+)/([0-9]{1,6})(?:/([0-9]{1,2}))? *")
_FMTP: Final = re.compile(r"([0-9]{1,3}) +(.+)")
_ORIGIN: Final = re.compile(r"([^ ]+) ([0-9]{1,20}) ([0-9]{1,20}) IN (IP4|IP6) ([^ ]+) *")
_CONNECTION: Final = re.compile(r"IN (IP4|IP6) ([A-Za-z0-9._\-:]+)(?:/[0-9]+){0,2} *")
_RTCP: Final = re.compile(r"([0-9]{1,5})(?: +IN +(?:IP4|IP6) +([^ ]+))? *")
_NO_LINE: Final = re.compile(r"^(?![a-z]=)", re.MULTILINE)


class Codec(msgspec.Struct, frozen=True):
    """What an rtpmap says; ``name`` is in upper case, ``rate`` is the RTP clock in Hz."""

    name: str
    rate: int
    channels: int = 1

    def __str__(self) -> str:
        channels = f"/{self.channels}" if self.channels > 1 else ""
        return f"{self.name}/{self.rate}{channels}"


# RFC 3551 tables 4 and 5: these need no rtpmap.
STATIC_PAYLOAD_TYPES: Final[dict[int, Codec]] = {
    0: Codec("PCMU", 8000),
    3: Codec("GSM", 8000),
    4: Codec("G723", 8000),
    5: Codec("DVI4", 8000),
    6: Codec("DVI4", 16000),
    7: Codec("LPC", 8000),
    8: Codec("PCMA", 8000),
    9: Codec("G722", 8000),
    10: Codec("L16", 44100, 2),
    11: Codec("L16", 44100),
    12: Codec("QCELP", 8000),
    13: Codec("CN", 8000),
    14: Codec("MPA", 90000),
    15: Codec("G728", 8000),
    16: Codec("DVI4", 11025),
    17: Codec("DVI4", 22050),
    18: Codec("G729", 8000),
    26: Codec("JPEG", 90000),
    31: Codec("H261", 90000),
    32: Codec("MPV", 90000),
    34: Codec("H263", 90000),
}


class Origin(msgspec.Struct, frozen=True):
    """The o= line: who made this session, and which version of its description this is."""

    username: str
    session_id: int
    version: int
    host: str

    def __str__(self) -> str:
        return f"{self.username} {self.session_id} {self.version} {address(self.host)}"


class _Section(msgspec.Struct, frozen=True, dict=True):
    """What session and media sections share: lines in their order, as (type, value).

    What an offer and its answer ask for several times is read from the lines once.
    """

    lines: tuple[Line, ...] = ()

    @cached_property
    def attributes(self) -> Mapping[str, list[str]]:
        """The values of every ``a=name:value``, by name; ``""`` for a flag."""
        found: dict[str, list[str]] = {}
        for kind, value in self.lines:
            if kind == "a":
                name, _, rest = value.partition(":")
                found.setdefault(name, []).append(rest)
        return found

    def attribute(self, name: str) -> str | None:
        """The first value of that attribute; ``""`` for a flag, None when it is absent."""
        values = self.attributes.get(name)
        return values[0] if values else None

    @cached_property
    def connection(self) -> str | None:
        """The address of the c= line of this section, without TTL. May be a host name."""
        for kind, value in self.lines:
            if kind == "c":
                match = _CONNECTION.fullmatch(value)
                return match.group(2) if match else None
        return None

    @cached_property
    def direction(self) -> Direction | None:
        """The direction attribute of this section."""
        for kind, value in self.lines:
            if kind == "a" and (direction := _direction(value)) is not None:
                return direction
        return None


class MediaDescription(_Section, frozen=True):
    """One m= section. ``port`` 0 is a stream that is refused or not used."""

    kind: str = "audio"
    port: int = 0
    num_ports: int = 1
    protocol: str = "RTP/AVP"
    formats: tuple[str, ...] = ()

    @property
    def payload_types(self) -> list[int]:
        """The formats that are RTP payload types, in order of preference."""
        return _payload_types(self.formats)

    @cached_property
    def codecs(self) -> Mapping[int, Codec]:
        """Payload type to codec in order of preference: by rtpmap, else by the static table; unknown ones
        are left out.
        """
        return _codecs(tuple(self.attributes.get("rtpmap", ())), self.formats)

    @property
    def fmtp(self) -> dict[int, str]:
        """Payload type to its format parameters."""
        matches = (_FMTP.fullmatch(value) for value in self.attributes.get("fmtp", ()))
        return {int(match.group(1)): match.group(2) for match in matches if match}

    @property
    def ptime(self) -> int | None:
        """Milliseconds of audio in a packet that the sender of this description wants to receive."""
        value = self.attribute("ptime")
        return int(value) if value and re.fullmatch(r"[0-9]{1,4}", value) else None

    @property
    def maxptime(self) -> int | None:
        value = self.attribute("maxptime")
        return int(value) if value and re.fullmatch(r"[0-9]{1,4}", value) else None

    @property
    def rtcp_mux(self) -> bool:
        return self.attribute("rtcp-mux") is not None

    @property
    def rtcp(self) -> tuple[int, str | None]:
        """The RTCP port (:rfc:`3605`; by default the one after ``port``) and its address if it has one of
        its own.
        """
        match = _RTCP.fullmatch(self.attribute("rtcp") or "")
        if match is None or int(match.group(1)) > 65535:
            return min(self.port + 1, 65535), None
        return int(match.group(1)), match.group(2)

    def refused(self) -> MediaDescription:
        """The answer to a stream that is not wanted (:rfc:`3264#section-6`)."""
        return MediaDescription((), self.kind, 0, 1, self.protocol, self.formats)


class SessionDescription(_Section, frozen=True):
    """A whole description. ``lines`` are those of the session section after s=, in their order."""

    origin: Origin = Origin("-", 0, 0, "0.0.0.0")
    name: str = "-"
    media: tuple[MediaDescription, ...] = ()

    @staticmethod
    def parse(data: bytes) -> SessionDescription:
        """Read a description. Raises SdpError (400)."""
        return _parse(data)

    @property
    def times(self) -> tuple[str, ...]:
        """The values of the t= lines."""
        return tuple(value for kind, value in self.lines if kind == "t")

    def connection_of(self, media: MediaDescription) -> str:
        """Where that stream is received: its own c= line, else the session's. Raises SdpError (400) without
        either.
        """
        host = media.connection or self.connection
        if host is None:
            raise SdpError("No Connection Address", 400)
        return host

    def direction_of(self, media: MediaDescription) -> Direction:
        return media.direction or self.direction or "sendrecv"

    def with_(self, **changes: Any) -> SessionDescription:
        return msgspec.structs.replace(self, **changes)

    def __str__(self) -> str:
        out = ["v=0", f"o={self.origin}", f"s={self.name}"]
        out += [f"{kind}={value}" for kind, value in self.lines]
        for media in self.media:
            ports = f"{media.port}/{media.num_ports}" if media.num_ports > 1 else f"{media.port}"
            out.append(f"m={media.kind} {ports} {' '.join((media.protocol, *media.formats))}")
            out += [f"{kind}={value}" for kind, value in media.lines]
        return "\r\n".join(out) + "\r\n"

    def encode(self) -> bytes:
        """The body of a message of type application/sdp."""
        return str(self).encode("utf-8", "surrogateescape")


def _payload_types(formats: tuple[str, ...]) -> list[int]:
    return [int(item) for item in formats if _NUMBER.fullmatch(item) and int(item) < 128]


@lru_cache(maxsize=64)
def _codecs(rtpmaps: tuple[str, ...], formats: tuple[str, ...]) -> Mapping[int, Codec]:
    """Remembered: the telephones of one make, and we, say the same in every call."""
    mapped: dict[int, Codec] = {}
    for value in rtpmaps:
        if (match := _RTPMAP.fullmatch(value)) is not None:
            number, name, rate, channels = match.groups()
            mapped.setdefault(int(number), Codec(name.upper(), int(rate), int(channels or 1)))
    return {
        number: codec
        for number in _payload_types(formats)
        if (codec := mapped.get(number) or STATIC_PAYLOAD_TYPES.get(number)) is not None
    }


def address(host: str) -> str:
    """``IN IP4 192.0.2.1`` or ``IN IP6 2001:db8::1``."""
    return f"IN {'IP6' if ':' in host else 'IP4'} {host}"


def _direction(value: str) -> Direction | None:
    match value.strip():
        case "sendrecv" | "sendonly" | "recvonly" | "inactive" as direction:
            return direction
    return None


def _parse(data: bytes) -> SessionDescription:
    lines = _lines(data)
    if not lines or lines[0][0] != "v" or lines[0][1].strip() != "0":
        raise SdpError("Not a Session Description", 400)
    starts = [index for index, (kind, _) in enumerate(lines) if kind == "m"]
    if len(starts) > MAX_MEDIA:
        raise SdpError("Too Many Media Descriptions", 400)
    bounds = [*starts, len(lines)]
    session = lines[1 : bounds[0]]
    origins = [value for kind, value in session if kind == "o"]
    if len(origins) != 1:
        raise SdpError("Malformed Origin", 400)
    return SessionDescription(
        lines=tuple(line for line in session if line[0] not in "os"),
        origin=_origin(origins[0]),
        name=next((value for kind, value in session if kind == "s"), "-"),
        media=tuple(_media(lines[start:end]) for start, end in pairwise(bounds)),
    )


def _lines(data: bytes) -> list[Line]:
    """The lines as (type, value); line ends may be CR LF, LF or CR (:rfc:`8866#section-9`)."""
    if len(data) > MAX_SIZE or b"\0" in data:
        raise SdpError("Malformed Session Description", 400)
    text = data.decode("utf-8", "surrogateescape").replace("\r\n", "\n").replace("\r", "\n").strip("\n")
    rows = text.split("\n")
    if len(rows) > MAX_LINES or _NO_LINE.search(text) is not None:
        raise SdpError("Malformed Session Description", 400)
    lines = [(row[0], row[2:]) for row in rows]
    for kind, value in lines:
        if kind == "c" and _CONNECTION.fullmatch(value) is None:
            raise SdpError("Malformed Connection", 400)
    return lines


def _origin(value: str) -> Origin:
    match = _ORIGIN.fullmatch(value)
    if match is None:
        raise SdpError("Malformed Origin", 400)
    username, session_id, version, _, host = match.groups()
    return Origin(username, int(session_id), int(version), host)


def _media(lines: list[Line]) -> MediaDescription:
    match = _MEDIA.fullmatch(lines[0][1])
    if match is None or int(match.group(2)) > 65535:
        raise SdpError("Malformed Media Description", 400)
    kind, port, count, protocol, formats = match.groups()
    return MediaDescription(
        tuple(lines[1:]), kind.lower(), int(port), int(count or 1), protocol, tuple(formats.split())
    )

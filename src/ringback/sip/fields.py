"""Header field values with a shape of their own: Via, CSeq, and media types."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import msgspec

from ringback.sip.errors import SipParseError
from ringback.sip.grammar import NO_PARAMS, WS, Params, split_list
from ringback.sip.uri import Uri

_TOKEN = r"([A-Za-z0-9\-.!%*_+`'~]+)"
_SLASH = r"[ \t]*/[ \t]*"
_VIA = re.compile(
    _TOKEN + _SLASH + _TOKEN + _SLASH + _TOKEN + r"[ \t]+"
    r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._\-]+)[ \t]*(?::[ \t]*([0-9]{1,5})[ \t]*)?(;.*)?",
    re.DOTALL,
)
_CSEQ = re.compile(r"([0-9]{1,20})[ \t]+" + _TOKEN)
_MEDIA_TYPE = re.compile(_TOKEN + _SLASH + _TOKEN + r"[ \t]*(;.*)?", re.DOTALL)


class Via(msgspec.Struct, frozen=True):
    """One Via value (:rfc:`3261#section-20.42`). ``transport`` is in upper case, ``host`` without
    brackets.
    """

    transport: str
    host: str
    port: int | None = None
    params: Params = NO_PARAMS
    protocol: str = "SIP/2.0"

    @staticmethod
    def parse(text: str) -> Via:
        """Read one value. Raises SipParseError (400)."""
        match = _VIA.fullmatch(text.strip(WS))
        if match is None:
            raise SipParseError("Malformed Via")
        name, version, transport, host, port_text, params_text = match.groups()
        if host[0] == "[":
            host = Uri.parse(f"sip:{host}").host
        port = int(port_text) if port_text else None
        params = Params.parse(params_text) if params_text else NO_PARAMS
        rport = params.get("rport")
        if (port is not None and port > 65535) or (rport and not _is_port(rport)):
            raise SipParseError("Malformed Via")
        return Via(transport.upper(), host, port, params, f"{name.upper()}/{version}")

    @staticmethod
    def parse_many(text: str) -> list[Via]:
        return [Via.parse(part) for part in split_list(text)]

    @property
    def branch(self) -> str | None:
        return self.params.get("branch")

    @property
    def magic_branch(self) -> str | None:
        """The branch in lower case, when it is unique as :rfc:`3261#section-8.1.1.7` promises; if not, match
        as RFC 2543 did."""
        branch = (self.params.get("branch") or "").lower()
        return branch if len(branch) > 7 and branch.startswith("z9hg4bk") else None

    @property
    def received(self) -> str | None:
        """The source address that the receiver noted, without brackets."""
        value = self.params.get("received")
        return value.strip("[]") if value else None

    @property
    def rport(self) -> int | str | None:
        """None: not there; ``""``: asked for (:rfc:`3581`); a number: filled in."""
        value = self.params.get("rport")
        return int(value) if value else value

    @property
    def sent_by(self) -> str:
        """``host[:port]`` in lower case, as transaction matching compares it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return (host if self.port is None else f"{host}:{self.port}").lower()

    def with_(self, **changes: Any) -> Via:
        return msgspec.structs.replace(self, **changes)

    def with_params(self, values: Mapping[str, str]) -> Via:
        return Via(self.transport, self.host, self.port, self.params.with_all(values), self.protocol)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port is None else f":{self.port}"
        return f"{self.protocol}/{self.transport} {host}{port}{self.params}"


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 5 and int(text) <= 65535


class CSeq(msgspec.Struct, frozen=True):
    """Sequence number, below 2**31, and method (:rfc:`3261#section-20.16`)."""

    number: int
    method: str

    @staticmethod
    def parse(text: str) -> CSeq:
        """Raises SipParseError (400)."""
        return _parse_cseq(text)

    def __str__(self) -> str:
        return f"{self.number} {self.method}"


@lru_cache(maxsize=1024)
def _parse_cseq(text: str) -> CSeq:
    match = _CSEQ.fullmatch(text)
    if match is None or (number := int(match.group(1))) >= 2**31:
        raise SipParseError("Malformed CSeq")
    return CSeq(number, match.group(2))


class MediaType(msgspec.Struct, frozen=True):
    """A Content-Type or one range of Accept; ``type`` and ``subtype`` are in lower case."""

    type: str
    subtype: str
    params: Params = NO_PARAMS

    @staticmethod
    def parse(text: str) -> MediaType:
        """Raises SipParseError (400)."""
        match = _MEDIA_TYPE.fullmatch(text.strip(WS))
        if match is None:
            raise SipParseError("Malformed Content-Type")
        return MediaType(match.group(1).lower(), match.group(2).lower(), Params.parse(match.group(3) or ""))

    @property
    def essence(self) -> str:
        """``type/subtype``"""
        return f"{self.type}/{self.subtype}"

    def __str__(self) -> str:
        return self.essence + str(self.params)

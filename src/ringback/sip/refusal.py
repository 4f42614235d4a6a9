"""Refusing a new call from the raw bytes of its INVITE: no parser, no transaction, nothing kept.

What a server can refuse under overload depends on what a refusal costs. So the few fields that a response
repeats (:rfc:`3261#section-8.2.6`) are cut out of the datagram as they are, and the response is the same for
each repetition (:rfc:`3261#section-8.2.7`). Whatever is unusual is left to the parser, after which the same
is refused more slowly. The ACK of a refusal is known by its tag, and dropped as cheaply.
"""

from __future__ import annotations

import re
import secrets
from typing import Final

from ringback.sip.layer import Key
from ringback.sip.reasons import REASONS

_FIELD: Final = re.compile(
    rb"\r\n(via|v|from|f|to|t|call-id|i|cseq|replaces)[ \t]*:[ \t]*([^\r\n]*)", re.IGNORECASE
)
_SHORT: Final = {b"v": b"via", b"f": b"from", b"t": b"to", b"i": b"call-id"}
_NEEDED: Final = {b"from", b"to", b"call-id", b"cseq"}
_VIA: Final = re.compile(rb"SIP/2\.0/[A-Za-z]+ (([A-Za-z0-9.-]+)(?::(\d{1,5}))?)((?:;[^;,\s\"]+)+)")
_BRANCH: Final = re.compile(rb";branch=(z9hG4bK[^;]+)", re.IGNORECASE)
_RPORT: Final = re.compile(rb";rport(?=;|$)", re.IGNORECASE)
_TAG: Final = re.compile(rb";[ \t]*tag[ \t]*=", re.IGNORECASE)
_DEFAULT_PORT: Final = 5060

_MARK: Final = secrets.token_hex(6)
"""What the tags of our refusals begin with, and no other tag."""
_MARKED: Final = f";tag={_MARK}".encode()


def is_ack_of_refusal(data: bytes) -> bool:
    """Whether a datagram is the ACK of a refusal: nobody waits for it."""
    return data.startswith(b"ACK ") and _MARKED in data


def refusal_tag(call_id: str, branch: str) -> str:
    """The To tag of a refusal: the same for each repetition of a request."""
    return f"{_MARK}{hash((call_id, branch)) & 0xFFFFFFFF:08x}"


class RawInvite:
    """What a refusal needs of an INVITE. `key` is what `layer.server_key` makes of the parsed one."""

    __slots__ = ("_branch", "_fields", "_vias", "call_id", "key")

    def __init__(self, branch: str, sent_by: str, vias: list[bytes], fields: dict[bytes, bytes]) -> None:
        self.key: Key = (branch, sent_by, "INVITE")
        self.call_id = fields[b"call-id"].decode("latin-1")
        self._branch = branch
        self._vias = vias
        self._fields = fields

    @classmethod
    def read(cls, data: bytes, host: str, port: int) -> RawInvite | None:
        """The INVITE of a new call that came from this address; None for all else, and for the unusual: what
        stands in several lines, is there twice, has to do with another call (Replaces), or is answered to
        another address than the one it came from."""
        end = data.find(b"\r\n\r\n")
        if end < 0 or not data.startswith(b"INVITE "):
            return None
        head = data[:end]
        if b"\r\n " in head or b"\r\n\t" in head:
            return None
        vias: list[bytes] = []
        fields: dict[bytes, bytes] = {}
        for written, value in _FIELD.findall(head):
            name = written.lower()
            name = _SHORT.get(name, name)
            if name == b"via":
                vias.append(value)
            elif name in fields:
                return None
            else:
                fields[name] = value
        if not vias or fields.keys() != _NEEDED or _TAG.search(fields[b"to"]) is not None:
            return None
        if not fields[b"cseq"].endswith(b" INVITE"):
            return None
        via = _VIA.fullmatch(vias[0])
        branch = _BRANCH.search(vias[0])
        if via is None or branch is None:
            return None
        sent_by, sender, sent_port, _ = via.groups()
        noted, asked = _RPORT.subn(f";rport={port};received={host}".encode(), vias[0])
        vias[0] = noted
        there = sender.decode() == host and int(sent_port or _DEFAULT_PORT) == port
        if asked > 1 or not (asked or there):
            return None
        return cls(branch[1].decode("latin-1").lower(), sent_by.decode().lower(), vias, fields)

    def refusal(self, status: int, retry_after: int) -> bytes:
        """The whole response, to be sent where the INVITE came from."""
        fields = self._fields
        tag = refusal_tag(self.call_id, self._branch)
        lines = [
            b"SIP/2.0 %d %s" % (status, REASONS.get(status, "Refused").encode()),
            *(b"Via: " + via for via in self._vias),
            b"From: " + fields[b"from"],
            b"To: %s;tag=%s" % (fields[b"to"], tag.encode()),
            b"Call-ID: " + fields[b"call-id"],
            b"CSeq: " + fields[b"cseq"],
            b"Retry-After: %d" % retry_after,
            b"Content-Length: 0\r\n\r\n",
        ]
        return b"\r\n".join(lines)

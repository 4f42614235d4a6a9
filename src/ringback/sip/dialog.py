"""Dialogs (RFC 3261 section 12): who talks to whom, along which route, and with which number next."""

from __future__ import annotations

import msgspec


class DialogState(msgspec.Struct, frozen=True):
    """A dialog on paper: enough to send a BYE in it after a restart. URIs and addresses as they are written."""

    call_id: str
    local: str
    remote: str
    route_set: tuple[str, ...]
    remote_target: str
    local_cseq: int
    contact: str
    transport: str
    host: str
    port: int

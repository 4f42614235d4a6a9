"""Refer: ask the far end to call somebody else."""

from __future__ import annotations

from lxml import etree

from ringback.calls.verbs import Answering, Refer
from ringback.dialects.laml.reader import Reader
from ringback.dialects.xml import children, local_name, text_of
from ringback.sip.errors import SipParseError
from ringback.sip.uri import Uri

_PATIENCE = 60.0
"""Seconds for the far end's call to come to something: it may well ring for that long."""


def refer(reader: Reader, element: etree._Element) -> Refer | None:
    """Refer, with its Sip; one that names nobody is skipped with a warning."""
    targets = []
    for child in children(element):
        if local_name(child) in ("Sip", "ReferSip"):
            reader.known_attributes(child)
            targets.append(child)
        else:
            reader.misplaced(child, f"Refer cannot hold {local_name(child)}", code="13215")
    action = reader.action(element, method_code="13210")
    if len(targets) != 1:
        reader.warn("13215", f"Refer: there must be one Sip, not {len(targets)}", element)
        return None
    uri = text_of(targets[0])
    if not _is_sip_uri(uri):
        reader.warn("32110", f"Refer: {uri!r} is not a SIP URI", element)
        return None
    return Refer(refer_to=uri, action=action, timeout=_PATIENCE, answering=Answering.ANSWER)


def _is_sip_uri(text: str) -> bool:
    if not text.lower().startswith(("sip:", "sips:")):
        return False
    try:
        Uri.parse(text)
    except SipParseError:
        return False
    return True

"""One verb of a document, read: what it becomes, or why it is refused."""

from __future__ import annotations

from typing import Any

import pytest

from ringback.calls.verbs import (
    Verb,
)
from ringback.dialects.jambonz.errors import InvalidApplication
from ringback.dialects.jambonz.markup import parse
from ringback.dialects.jambonz.session import Session, session_for
from ringback.routing.directory import Speech

HTTP = session_for(Speech(), "https://app.example/voice/start")
SOCKET = session_for(Speech(), "wss://app.example/voice")


def one(element: dict[str, Any], session: Session = HTTP) -> Verb:
    parsed = parse([element], session)
    assert len(parsed.verbs) == 1
    return parsed.verbs[0]


def error_of(element: dict[str, Any]) -> str:
    with pytest.raises(InvalidApplication) as caught:
        parse([element], HTTP)
    return caught.value.message

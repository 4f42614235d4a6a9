"""The two forms of a representation, to the octet."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.dialects.callapi.represent import Listing, Member, Resource, to_json

TEXTS = st.lists(st.text(), max_size=3)


def thing(text: str) -> Resource:
    below = (Member("uri", "Uri", f"/{text}"),)
    members = (
        Member("sid", "Sid", text),
        Member("absent", "Absent", None),
        Member("seconds", "Seconds", 3),
        Member("subresource_uris", "SubresourceUris", below),
    )
    return Resource("Thing", members)


def plain(text: str) -> dict[str, Any]:
    return {"sid": text, "seconds": 3, "subresource_uris": {"uri": f"/{text}"}}


def printed(value: Any) -> bytes:
    """JSON as the service prints it."""
    return json.dumps(value, indent=2, ensure_ascii=False).encode()


@given(st.text())
async def test_one(text: str) -> None:
    assert await to_json(thing(text)) == printed(plain(text))


@given(TEXTS)
async def test_a_list(texts: list[str]) -> None:
    assert await to_json(Listing("Things", [thing(text) for text in texts])) == printed(
        [plain(text) for text in texts]
    )


@given(TEXTS, st.text())
async def test_a_list_with_an_envelope(texts: list[str], uri: str) -> None:
    listing = Listing("Things", [thing(text) for text in texts], "things", {"page": 0, "uri": uri})
    assert await to_json(listing) == printed(
        {"page": 0, "uri": uri, "things": [plain(text) for text in texts]}
    )


@pytest.mark.parametrize("text", ["\n", '"]\n}', "\u2028", "\x7f\x00"])
async def test_what_looks_like_markup_is_only_text(text: str) -> None:
    listing = Listing("Things", [thing(text)], "things", {"uri": text})
    assert json.loads(await to_json(listing)) == {"uri": text, "things": [plain(text)]}

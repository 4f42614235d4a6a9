from __future__ import annotations

from email.utils import formatdate

import pytest

from ringback.audio.freshness import Freshness, freshness_of, refreshed

NOW = 1_800_000_000.0


def date(offset: float) -> str:
    return formatdate(NOW + offset, usegmt=True)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 0),
        ({"Cache-Control": "max-age=60"}, 60),
        ({"Cache-Control": "public, Max-Age=60", "Age": "20"}, 40),
        ({"Cache-Control": "max-age=60", "Expires": date(999)}, 60),
        ({"Cache-Control": 'max-age="60"'}, 60),
        ({"Expires": date(120), "Date": date(0)}, 120),
        ({"Expires": date(120), "Date": date(100)}, 20),
        ({"Expires": "0"}, 0),
        ({"Last-Modified": date(-1000)}, 100),
        ({"Last-Modified": date(-10_000_000)}, 3600),
        ({"Last-Modified": date(500)}, 0),
        ({"Last-Modified": "yesterday"}, 0),
        ({"Cache-Control": "max-age=soon"}, 0),
    ],
)
def test_lifetimes(headers: dict[str, str], seconds: float) -> None:
    found = freshness_of(tuple(headers.items()), NOW)
    assert found is not None
    assert found.fresh_until - NOW == seconds


@pytest.mark.parametrize(
    "headers", [{"Cache-Control": "no-cache, max-age=60"}, {"Pragma": "no-cache", "Expires": date(60)}]
)
def test_no_cache_asks_every_time(headers: dict[str, str]) -> None:
    found = freshness_of((*headers.items(), ("ETag", '"1"')), NOW)
    assert found == Freshness(0.0, '"1"', "")
    assert not found.is_fresh(NOW)
    assert found.is_useful(NOW)


def test_no_store_keeps_nothing() -> None:
    assert freshness_of((("cache-control", "no-store"), ("ETag", '"1"')), NOW) is None
    assert refreshed(Freshness(0.0), (("Cache-Control", "no-store"),), NOW) is None


def test_conditions_and_refreshing() -> None:
    old = Freshness(NOW, '"1"', date(-60))
    assert old.conditions() == (("If-None-Match", '"1"'), ("If-Modified-Since", date(-60)))
    assert Freshness(NOW).conditions() == ()
    assert not Freshness(NOW).is_useful(NOW)
    new = refreshed(old, (("Cache-Control", "max-age=5"), ("ETag", '"2"')), NOW)
    assert new == Freshness(NOW + 5, '"2"', date(-60))

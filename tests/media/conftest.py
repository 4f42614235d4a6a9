"""Fixtures of the media plane's tests."""

from __future__ import annotations

import pytest
from tests.media.rig import Rig


@pytest.fixture(params=["arrays", "few"])
def both_ways(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The relay takes packets as arrays, and a few at a time."""
    monkeypatch.setattr(Rig, "few", request.param == "few")

"""What tests need on a busy machine."""

from __future__ import annotations

import aiohttp

PATIENCE = 60.0
"""Seconds to wait for what should come at once: only a test that fails waits them out."""


def rest_client() -> aiohttp.ClientSession:
    """A client with a connection for each request: one that is kept may be closed by the server, which has
    waited long enough, in the moment in which it is used again."""
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True))

"""Requests to an ASGI application, without a server in between."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.applications import Starlette


class Reply:
    """What was answered; the names of headers are in lower case."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.text = body.decode()

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.text)


async def exchange(
    app: Starlette,
    method: str,
    target: str,
    headers: Mapping[str, str],
    body: bytes = b"",
    *,
    scheme: str = "http",
    host: str = "127.0.0.1",
) -> Reply:
    """One request; `target` is the path, with its query. The client stays until it is answered."""
    path, _, query = target.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": scheme,
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "client": ("192.0.2.9", 1234),
        "server": (host, 443 if scheme == "https" else 8080),
    }
    sent: list[Any] = []
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> dict[str, Any]:
        if not waiting:
            await asyncio.Event().wait()
        return waiting.pop()

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    start, *rest = sent
    received = {name.decode().lower(): value.decode() for name, value in start["headers"]}
    return Reply(start["status"], received, b"".join(message.get("body", b"") for message in rest))

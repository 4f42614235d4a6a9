"""HTTP and HTTPS listeners round one ASGI application."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

from ringback.config.tables import ServerSection
from ringback.connection import Connection
from ringback.net.authority import local_certificate
from ringback.sip.flow import join_host_port

_BACKLOG = 2048


class WebListeners:
    """The sockets are bound at once, so that a taken port is known early; they listen from `serve` on."""

    def __init__(self, settings: ServerSection) -> None:
        """Raises OSError."""
        self._settings = settings
        self._plain = _bind(*settings.http_address)
        self._secure = _bind(*settings.https_address) if settings.https_address else None
        self._servers: list[tuple[_Uvicorn, asyncio.Task[None]]] = []

    @property
    def url(self) -> str:
        """Where HTTP is really served."""
        return f"http://{join_host_port(*self._plain.getsockname()[:2])}"

    @property
    def secure_url(self) -> str | None:
        """Where HTTPS is really served."""
        if self._secure is None:
            return None
        return f"https://{join_host_port(*self._secure.getsockname()[:2])}"

    async def serve(self, application: Starlette) -> None:
        """Serve from now on: who connects is answered, or waits in the backlog for the moment that takes.

        Raises:
            OSError: there is no such certificate or key, or they cannot be used.
        """
        listeners = [(self._plain, _configuration(application))]
        if self._secure is not None:
            certificate, key = await asyncio.to_thread(self._certificate)
            listeners.append((self._secure, _configuration(application, certificate, key)))
        for bound, configuration in listeners:
            self._run(configuration, bound)

    async def close(self) -> None:
        """Finish the requests under way and close the sockets."""
        for server, _ in self._servers:
            server.leave()
        for _, serving in self._servers:
            await asyncio.wait({serving})
        self._plain.close()
        if self._secure is not None:
            self._secure.close()

    def _run(self, configuration: uvicorn.Config, bound: socket.socket) -> None:
        server = _Uvicorn(configuration)
        bound.listen(_BACKLOG)
        serving = asyncio.get_running_loop().create_task(server.serve(sockets=[bound]))
        self._servers.append((server, serving))

    def _certificate(self) -> tuple[Path, Path | None]:
        settings = self._settings
        if settings.tls_certificate:
            return Path(settings.tls_certificate), Path(settings.tls_key)
        host = settings.https_address[0] if settings.https_address else "localhost"
        return local_certificate(settings.data_path / "tls", host), None


class _Uvicorn(uvicorn.Server):
    """Signals belong to the command that runs us, which also says when to end: nobody looks for that ten
    times a second, and connections see to the Date header themselves."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._leaving = asyncio.Event()

    def leave(self) -> None:
        """Finish the requests under way, and end."""
        self.should_exit = True
        self._leaving.set()

    async def main_loop(self) -> None:
        await self._leaving.wait()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _configuration(
    application: Starlette, certificate: Path | None = None, key: Path | None = None
) -> uvicorn.Config:
    configuration = uvicorn.Config(
        application,
        http=Connection,
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        date_header=False,
        ws="none",
        timeout_graceful_shutdown=2,
        ssl_certfile=certificate,
        ssl_keyfile=key,
    )
    try:
        configuration.load()  # now, where a certificate that is none can still be said
    except OSError as error:  # ssl.SSLError is one
        files = " with ".join(str(path) for path in (certificate, key) if path)
        raise OSError(f"the certificate {files} cannot be used: {error}") from error
    return configuration


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Only with the protocol named does asyncio turn Nagle's algorithm off: 40 ms a reply.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise
    return bound

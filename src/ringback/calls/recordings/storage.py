"""Recordings in an object store: Amazon S3 and what speaks its protocol, Google Cloud Storage, Azure Blob."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from pathlib import Path
from typing import Any, Protocol

_SECONDS = 600.0
"""How long a file may take, before it is tried again."""


class StorageError(Exception):
    """The store could not be reached, or refused."""


class Storage(Protocol):
    """Where finished recordings go. A location is a URL."""

    def location(self, name: str) -> str:
        """Where a file of that name is, once it is stored."""
        ...

    async def put(self, path: Path, name: str) -> str:
        """Store a file; its location, once the store has confirmed it. Raises StorageError."""
        ...

    async def fetch(self, location: str, path: Path) -> None:
        """Bring a stored file here. Raises StorageError."""
        ...

    async def remove(self, location: str) -> None:
        """Remove a stored file; one that is not there is no error. Raises StorageError."""
        ...


class ObjectStorage:
    """`url` is `s3://BUCKET/PREFIX`, `gs://BUCKET/PREFIX` or `az://CONTAINER/PREFIX`.

    Credentials and endpoints come from `options`, else from the environment that each provider's own tools
    read. Raises StorageError for what cannot be one.
    """

    def __init__(self, url: str, options: Mapping[str, str]) -> None:
        # Imported only where it is used: it would cost every start memory and time.
        import obstore
        from obstore.store import from_url

        self._obstore = obstore
        self._url = url.rstrip("/")
        settings: dict[str, Any] = dict(options)
        if any(value.startswith("http://") for value in options.values()):
            settings["client_options"] = {"allow_http": True}
        try:
            # Trying again is our own affair: it has to outlive us.
            self._store = from_url(self._url, retry_config={"max_retries": 0}, **settings)
        except Exception as error:
            raise StorageError(f"{url}: {_shortly(error)}") from error

    def location(self, name: str) -> str:
        return f"{self._url}/{name}"

    async def put(self, path: Path, name: str) -> str:
        await self._tried(self._obstore.put_async(self._store, name, path))
        return self.location(name)

    async def fetch(self, location: str, path: Path) -> None:
        await self._tried(self._download(self._name(location), path))

    async def remove(self, location: str) -> None:
        await self._tried(self._delete(self._name(location)))

    async def _download(self, name: str, path: Path) -> None:
        making = path.with_name(f"{path.name}.making")
        try:
            with making.open("wb") as file:
                async for piece in (await self._obstore.get_async(self._store, name)).stream():
                    await asyncio.to_thread(file.write, piece)
            making.replace(path)
        finally:
            making.unlink(missing_ok=True)

    async def _delete(self, name: str) -> None:
        try:
            await self._obstore.delete_async(self._store, name)
        except FileNotFoundError:
            pass

    def _name(self, location: str) -> str:
        if not location.startswith(f"{self._url}/"):
            raise StorageError(f"{location} is not in {self._url}, where recordings are stored now")
        return location[len(self._url) + 1 :]

    async def _tried(self, work: Awaitable[object]) -> None:
        try:
            async with asyncio.timeout(_SECONDS):
                await work
        except TimeoutError as error:
            raise StorageError(f"{self._url}: no answer within {_SECONDS:g} s") from error
        except Exception as error:
            # Each provider has failures of its own kind; whichever it is, the file is not where it should be.
            raise StorageError(f"{self._url}: {_shortly(error)}") from error


def _shortly(error: Exception) -> str:
    """Without what only its makers read, which comes after an empty line."""
    return str(error).partition("\n\n")[0]

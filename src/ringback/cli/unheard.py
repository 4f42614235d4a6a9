"""Whether anybody listens at all where an application is said to be: looked at before it is called."""

from __future__ import annotations

import asyncio
import socket
from urllib.parse import urlsplit

from ringback.sip.flow import join_host_port

_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}
_PATIENCE = 3.0


async def unheard(url: str) -> str | None:
    """What to tell whoever gave this URL where its host turns connections away, or has no address.

    None where somebody listens; also where nothing can be said: the call will tell.
    """
    parts = urlsplit(url)
    scheme, host = parts.scheme.lower(), parts.hostname or ""
    port = parts.port or _PORTS[scheme]
    try:
        async with asyncio.timeout(_PATIENCE):
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
            refused = [await _refused(str(address[0]), port) for *_, address in found]
    except socket.gaierror:
        return f"{host} is an unknown host: is {url} right?"
    except (OSError, TimeoutError):
        return None
    if True not in refused or False in refused:
        return None
    where = join_host_port(host, parts.port)
    return f"nothing listens at {scheme}://{where}: is your application running?"


async def _refused(address: str, port: int) -> bool | None:
    """Whether a connection is turned away there; None where the way there is not known."""
    try:
        _, writer = await asyncio.open_connection(address, port)
    except ConnectionRefusedError:
        return True
    except OSError:
        return None
    writer.close()
    return False

"""HTTPS: with a certificate of one's own authority, with a configured one, and with one that is none."""

from __future__ import annotations

import ssl
from pathlib import Path

import aiohttp
import msgspec
import pytest
import trustme
from tests.server.site import basic, site_settings

from ringback.cli.serve import banner
from ringback.config import Settings
from ringback.routing.directory import Account
from ringback.testing.kit import TOKEN, RunningServer, WebApp


def secured(app: WebApp, data: Path, certificate: str = "", key: str = "") -> Settings:
    made: Settings = site_settings(app, data)
    server = msgspec.structs.replace(
        made.server, https="127.0.0.1:0", tls_certificate=certificate, tls_key=key
    )
    return msgspec.structs.replace(made, server=server)


async def status(server: RunningServer, path: str, authority: Path, **headers: str) -> int:
    """What a client gets that trusts that authority and no other."""
    trust = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=authority))
    async with (
        aiohttp.ClientSession(connector=trust) as session,
        session.get(f"{server.https_url}{path}", headers=headers) as reply,
    ):
        return reply.status


async def test_who_trusts_our_authority_is_served(data: Path) -> None:
    authority = data / "tls" / "authority.pem"
    async with WebApp() as app:
        async with RunningServer(secured(app, data)) as server:
            [account] = [each for each in server.directory.all(Account) if each.token == TOKEN]
            calls = f"/api/laml/2010-04-01/Accounts/{account.id}/Calls"
            assert await status(server, "/health", authority) == 200
            assert await status(server, calls, authority) == 401
            assert await status(server, calls, authority, **basic(str(account.id), TOKEN)) == 200
            assert f"{server.https_url}/" in "".join(banner(server))
        trusted = authority.read_bytes()
        async with RunningServer(secured(app, data)) as server:
            assert authority.read_bytes() == trusted
            assert await status(server, "/health", authority) == 200, "after a restart, too"


async def test_a_configured_certificate_is_shown(data: Path, tmp_path: Path) -> None:
    authority, files = tmp_path / "ca.pem", (tmp_path / "chain.pem", tmp_path / "key.pem")
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(authority))
    issued = ca.issue_cert("127.0.0.1")
    issued.cert_chain_pems[0].write_to_path(str(files[0]))
    issued.private_key_pem.write_to_path(str(files[1]))
    async with WebApp() as app, RunningServer(secured(app, data, *map(str, files))) as server:
        assert await status(server, "/health", authority) == 200
        assert not (data / "tls").exists(), "no authority is made that nobody needs"


@pytest.mark.parametrize("content", [None, b"no certificate"], ids=["missing", "broken"])
async def test_a_certificate_that_is_none_is_said_at_the_start(
    data: Path, tmp_path: Path, content: bytes | None
) -> None:
    certificate, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    if content is not None:
        certificate.write_bytes(content)
        key.write_bytes(content)
    async with WebApp() as app:
        server = RunningServer(secured(app, data, str(certificate), str(key)))
        with pytest.raises(OSError, match=r"chain\.pem with .*key\.pem cannot be used"):
            await server.start()
        await server.stop()

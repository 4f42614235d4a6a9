"""The authority of one's own: whom its certificates are for, and that they and its key are kept."""

from __future__ import annotations

import ssl
import stat
from pathlib import Path

import pytest

from ringback.net.authority import local_certificate


def connects(chain: Path, host: str) -> bool:
    """Whether who trusts the authority beside `chain` accepts it for `host`."""
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(chain)
    trusting = ssl.create_default_context(cafile=chain.parent / "authority.pem")
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = serving.wrap_bio(to_server, to_client, server_side=True)
    client = trusting.wrap_bio(to_client, to_server, server_hostname=host)
    for _ in range(3):  # as many turns as a handshake has
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLCertVerificationError:
                return False
    return client.version() is not None


@pytest.mark.parametrize(
    ("host", "names"),
    [
        ("192.0.2.7", ("192.0.2.7", "localhost", "127.0.0.1")),
        ("voice.example", ("voice.example", "localhost")),
        ("::1", ("::1",)),
        ("0.0.0.0", ("localhost", "127.0.0.1")),
        ("::", ("localhost",)),
    ],
)
def test_it_is_for_the_host_and_for_this_machine(tmp_path: Path, host: str, names: tuple[str, ...]) -> None:
    chain = local_certificate(tmp_path / "tls", host)
    for name in names:
        assert connects(chain, name), name
    assert not connects(chain, "other.example")


def test_it_is_made_once_and_the_authority_vouches_for_other_hosts_too(tmp_path: Path) -> None:
    first = local_certificate(tmp_path, "localhost")
    made = first.read_bytes()
    authority = (tmp_path / "authority.pem").read_bytes()
    assert local_certificate(tmp_path, "localhost") == first
    assert first.read_bytes() == made
    second = local_certificate(tmp_path, "voice.example")
    assert (tmp_path / "authority.pem").read_bytes() == authority
    assert connects(second, "voice.example")


def test_keys_are_for_the_owner_alone(tmp_path: Path) -> None:
    chain = local_certificate(tmp_path / "tls", "localhost")
    for path in (chain, chain.parent / "authority-key.pem"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(chain.parent.stat().st_mode) == 0o700

"""A certificate for this machine from an authority of its own, made when none is configured.

Browsers and client libraries accept it once they are told to trust `authority.pem` in the data directory.
"""

from __future__ import annotations

from pathlib import Path

import trustme


def local_certificate(directory: Path, host: str) -> Path:
    """A PEM file with the key and the certificate chain for `host`, made at the first call and then kept."""
    chain = directory / f"{host.replace(':', '_')}.pem"
    if chain.exists():
        return chain
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    authority = _authority(directory)
    names = {host, "localhost", "127.0.0.1"} - {"0.0.0.0", "::"}
    issued = authority.issue_cert(*sorted(names))
    unfinished = chain.with_suffix(".new")
    issued.private_key_and_cert_chain_pem.write_to_path(str(unfinished))
    unfinished.chmod(0o600)
    unfinished.replace(chain)
    return chain


def _authority(directory: Path) -> trustme.CA:
    certificate, key = directory / "authority.pem", directory / "authority-key.pem"
    if certificate.exists() and key.exists():
        return trustme.CA.from_pem(certificate.read_bytes(), key.read_bytes())
    authority = trustme.CA(organization_name="Ringback local authority")
    authority.cert_pem.write_to_path(str(certificate))
    authority.private_key_pem.write_to_path(str(key))
    key.chmod(0o600)
    return authority

"""Where the web is served: a host and a port, nothing that means something else by chance."""

from __future__ import annotations

from pathlib import Path

import pytest

from ringback.config import ConfigError, load


@pytest.mark.parametrize("key", ["http", "https"])
@pytest.mark.parametrize("text", ["9999", "127.0.0.1", ":8080", "::1", "[::1]", "127.0.0.1:port", "a:70000"])
def test_half_an_address_is_a_mistake(tmp_path: Path, key: str, text: str) -> None:
    file = tmp_path / "t.toml"
    file.write_text(f'[server]\n{key} = "{text}"\n')
    with pytest.raises(ConfigError) as caught:
        load(file, {})
    assert caught.value.problems == (f'expected HOST:PORT, got "{text}", at {file}:server.{key}',)


@pytest.mark.parametrize(
    ("text", "address"),
    [("127.0.0.1:8080", ("127.0.0.1", 8080)), ("[::1]:0", ("::1", 0)), ("localhost:1", ("localhost", 1))],
)
def test_a_whole_one(tmp_path: Path, text: str, address: tuple[str, int]) -> None:
    file = tmp_path / "t.toml"
    file.write_text(f'[server]\nhttp = "{text}"\n')
    assert load(file, {}).server.http_address == address

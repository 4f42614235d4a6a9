from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ringback.audio.cache import AudioCache, Entry, cache_key, source_of
from ringback.audio.disk import Files
from ringback.audio.freshness import Freshness


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., AudioCache]]:
    made: list[AudioCache] = []

    def build(directory: Path | None = tmp_path, **more: int) -> AudioCache:
        made.append(AudioCache(directory, **more))
        return made[-1]

    yield build
    for cache in made:
        cache.close()


def entry(byte: int = 1, size: int = 100) -> Entry:
    return Entry(source_of(bytes([byte]) * size), Freshness(5.0, '"e"'))


def stored(directory: Path) -> list[Path]:
    return list(directory.glob("*/*.audio"))


def test_keys_do_not_run_together() -> None:
    assert cache_key("ab", "c") != cache_key("a", "bc")
    assert cache_key("\ud800") != cache_key("")


def test_sources_are_named_by_content() -> None:
    assert source_of(b"\1\2") == source_of(b"\1\2")
    assert source_of(b"\1\2").key != source_of(b"\1\3").key


async def test_memory_and_disk(make: Callable[..., AudioCache]) -> None:
    cache, key = make(), cache_key("a")
    assert await cache.get(key) is None
    await cache.put(key, entry())
    assert await cache.get(key) == entry()
    after_restart = make()
    assert await after_restart.get(key) == entry()
    assert after_restart.held_bytes == 100
    await after_restart.remove(key)
    assert after_restart.held_bytes == 0
    assert await make().get(key) is None


async def test_memory_alone_forgets_the_least_recently_used(make: Callable[..., AudioCache]) -> None:
    cache = make(None, memory_bytes=250)
    for name in "ab":
        await cache.put(name, entry())
    await cache.get("a")
    await cache.put("c", entry())
    assert [name for name in "abc" if await cache.get(name) is not None] == ["a", "c"]
    await cache.put("a", entry(2, 50))
    assert cache.held_bytes == 150
    await cache.put("huge", entry(3, 1000))
    assert cache.held_bytes == 0
    await cache.remove("nothing")


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "foreign"])
async def test_damaged_files_are_forgotten(
    make: Callable[..., AudioCache], tmp_path: Path, damage: str
) -> None:
    key = cache_key("a")
    await make().put(key, entry())
    [path] = stored(tmp_path)
    data = path.read_bytes()
    path.write_bytes(
        {
            "flip": data[:-1] + bytes([data[-1] ^ 1]),
            "cut": data[:-20],
            "empty": b"",
            "foreign": b"RIFF" + data[4:],
        }[damage]
    )
    assert await make().get(key) is None
    assert not path.exists()


async def test_a_description_of_another_version_is_forgotten(
    make: Callable[..., AudioCache], tmp_path: Path
) -> None:
    key = cache_key("a")
    Files(tmp_path, max_bytes=1000).write(key, b'{"other":1}', b"xx")
    assert await make().get(key) is None
    assert stored(tmp_path) == []


def test_the_disk_is_bounded(tmp_path: Path) -> None:
    keys = [cache_key(str(number)) for number in range(4)]
    files = Files(tmp_path, max_bytes=350)
    for key in keys[:3]:
        files.write(key, b"{}", bytes(98))
    assert files.read(keys[0]) == (b"{}", bytes(98))
    files.write(keys[3], b"{}", bytes(98))
    assert [key for key in keys if files.read(key) is not None] == [keys[0], keys[2], keys[3]]
    smaller = Files(tmp_path, max_bytes=120)
    smaller.write(keys[1], b"{}", bytes(98))
    assert len(stored(tmp_path)) == 1


def test_a_disk_that_cannot_be_written(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a directory")
    files = Files(blocked, max_bytes=100)
    files.write("abcd", b"{}", b"x")
    assert files.read("abcd") is None
    assert "cannot be written" in caplog.text

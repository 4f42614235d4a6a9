"""What the tutorials do with a call that is up: their lines are run, on other ports, against a server."""

from __future__ import annotations

import asyncio
import importlib.util
import re
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from tests.patience import PATIENCE
from tests.ports import rtp_range
from tests.processes import bound

from ringback.config import load
from ringback.testing.kit import RunningServer
from ringback.testing.softphone import PhoneCall

ROOT = Path(__file__).parents[2]
DIALECTS = ("laml", "jambonz", "callapi")

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="the lines are for curl")


class Reader:
    """Somebody who goes through a tutorial: its application, its server, alice's phone, and a shell."""

    def __init__(self, dialect: str, folder: Path) -> None:
        self.folder = folder
        self.asked: list[str] = []
        """Paths of the application, in order."""
        self._text = (ROOT / "docs" / f"tutorial-{dialect}.md").read_text("utf-8")
        self._places: dict[str, str] = {}

    def blocks(self, heading: str) -> list[str]:
        """The lines for a shell below a heading."""
        section = self._text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
        return [self._here(block) for block in re.findall(r"```sh\n(.*?)```", section, re.DOTALL)]

    def settings(self, application: str, http: int, sip: int, data: Path) -> str:
        """The tutorial's file, for these ports."""
        self._places = {"127.0.0.1:5000": application, "127.0.0.1:8080": f"127.0.0.1:{http}"}
        (block,) = re.findall(r"```toml\n(.*?)```", self._text, re.DOTALL)
        server = (
            f'[server]\nhttp = "127.0.0.1:{http}"\nsip = ["udp:127.0.0.1:{sip}"]\nrtp = "{rtp_range()}"\n'
        )
        return f'{server}data = "{data}"\n{self._here(block)}'

    async def shell(self, first: str, then: str, between: Callable[[], object]) -> str:
        """Run `first`, and after `between` `then`; what was said. An HTTP status of an error fails."""
        script = f'curl() {{ command curl -sS -f "$@"; }}\n{first}\necho first is done\nread -r\n{then}'
        process = await asyncio.create_subprocess_exec(
            *bound("bash", "-euo", "pipefail", "-c", script),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            cwd=self.folder,
        )  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        said = b""
        async with asyncio.timeout(PATIENCE):
            while b"first is done\n" not in said:
                line = await process.stdout.readline()
                assert line, said.decode()
                said += line
            waited = between()
            if asyncio.iscoroutine(waited):
                await waited
            said += (await process.communicate(b"\n"))[0]
        assert process.returncode == 0, said.decode()
        return said.decode()

    def _here(self, text: str) -> str:
        for documented, here in self._places.items():
            text = text.replace(documented, here)
        return text


@asynccontextmanager
async def application(name: str, asked: list[str]) -> AsyncIterator[str]:
    """The example on a free port: its host and port."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "examples" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    async def note(request: web.Request, _: web.StreamResponse) -> None:
        asked.append(request.path)

    module.app.on_response_prepare.append(note)
    runner = web.AppRunner(module.app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def reading(
    dialect: str, data: Path, free_port: Callable[..., int]
) -> AsyncIterator[tuple[Reader, RunningServer, asyncio.Task[PhoneCall]]]:
    """The tutorial up to "Let it call": all is up, and alice's phone answers the next call."""
    reader = Reader(dialect, data.parent)
    async with application(f"{dialect}_hello", reader.asked) as at:
        file = data.parent / "ringback.toml"
        file.write_text(reader.settings(at, free_port(), free_port("udp"), data))
        async with RunningServer(load(file)) as server, server.phone() as phone:
            await phone.register()

            async def answer() -> PhoneCall:
                call = await phone.incoming(PATIENCE)
                call.answer()
                await call.hears(0.5, timeout=PATIENCE)  # the document runs
                return call

            yield reader, server, asyncio.create_task(answer())


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_what_is_done_while_the_call_is_up(
    dialect: str, data: Path, free_port: Callable[..., int]
) -> None:
    async with reading(dialect, data, free_port) as (reader, server, answered):
        *_, block = reader.blocks("Let it call")
        placed, _, rest = block.partition('["sid"])\')\n')
        await reader.shell(f'{placed}["sid"])\')\n', rest, lambda: answered)
        assert await (await answered).ended(PATIENCE) == "remote"
        await server.settled()
    assert reader.asked.count("/wait") == 2


async def test_a_recording_over_rest(data: Path, free_port: Callable[..., int]) -> None:
    async with reading("jambonz", data, free_port) as (reader, server, answered):
        *_, block = reader.blocks("Let it call")
        start, fetch = reader.blocks("Record")
        *lines, hang_up = block.splitlines()
        kept = "\n".join(line for line in lines if not line.startswith(("put '", "curl ")))

        async def recorded() -> None:
            await (await answered).ended(PATIENCE)
            await server.settled()

        begun, ended = start.splitlines()
        await reader.shell(kept, f"{begun}\nsleep 0.5\n{ended}\n{hang_up}\necho $SID > sid", lambda: answered)
        await recorded()
        await reader.shell(kept.split("SID=$(")[0] + "SID=$(cat sid)", fetch, lambda: None)
    assert (data.parent / "call.wav").read_bytes()[:4] == b"RIFF"
    assert (data.parent / "call.wav").stat().st_size > 1000

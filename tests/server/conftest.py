"""The server that a module's tests share; each test finds its application as if nobody had called before."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from tests.patience import rest_client
from tests.server.neutral import Neutral, Phones
from tests.server.site import Site, site_settings

from ringback.dialects.laml import Laml
from ringback.testing.kit import RunningServer, WebApp


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    data = tmp_path_factory.mktemp("server")
    async with (
        WebApp() as app,
        RunningServer(site_settings(app, data)) as server,
        rest_client() as rest,
    ):
        yield Site(app, server, rest)


@pytest_asyncio.fixture(loop_scope="module")
async def site(shared: Site) -> AsyncIterator[Site]:
    yield shared
    await shared.server.settled()
    shared.app.forget()


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> Neutral:
    """Answers for every call to the number of the first application."""
    application = Neutral()
    monkeypatch.setattr(Laml, "application", lambda *_: application)
    return application


@pytest_asyncio.fixture(loop_scope="module")
async def phones(site: Site) -> AsyncIterator[Phones]:
    """A caller and two that are called."""
    async with (
        site.caller() as caller,
        site.server.phone("bob", "") as bob,
        site.server.phone("carol", "") as carol,
    ):
        yield caller, bob, carol

"""One authenticated REST request: what the handlers are given, and how replies are written."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from ringback.calls.services import Services
from ringback.dialects.http import (
    Parameters,
    basic_account,
    basic_credentials,
    query_parameters,
    read_parameters,
)
from ringback.dialects.laml.errors import ApiError, error_body, not_found, unauthenticated
from ringback.dialects.laml.paging import Page, envelope, read_page
from ringback.dialects.laml.profiles import SIGNALWIRE, TWILIO, Profile, profile_of_account_sid
from ringback.dialects.laml.resources import View
from ringback.dialects.spelling import read_sid
from ringback.net.clock import utcnow
from ringback.net.slices import gradually
from ringback.routing.directory import Account

SIGNALWIRE_PREFIX = SIGNALWIRE.path
TWILIO_PREFIX = TWILIO.path


class Exchange:
    """A request of an account, on the path `segments` below the account's own."""

    def __init__(
        self, request: Request, services: Services, account: Account, view: View, since: datetime
    ) -> None:
        self.request = request
        self.services = services
        self.account = account
        self.view = view
        self.since = since
        """What stands for dates that are not kept."""

    @property
    def profile(self) -> Profile:
        return self.view.profile

    @property
    def path(self) -> str:
        """The path as requested."""
        return str(self.request.scope["path"])

    @property
    def query(self) -> Parameters:
        """The URL's parameters. A + that nobody escaped, which reads as a space, is a + again."""
        pairs = query_parameters(self.request).pairs
        return Parameters((name, f"+{value[1:]}" if value[:1] == " " else value) for name, value in pairs)

    async def body(self) -> Parameters:
        """The body's parameters; raises BadBody."""
        return await read_parameters(self.request)

    def page(self, name: str, kind: str, items: Sequence[Any]) -> Response:
        """A list that is in memory, one page of it. See `listed`."""
        page = self.wanted()
        shown = list(items[page.offset : page.offset + page.size])
        return self.listed(name, kind, shown, page, more=len(items) > page.offset + page.size)

    def wanted(self) -> Page:
        """Which page of a list is asked for. Raises ApiError."""
        return read_page(self.query, self.profile, utcnow())

    def listed(self, name: str, kind: str, items: list[Any], page: Page, *, more: bool) -> Response:
        """These items, as that page; `kind` is the list's path below the account's; `more`: it goes on."""
        body = envelope(
            name,
            items,
            page,
            more=more,
            path=f"{self.view.account_path}/{kind}{self.view.list_suffix}",
            filters=self.query,
            profile=self.profile,
        )
        return reply(body)


Handler = Callable[[Exchange], Awaitable[Response]]


def reply(body: Any, status: int = 200) -> Response:
    """A JSON reply."""
    return Response(msgspec.json.encode(body), status, media_type="application/json; charset=utf-8")


async def written(items: Iterable[Any]) -> list[msgspec.Raw]:
    """The items of a long list as JSON, made slice by slice."""
    return await gradually(msgspec.Raw(msgspec.json.encode(item)) for item in items)


def refusal(error: ApiError, profile: Profile, *, creating_call: bool = False) -> Response:
    """An error reply."""
    response = reply(error_body(error, profile, creating_call=creating_call), error.status)
    if error.status == 401:
        response.headers["WWW-Authenticate"] = 'Basic realm="Ringback API"'
    if error.allow:
        response.headers["Allow"] = error.allow
    if error.status == 503:
        response.headers["Retry-After"] = "1"
    return response


def prefix_of(path: str) -> str:
    """Under which of the two prefixes the path lies."""
    return SIGNALWIRE_PREFIX if path.startswith(SIGNALWIRE_PREFIX) else TWILIO_PREFIX


def segments_of(path: str) -> list[str]:
    """What follows the prefix, the suffix `.json` taken off."""
    rest = path.removeprefix(prefix_of(path)).removesuffix(".json")
    return [segment for segment in rest.split("/") if segment]


def profile_of(request: Request) -> Profile:
    """The account's spelling in the path chooses, else that in the credentials, else the prefix."""
    path = request.scope["path"]
    segments = segments_of(path)
    user, _ = basic_credentials(request) or ("", "")
    for sid in (*segments[1:2], user):
        named = profile_of_account_sid(sid)
        if named is not None:
            return named
    return SIGNALWIRE if prefix_of(path) == SIGNALWIRE_PREFIX else TWILIO


def authenticated(request: Request, services: Services) -> Account:
    """The account of the request's credentials, which must be the one in its path.

    Raises:
        ApiError: 401 without credentials, with wrong ones, and for another account's path.
    """
    path = request.scope["path"]
    account = basic_account(request, services.directory)
    if account is None:
        raise unauthenticated(profile_of(request))
    segments = segments_of(path)
    if segments[:1] != ["Accounts"]:
        raise not_found(path)
    if len(segments) > 1 and read_sid(segments[1]) != account.id:
        raise unauthenticated(profile_of(request))
    return account

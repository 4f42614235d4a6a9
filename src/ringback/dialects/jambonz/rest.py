"""REST below `/v1`: who asks, which resource, which method; and errors in the service's form."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING
from uuid import UUID

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from ringback.dialects.http import BadBody, bearer_token, token_account
from ringback.dialects.jambonz.callrest import CallResource, Handler
from ringback.dialects.jambonz.errors import ApiError, response_to
from ringback.dialects.jambonz.recents import RecentCalls
from ringback.dialects.jambonz.registered import RegisteredUsers
from ringback.dialects.jambonz.resources import account_resource, application_resource
from ringback.dialects.spelling import read_sid
from ringback.routing.directory import Account, Application

if TYPE_CHECKING:
    from ringback.calls.services import Services

log = logging.getLogger(__name__)

Methods = dict[str, Handler]
_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def routes(services: Services) -> list[BaseRoute]:
    """The routes; whatever else is below `/v1` is not found, but only for those who may ask."""
    calls = CallResource(services)
    recent = RecentCalls(services)
    platform = Platform(services)
    registered = RegisteredUsers(services)
    account = "/v1/Accounts/{account_sid}"
    table: dict[str, Methods] = {
        "/v1/Accounts": {"GET": platform.accounts},
        account: {"GET": platform.account},
        f"{account}/Applications": {"GET": platform.applications},
        f"{account}/CallCount": {"GET": calls.count},
        f"{account}/Calls": {"GET": calls.list, "POST": calls.create},
        f"{account}/Calls/count": {"GET": calls.count},
        f"{account}/Calls/{{call_sid}}": {
            "GET": calls.retrieve,
            "PUT": calls.update,
            "POST": calls.update,
            "DELETE": calls.delete,
        },
        f"{account}/RecentCalls": {"GET": recent.list},
        f"{account}/RecentCalls/{{call_sid}}/record/{{year}}/{{month}}/{{day}}/{{form}}": {
            "GET": recent.download,
            "DELETE": recent.delete,
        },
        f"{account}/RegisteredSipUsers": {"GET": registered.list, "POST": registered.some},
        f"{account}/RegisteredSipUsers/{{client}}": {"GET": registered.one},
        f"{account}/WebhookSecret": {"GET": platform.webhook_secret},
        "/v1/Applications": {"GET": platform.applications},
        "/v1/Applications/{application_sid}": {"GET": platform.application},
    }
    found: list[BaseRoute] = []
    for path, methods in table.items():
        # Older clients put a slash at the end.
        found += [
            Route(spelled, _endpoint(services, methods), methods=_METHODS) for spelled in (path, f"{path}/")
        ]
    found.append(Route("/v1/{rest:path}", _endpoint(services, {}), methods=_METHODS))
    found.append(Route("/v1", _endpoint(services, {}), methods=_METHODS))
    return found


def _endpoint(services: Services, methods: Methods) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            return await _answer(request, services, methods)
        except ApiError as error:
            return response_to(error)
        except BadBody as bad:
            return response_to(ApiError(bad.status, bad.message))
        except Exception:
            log.exception("%s %s failed", request.method, request.url.path)
            return response_to(ApiError(500))

    return endpoint


async def _answer(request: Request, services: Services, methods: Methods) -> Response:
    account = token_account(bearer_token(request) or "", services.directory)
    if account is None:
        raise ApiError(401)
    if not methods:
        raise ApiError(404)
    if "account_sid" in request.path_params and path_id(request, "account_sid") != account.id:
        raise ApiError(403, "insufficient permissions")
    handler = methods.get("GET" if request.method == "HEAD" else request.method)
    if handler is None:
        response = response_to(ApiError(405))
        response.headers["Allow"] = ", ".join(methods)
        return response
    return await handler(request, account)


def path_id(request: Request, name: str) -> UUID:
    """An identifier in the path, in any spelling.

    Raises:
        ApiError: 400
    """
    id = read_sid(request.path_params[name])
    if id is None:
        raise ApiError(400, "Bad request")
    return id


class Platform:
    """Accounts and applications, to be read; they are configured elsewhere."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def accounts(self, request: Request, account: Account) -> Response:
        """The accounts that the token may see: its own."""
        return JSONResponse([account_resource(account)])

    async def account(self, request: Request, account: Account) -> Response:
        return JSONResponse(account_resource(account))

    async def webhook_secret(self, request: Request, account: Account) -> Response:
        """The secret that signs webhooks."""
        if request.query_params.get("regenerate") == "true":
            raise ApiError(400, "the webhook secret is configured and cannot be regenerated")
        return JSONResponse({"webhook_secret": account.webhook_secret})

    async def applications(self, request: Request, account: Account) -> Response:
        """The account's applications; a page of them when `page` is given."""
        name = request.query_params.get("name", "").lower()
        found = [
            application_resource(application)
            for application in self._services.directory.all(Application, account.id)
            if application.dialect == "jambonz" and name in application.name.lower()
        ]
        if "page" not in request.query_params:
            return JSONResponse(found)
        page = _positive(request, "page", 1)
        size = _positive(request, "page_size", 25)
        data = found[(page - 1) * size : page * size]
        return JSONResponse(
            {"total": len(found), "page_size": size, "batch": size, "page": page, "data": data}
        )

    async def application(self, request: Request, account: Account) -> Response:
        found = self._services.directory.application(path_id(request, "application_sid"))
        if found is None or found.account_id != account.id or found.dialect != "jambonz":
            raise ApiError(404)
        return JSONResponse(application_resource(found))


def _positive(request: Request, name: str, otherwise: int) -> int:
    text = request.query_params.get(name, str(otherwise))
    if not (text.isascii() and text.isdigit() and 0 < int(text[:9]) <= 1_000_000):
        raise ApiError(400, f'missing or invalid "{name}" query arg')
    return int(text[:9])

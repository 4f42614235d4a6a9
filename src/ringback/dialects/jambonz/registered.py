"""The devices of an account that are registered, as REST shows them (`/RegisteredSipUsers`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ringback.dialects.http import read_json
from ringback.dialects.jambonz.errors import ApiError
from ringback.routing.directory import Account, Client

if TYPE_CHECKING:
    from ringback.calls.services import Services


class RegisteredUsers:
    """Who is on line, and where."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def list(self, request: Request, account: Account) -> Response:
        """`user@realm` of everybody who is registered."""
        realm = account.sip_realm or self._services.sip_address.rpartition(":")[0]
        names = [client.username for client in self._clients(account)]
        return JSONResponse([f"{name}@{realm}" for name in names if self._services.registered(name)])

    async def some(self, request: Request, account: Account) -> Response:
        """The registrations of the users that the body names."""
        wanted = await read_json(request)
        if not isinstance(wanted, list) or not all(isinstance(name, str) for name in wanted):
            raise ApiError(400, "a list of user names is expected")
        return JSONResponse([self._shown(account, name) for name in wanted])

    async def one(self, request: Request, account: Account) -> Response:
        """The registration of one user."""
        return JSONResponse(self._shown(account, request.path_params["client"].partition("@")[0]))

    def _clients(self, account: Account) -> Sequence[Client]:
        return self._services.directory.all(Client, account.id)

    def _shown(self, account: Account, name: str) -> dict[str, Any]:
        client = self._services.directory.client(name)
        known = client is not None and client.account_id == account.id
        bindings = self._services.registered(name) if known else ()
        shown: dict[str, Any] = {"name": name, "contact": None, "expiryTime": 0, "protocol": None}
        if bindings:
            newest = bindings[0]
            shown["contact"] = newest.contact
            shown["expiryTime"] = round(newest.expires_at * 1000)
            shown["protocol"] = newest.flow.transport
        allowed = int(known)
        return {
            **shown,
            "allow_direct_app_calling": allowed,
            "allow_direct_queue_calling": 0,
            "allow_direct_user_calling": allowed,
            "registered_status": "active" if bindings else "inactive",
        }

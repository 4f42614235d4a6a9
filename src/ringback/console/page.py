"""`/`, `/health` and `/metrics`: accounts, numbers, the last calls and their time lines, as plain HTML.

Served to everyone on this machine while HTTP and HTTPS are bound to loopback (and asked for under a loopback
name, so that no web page elsewhere can read it through a name of its own); otherwise an account's SID and
token are asked for, and only that account is shown. `/health` answers everybody; `/metrics`, which tells of
all accounts, whoever would see all of them on the page, or has `server.metrics_token`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from ringback.calls.discretion import without_userinfo
from ringback.calls.record import CallRecord
from ringback.calls.rows import from_row
from ringback.calls.timeline import lines_of
from ringback.console.html import Markup, document, escape, join, row, table
from ringback.dialects.http import basic_credentials, same_secret
from ringback.dialects.spelling import read_sid
from ringback.net.own import is_loopback
from ringback.routing.directory import Account, Application, Client, Number, Trunk
from ringback.store.records import CallFilter

if TYPE_CHECKING:
    from ringback.server import Server

_SHOWN = 50
Handler = Callable[[Request], Awaitable[Response]]


def console_routes(server: Server) -> list[Route]:
    """The page, a call's time line, the health check, and the metrics."""
    console = Console(server)
    return [
        Route("/", console.guarded(console.overview)),
        Route("/console/calls/{id:uuid}", console.guarded(console.call)),
        Route("/console/reload", console.steering(console.reload), methods=["POST"]),
        Route("/console/devices", console.steering(console.devices)),
        Route("/console/gateways", console.steering(console.gateways)),
        Route("/health", console.health),
        Route("/metrics", console.metrics),
    ]


class Console:
    """What the page shows, read off a running server."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def health(self, request: Request) -> Response:
        """200 while calls can be taken, else 503."""
        server = self._server
        ok = server.accepts_calls
        ticks = [
            {
                "transport": worker.transport,
                "legs": worker.legs,
                "tick_p99_ms": worker.tick_p99_ms,
                "tick_max_ms": worker.tick_max_ms,
                "slow": worker.slow,
                "late": worker.late,
                "overruns": worker.overruns,
            }
            for worker in server.plane.stats().workers
        ]
        body = {
            "status": "ok" if ok else "unavailable",
            "calls": server.switchboard.live,
            "calls_queued": server.switchboard.queued,
            "overloaded": server.capacity.limited,
            "store": "ok" if server.store.healthy else "failing",
            "callbacks_queued": server.deliverer.queued,
            "recordings_waiting": server.switchboard.engine.archive.waiting,
            "gateways_down": sum(not gateway["up"] for gateway in self._gateways()),
            "media": ticks,
        }
        return JSONResponse(body, status_code=200 if ok else 503)

    async def metrics(self, request: Request) -> Response:
        """The metrics, in the format that the Accept header asks for."""
        if not self._may_measure(request):
            text = "server.metrics_token as a bearer token, or the only account's SID and token, please.\n"
            return Response(text, 401, headers={"WWW-Authenticate": 'Basic realm="Ringback"'})
        body, media_type = await self._server.metrics.exposed(request.headers.get("accept", ""))
        return Response(body, headers={"Content-Type": media_type})

    def _may_measure(self, request: Request) -> bool:
        token = self._server.settings.server.metrics_token
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if token and scheme.lower() == "bearer" and same_secret(given.strip(), token):
            return True
        visible = self._visible(request)
        return visible is not None and len(visible) == len(self._server.directory.all(Account))

    def steering(self, work: Callable[[Request], Awaitable[Response]]) -> Handler:
        """For the commands on this machine: they show the key that lies in the data directory."""

        async def handler(request: Request) -> Response:
            scheme, _, key = request.headers.get("authorization", "").partition(" ")
            if scheme.lower() != "bearer" or not same_secret(key, self._server.running.key):
                return JSONResponse({"problems": ["the key of this server, please"]}, status_code=401)
            return await work(request)

        return handler

    async def reload(self, request: Request) -> Response:
        """Read the configuration again: 200 and what changed, or 422 and why nothing did."""
        try:
            changes = await self._server.reload()
        except ValueError as error:  # of the configuration: one problem a line
            return JSONResponse({"problems": str(error).splitlines()}, status_code=422)
        return JSONResponse(msgspec.to_builtins(changes))

    async def devices(self, request: Request) -> Response:
        """Every contact that is registered."""
        return JSONResponse(
            [
                {
                    "username": binding.username,
                    "contact": binding.contact,
                    "source": str(binding.flow),
                    "nat": binding.behind_nat,
                    "user_agent": binding.user_agent,
                    "expires_at": binding.expires_at,
                }
                for binding in self._server.telephony.registered()
            ]
        )

    async def gateways(self, request: Request) -> Response:
        """Every gateway of every trunk, with what is known about it."""
        return JSONResponse(self._gateways())

    def _gateways(self) -> list[dict[str, Any]]:
        server, found = self._server, []
        for trunk in server.directory.all(Trunk):
            for gateway in trunk.gateways:
                state = server.telephony.gateways.state(trunk, gateway)
                registration = server.telephony.carriers.registration(trunk, gateway)
                found.append(
                    {
                        "trunk": trunk.name,
                        "host": gateway.host,
                        "transport": gateway.transport,
                        "up": server.telephony.gateways.up(trunk, gateway),
                        "why": state.why if state else "",
                        "registered": registration.registered if registration else None,
                        "calls": server.limits.calls[trunk.id],
                    }
                )
        return found

    def guarded(self, show: Callable[[Request, tuple[Account, ...]], Awaitable[Response]]) -> Handler:
        """Show a page to those who may see it."""

        async def handler(request: Request) -> Response:
            accounts = self._visible(request)
            if accounts is None:
                challenge = {"WWW-Authenticate": 'Basic realm="Ringback"'}
                return Response("An account's SID and token, please.\n", 401, headers=challenge)
            return await show(request, accounts)

        return handler

    def _visible(self, request: Request) -> tuple[Account, ...] | None:
        accounts = tuple(self._server.directory.all(Account))
        if self._server.settings.local_only and _is_local(request):
            return accounts
        given = basic_credentials(request)
        if given is None:
            return None
        sid = read_sid(given[0])
        for account in accounts:
            known = account.id == sid or account.name == given[0]
            if known and same_secret(given[1], account.token):
                return (account,)
        return None

    async def overview(self, request: Request, accounts: tuple[Account, ...]) -> Response:
        """Accounts, numbers and the last calls."""
        sections = [await self._account(account) for account in accounts]
        where = Markup(f"<p>SIP: {escape(', '.join(self._server.sip))}</p>")
        return HTMLResponse(document("Ringback", join([where, *sections])))

    async def _account(self, account: Account) -> Markup:
        directory = self._server.directory
        names = {app.id: app.name for app in directory.all(Application, account.id)}
        numbers = [
            row(number.number, names.get(number.application_id, "") if number.application_id else "")
            for number in directory.all(Number, account.id)
        ]
        applications = [
            row(app.name, app.dialect, without_userinfo(app.voice_url))
            for app in directory.all(Application, account.id)
        ]
        registered = Counter(binding.username for binding in self._server.telephony.registered())
        devices = [
            row(client.username, str(registered[client.username]))
            for client in directory.all(Client, account.id)
        ]
        trunks = [
            row(
                trunk.name,
                ", ".join(gateway.host for gateway in trunk.gateways) or "inbound only",
                ", ".join(trunk.inbound_from),
            )
            for trunk in directory.all(Trunk, account.id)
        ]
        found = await self._server.store.calls(CallFilter(accounts=(str(account.id),)), limit=_SHOWN)
        calls = [_call_row(stored.id, from_row(stored)) for stored in found]
        return join(
            [
                Markup(f"<h2>{escape(account.name)} <small>{account.id}</small></h2>"),
                table("Last calls", ("when", "from", "to", "direction", "status", "seconds"), calls),
                table("Numbers", ("number", "application"), numbers),
                table("Applications", ("name", "dialect", "URL"), applications),
                table("Devices", ("user name", "registered contacts"), devices),
                table("Trunks", ("name", "host", "calls come from"), trunks),
            ]
        )

    async def call(self, request: Request, accounts: tuple[Account, ...]) -> Response:
        """One call's time line; also as JSON where that is asked for."""
        call_id: UUID = request.path_params["id"]
        store = self._server.store
        stored = await store.call(str(call_id))
        if stored is None or stored.account_id not in {str(account.id) for account in accounts}:
            return HTMLResponse(document("No such call", Markup("<p>There is no such call.</p>")), 404)
        lines = await lines_of(store, str(call_id))
        if "json" in request.headers.get("accept", ""):
            return JSONResponse([{"at": x.at, "kind": x.kind, "text": x.text, "data": x.data} for x in lines])
        record = from_row(stored)
        start = record.created_at.timestamp()
        rows = [row(f"{line.at - start:+.3f}", line.kind, line.text) for line in lines]
        title = f"{record.from_} → {record.to}"
        body = join(
            [
                Markup(f"<p>{escape(record.status)}, {escape(record.cause or '')}</p>"),
                table("Time line", ("seconds", "what", ""), rows),
            ]
        )
        return HTMLResponse(document(title, body))


def _call_row(id: str, call: CallRecord) -> Markup:
    when = Markup(f'<a href="/console/calls/{id}">{call.created_at:%Y-%m-%d %H:%M:%S}</a>')
    seconds = call.duration(datetime.now(UTC))
    return row(when, call.from_, call.to, call.direction, call.status, str(seconds))


def _is_local(request: Request) -> bool:
    """Asked from this machine, not through a proxy on it for somebody else, under a name of this machine."""
    client = request.client.host if request.client else ""
    return is_loopback(client) and is_loopback(request.url.hostname or "")

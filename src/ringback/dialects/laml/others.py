"""The handlers of everything but calls: accounts, applications and numbers to read, and what hangs on a call.

Accounts, applications and numbers come from the configuration; here they are shown, not changed.
"""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response

from ringback.dialects.laml.calls import find
from ringback.dialects.laml.errors import not_built, not_found
from ringback.dialects.laml.exchange import Exchange, Handler, reply
from ringback.dialects.laml.notifications import notifications, resource, single
from ringback.dialects.laml.paging import envelope
from ringback.dialects.spelling import read_sid
from ringback.routing.directory import Application, Number
from ringback.routing.numbers import canonical

TWILIO_CALL_RESOURCES = frozenset(
    {"Siprec", "Transcriptions", "Payments", "UserDefinedMessages", "UserDefinedMessageSubscriptions"}
)
# Kinds of which this version makes none, so that their lists are empty.
_NONE_YET = {
    "Conferences": "conferences",
    "Queues": "queues",
}


def list_handlers(kind: str) -> Mapping[str, Handler] | None:
    """The handlers of a list directly below the account."""
    if kind == "Applications":
        return {"GET": application_list}
    if kind == "IncomingPhoneNumbers":
        return {"GET": number_list}
    if kind not in _NONE_YET:
        return None

    async def empty(exchange: Exchange) -> Response:
        return exchange.page(_NONE_YET[kind], kind, [])

    return {"GET": empty}


async def account(exchange: Exchange) -> Response:
    """`GET /Accounts/{Sid}`."""
    return reply(exchange.view.account(exchange.account, exchange.since))


async def account_list(exchange: Exchange) -> Response:
    """`GET /Accounts`: the account whose credentials were given."""
    query, page = exchange.query, exchange.wanted()
    name = query.get("FriendlyName")
    shown = [] if name and name != exchange.account.name else [exchange.account]
    if query.get("Status", "active") != "active":
        shown = []
    items = [exchange.view.account(each, exchange.since) for each in shown[page.offset :]]
    path = f"{exchange.view.account_path.rpartition('/')[0]}{exchange.view.list_suffix}"
    body = envelope("accounts", items, page, more=False, path=path, filters=query, profile=exchange.profile)
    return reply(body)


async def application_list(exchange: Exchange) -> Response:
    """`GET /Applications`: those that speak this dialect."""
    name = exchange.query.get("FriendlyName")
    found = [
        exchange.view.application(each, exchange.since)
        for each in exchange.services.directory.all(Application, exchange.account.id)
        if each.dialect == "laml" and (not name or each.name == name)
    ]
    return exchange.page("applications", "Applications", found)


async def application(exchange: Exchange, sid: str) -> Response:
    """`GET /Applications/{Sid}`."""
    id = read_sid(sid)
    found = exchange.services.directory.application(id) if id else None
    if found is None or found.account_id != exchange.account.id or found.dialect != "laml":
        raise not_found(exchange.path)
    return reply(exchange.view.application(found, exchange.since))


async def number_list(exchange: Exchange) -> Response:
    """`GET /IncomingPhoneNumbers`, by `PhoneNumber` or `FriendlyName`."""
    wanted, name = exchange.query.get("PhoneNumber"), exchange.query.get("FriendlyName")
    found = []
    for each in exchange.services.directory.all(Number, exchange.account.id):
        shown = _shown_number(exchange, each)
        matches = not wanted or canonical(wanted.replace("*", "")) in canonical(each.number)
        if matches and (not name or shown["friendly_name"] == name):
            found.append(shown)
    return exchange.page("incoming_phone_numbers", "IncomingPhoneNumbers", found)


async def number(exchange: Exchange, sid: str) -> Response:
    """`GET /IncomingPhoneNumbers/{Sid}`."""
    id = read_sid(sid)
    found = exchange.services.directory.get(Number, id) if id else None
    if found is None or found.account_id != exchange.account.id:
        raise not_found(exchange.path)
    return reply(_shown_number(exchange, found))


def _shown_number(exchange: Exchange, number: Number) -> dict[str, object]:
    id = number.application_id
    found = exchange.services.directory.application(id) if id else None
    return exchange.view.number(number, found, exchange.since)


async def unbuilt_of_call(exchange: Exchange, sid: str) -> Response:
    """`POST /Calls/{Sid}/…`: something that a call cannot have yet."""
    await find(exchange, sid)
    kind = exchange.path.removesuffix(".json").rpartition("/")[2]
    raise not_built(f"{kind} on a call")


async def call_notifications(exchange: Exchange, sid: str) -> Response:
    """`GET /Calls/{Sid}/Notifications`: the call's errors (`Log` 0) and warnings (1)."""
    call = await find(exchange, sid)
    log = exchange.query.get("Log")
    found = [
        each for each in await notifications(exchange.services.store, call) if not log or each.log == log
    ]
    shown = [resource(exchange.view, call, each) for each in found]
    return exchange.page("notifications", f"Calls/{sid}/Notifications", shown)


async def call_notification(exchange: Exchange, sid: str, notification: str) -> Response:
    """`GET /Calls/{Sid}/Notifications/{Sid}`."""
    call = await find(exchange, sid)
    wanted = read_sid(notification)
    for each in await notifications(exchange.services.store, call):
        if each.id == wanted:
            return reply(single(exchange.view, call, each))
    raise not_found(exchange.path)

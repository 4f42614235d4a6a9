"""Changing a live call: `POST …/Calls/{CallSid}` (CallAPI "Modifying Live Calls")."""

from __future__ import annotations

import msgspec

from ringback.calls.control import CallIsOver, NoSuchCall, WrongState
from ringback.calls.record import CallRecord
from ringback.calls.services import Services
from ringback.calls.verbs import Hook
from ringback.dialects.callapi.errors import Refusal
from ringback.dialects.callapi.settings import Settings, read_settings
from ringback.dialects.callapi.targets import read_hook
from ringback.dialects.callapi.webhook import CallApiApplication
from ringback.dialects.http import Parameters, boolean
from ringback.dialects.spelling import read_sid
from ringback.routing.directory import Account


class _Change(msgspec.Struct, frozen=True):
    """What is wanted; None is to be left alone."""

    status: str | None
    url: Hook | None
    fallback: Hook | None
    callback: Hook | None
    mute: bool | None
    moves_callee: bool


async def modify(services: Services, account: Account, sid: str, parameters: Parameters) -> CallRecord:
    """Change the call and return it as it was before, as the service does.

    A change of Status wins over everything else. A new script ends a Dial, and hangs the other party up; with
    `MoveConnectedCallLeg` that party runs the script as well.

    Raises:
        Refusal: 400 bad parameter or SID, 406 unknown call, 409 nothing to do or not in this state,
            410 the call is over.
    """
    id = read_sid(sid)
    if id is None:
        raise Refusal(400, f"{sid} is not a call SID.")
    change = _read(parameters)
    try:
        call = await services.calls.get(account.id, id)
        if call.status.final:
            raise Refusal(410, "Call is already completed.")
        await _apply(services, account, call, change)
    except NoSuchCall:
        raise Refusal(406) from None
    except CallIsOver:
        raise Refusal(410, "Call is already completed.") from None
    return call


def _read(parameters: Parameters) -> _Change:
    status = parameters.get("Status").strip().lower() or None
    if status not in (None, "canceled", "completed"):
        raise Refusal(400, "Status must be canceled or completed.")
    if parameters.get("Mute") and boolean(parameters.get("Mute")) is None:
        raise Refusal(400, "Mute must be true or false.")
    change = _Change(
        status=status,
        url=read_hook(parameters, "Url", "Method"),
        fallback=read_hook(parameters, "FallbackUrl", "FallbackMethod"),
        callback=read_hook(parameters, "StatusCallback", "StatusCallbackMethod"),
        mute=boolean(parameters.get("Mute")),
        moves_callee=boolean(parameters.get("MoveConnectedCallLeg")) is True,
    )
    if change.status is None and change.url is None and change.callback is None and change.mute is None:
        raise Refusal(409, "Nothing to change: expected Url, Status, Mute or StatusCallback.")
    return change


async def _apply(services: Services, account: Account, call: CallRecord, change: _Change) -> None:
    calls = services.calls
    if change.status == "completed":
        await calls.hang_up(account.id, call.id)
        return
    if change.status == "canceled":
        try:
            await calls.cancel(account.id, call.id)
        except WrongState:
            pass  # an answered call is not cancelled, and the service says nothing about it
        return
    if change.mute is not None:
        try:
            await calls.mute(account.id, call.id, muted=change.mute)
        except WrongState:
            pass  # likewise before the answer
    await _replace(services, account, call, change)


async def _replace(services: Services, account: Account, call: CallRecord, change: _Change) -> None:
    """Another script, or only another place for the callbacks."""
    if change.url is None and change.callback is None:
        return
    settings = read_settings(call.application_state) or Settings()
    settings = msgspec.structs.replace(
        settings,
        voice=change.url or settings.voice,
        fallback=change.fallback or settings.fallback,
        status=change.callback or settings.status,
    )
    application = CallApiApplication(services, account, settings, new=False)
    if change.url is None:
        await services.calls.set_application(account.id, call.id, application)
        return
    if change.moves_callee and await _moved_both(services, call, change.url, application):
        return
    try:
        await services.calls.redirect(account.id, call.id, hook=change.url, application=application)
    except WrongState as problem:
        raise Refusal(409, problem.message) from None


async def _moved_both(
    services: Services, call: CallRecord, url: Hook, application: CallApiApplication
) -> bool:
    """Give both parties of a connected call the script, each one of its own; False where nobody is."""
    try:
        await services.calls.redirect_both(
            call.account_id, call.id, to=url, callee_to=url, application=application
        )
    except WrongState:
        return False
    return True

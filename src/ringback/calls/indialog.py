"""What the far end says inside a call, beside its voice and keys: INFO and MESSAGE, hold and un-hold.

Where the application wants to know (`Configure.request_hook`), it is asked, and may change its mind about
what the call does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ringback.calls.application import InDialogRequest
from ringback.calls.discretion import without_credentials
from ringback.calls.events import Noted

if TYPE_CHECKING:
    from ringback.calls.call import Call
    from ringback.calls.leg import HeaderList
    from ringback.sip.incoming import IncomingRequest

ACCEPTED = 202


def message(call: Call, incoming: IncomingRequest) -> bool:
    """A MESSAGE came; whether the application takes it."""
    request = incoming.request
    if request.method != "MESSAGE" or call.settings.request_hook is None:
        return False
    incoming.reply(ACCEPTED)
    told(call, "MESSAGE", request.body, without_credentials(request.headers.items()))
    return True


def told(
    call: Call, method: str, body: bytes = b"", headers: HeaderList = (), *, held: bool | None = None
) -> None:
    """Tell the application, if it wants to know; what it answers is done in place of what the call does."""
    hook = call.settings.request_hook
    if hook is not None and not call.over:
        question = InDialogRequest(
            hook=hook, method=method, body=body.decode("utf-8", "replace"), headers=tuple(headers), held=held
        )
        call.beside(_ask(call, question))


async def _ask(call: Call, question: InDialogRequest) -> None:
    document = await call.ask(question)
    if document is None:
        return
    if document.goes_on or not document.verbs:
        for note in document.notes:
            call.append(Noted(note=note))
        return
    async with call.control_lock:
        if not call.over:
            await call.runner.replace(document)

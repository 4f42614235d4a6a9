"""The application of a call that needs none: a device that calls another one, or a number, is connected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ringback.calls.application import Action, Ask, Document, NewCall
from ringback.calls.status import CallStatus
from ringback.calls.verbs import Callee, Dial, HangUp, Hook, Reject, Target, Verb

if TYPE_CHECKING:
    from ringback.calls.application import Application
    from ringback.calls.events import CallEvent
    from ringback.calls.outcome import Outcome
    from ringback.calls.record import CallRecord
    from ringback.routing.directory import Account
    from ringback.routing.directory import Application as ConfiguredApplication
    from ringback.webhooks.delivery import Delivery

DIRECT = "direct"
_AFTER = Hook(url="direct:dialled")
"""No web address: it brings the Dial's outcome back here."""


class DirectCall:
    """`ringback.calls.application.Application` that dials `target` and tells nobody."""

    dialect = DIRECT
    profile = ""
    rings_at_once = False

    def __init__(self, target: Target | None = None) -> None:
        self._target = target

    async def ask(self, ask: Ask, call: CallRecord) -> Document | None:
        """Connect, and be answered when the other one answers; hand on a refusal as it came."""
        if isinstance(ask, Action) and not ask.outcome.bridged:
            return self._document(_refusal(ask.outcome))
        if not isinstance(ask, NewCall) or self._target is None:
            return None
        return self._document(
            Dial(
                callees=(Callee(target=self._target, shown=self._target.address),),
                action=_AFTER,
                caller_name=call.caller_name,
                answer_on_bridge=True,
                ring_timeout=60.0,
            )
        )

    def _document(self, verb: Verb) -> Document:
        return Document(verbs=(verb,), application=self, at_end=HangUp())

    def for_callee(self, callee: Callee, caller: CallRecord) -> Application:
        """The callee has no application either."""
        return DirectCall()

    def invite_headers(self, call: CallRecord) -> Sequence[tuple[str, str]]:
        """Nothing of the service's own."""
        return ()

    def deliveries(self, event: CallEvent, call: CallRecord) -> Sequence[Delivery]:
        """None."""
        return ()

    def notify(self, event: CallEvent, call: CallRecord) -> None:
        """Nobody is connected."""

    def state(self) -> Mapping[str, Any]:
        """Nothing is needed after a restart."""
        return {}

    async def close(self) -> None:
        """Nothing is open."""


class Direct:
    """`ringback.calls.application.Dialect`, for what is found open after a restart."""

    name = DIRECT

    def application(self, account: Account, application: ConfiguredApplication) -> Application:
        """No configured application speaks this."""
        raise ValueError(f"application {application.name} has no dialect")

    def restore(self, account: Account, state: Mapping[str, Any]) -> Application:
        """An application that has nobody to tell."""
        return DirectCall()


def _refusal(outcome: Outcome) -> Reject:
    status = outcome.sip_status or 480
    return Reject(
        sip_status=status if status >= 400 else 480,
        reason=outcome.sip_reason if status >= 400 else None,
        ended_as=outcome.callee_status or CallStatus.FAILED,
        hang_up_if_answered=True,
        cause=outcome.error,
    )

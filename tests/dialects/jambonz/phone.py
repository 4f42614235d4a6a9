"""The engine's part in a call: it asks the application, and tells it what happens."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from tests.dialects.jambonz.making import CALLEE, CREATED, INVITE, record
from tests.dialects.jambonz.webapps import Socket, SocketApp
from tests.patience import PATIENCE

from ringback.calls.application import Action, Ask, Document, NewCall, Redirected
from ringback.calls.outcome import Outcome
from ringback.calls.record import CallRecord, apply
from ringback.calls.status import CallStatus, Direction
from ringback.calls.verbs import Callee, Gather, Hook, Reports, Target
from ringback.dialects.jambonz.dialler import Timing
from ringback.dialects.jambonz.webhook import JambonzApplication
from ringback.webhooks.delivery import Delivery

QUICK = Timing(handshake=PATIENCE, ack=1.0, farewell=1.0, backoff=(0.01, 0.01), connections=5)
PATIENT = Timing(handshake=PATIENCE, ack=PATIENCE, farewell=1.0, backoff=(0.01, 0.01), connections=5)


class Phone:
    """What the engine does with one application on one call."""

    def __init__(self, application: JambonzApplication, call: CallRecord) -> None:
        self.application = application
        self.record = call

    def callee(self, *, reports: Reports | None = None, **fields: Any) -> Phone:
        """A leg that this call's dial calls."""
        callee = Callee(target=Target(kind="client", address="bob"), shown="bob", reports=reports)
        call = record(
            id=CALLEE,
            direction=Direction.OUTBOUND_DIAL,
            parent_id=self.record.id,
            status=CallStatus.QUEUED,
            to="bob",
            source="",
            trunk=None,
            progress=0,
            **fields,
        )
        return Phone(self.application.for_callee(callee, self.record), call)

    def ask(self, question: Ask) -> asyncio.Task[Any]:
        return asyncio.create_task(self.application.ask(question, self.record))

    def start(self) -> asyncio.Task[Document | None]:
        return asyncio.create_task(self.application.ask(NewCall(invite=lambda: INVITE), self.record))

    def act(self, url: str, **outcome: Any) -> asyncio.Task[Any]:
        action = Action(verb=Gather(id="menu"), hook=Hook(url=url), outcome=Outcome(**outcome))
        return asyncio.create_task(self.application.ask(action, self.record))

    def redirect(self, url: str) -> asyncio.Task[Document | None]:
        return asyncio.create_task(self.application.ask(Redirected(hook=Hook(url=url)), self.record))

    def tell(self, event: Any) -> Sequence[Delivery]:
        self.record = apply(self.record, event, CREATED)
        due = self.application.deliveries(event, self.record)
        self.application.notify(event, self.record)
        return due

    async def open(self, app: SocketApp, verbs: Any = None) -> tuple[Socket, Document]:
        starting = self.start()
        socket = await app.connection()
        await socket.ack(await socket.next("session:new"), verbs)
        document = await starting
        assert document is not None
        return socket, document

"""A softphone in Python: registers, calls, is called, presses keys, and keeps what it hears.

>>> async with Softphone("alice", password="secret", server="127.0.0.1:5060") as phone:
...     call = await phone.call("+14155550100")
...     await call.answered()
...     await call.press("12")
...     await call.ended()
...     call.save(Path("heard.wav"))
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec
import numpy as np
import soundfile

from ringback.sip import events as sip
from ringback.sip.endpoint import SipEndpoint
from ringback.sip.flow import split_address
from ringback.sip.grammar import Params
from ringback.sip.inbound import InboundCall
from ringback.sip.incoming import IncomingRequest
from ringback.sip.message import Request, Response
from ringback.sip.negotiate import Capabilities, LocalMedia, Negotiated, accept_answer, answer, make_offer
from ringback.sip.outbound import OutboundCall
from ringback.sip.pending import Pending
from ringback.sip.registration import Registration
from ringback.sip.sdp import Codec, Direction, SessionDescription
from ringback.sip.uri import NameAddr, Uri
from ringback.testing.phone_audio import RATE, PhoneAudio, Samples, loudness


class CallFailed(Exception):
    """The call was not answered; `status` is the SIP status that says so."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"{status} {reason}")
        self.status = status
        self.reason = reason


class PhoneCall:
    """One call at the phone, placed or received."""

    def __init__(
        self,
        host: str,
        on_progress: Callable[[str], None] | None = None,
        *,
        delayed_offer: bool = False,
        telephone_events: bool = True,
    ) -> None:
        self._delayed_offer = delayed_offer
        self._capabilities = Capabilities() if telephone_events else Capabilities(telephone_event="")
        self.audio = PhoneAudio()
        self.status = 0
        """The latest SIP status of the call."""
        self.events: list[str] = []
        """What happened, in words, in order."""
        self.reason: str | None = None
        """The Reason field (RFC 3326) of the BYE or CANCEL that ended it, if there was one."""
        self.requests: asyncio.Queue[IncomingRequest] = asyncio.Queue()
        """REFER, NOTIFY and MESSAGE inside the call, for whoever answers them."""
        self._host = host
        self._on_progress = on_progress
        self._session: InboundCall | OutboundCall | None = None
        self._local: LocalMedia | None = None
        self._offered: SessionDescription | None = None
        self._agreed: Negotiated | None = None
        loop = asyncio.get_running_loop()
        self._answered: asyncio.Future[None] = loop.create_future()
        self._ended: asyncio.Future[str] = loop.create_future()
        self._answered.add_done_callback(lambda done: done.cancelled() or done.exception())

    @property
    def invite(self) -> Request | None:
        """The INVITE of an incoming call."""
        session = self._session
        return session.request if isinstance(session, InboundCall) else None

    @property
    def responded(self) -> bool:
        """Whether anything has come from the far end of a placed call, if only 100 Trying."""
        session = self._session
        return isinstance(session, OutboundCall) and session.heard

    # -- what a person does

    async def answered(self, timeout: float = 30.0) -> None:
        """Wait for the answer. Raises CallFailed, TimeoutError."""
        await asyncio.wait_for(asyncio.shield(self._answered), timeout)

    async def ended(self, timeout: float = 60.0) -> str:
        """Wait for the end; who ended it: `local`, `remote` or `failed`. Raises TimeoutError."""
        return await asyncio.wait_for(asyncio.shield(self._ended), timeout)

    async def press(self, keys: str) -> None:
        """Press keys one after the other; `w` waits half a second, `W` a whole one."""
        for key in keys:
            if key in "wW":
                await self._pause(0.5 if key == "w" else 1.0)
            else:
                await self.audio.press(key.upper())
                await self._pause(0.1)

    async def silence(self, seconds: float = 0.6, *, timeout: float = 30.0) -> None:
        """Wait until the far end has spoken and then been quiet for `seconds`, or the call is over."""
        async with asyncio.timeout(timeout):
            while not self._ended.done():
                heard = self.audio.heard
                tail = heard[-int(seconds * RATE) :]
                spoke = len(heard) > len(tail) and np.abs(heard[: -len(tail)]).max() > 500
                if spoke and len(tail) >= int(seconds * RATE) and loudness(tail) < 60:
                    return
                await self._while_up(self.audio.arrival())

    async def hears(self, seconds: float, *, timeout: float = 30.0) -> None:
        """Wait until that much audio has come, or the call is over."""
        async with asyncio.timeout(timeout):
            while len(self.audio.heard) < seconds * RATE and not self._ended.done():
                await self._while_up(self.audio.arrival())

    def answer(self) -> None:
        """Answer an incoming call."""
        session = self._session
        assert isinstance(session, InboundCall)
        assert self._local is not None
        if session.offer is None:
            self._offered = make_offer(self._local)
            session.answer(self._offered.encode())
        else:
            description, self._agreed = answer(SessionDescription.parse(session.offer), self._local)
            session.answer(description.encode())
            self._listen()
        self._happened("answered")
        self._answered.set_result(None)

    def ring(self) -> None:
        """Let an incoming call ring."""
        assert isinstance(self._session, InboundCall)
        self._session.ring()

    def early_media(self) -> None:
        """Let it ring with sound: 183 with a session description."""
        session = self._session
        assert isinstance(session, InboundCall)
        assert session.offer is not None
        assert self._local is not None
        description, self._agreed = answer(SessionDescription.parse(session.offer), self._local)
        session.ring(183, sdp=description.encode())
        self._listen()

    def reject(self, status: int = 486) -> None:
        """Refuse an incoming call."""
        assert isinstance(self._session, InboundCall)
        self._session.reject(status)
        self._over("local")

    def hang_up(self) -> None:
        """Hang up, or give up."""
        if self._session is not None and not self._ended.done():
            self._session.bye()
            self._over("local")

    def offer(
        self, direction: Direction = "sendrecv", *, codecs: tuple[Codec, ...] = ()
    ) -> Pending[Response]:
        """Send a re-INVITE: `sendonly` holds, `sendrecv` takes back; `codecs` are all that it offers.

        Await it for the final response.
        """
        assert self._local is not None
        capabilities = self._capabilities
        if codecs:
            capabilities = msgspec.structs.replace(capabilities, codecs=codecs)
        local = LocalMedia(
            self._local.host,
            self._local.port,
            capabilities=capabilities,
            session_id=self._local.session_id,
            direction=direction,
        )
        self._offered = make_offer(local, self._agreed)
        return self.session.reinvite(self._offered.encode())

    async def move(self) -> Response:
        """Offer another port, from which the phone goes on with a new stream; the final response."""
        assert self._local is not None
        old, self.audio = self.audio, PhoneAudio()
        await old.close()
        await self.audio.open(self._host)
        self._local = msgspec.structs.replace(self._local, port=self.audio.port)
        return await self.offer()

    def hold(self) -> Pending[Response]:
        """Put the far end on hold, by a re-INVITE. Await it for the final response."""
        return self.offer("sendonly")

    def resume(self) -> Pending[Response]:
        """Take the far end off hold. Await it for the final response."""
        return self.offer("sendrecv")

    def transfer(self, target: str, *headers: tuple[str, str]) -> Pending[Response]:
        """Ask the far end to call `target`, a URI, instead: a REFER (RFC 3515). Await it for the response,
        202 when it will try; NOTIFYs about what came of it follow in `requests`, for you to `reply(200)`."""
        return self.session.send_request("REFER", [("Refer-To", f"<{Uri.parse(target)}>"), *headers])

    def say(self, what: Samples | Path) -> None:
        """Speak, after what is still being said: samples at 8 kHz, or a file of them. Raises ValueError for a
        file of another rate."""
        self.audio.say(what if isinstance(what, np.ndarray) else _read(what))

    async def said(self) -> None:
        """Wait until all that was to be said has gone out."""
        await self.audio.said()

    def heard(self) -> Samples:
        """What was heard so far."""
        return self.audio.heard

    def save(self, path: Path) -> None:
        """Write what was heard as a WAV file."""
        self.audio.save(path)

    async def close(self) -> None:
        """Hang up if need be, refuse the requests that nobody took, and free the port."""
        self.hang_up()
        while not self.requests.empty():
            self.requests.get_nowait().reply(481)  # Call/Transaction Does Not Exist: sent again by no peer
        if not self._answered.done():
            self._answered.cancel()
        await self.audio.close()

    # -- inside

    async def prepare(self) -> None:
        """Open the port for the audio."""
        await self.audio.open(self._host)
        self._local = LocalMedia(self._host, self.audio.port, capabilities=self._capabilities)

    def place(
        self, invite: Callable[[bytes | None, Callable[[sip.SessionEvent], None]], OutboundCall]
    ) -> None:
        """Send the INVITE."""
        assert self._local is not None
        if not self._delayed_offer:
            self._offered = make_offer(self._local)
        self._session = invite(self._offered.encode() if self._offered else None, self._signal)

    def receive(self, session: InboundCall) -> None:
        """An INVITE came."""
        self._session = session
        session.on_event = self._signal

    @property
    def session(self) -> InboundCall | OutboundCall:
        """The SIP side."""
        assert self._session is not None
        return self._session

    async def _pause(self, seconds: float) -> None:
        await asyncio.wait({self._ended}, timeout=seconds)

    async def _while_up(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        waited: set[asyncio.Future[Any]] = {task, self._ended}
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        task.cancel()

    def _signal(self, event: sip.SessionEvent) -> None:
        match event:
            case sip.Progress(status, reason, sdp, _):
                self._progress(status, reason, sdp)
            case sip.Answered(status, reason, sdp, _):
                self._progress(status, reason, sdp)
                if self._offered is None:
                    self._reply(sdp)
                if not self._answered.done():
                    self._answered.set_result(None)
            case sip.Failed(status, reason, _, _):
                self._progress(status, reason, None)
                if not self._answered.done():
                    self._answered.set_exception(CallFailed(status, reason))
                self._over("failed")
            case sip.Ended(_, headers, _) | sip.Cancelled(headers):
                self.reason = headers.get("Reason")
                self._over("remote")
            case sip.Confirmed(sdp) | sip.OfferAnswered(sdp):
                self._accept(sdp)
            case sip.Offer(sdp, _):
                self._reply(sdp)
            case sip.RequestReceived(incoming):
                self.requests.put_nowait(incoming)
            case _:
                pass

    def _progress(self, status: int, reason: str, sdp: bytes | None) -> None:
        self.status = status
        self._happened(f"{status} {reason}")
        self._accept(sdp)

    def _accept(self, sdp: bytes | None) -> None:
        if sdp is not None and self._offered is not None and self._local is not None:
            self._agreed = accept_answer(self._offered, SessionDescription.parse(sdp), self._local)
            self._listen()

    def _reply(self, sdp: bytes | None) -> None:
        assert self._local is not None
        if sdp is None:
            self._offered = make_offer(self._local, self._agreed)
            self.session.reply_offer(self._offered.encode())
            return
        description, self._agreed = answer(SessionDescription.parse(sdp), self._local, self._agreed)
        self.session.reply_offer(description.encode())
        self._listen()

    def _listen(self) -> None:
        agreed = self._agreed
        if agreed is not None:
            self.audio.start(
                (agreed.remote_host, agreed.remote_port),
                codec=agreed.codec,
                payload_type=agreed.send_payload_type,
                receive=agreed.receive,
                dtmf_pt=agreed.send_dtmf_pt,
                receive_dtmf=agreed.receive_dtmf_pts,
            )

    def _happened(self, what: str) -> None:
        self.events.append(what)
        if self._on_progress is not None:
            self._on_progress(what)

    def _over(self, who: str) -> None:
        if not self._ended.done():
            self._ended.set_result(who)
            self.audio.stop()
            self._happened(f"ended ({who})")


def _read(path: Path) -> Samples:
    """The first channel of a file of 8 kHz."""
    samples, rate = soundfile.read(path, dtype="int16", always_2d=True)
    if rate != RATE:
        raise ValueError(f"{path} has {rate} samples a second; a telephone takes {RATE}")
    first: Samples = samples[:, 0]
    return first


class Softphone:
    """A SIP device. `server` is `host:port` of the server it belongs to."""

    def __init__(
        self,
        username: str,
        *,
        server: str,
        password: str = "",
        display_name: str = "",
        transport: str = "udp",
        host: str = "127.0.0.1",
        listen: str | None = None,
    ) -> None:
        self.username = username
        self._server_host, self._server_port = split_address(server)
        self._password = password
        self._transport = transport
        self._host = host
        bracketed = f"[{host}]" if ":" in host else host
        self._listen = listen or f"{transport}:{bracketed}:0"
        self._calls: list[PhoneCall] = []
        self._incoming: asyncio.Queue[PhoneCall] = asyncio.Queue()
        self._opening: set[asyncio.Task[None]] = set()
        self._registration: Registration | None = None
        self._endpoint = SipEndpoint(
            user_agent="Ringback softphone",
            on_invitation=self._invited,
            methods=("REFER", "NOTIFY", "MESSAGE"),
            supported=("replaces",),
        )
        address = Uri(user=username, host=self._server_host, port=self._server_port)
        self.address = NameAddr(address, display_name=display_name)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Open the SIP port."""
        await self._endpoint.start([self._listen])

    async def stop(self) -> None:
        """Hang up what is up, sign off where it registered, and close everything."""
        for call in self._calls:
            await call.close()
        if self._registration is not None and self._registration.registered:
            self._registration.unregister()
        await self._endpoint.stop(grace=1.0)

    @property
    def listening(self) -> str:
        """Where the phone itself is reached: `udp:host:port`."""
        return self._endpoint.listening[0]

    async def register(self, expires: int = 300) -> None:
        """Register at the server, or sign off with 0. Raises CallFailed when it refuses."""
        response = await self.sign_on(expires)
        if response.status != 200:
            raise CallFailed(response.status, response.reason)

    async def sign_on(self, expires: int = 300) -> Response:
        """Register, or sign off with 0; the final answer, whatever it is."""
        if self._registration is not None:
            self._registration.stop()
        registration = self._registration = self._endpoint.register(
            self._server(None),
            aor=self.address,
            credentials=(self.username, self._password),
            expires=expires,
        )
        response = await registration.first
        if not expires and response.status == 200:
            self._registration = None
        return response

    async def call(
        self,
        to: str,
        *,
        headers: tuple[tuple[str, str], ...] = (),
        on_progress: Callable[[str], None] | None = None,
        delayed_offer: bool = False,
        telephone_events: bool = True,
    ) -> PhoneCall:
        """Call a number or a name at the server, or any `sip:` URI.

        `delayed_offer`: let the far end make the offer, and answer it in the ACK. Without `telephone_events`
        keys are pressed as tones in the audio.
        """
        call = PhoneCall(
            self._host, on_progress, delayed_offer=delayed_offer, telephone_events=telephone_events
        )
        await call.prepare()
        self._calls.append(call)
        target = Uri.parse(to) if to.startswith(("sip:", "sips:")) else self._server(to)
        call.place(
            lambda offer, on_event: self._endpoint.invite(
                target,
                from_=self.address,
                to=NameAddr(target.with_(params=Params())),
                offer=offer,
                on_event=on_event,
                headers=headers,
                credentials=(self.username, self._password) if self._password else None,
            )
        )
        return call

    async def incoming(self, timeout: float = 30.0) -> PhoneCall:
        """Wait for the next incoming call; it is not answered, and not ringing yet. Raises TimeoutError."""
        return await asyncio.wait_for(self._incoming.get(), timeout)

    def _server(self, user: str | None) -> Uri:
        params = Params() if self._transport == "udp" else Params({"transport": self._transport})
        return Uri(user=user, host=self._server_host, port=self._server_port, params=params)

    def _invited(self, session: InboundCall) -> None:
        call = PhoneCall(self._host)
        call.receive(session)
        self._calls.append(call)
        task = asyncio.get_running_loop().create_task(self._open(call))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _open(self, call: PhoneCall) -> None:
        await call.prepare()
        self._incoming.put_nowait(call)

"""The registrar: which contacts a client can be reached at (:rfc:`3261#section-10.3`), without any IO.

Who the client is has been proven before; a REGISTER comes in as the user name and what the message asked for,
out come the answer and the bindings that changed. A telephone that got another address replaces its contact:
it is known by its instance (:rfc:`5626`), or by the Call-ID that it goes on using.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from typing import Protocol
from uuid import UUID

import msgspec

from ringback.sip.errors import SipParseError
from ringback.sip.flow import Flow
from ringback.sip.uri import NameAddr, Uri


class Binding(msgspec.Struct, frozen=True, kw_only=True):
    """One contact of one client, with the way its REGISTER came (the way back through its NAT)."""

    username: str
    contact: str  # the URI, as the client wrote it
    flow: Flow
    call_id: str
    cseq: int
    registered_at: float  # seconds since the epoch, as is `expires_at`
    expires_at: float
    q: float = 1.0
    user_agent: str = ""
    path: tuple[str, ...] = ()  # :rfc:`3327`
    instance: str = ""  # +sip.instance, as written
    account_id: UUID | None = None

    @property
    def uri(self) -> Uri:
        """The contact as a URI."""
        return Uri.parse(self.contact)

    @property
    def behind_nat(self) -> bool:
        """Whether its REGISTER came from another address than the contact names."""
        return not self.path and _behind_nat(self.uri, self.flow)

    @property
    def target(self) -> Uri:
        """Where it is reached: at the address its REGISTER came from, since behind a NAT the one it names
        leads nowhere; through proxies as it says."""
        contact, flow = self.uri, self.flow
        if self.path:
            return contact
        params = contact.params.without("maddr")  # another host than the one that was heard
        if flow.transport != "udp":
            params = params.with_("transport", flow.transport)
        elif "transport" in params:
            params = params.without("transport")
        return contact.with_(host=flow.host, port=flow.port, params=params, headers="")

    @property
    def route(self) -> tuple[Uri, ...]:
        """The proxies the REGISTER came through (:rfc:`3327`), which lead back to the client."""
        return tuple(NameAddr.parse(path).uri for path in self.path)


class Registration(msgspec.Struct, frozen=True, kw_only=True):
    """What a REGISTER asks for. No contacts at all is a query; `everything` is `Contact: *`."""

    username: str
    flow: Flow
    call_id: str
    cseq: int
    contacts: tuple[NameAddr, ...] = ()
    everything: bool = False
    expires: int | None = None  # the Expires header field, seconds
    longest: int | None = None  # seconds; no contact is granted more
    user_agent: str = ""
    path: tuple[str, ...] = ()
    account_id: UUID | None = None


class Registered(msgspec.Struct, frozen=True, kw_only=True):
    """The answer, and what to store: `kept` are new or changed, `dropped` are gone.

    `contacts` are the values of the answer's Contact fields; `min_expires` goes with 423.
    """

    status: int
    reason: str = ""
    contacts: tuple[str, ...] = ()
    min_expires: int | None = None
    kept: tuple[Binding, ...] = ()
    dropped: tuple[Binding, ...] = ()


class BindingStore(Protocol):
    """Where bindings outlive the process."""

    async def load(self) -> list[Binding]:
        """Every binding that was kept."""
        ...

    def keep(self, binding: Binding) -> None:
        """Store one, over that of the same client and contact."""
        ...

    def drop(self, binding: Binding) -> None:
        """Forget one."""
        ...


class Registrar:
    """The bindings of all clients. Times are seconds since the epoch and always handed in."""

    def __init__(
        self,
        *,
        min_expires: int = 30,
        default_expires: int = 3600,
        max_expires: int = 7200,
        max_contacts: int = 1,
        nat_expires: int | None = None,
    ) -> None:
        self._min, self._default, self._max = min_expires, default_expires, max_expires
        self._nat = nat_expires
        self._max_contacts = max_contacts
        self._bindings: dict[str, list[Binding]] = {}

    def restore(self, bindings: Iterable[Binding], now: float) -> None:
        """Take over what was stored; what has expired meanwhile is left behind."""
        for binding in sorted(bindings, key=lambda binding: binding.registered_at):
            if binding.expires_at > now:
                self._bindings.setdefault(binding.username, []).append(binding)

    def lookup(self, username: str, now: float) -> tuple[Binding, ...]:
        """Where a client can be reached now, the preferred contact first."""
        live = [b for b in self._bindings.get(username, ()) if b.expires_at > now]
        return tuple(sorted(live, key=lambda b: (-b.q, -b.registered_at)))

    @property
    def size(self) -> tuple[int, int]:
        """How many clients and how many contacts are kept; those that ran out, until `expire`."""
        return len(self._bindings), sum(map(len, self._bindings.values()))

    def usernames(self, now: float) -> list[str]:
        """The clients that are registered now."""
        return [name for name in self._bindings if self.lookup(name, now)]

    def expire(self, now: float) -> tuple[Binding, ...]:
        """Let go of what has run out; returns it."""
        gone = [b for held in self._bindings.values() for b in held if b.expires_at <= now]
        for binding in gone:
            self._remove(binding)
        return tuple(gone)

    def drop(self, binding: Binding) -> None:
        """Let go of one."""
        self._remove(binding)

    def forget(self, username: str) -> tuple[Binding, ...]:
        """Let go of a client that is configured no more; returns its bindings."""
        return tuple(self._bindings.pop(username, ()))

    def register(self, wanted: Registration, now: float) -> Registered:
        """Do what a REGISTER of a proven client asks for, all of it or nothing."""
        self.expire(now)
        if wanted.everything:
            return self._remove_all(wanted, now)
        held = self._bindings.get(wanted.username, [])
        changes: list[tuple[Binding | None, Binding, int]] = []
        for contact in wanted.contacts:
            expires = self._granted(contact, wanted.expires)
            if 0 < expires < self._min:
                return Registered(status=423, reason="Interval Too Brief", min_expires=self._min)
            moved = expires > 0  # what is taken away is named exactly
            old = next((b for b in held if _is_same(b, contact, wanted, moved=moved)), None)
            if old is not None and _out_of_order(old, wanted):
                return Registered(status=500, reason="Out Of Order")
            expires = min(expires, self._longest(contact, wanted))
            changes.append((old, self._binding(wanted, contact, expires, now), expires))
        return self._apply(wanted.username, changes, now)

    def _apply(
        self, username: str, changes: Sequence[tuple[Binding | None, Binding, int]], now: float
    ) -> Registered:
        kept: list[Binding] = []
        dropped: list[Binding] = []
        for old, new, expires in changes:
            if old is not None:
                self._remove(old)
            if expires:
                self._bindings.setdefault(username, []).append(new)
                kept.append(new)
            elif old is not None:
                dropped.append(old)
        dropped += self._trim(username)
        kept = [binding for binding in kept if binding not in dropped]
        stored = {binding.contact for binding in kept}
        # A contact written differently than before (another port of the same meaning) leaves its old name.
        dropped += [old for old, _, _ in changes if old and old not in dropped and old.contact not in stored]
        return self._answer(username, now, kept, dropped)

    def _remove_all(self, wanted: Registration, now: float) -> Registered:
        if wanted.contacts or wanted.expires != 0:
            return Registered(status=400, reason="Contact * Needs Expires 0 And No Other Contact")
        held = list(self._bindings.get(wanted.username, ()))
        if any(_out_of_order(binding, wanted) for binding in held):
            return Registered(status=500, reason="Out Of Order")
        self._bindings.pop(wanted.username, None)
        return self._answer(wanted.username, now, [], held)

    def _answer(self, username: str, now: float, kept: list[Binding], dropped: list[Binding]) -> Registered:
        contacts = tuple(
            f"<{binding.contact}>;expires={round(binding.expires_at - now)}"
            for binding in self.lookup(username, now)
        )
        return Registered(
            status=200, reason="OK", contacts=contacts, kept=tuple(kept), dropped=tuple(dropped)
        )

    def _granted(self, contact: NameAddr, header: int | None) -> int:
        """Seconds: the contact's own parameter, else the header field, else the default; at most the most."""
        text = contact.params.get("expires")
        if text is not None and text.isascii() and text.isdigit():
            return min(int(text[:10]), self._max)
        return min(self._default if header is None else header, self._max)

    def _longest(self, contact: NameAddr, wanted: Registration) -> int:
        """Seconds that a contact is granted at most, where there is a reason for fewer than it asks for."""
        longest = self._max if wanted.longest is None else wanted.longest
        through_nat = not wanted.path and _behind_nat(contact.uri, wanted.flow)
        # Over UDP a NAT forgets the way back within less than a minute: the device has to keep it open.
        if self._nat is None or not through_nat or wanted.flow.transport != "udp":
            return longest
        return min(longest, self._nat)

    def _binding(self, wanted: Registration, contact: NameAddr, expires: int, now: float) -> Binding:
        return Binding(
            username=wanted.username,
            contact=str(contact.uri),
            flow=wanted.flow,
            call_id=wanted.call_id,
            cseq=wanted.cseq,
            registered_at=now,
            expires_at=now + expires,
            q=_preference(contact),
            user_agent=wanted.user_agent,
            path=wanted.path,
            instance=contact.params.get("+sip.instance") or "",
            account_id=wanted.account_id,
        )

    def _trim(self, username: str) -> list[Binding]:
        """The oldest give way when a client has more contacts than it may."""
        held = self._bindings.get(username, [])
        surplus = held[: max(0, len(held) - self._max_contacts)]
        for binding in surplus:
            self._remove(binding)
        return surplus

    def _remove(self, binding: Binding) -> None:
        held = self._bindings.get(binding.username, [])
        if binding in held:
            held.remove(binding)
        if not held:
            self._bindings.pop(binding.username, None)


def parse_contacts(values: Sequence[str]) -> tuple[tuple[NameAddr, ...], bool]:
    """The Contact fields of a REGISTER, and whether one of them is `*`. Raises SipParseError."""
    contacts: list[NameAddr] = []
    everything = False
    for value in values:
        if value.strip() == "*":
            everything = True
            continue
        for contact in NameAddr.parse_many(value):
            if contact.uri.scheme not in ("sip", "sips"):
                raise SipParseError("Contact Is No SIP URI")
            contacts.append(contact)
    return tuple(contacts), everything


def parse_path(values: Sequence[str]) -> tuple[str, ...]:
    """The Path fields of a REGISTER, our neighbour first (:rfc:`3327`). Raises SipParseError."""
    hops = tuple(hop for value in values for hop in NameAddr.parse_many(value))
    if any(hop.uri.scheme not in ("sip", "sips") for hop in hops):
        raise SipParseError("Path Is No SIP URI")
    return tuple(map(str, hops))


def _is_same(binding: Binding, contact: NameAddr, wanted: Registration, *, moved: bool) -> bool:
    """Whether a binding is of that contact or, where it may have `moved`, of the same telephone before."""
    if binding.uri.same_as(contact.uri) or not moved:
        return binding.uri.same_as(contact.uri)
    instance = contact.params.get("+sip.instance") or ""
    if instance or binding.instance:
        return instance == binding.instance
    return len(wanted.contacts) == 1 and binding.call_id == wanted.call_id


def _behind_nat(contact: Uri, flow: Flow) -> bool:
    """Whether the address that a contact names is not the one that it was seen at; a name says nothing."""
    try:
        named = ipaddress.ip_address(contact.host)
        return named != ipaddress.ip_address(flow.host)
    except ValueError:
        return False


def _out_of_order(binding: Binding, wanted: Registration) -> bool:
    """RFC 3261 section 10.3 step 7: within one Call-ID only a higher CSeq may change a binding."""
    return binding.call_id == wanted.call_id and wanted.cseq <= binding.cseq


def _preference(contact: NameAddr) -> float:
    try:
        return min(1.0, max(0.0, float(contact.params.get("q") or 1.0)))
    except ValueError:
        return 1.0

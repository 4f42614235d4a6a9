"""REGISTER, without a network: RFC 3261 section 10.3."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ringback.routing.bindings import StoredBindings
from ringback.routing.registrar import Registered, Registrar, Registration, parse_contacts
from ringback.sip.errors import SipParseError
from ringback.sip.flow import Flow
from ringback.sip.uri import NameAddr
from ringback.store import Store, StoredObject

FLOW = Flow("udp", "192.0.2.9", 40000)


def ask(registrar: Registrar, *contacts: str, now: float = 0.0, **fields: Any) -> Registered:
    settings: dict[str, Any] = {"username": "alice", "flow": FLOW, "call_id": "c", "cseq": 1}
    wanted = Registration(contacts=tuple(map(NameAddr.parse, contacts)), **{**settings, **fields})
    return registrar.register(wanted, now)


def uris(registrar: Registrar, now: float = 0.0, username: str = "alice") -> list[str]:
    return [binding.contact for binding in registrar.lookup(username, now)]


def test_a_contact_is_bound_for_the_time_it_asks_for() -> None:
    registrar = Registrar()
    reply = ask(registrar, "<sip:alice@10.0.0.1:5062;transport=udp>;expires=120", now=1000.0)
    assert reply.status == 200
    assert reply.contacts == ("<sip:alice@10.0.0.1:5062;transport=udp>;expires=120",)
    assert [binding.flow for binding in reply.kept] == [FLOW]
    assert uris(registrar, 1119.0) == ["sip:alice@10.0.0.1:5062;transport=udp"]
    assert uris(registrar, 1120.0) == []


@pytest.mark.parametrize(
    ("contact", "header", "granted"),
    [
        ("<sip:a@h>", None, 3600),
        ("<sip:a@h>", 600, 600),
        ("<sip:a@h>;expires=60", 600, 60),
        ("<sip:a@h>;expires=junk", 600, 600),
        ("<sip:a@h>", 1_000_000, 7200),
        ("<sip:a@h>;expires=99999999999999999999", None, 7200),
    ],
)
def test_expiry(contact: str, header: int | None, granted: int) -> None:
    reply = ask(Registrar(), contact, expires=header)
    assert reply.contacts == (f"<sip:a@h>;expires={granted}",)


def test_too_brief_is_423_and_changes_nothing() -> None:
    registrar = Registrar()
    ask(registrar, "<sip:a@h1>")
    reply = ask(registrar, "<sip:a@h2>;expires=5", cseq=2)
    assert (reply.status, reply.min_expires) == (423, 30)
    assert uris(registrar) == ["sip:a@h1"]


def test_a_query_changes_nothing() -> None:
    registrar = Registrar()
    ask(registrar, "<sip:a@h>;expires=100", now=0.0)
    reply = ask(registrar, now=40.0, cseq=2)
    assert (reply.contacts, reply.kept, reply.dropped) == (("<sip:a@h>;expires=60",), (), ())


def test_zero_removes() -> None:
    registrar = Registrar()
    ask(registrar, "<sip:a@h>")
    reply = ask(registrar, "<sip:A@h;unknown>;expires=0", cseq=2)
    assert uris(registrar) == ["sip:a@h"]  # another user: not its binding
    reply = ask(registrar, "<sip:a@H>;expires=0", cseq=3)
    assert reply.contacts == ()
    assert [binding.contact for binding in reply.dropped] == ["sip:a@h"]
    assert uris(registrar) == []
    assert ask(registrar, "<sip:a@h>;expires=0", cseq=4).status == 200  # gone already is no error


def test_a_refresh_goes_on_and_a_spelling_is_replaced_in_the_store() -> None:
    registrar = Registrar()
    ask(registrar, "<sip:a@HOST>;expires=100", now=0.0)
    reply = ask(registrar, "<sip:a@host>;expires=100", now=50.0, cseq=2)
    assert [binding.contact for binding in reply.kept] == ["sip:a@host"]
    assert [binding.contact for binding in reply.dropped] == ["sip:a@HOST"]
    assert uris(registrar, 149.0) == ["sip:a@host"]


def test_the_newest_contact_replaces_the_one_before() -> None:
    registrar = Registrar()
    ask(registrar, "<sip:a@h1>", call_id="one")
    reply = ask(registrar, "<sip:a@h2>", call_id="two", now=5.0)
    assert uris(registrar, 5.0) == ["sip:a@h2"]
    assert [binding.contact for binding in reply.dropped] == ["sip:a@h1"]


def test_several_contacts_where_that_is_allowed() -> None:
    registrar = Registrar(max_contacts=2)
    ask(registrar, "<sip:a@h1>;q=0.2", call_id="one")
    ask(registrar, "<sip:a@h2>;q=0.9", call_id="two", now=1.0)
    assert uris(registrar, 1.0) == ["sip:a@h2", "sip:a@h1"]
    ask(registrar, "<sip:a@h3>;q=nonsense", call_id="three", now=2.0)
    assert uris(registrar, 2.0) == ["sip:a@h3", "sip:a@h2"]


def test_everything_goes_with_a_star() -> None:
    registrar = Registrar(max_contacts=2)
    ask(registrar, "<sip:a@h1>", "<sip:a@h2>")
    assert ask(registrar, everything=True, cseq=2).status == 400
    assert ask(registrar, everything=True, expires=60, cseq=2).status == 400
    assert ask(registrar, "<sip:a@h1>", everything=True, expires=0, cseq=2).status == 400
    assert len(uris(registrar)) == 2
    reply = ask(registrar, everything=True, expires=0, cseq=2)
    assert (reply.status, len(reply.dropped)) == (200, 2)
    assert uris(registrar) == []


def test_an_older_request_of_the_same_call_changes_nothing() -> None:
    registrar = Registrar()
    ask(registrar, "<sip:a@h>", cseq=5)
    assert ask(registrar, "<sip:a@h>;expires=0", cseq=5).status == 500
    assert ask(registrar, everything=True, expires=0, cseq=4).status == 500
    assert uris(registrar) == ["sip:a@h"]
    assert ask(registrar, "<sip:a@h>;expires=0", cseq=1, call_id="after a restart").status == 200


def test_users_are_kept_apart_and_forgotten() -> None:
    registrar = Registrar()
    ask(registrar, "<sip:a@h>")
    ask(registrar, "<sip:b@h>;expires=60", username="bob")
    assert registrar.usernames(0.0) == ["alice", "bob"]
    assert [binding.username for binding in registrar.expire(60.0)] == ["bob"]
    assert [binding.username for binding in registrar.forget("alice")] == ["alice"]
    assert registrar.usernames(0.0) == []


def test_contact_fields() -> None:
    contacts, everything = parse_contacts(["<sip:a@h>, <sip:b@h>;q=0.1", "sip:c@h;expires=5"])
    assert [str(contact.uri) for contact in contacts] == ["sip:a@h", "sip:b@h", "sip:c@h"]
    assert not everything
    assert parse_contacts([" * "]) == ((), True)
    assert parse_contacts([]) == ((), False)
    for bad in ("<sip:a", "<mailto:a@b>", "<tel:+1>"):
        with pytest.raises(SipParseError):
            parse_contacts([bad])


async def test_bindings_outlive_the_process(data: Path) -> None:
    async with await Store.open("sqlite", data) as store:
        stored = StoredBindings(store)
        registrar = Registrar(max_contacts=2)
        reply = ask(registrar, "<sip:a@h1>;expires=100", "<sip:a@h2>;expires=200", path=("<sip:proxy;lr>",))
        for binding in reply.kept:
            stored.keep(binding)
        await store.put_object(StoredObject(kind="binding", id="odd", name="odd", data={"from": "elsewhere"}))
        for binding in ask(registrar, "<sip:a@h1>;expires=0", cseq=2).dropped:
            stored.drop(binding)
    async with await Store.open("sqlite", data) as store:
        again = Registrar()
        again.restore(await StoredBindings(store).load(), now=150.0)
        (binding,) = again.lookup("alice", 150.0)
        assert (binding.contact, binding.flow, binding.path) == ("sip:a@h2", FLOW, ("<sip:proxy;lr>",))
        late = Registrar()
        late.restore(await StoredBindings(store).load(), now=200.0)
        assert late.usernames(200.0) == []


async def test_a_binding_that_cannot_be_stored_is_no_failure(data: Path) -> None:
    store = await Store.open("sqlite", data)
    await store.close()
    (binding,) = ask(Registrar(), "<sip:a@h>").kept
    StoredBindings(store).keep(binding)
    StoredBindings(store).drop(binding)


# -- through a NAT


@pytest.mark.parametrize(
    ("contact", "flow", "path", "granted"),
    [
        ("sip:a@10.0.0.1:5062", FLOW, (), 30),
        ("sip:a@192.0.2.9:5062", FLOW, (), 3600),  # another port alone is no NAT
        ("sip:a@host.example", FLOW, (), 3600),  # a name says nothing
        ("sip:a@[2001:db8::2]", Flow("udp", "2001:db8::1", 5060), (), 30),
        ("sip:a@10.0.0.1;transport=tcp", Flow("tcp", "192.0.2.9", 40000), (), 3600),
        ("sip:a@10.0.0.1", FLOW, ("<sip:proxy;lr>",), 3600),
    ],
)
def test_over_udp_a_nat_makes_a_binding_short(
    contact: str, flow: Flow, path: tuple[str, ...], granted: int
) -> None:
    registrar = Registrar(nat_expires=30)
    reply = ask(registrar, f"<{contact}>", flow=flow, path=path)
    assert reply.contacts == (f"<{contact}>;expires={granted}",)
    (binding,) = registrar.lookup("alice", 0.0)
    assert binding.behind_nat == (granted == 30 or flow.transport == "tcp")


def test_a_short_binding_is_no_reason_for_423() -> None:
    registrar = Registrar(min_expires=60, nat_expires=30)
    assert ask(registrar, "<sip:a@10.0.0.1>;expires=600").contacts == ("<sip:a@10.0.0.1>;expires=30",)


def test_somebody_else_may_say_how_long_it_lasts() -> None:
    assert ask(Registrar(), "<sip:a@h>", longest=90).contacts == ("<sip:a@h>;expires=90",)


# -- a telephone that moved


def test_a_telephone_is_known_by_its_instance() -> None:
    registrar = Registrar(max_contacts=5)
    mine, other = '+sip.instance="<urn:uuid:1>"', '+sip.instance="<urn:uuid:2>"'
    ask(registrar, f"<sip:a@h1>;{mine}")
    ask(registrar, f"<sip:a@h2>;{other}", cseq=2, now=1.0)
    reply = ask(registrar, f"<sip:a@h3>;{mine}", call_id="after a restart", now=2.0)
    assert uris(registrar) == ["sip:a@h3", "sip:a@h2"]
    assert [binding.contact for binding in reply.dropped] == ["sip:a@h1"]


def test_a_telephone_without_an_instance_is_known_by_its_call_id() -> None:
    registrar = Registrar(max_contacts=5)
    ask(registrar, "<sip:a@h1>")
    ask(registrar, "<sip:a@h2>", cseq=2)
    ask(registrar, "<sip:a@h3>", call_id="another one")
    assert sorted(uris(registrar)) == ["sip:a@h2", "sip:a@h3"]


def test_a_contact_that_does_not_answer_is_dropped() -> None:
    registrar = Registrar(max_contacts=5)
    ask(registrar, "<sip:a@h1>", "<sip:a@h2>")
    registrar.drop(registrar.lookup("alice", 0.0)[0])
    assert len(uris(registrar)) == 1

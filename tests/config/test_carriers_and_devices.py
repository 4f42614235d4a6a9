"""What the file says about carriers, devices, and limits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ringback.config import ConfigError, Settings, load
from ringback.config.tables import DevicesSection
from ringback.net.guard import AddressRefused
from ringback.routing.directory import Account, Gateway, HookAddress, Limit, Trunk

ACCOUNT = '[[account]]\nname = "demo"\ntoken = "t"\n'
TRUNK = ACCOUNT + '[[trunk]]\nname = "t"\n'

REFUSES = "expected a SIP status that refuses, such as 503, 480 or 600"


def read(data: Path, text: str, env: dict[str, str] | None = None) -> Settings:
    data.mkdir(exist_ok=True)
    file = data / "t.toml"
    file.write_text(text)
    return load(file, env or {})


def trunk(data: Path, text: str, env: dict[str, str] | None = None) -> Trunk:
    (found,) = read(data, TRUNK + text, env).directory().all(Trunk)
    return found


def account(data: Path, text: str) -> Account:
    (found,) = read(data, ACCOUNT + text).directory().all(Account)
    return found


def test_a_host_is_the_short_form_of_one_gateway(data: Path) -> None:
    assert trunk(data, 'host = "h:5080"\ntransport = "tcp"').gateways == (
        Gateway(host="h:5080", transport="tcp"),
    )
    assert trunk(data, "").gateways == ()


def test_a_trunk_may_have_several_gateways(data: Path) -> None:
    text = 'gateways = [{host = "a"}, {host = "b:5070", transport = "tcp", priority = 1, weight = 3}]'
    assert trunk(data, text).gateways == (
        Gateway(host="a"),
        Gateway(host="b:5070", transport="tcp", priority=1, weight=3),
    )


def test_gateways_may_come_from_the_environment_as_json(data: Path) -> None:
    env = {"RINGBACK_TRUNK__T__GATEWAYS": '[{"host": "a", "priority": 2}]'}
    assert trunk(data, "", env).gateways == (Gateway(host="a", priority=2),)


def test_gateways_are_addresses_that_may_be_reached(data: Path) -> None:
    text = TRUNK + 'gateways = [{host = "10.0.0.1:5080"}]\n[webhooks]\nallow_private = false\n'
    policy = read(data, text).address_policy()
    policy.check("sip://10.0.0.1:5080", "10.0.0.1")
    with pytest.raises(AddressRefused):
        policy.check("sip://10.0.0.2:5080", "10.0.0.2")


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("options_seconds = 30", "options_seconds", 30),
        ("answer_seconds = 2.5", "answer_seconds", 2.5),
        ("max_calls = 10\ncalls_per_second = 1.5", "limit", Limit(10, 1.5)),
        ('number_format = "+e164"', "number_format", "+e164"),
        ('strip = "+44"', "strip", "+44"),
        ('prefix = "777#"', "prefix", "777#"),
        ('caller_id = "pai"', "caller_id", "pai"),
        ('identity = "+14155550100"', "identity", "+14155550100"),
        ("diversion = true", "diversion", True),
        ('called_from = "p-called-party-id"', "called_from", "p-called-party-id"),
        ("trust_identity = true", "trust_identity", True),
        ("overload_status = 480", "overload_status", 480),
    ],
)
def test_the_keys_of_a_trunk(data: Path, text: str, name: str, value: Any) -> None:
    assert getattr(trunk(data, text), name) == value
    assert getattr(trunk(data, ""), name) != value


def test_a_trunk_may_have_an_application(data: Path) -> None:
    settings = read(
        data,
        TRUNK + f'application = "ivr"\n[[application]]\nname = "ivr"\ndialect = "laml"\nsid = "{5:032x}"',
    )
    (found,) = settings.directory().all(Trunk)
    assert found.application_id is not None
    assert found.application_id.int == 5


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("devices_dial_out = true", "devices_dial_out", True),
        ('sip_realm = "pbx.example"', "sip_realm", "pbx.example"),
        (
            'registration_hook = "https://h/auth"\nregistration_hook_method = "GET"\n'
            'registration_hook_username = "u"\nregistration_hook_password = "p"',
            "registration_hook",
            HookAddress(url="https://h/auth", method="GET", username="u", password="p"),
        ),
        ("max_calls = 5\ncalls_per_second = 0.5", "limit", Limit(5, 0.5)),
        ("max_queued = 7", "max_queued", 7),
    ],
)
def test_the_keys_of_an_account(data: Path, text: str, name: str, value: Any) -> None:
    assert getattr(account(data, text), name) == value
    assert getattr(account(data, ""), name) != value


def test_a_registration_hook_may_be_at_a_private_address(data: Path) -> None:
    text = ACCOUNT + 'registration_hook = "http://10.0.0.1/auth"\n[webhooks]\nallow_private = false\n'
    read(data, text).address_policy().check("http://10.0.0.1/auth", "10.0.0.1")


def test_the_keys_of_the_devices(data: Path) -> None:
    text = """
[devices]
max_contacts = 2
min_expires = 20
default_expires = 100
max_expires = 200
nat_expires = 25
keep_alive = "always"
keep_alive_seconds = 15
keep_alive_tries = 2
failures = 3
failures_per_minute = 0.5
"""
    devices = read(data, text).devices
    assert devices == DevicesSection(
        max_contacts=2,
        min_expires=20,
        default_expires=100,
        max_expires=200,
        nat_expires=25,
        keep_alive="always",
        keep_alive_seconds=15,
        keep_alive_tries=2,
        failures=3,
        failures_per_minute=0.5,
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            TRUNK + 'host = "a"\ngateways = [{host = "b"}]',
            'expected host or gateways, not both, got "a", at trunk[0].host',
        ),
        (
            TRUNK + 'gateways = [{host = "a"}, {host = "sip:b"}]',
            'expected HOST:PORT, got "sip:b", at trunk[0].gateways[1].host',
        ),
        (
            TRUNK + 'gateways = [{host = "a", weight = -1}]',
            "expected at least 0, got -1, at trunk[0].gateways[0].weight",
        ),
        (
            TRUNK + 'gateways = [{host = "a", priority = -1}]',
            "expected at least 0, got -1, at trunk[0].gateways[0].priority",
        ),
        (
            TRUNK + 'prefix = "tech"',
            'expected the digits of a telephone number, got "tech", at trunk[0].prefix',
        ),
        (TRUNK + "options_seconds = -1", "expected at least 0, got -1, at trunk[0].options_seconds"),
        (TRUNK + "answer_seconds = 0.5", "expected at least 1, got 0.5, at trunk[0].answer_seconds"),
        (
            TRUNK + "overload_status = 200",
            f"{REFUSES}, got 200, at trunk[0].overload_status",
        ),
        (
            TRUNK + "overload_status = 407",
            f"{REFUSES}, got 407, at trunk[0].overload_status",
        ),
        (TRUNK + "max_calls = -1", "expected at least 0, got -1, at trunk[0].max_calls"),
        (
            TRUNK + 'number_format = "e123"',
            'expected as-dialled or +e164 or e164, got "e123", at trunk[0].number_format',
        ),
        (
            ACCOUNT + 'registration_hook = "h"',
            'expected a URL (http, https), got "h", at account[0].registration_hook',
        ),
        (ACCOUNT + "max_queued = -1", "expected at least 0, got -1, at account[0].max_queued"),
        ("[devices]\nmax_contacts = 0", "expected at least 1, got 0, at devices.max_contacts"),
        ("[devices]\nmin_expires = 4000", "expected at least 4000, got 3600, at devices.default_expires"),
        ("[devices]\nmax_expires = 60", "expected at least 3600, got 60, at devices.max_expires"),
        ("[devices]\nkeep_alive_seconds = 1", "expected at least 5, got 1, at devices.keep_alive_seconds"),
        (
            '[devices]\nproxies = ["192.0.2.0/24", "edge.example", "10.0.0/8"]',
            'expected an address, a network or a host name, got "10.0.0/8", at devices.proxies',
        ),
        ("[devices]\nfailures = -1", "expected at least 0, got -1, at devices.failures"),
    ],
)
def test_mistakes_are_named_with_their_place(data: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(data, text)
    what, _, place = said.rpartition(", at ")
    [problem] = caught.value.problems
    assert problem.partition(" (")[0] == f"{what}, at {data / 't.toml'}:{place}".partition(" (")[0]
    assert f", at {data / 't.toml'}:{place}" in problem

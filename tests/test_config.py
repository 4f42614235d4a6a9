"""ringback.toml: what it says, what wins over it, and what is said about mistakes."""

from __future__ import annotations

import stat
from pathlib import Path
from uuid import UUID

import pytest

from ringback.config import DEMONSTRATION, DEVICE, ConfigError, Settings, demonstration, load
from ringback.net.guard import AddressRefused
from ringback.routing.directory import Account, Application, Client, Number, Trunk
from ringback.store import derived_id

EXAMPLE = Path(__file__).parent.parent / "examples" / "ringback.toml"
ACCOUNT = '[[account]]\nname = "demo"\ntoken = "t"\n'


@pytest.fixture(autouse=True)
def _somewhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def read(text: str, env: dict[str, str] | None = None) -> Settings:
    Path("t.toml").write_text(text)
    return load(Path("t.toml"), env or {})


def problems(text: str, env: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(text, env)
    return list(caught.value.problems)


# -- what it says


def test_the_example_holds_the_defaults() -> None:
    example = load(EXAMPLE, {})
    plain = read(ACCOUNT)
    assert example.server.base_url == plain.server.base_url
    assert example.allow_private
    assert plain.allow_private
    for section in ("speech", "calls", "devices", "store", "log"):
        assert getattr(example, section) == getattr(plain, section)
    changed = {"public_url", "data"}
    assert example.server.data_path == EXAMPLE.parent / "ringback-data"
    for name in plain.server.__struct_fields__:
        assert name in changed or getattr(example.server, name) == getattr(plain.server, name)


def test_paths_in_a_file_are_meant_from_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    file = folder / "ringback.toml"
    file.write_text(
        '[server]\ndata = "calls"\ntls_certificate = "c.pem"\ntls_key = "/keys/k.pem"\n' + ACCOUNT
    )
    server = load(Path("etc/ringback.toml"), {}).server
    assert server.data_path == folder / "calls"
    assert (server.tls_certificate, server.tls_key) == (str(folder / "c.pem"), "/keys/k.pem")
    assert load(file, {"RINGBACK_SERVER__DATA": "here"}).server.data_path == tmp_path / "here"
    file.write_text(ACCOUNT)
    assert load(file, {}).server.data_path == folder / "ringback-data"
    assert load(file, {}).server.tls_key == ""


def test_without_a_file_paths_are_meant_from_the_current_directory(tmp_path: Path) -> None:
    assert load(None, {}).server.data_path == tmp_path / "ringback-data"


def test_the_example_makes_a_directory() -> None:
    directory = load(EXAMPLE, {}).directory()
    account = directory.account(UUID("3fa85f64-5717-4562-b3fc-2c963f66afa6"))
    assert account is not None
    ivr = directory.application_named(account.id, "ivr")
    menu = directory.application_named(account.id, "menu")
    assert ivr is not None
    assert menu is not None
    assert (ivr.profile, menu.profile) == ("signalwire", "")
    assert menu.env_vars == {"GREETING": "hello"}
    assert account.device_application_id == ivr.id
    number = directory.number("14155550100")
    assert number is not None
    assert number.application_id == ivr.id
    assert len(directory.trunks_from("127.0.0.1")) == 1
    client = directory.client("alice")
    assert client is not None
    assert client.password == "change-me-too"


def test_identifiers_are_derived_and_stay_the_same() -> None:
    text = (
        ACCOUNT
        + '[[application]]\nname = "a"\ndialect = "jambonz"\n[[number]]\nnumber = "+1 415 555"\n'
        + '[[trunk]]\nname = "t"\n[[client]]\nusername = "u"\npassword = "p"\n'
    )
    one, two = read(text).directory(), read(text.replace("+1 415 555", "1415555")).directory()
    demo = derived_id(None, "account", "demo")
    assert one.account(demo) is not None
    for kind, name, own in (
        (Application, "application", "a"),
        (Number, "number", "1415555"),
        (Trunk, "trunk", "t"),
        (Client, "client", "u"),
    ):
        id = derived_id(demo, name, own)
        assert one.get(kind, id) is not None  # type: ignore[type-var]
        assert two.get(kind, id) is not None  # type: ignore[type-var]
    account = one.account(demo)
    assert account is not None
    assert account.webhook_secret.startswith("wh_secret_")
    assert account.service_provider_sid is not None


def test_addresses() -> None:
    server = read('[server]\nhttp = "[::1]:9000"\nhttps = "0.0.0.0:8443"\nrtp = "[::1]:20000-20099"\n').server
    assert server.http_address == ("::1", 9000)
    assert server.https_address == ("0.0.0.0", 8443)
    assert server.rtp_range == ("::1", 20000, 20099)
    assert server.base_url == "http://[::1]:9000"
    assert read("").server.https_address is None
    assert read('[server]\npublic_url = "https://voice.example/"').server.base_url == "https://voice.example"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", True),
        ('[server]\nhttp = "localhost:8080"', True),
        ('[server]\nhttp = "[::1]:8080"', True),
        ('[server]\nhttp = "0.0.0.0:8080"', False),
        ('[server]\nhttp = "0.0.0.0:8080"\n[webhooks]\nallow_private = true', True),
        ("[webhooks]\nallow_private = false", False),
    ],
)
def test_private_addresses(text: str, expected: bool) -> None:
    assert read(text).allow_private is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ("MD5",)),
        ('[server]\ndigest = "SHA-256"', ("SHA-256",)),
        ('[server]\ndigest = "both"', ("SHA-256", "MD5")),
    ],
)
def test_digest_algorithms(text: str, expected: tuple[str, ...]) -> None:
    assert read(text).server.digest_algorithms == expected


def test_what_the_file_names_may_be_reached() -> None:
    text = (
        "[webhooks]\nallow_private = false\n"
        + ACCOUNT
        + '[[application]]\nname = "a"\ndialect = "laml"\nvoice_url = "http://10.0.0.1:5000/x"\n'
        + '[[trunk]]\nname = "t"\nhost = "10.0.0.2:5080"\n'
    )
    policy = read(text).address_policy()
    policy.check("http://10.0.0.1:5000/y", "10.0.0.1")
    policy.check("sip://10.0.0.2:5080", "10.0.0.2")
    with pytest.raises(AddressRefused):
        policy.check("http://10.0.0.3:5000/y", "10.0.0.3")


# -- what wins over it


def test_the_environment_wins() -> None:
    settings = read(
        '[server]\nhttp = "127.0.0.1:1"\n' + ACCOUNT + '[[trunk]]\nname = "my carrier"\nhost = "h"\n',
        {
            "RINGBACK_SERVER__HTTP": "127.0.0.1:2",
            "RINGBACK_SERVER__SIP": "udp:127.0.0.1:5070, tcp:[::1]:5070",
            "RINGBACK_SERVER__MEDIA_WORKERS": "3",
            "RINGBACK_WEBHOOKS__ALLOW_PRIVATE": "false",
            "RINGBACK_ACCOUNT__DEMO__TOKEN": "secret",
            "RINGBACK_TRUNK__MY_CARRIER__PASSWORD": "pw",
            "RINGBACK_CONFIG": "elsewhere",
            "PATH": "/bin",
        },
    )
    assert settings.server.http == "127.0.0.1:2"
    assert settings.server.sip == ("udp:127.0.0.1:5070", "tcp:[::1]:5070")
    assert settings.server.media_workers == 3
    assert not settings.allow_private
    assert settings.account[0].token == "secret"
    assert settings.trunk[0].password == "pw"


def test_a_token_may_come_from_the_environment_alone() -> None:
    assert read('[[account]]\nname = "a"', {"RINGBACK_ACCOUNT__A__TOKEN": "t"}).account[0].token == "t"


def test_tables_in_the_environment_are_json() -> None:
    text = ACCOUNT + '[[application]]\nname = "a"\ndialect = "jambonz"\n'
    settings = read(text, {"RINGBACK_APPLICATION__A__ENV_VARS": '{"X": "y"}'})
    assert settings.application[0].env_vars == {"X": "y"}


@pytest.mark.parametrize(
    ("variable", "text", "said"),
    [
        ("RINGBACK_SERVER__HTPP", "x", "RINGBACK_SERVER__HTPP names nothing; did you mean http?"),
        ("RINGBACK_SERVR__HTTP", "x", "RINGBACK_SERVR__HTTP names nothing; did you mean server?"),
        ("RINGBACK_SERVER__X__HTTP", "x", "RINGBACK_SERVER__X__HTTP names nothing"),
        ("RINGBACK_TRUNK__ONE__HOST", "x", "RINGBACK_TRUNK__ONE__HOST names nothing"),
        (
            "RINGBACK_ACCOUNT__DEMOO__TOKEN",
            "x",
            "RINGBACK_ACCOUNT__DEMOO__TOKEN names nothing; did you mean demo?",
        ),
        (
            "RINGBACK_ACCOUNT__OTHER__TOKEN",
            "x",
            "RINGBACK_ACCOUNT__OTHER__TOKEN names nothing; there is demo",
        ),
        (
            "RINGBACK_SERVER__MEDIA_WORKERS",
            "two",
            'expected int, got "two", at RINGBACK_SERVER__MEDIA_WORKERS',
        ),
    ],
)
def test_mistakes_in_the_environment(variable: str, text: str, said: str) -> None:
    assert problems(ACCOUNT, {variable: text}) == [said]


# -- where it is


def test_the_file_is_found() -> None:
    Path("ringback.toml").write_text(ACCOUNT)
    assert load(None, {}).source == "ringback.toml"
    Path("other.toml").write_text(ACCOUNT)
    assert load(None, {"RINGBACK_CONFIG": "other.toml"}).source == "other.toml"
    with pytest.raises(ConfigError, match=r"there is no configuration file nothing\.toml"):
        load(Path("nothing.toml"), {})


def test_without_a_file_there_is_a_demonstration(data: Path) -> None:
    env = {"RINGBACK_SERVER__DATA": str(data)}
    settings = load(None, env, sample_application="http://127.0.0.1:1234/")
    assert settings.demo
    token = settings.account[0].token
    assert len(token) >= 32
    assert load(None, env).account[0].token == token  # the same after a restart
    assert stat.S_IMODE((data / "account.toml").stat().st_mode) == 0o600
    directory = settings.directory()
    [account] = directory.all(Account)
    assert account.name == "demo"
    for dialect, (path, dialled) in DEMONSTRATION.items():
        application = directory.application_named(account.id, dialect)
        assert application is not None
        assert application.dialect == dialect
        assert application.voice_url == f"http://127.0.0.1:1234/{dialect}/{path}"
        number = directory.number(dialled)
        assert number is not None
        assert number.application_id == application.id
    assert directory.client(DEVICE) is not None
    assert directory.trunks_from("127.0.0.1")
    assert directory.trunks_from("::1")


def test_the_demonstration_may_be_had_beside_a_file(data: Path) -> None:
    Path("ringback.toml").write_text("broken")
    assert demonstration({"RINGBACK_SERVER__DATA": str(data)}, "http://h").demo


# -- what is said about mistakes


def test_all_mistakes_are_named_at_once() -> None:
    text = """
[server]
htp = "x"
media_workers = "two"
[serve]
[[account]]
name = "a"
[[application]]
name = "i"
dialect = "lam"
voice_url = 5
"""
    assert problems(text) == [
        "unknown key at t.toml:serve; did you mean server?",
        "unknown key at t.toml:server.htp; did you mean http?",
        'expected int, got "two", at t.toml:server.media_workers',
        'token is missing at t.toml:account[0] (account "a")',
        'expected laml or jambonz or callapi, got "lam", at t.toml:application[0].dialect (application "i")',
        'expected str, got 5, at t.toml:application[0].voice_url (application "i")',
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[server]\nhttp = "8080x:"', 'expected HOST:PORT, got "8080x:", at t.toml:server.http'),
        (
            '[server]\nsip = ["sctp:127.0.0.1:5060"]',
            'expected udp:HOST:PORT or tcp:HOST:PORT, got "sctp:127.0.0.1:5060", at t.toml:server.sip[0]',
        ),
        (
            '[server]\nsip = "udp:127.0.0.1:5060"',
            'expected a list such as ["udp:127.0.0.1:5060"], got "udp:127.0.0.1:5060", at t.toml:server.sip',
        ),
        (
            ACCOUNT + '[[trunk]]\nname = "t"\ngateways = [{ host = "h", priorty = 1 }]',
            'unknown key at t.toml:trunk[0].gateways[0].priorty (trunk "t"); did you mean priority?',
        ),
        (
            ACCOUNT + '[[trunk]]\nname = "t"\ngateways = [{ weight = 1 }]',
            'host is missing at t.toml:trunk[0].gateways[0] (trunk "t")',
        ),
        (
            ACCOUNT + '[[trunk]]\nname = "t"\ngateways = { host = "h" }',
            'expected a list, got a table, at t.toml:trunk[0].gateways (trunk "t")',
        ),
        (
            '[server]\nrtp = "127.0.0.1:20000"',
            "expected HOST:FIRST-LAST with an even port and the next for each media worker, "
            'got "127.0.0.1:20000", at t.toml:server.rtp',
        ),
        (
            '[server]\nrtp = "127.0.0.1:20001-20004"\nmedia_workers = 2',
            "expected HOST:FIRST-LAST with an even port and the next for each media worker, "
            'got "127.0.0.1:20001-20004", at t.toml:server.rtp',
        ),
        (
            '[server]\npublic_url = "voice.example"',
            'expected a URL (http, https), got "voice.example", at t.toml:server.public_url',
        ),
        ("[server]\nmedia_workers = 0", "expected at least 1, got 0, at t.toml:server.media_workers"),
        (
            '[server]\ndatabase = "mysql://x"',
            'expected sqlite or postgresql://…, got "mysql://x", at t.toml:server.database',
        ),
        (
            '[server]\nhttps = "127.0.0.1:8443"\ntls_key = "k"',
            "expected tls_certificate and tls_key, or neither, got nothing, at t.toml:server.tls_certificate",
        ),
        (
            '[speech]\nprovider = "openai"',
            'expected the address of the provider, got "", at t.toml:speech.base_url',
        ),
        (
            ACCOUNT + '[[application]]\nname = "a"\ndialect = "laml"\nvoice_url = "ws://h"',
            'expected a URL (http, https), got "ws://h", '
            'at t.toml:application[0].voice_url (application "a")',
        ),
        (
            ACCOUNT + '[[trunk]]\nname = "t"\nregister = true',
            "expected host and username for a trunk that registers, got nothing, "
            'at t.toml:trunk[0].register (trunk "t")',
        ),
        (
            ACCOUNT + '[[trunk]]\nname = "t"\nhost = "h"\ntransport = "tls"',
            'expected udp or tcp, got "tls", at t.toml:trunk[0].transport (trunk "t")',
        ),
        ("[calls]\nmax_call_seconds = -1", "expected at least 1, got -1, at t.toml:calls.max_call_seconds"),
        ("[calls]\nshutdown_seconds = -1", "expected at least 0, got -1, at t.toml:calls.shutdown_seconds"),
        ("[store]\nretention_days = -1", "expected at least 0, got -1, at t.toml:store.retention_days"),
        ("[store]\ntrace_megabytes = -1", "expected at least 0, got -1, at t.toml:store.trace_megabytes"),
        (
            '[recordings]\nstorage = "ftp://bucket"',
            'expected s3://…, gs://… or az://…, got "ftp://bucket", at t.toml:recordings.storage',
        ),
        (
            '[recordings]\nstorage = "s3://bucket"\nstorage_options = { colour = "red" }',
            "s3://bucket: Configuration key: 'colour' is not valid for store 'S3'., "
            "at t.toml:recordings.storage",
        ),
        (
            "[recordings]\nmin_free_megabytes = -1",
            "expected at least 0, got -1, at t.toml:recordings.min_free_megabytes",
        ),
        (
            '[[account]]\nname = "a"\ntoken = ""',
            'expected a token, got "", at t.toml:account[0].token (account "a")',
        ),
        (
            ACCOUNT + '[[client]]\nusername = "u"\npassword = ""',
            'expected a password, got "", at t.toml:client[0].password (client "u")',
        ),
        (
            ACCOUNT + '[[client]]\nusername = ""\npassword = "p"',
            'expected a username, got "", at t.toml:client[0].username',
        ),
        (
            ACCOUNT + '[[trunk]]\nname = "t"\nhost = "sip:h"',
            'expected HOST:PORT, got "sip:h", at t.toml:trunk[0].host (trunk "t")',
        ),
        (
            ACCOUNT + '[[number]]\nnumber = "1"\napplication = "ivr"',
            'expected the name of an application of the account, got "ivr", '
            'at t.toml:number[0].application (number "1")',
        ),
        (
            ACCOUNT + '[[client]]\naccount = "dmo"\nusername = "u"\npassword = "p"',
            'expected the name of an account, got "dmo", '
            'at t.toml:client[0].account (client "u"); did you mean demo?',
        ),
        (
            ACCOUNT + '[[number]]\nnumber = "+49"\n[[number]]\nnumber = "49"\n',
            'the same one twice, at t.toml:number[1] (number "49") and t.toml:number[0] (number "+49")',
        ),
        (
            ACCOUNT
            + '[[client]]\nusername = "u"\npassword = "p"\n[[client]]\nusername = "u"\npassword = "q"\n'
            + 'sid = "11111111-1111-4111-8111-111111111111"',
            'client \'u\' exists already, at t.toml:client[1] (client "u") and t.toml:client[0] (client "u")',
        ),
        (
            ACCOUNT + ACCOUNT,
            "the same one twice, "
            'at t.toml:account[1] (account "demo") and t.toml:account[0] (account "demo")',
        ),
        (
            ACCOUNT + '[[number]]\nnumber = "/(/"',
            "/(/ is not a regular expression: missing ), unterminated subpattern at position 0, "
            'at t.toml:number[0] (number "/(/")',
        ),
        (
            ACCOUNT + '[[trunk]]\nname = "t"\ninbound_from = ["carrier"]',
            "trunk 't': 'carrier' does not appear to be an IPv4 or IPv6 network, "
            'at t.toml:trunk[0] (trunk "t")',
        ),
        (
            '[account]\nname = "a"',
            "expected [[account]], a table of which there may be several, got a table, at t.toml:account",
        ),
        ("server = 5", "expected a table, got 5, at t.toml:server"),
    ],
)
def test_a_mistake_is_named_with_its_place(text: str, said: str) -> None:
    assert problems(text) == [said]


def test_a_file_that_is_no_toml() -> None:
    (said,) = problems("[server\n")
    assert said.startswith("t.toml is not TOML:")
    Path("binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="cannot be read"):
        load(Path("binary.toml"), {})


def test_one_account_need_not_be_named_but_one_of_two_must() -> None:
    number = '[[number]]\nnumber = "1"\n'
    assert len(read(ACCOUNT + number).directory().all(Number)) == 1
    (said,) = problems(ACCOUNT + ACCOUNT.replace("demo", "other") + number)
    assert said.startswith('expected the name of an account, got "", at t.toml:number[0].account')

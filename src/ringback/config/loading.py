"""Reading the file and the environment; with no file, the demonstration account."""

from __future__ import annotations

import os
import secrets
import tomllib
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from ringback.config.checks import (
    check_accounts,
    check_applications,
    check_calls,
    check_devices,
    check_recordings,
    check_secrets,
    check_server,
    check_speech,
    check_store,
    check_trunks,
)
from ringback.config.reading import PREFIX, ConfigError, Overrides, Reader, slug
from ringback.config.seeding import account_id
from ringback.config.settings import Settings
from ringback.config.tables import (
    AccountTable,
    ApplicationTable,
    CallsSection,
    ClientTable,
    DevicesSection,
    LogSection,
    NumberTable,
    RecordingsSection,
    ServerSection,
    SpeechSection,
    StoreSection,
    TrunkTable,
    WebhooksSection,
)
from ringback.store.privacy import data_folder

DEFAULT_FILE = "ringback.toml"
SAMPLE_APPLICATION = "http://127.0.0.1:5000"
DEVICE = "alice"
OTHER_DEVICE = "bob"
"""The devices that the demonstration account has; they share a password."""
DEMONSTRATION = {
    "laml": ("voice", "+14155550101"),
    "jambonz": ("hook", "+14155550102"),
    "callapi": ("voice", "+14155550103"),
}
"""The demonstration's applications: dialect, the path of its sample, its number."""
CONNECTION = ("connect", "/laml/connect", "+14155550104")
"""The demonstration's application that connects a caller with the device: name, path, number."""
_TOKEN_FILE = "account.toml"  # in the data directory, when there is no configuration file

_SECTIONS: dict[str, type[msgspec.Struct]] = {
    "server": ServerSection,
    "webhooks": WebhooksSection,
    "speech": SpeechSection,
    "calls": CallsSection,
    "devices": DevicesSection,
    "store": StoreSection,
    "recordings": RecordingsSection,
    "log": LogSection,
}
_TABLES: dict[str, tuple[type[msgspec.Struct], str]] = {  # and the key that names one of them
    "account": (AccountTable, "name"),
    "application": (ApplicationTable, "name"),
    "number": (NumberTable, "number"),
    "trunk": (TrunkTable, "name"),
    "client": (ClientTable, "username"),
}
_PATHS = ("data", "tls_certificate", "tls_key")
"""Of `[server]`: files and folders, relative to the configuration file."""
StructT = TypeVar("StructT", bound=msgspec.Struct)


def load(
    path: Path | None = None,
    env: Mapping[str, str] | None = None,
    *,
    sample_application: str = SAMPLE_APPLICATION,
    look_only: bool = False,
) -> Settings:
    """The settings of `path`, else of the file that RINGBACK_CONFIG names, else of ./ringback.toml.

    Relative paths in a file are meant from its own folder. Without any file there is one account "demo", its
    token kept in the data directory, with an application for each dialect at `sample_application`; where
    there is none yet, `look_only` makes one up and keeps nothing. Raises ConfigError with everything that is
    wrong.
    """
    environment = os.environ if env is None else env
    named = path or (Path(environment[PREFIX + "CONFIG"]) if environment.get(PREFIX + "CONFIG") else None)
    if named is None and not Path(DEFAULT_FILE).exists():
        return _read({}, "environment", environment, sample_application, look_only=look_only)
    file = named or Path(DEFAULT_FILE)
    return _read(_parse(file), str(file), environment, None)


def demonstration(env: Mapping[str, str], sample_application: str) -> Settings:
    """The settings without a file, even where there is one; raises ConfigError for a wrong variable."""
    return _read({}, "environment", env, sample_application)


def demonstration_account(settings: Settings) -> Path:
    """The file that keeps the passwords where there are no settings."""
    return settings.server.data_path / _TOKEN_FILE


def _parse(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except FileNotFoundError as error:
        raise ConfigError([f"there is no configuration file {file}"]) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"{file} cannot be read: {error}"]) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([f"{file} is not TOML: {error}"]) from error


def _read(
    document: Mapping[str, Any],
    file: str,
    environment: Mapping[str, str],
    sample_application: str | None,
    *,
    look_only: bool = False,
) -> Settings:
    reader = Reader(file)
    overrides = Overrides(environment)
    values: dict[str, Any] = {}
    for name in document:
        if name not in _SECTIONS and name not in _TABLES:
            reader.unknown_table(name, [*_SECTIONS, *_TABLES])
    for name, kind in _SECTIONS.items():
        replaced = overrides.take(name)
        values[name] = reader.table(kind, document.get(name, {}), name, replaced)
        if name == "server" and values[name] is not None and sample_application is None:
            values[name] = _below(Path(file).absolute().parent, values[name], replaced)
    if sample_application is not None and values["server"] is not None:
        account = _demonstration_account(values["server"].data_path, look_only)
        document = _demonstration(account, sample_application)
    for name, (kind, key) in _TABLES.items():
        values[name] = _entries(reader, overrides, kind, name, key, document.get(name, []))
    called = {name: _slugs(document.get(name), key) for name, (_, key) in _TABLES.items()}
    reader.problems += overrides.left_over(_SECTIONS, called)
    if not reader.problems:
        _check(reader, values)
    if reader.problems:
        raise ConfigError(reader.problems)
    settings = Settings(source=file, demo=sample_application is not None, **values)
    settings.directory()  # names that lead nowhere are found now, not with the first call
    return settings


def _below(folder: Path, server: ServerSection, replaced: Container[str]) -> ServerSection:
    """With the paths that a file names, or leaves at their defaults, meant from where the file is: every
    command then finds them, wherever it is run. Those of environment variables stay as they are."""
    paths = {key: getattr(server, key) for key in _PATHS if key not in replaced}
    absolute = {key: str(folder / path) for key, path in paths.items() if path}
    return msgspec.structs.replace(server, **absolute)


def _slugs(tables: object, key: str) -> list[str]:
    """What the environment calls the tables of one kind."""
    found = tables if isinstance(tables, list) else []
    return [slug(str(table[key])) for table in found if isinstance(table, dict) and table.get(key)]


def _entries(
    reader: Reader, overrides: Overrides, kind: type[StructT], name: str, key: str, tables: object
) -> tuple[StructT | None, ...]:
    if not isinstance(tables, list):
        reader.expected(f"[[{name}]], a table of which there may be several", tables, name)
        return ()
    entries: list[StructT | None] = []
    for index, table in enumerate(tables):
        own = str(table.get(key, "")) if isinstance(table, dict) else ""
        if own:
            reader.name(f"{name}[{index}]", f'{name} "{own}"')
        entries.append(reader.table(kind, table, f"{name}[{index}]", overrides.take(name, slug(own))))
    return tuple(entries)


def _check(reader: Reader, values: Mapping[str, Any]) -> None:
    check_server(reader, values["server"])
    check_speech(reader, values["speech"])
    check_calls(reader, values["calls"])
    check_devices(reader, values["devices"])
    check_store(reader, values["store"])
    check_recordings(reader, values["recordings"])
    check_accounts(reader, values["account"])
    check_applications(reader, values["application"])
    check_trunks(reader, values["trunk"])
    check_secrets(reader, values["account"], values["client"])


def _demonstration(account: dict[str, Any], sample_application: str) -> dict[str, Any]:
    """What is served without a file: a number for each dialect's sample, and one device to call them from."""
    base = sample_application.rstrip("/")
    name, connect_path, connecting = CONNECTION
    device_password = account.pop("device_password", account["token"])
    return {
        "account": [account],
        "application": [
            {
                "name": dialect,
                "dialect": dialect,
                "voice_url": f"{base}/{dialect}/{path}",
                "status_callback": f"{base}/status/{dialect}",
            }
            for dialect, (path, _) in DEMONSTRATION.items()
        ]
        + [
            {
                "name": name,
                "dialect": "laml",
                "voice_url": f"{base}{connect_path}",
                "status_callback": f"{base}/status/laml",
            }
        ],
        "number": [
            {"number": number, "application": dialect} for dialect, (_, number) in DEMONSTRATION.items()
        ]
        + [{"number": connecting, "application": name}],
        "client": [{"username": device, "password": device_password} for device in (DEVICE, OTHER_DEVICE)],
        "trunk": [{"name": "local", "inbound_from": ["127.0.0.0/8", "::1/128"]}],
    }


def _demonstration_account(data: Path, look_only: bool) -> dict[str, Any]:
    file = data / _TOKEN_FILE
    if not file.exists():
        token = secrets.token_urlsafe(24)
        text = (
            "# Made at the first start without a configuration file; the token is a password.\n"
            f'name = "demo"\nsid = "{account_id("demo")}"\ntoken = "{token}"\n'
            f'device_password = "{secrets.token_urlsafe(9)}"\n'
        )
        if look_only:
            return tomllib.loads(text)
        data_folder(data)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
    return _parse(file)

"""Taking over a changed configuration while calls are up: all of it, or, when something is wrong, nothing."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from ringback.config import ConfigError, Settings
from ringback.routing.directory import Account, Client, Directory, DirectoryError, Entry

RELOADED = frozenset({"account", "application", "number", "trunk", "client", "webhooks", "source", "demo"})
"""The parts of the settings that take effect at once; the others do after a restart."""


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """What another configuration changes: objects by kind and name, settings by section and key."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    after_restart: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """In words: a line for each way in which something has changed; none where nothing has."""
        said = {
            "added": self.added,
            "changed": self.changed,
            "removed": self.removed,
            "after a restart": self.after_restart,
        }
        return [f"{words}: {', '.join(names)}" for words, names in said.items() if names]


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A configuration that can be taken over: the directory as it will be, and what becomes of devices."""

    settings: Settings
    directory: Directory
    changes: Changes
    signed_off: tuple[str, ...] = ()
    """User names of devices whose registrations are void: gone, moved to another account, or with another
    password."""


def planned(directory: Directory, old: Settings, new: Settings) -> Plan:
    """How to get from one configuration to another. What came over REST stays, unless its account goes.

    Raises ConfigError when the new one contradicts itself or what came over REST.
    """
    before, after = _by_id(old.entries()), _by_id(new.entries())
    kept = _kept(directory, before, after)
    try:
        ahead = Directory([*after.values(), *kept])
    except DirectoryError as error:
        raise ConfigError([f"{error}: it was made over REST, and {new.source} has it, too"]) from error
    return Plan(
        settings=new,
        directory=ahead,
        changes=_changes(before, after, _after_restart(old, new)),
        signed_off=tuple(client.username for client in directory.all(Client) if not _may_stay(client, ahead)),
    )


def _changes(
    before: dict[tuple[type, object], Entry], after: dict[tuple[type, object], Entry], later: tuple[str, ...]
) -> Changes:
    """What has another SID, and the name that it had, is changed."""
    changed = _names(after[key] for key in after if key in before and after[key] != before[key])
    added = _names(after[key] for key in after if key not in before)
    removed = _names(before[key] for key in before if key not in after)
    return Changes(
        added=tuple(name for name in added if name not in removed),
        changed=changed + tuple(name for name in added if name in removed),
        removed=tuple(name for name in removed if name not in added),
        after_restart=later,
    )


def _by_id(entries: Iterable[Entry]) -> dict[tuple[type, object], Entry]:
    return {(type(entry), entry.id): entry for entry in entries}


def _kept(
    directory: Directory, before: dict[tuple[type, object], Entry], after: dict[tuple[type, object], Entry]
) -> list[Entry]:
    """What is there and not of the configuration file, before or after, and still has an account."""
    others = [
        entry
        for entry in directory.everything()
        if (type(entry), entry.id) not in before and (type(entry), entry.id) not in after
    ]
    accounts = {entry.id: entry for entry in (*after.values(), *others) if isinstance(entry, Account)}
    return [
        entry
        for entry in others
        if isinstance(entry, Account)
        or (entry.account_id in accounts and _has_reason(entry, accounts[entry.account_id]))
    ]


def _has_reason(entry: Entry, account: Account) -> bool:
    """A guest is there because the account's web application knows it."""
    return not (isinstance(entry, Client) and entry.guest) or account.registration_hook is not None


def _may_stay(client: Client, ahead: Directory) -> bool:
    there = ahead.client(client.username)
    return (
        there is not None
        and there.account_id == client.account_id
        and (there.guest or there.password == client.password)
    )


def _names(entries: Iterable[Entry]) -> tuple[str, ...]:
    return tuple(f"{type(entry).__name__.lower()} {_name(entry)}" for entry in entries)


def _name(entry: Entry) -> str:
    for key in ("name", "number", "username"):
        if hasattr(entry, key):
            return str(getattr(entry, key))
    return str(entry.id)


def _after_restart(old: Settings, new: Settings) -> tuple[str, ...]:
    return tuple(
        f"{section}.{field}"
        for section in old.__struct_fields__
        if section not in RELOADED
        for field in getattr(old, section).__struct_fields__
        if getattr(getattr(old, section), field) != getattr(getattr(new, section), field)
    )

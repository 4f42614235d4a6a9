"""Who and what is known here: accounts, applications, numbers, trunks and clients, and the look-ups over them.

The configuration file seeds the directory; the REST surfaces put and remove objects while it is in use. It is
plain memory: a look-up never waits.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator
from uuid import UUID

import msgspec

from ringback.routing.numbers import canonical, compile_pattern, is_pattern, specificity


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant. One UUID; every dialect's spelling derives from it."""

    id: UUID
    name: str
    token: str  # LaML and CallAPI password, jambonz bearer token
    signing_key: str = ""  # of LaML webhooks; empty: the token
    webhook_secret: str = ""  # of jambonz webhooks
    service_provider_sid: UUID | None = None
    device_application_id: UUID | None = None  # answers what a device dials when no number matches

    @property
    def webhook_signing_key(self) -> str:
        """The key that signs LaML webhooks."""
        return self.signing_key or self.token


class Speech(msgspec.Struct, frozen=True, kw_only=True):
    """An application's defaults for text to audio and audio to text; empty means the server's own."""

    synthesis_vendor: str = ""
    synthesis_language: str = ""
    synthesis_voice: str = ""
    recognizer_vendor: str = ""
    recognizer_language: str = ""


class Application(msgspec.Struct, frozen=True, kw_only=True):
    """What answers a call: the user's web application, and the dialect it speaks."""

    id: UUID
    account_id: UUID
    name: str
    dialect: str  # "laml", "jambonz", "callapi"
    profile: str = ""  # laml only: "signalwire", "twilio"
    voice_url: str = ""
    voice_method: str = "POST"
    fallback_url: str = ""
    fallback_method: str = "POST"
    status_callback: str = ""
    status_callback_method: str = "POST"
    username: str = ""  # HTTP Basic credentials of the webhooks
    password: str = ""
    env_vars: dict[str, str] = {}
    app_json: str = ""  # jambonz: verbs used instead of asking voice_url
    speech: Speech = Speech()


class Number(msgspec.Struct, frozen=True, kw_only=True):
    """A telephone number or pattern of an account, and the application that answers it."""

    id: UUID
    account_id: UUID
    number: str  # "+14155550100", "+1415555*", "/^1415/"
    application_id: UUID | None = None


class Trunk(msgspec.Struct, frozen=True, kw_only=True):
    """A carrier: where calls to telephone numbers go, and who may send us calls."""

    id: UUID
    account_id: UUID
    name: str
    host: str = ""  # host[:port]; empty: this trunk only sends us calls
    transport: str = "udp"
    username: str = ""
    password: str = ""
    register: bool = False
    inbound_from: tuple[str, ...] = ()  # addresses and networks, "192.0.2.0/24"


class Client(msgspec.Struct, frozen=True, kw_only=True):
    """A SIP device that registers here: dialled as a Client or user."""

    id: UUID
    account_id: UUID
    username: str
    password: str


Entry = Account | Application | Number | Trunk | Client
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class DirectoryError(ValueError):
    """An object contradicts the directory: a name that is taken, an account that does not exist."""


class Directory:
    """Indexes over the five kinds of objects. `put` adds or replaces by id, `remove` takes away."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        raise NotImplementedError

    def put(self, entry: Entry) -> None:
        """Add or replace; raises DirectoryError for a taken name or an unknown account."""

    def remove(self, entry: Entry) -> None:
        """Take an object away; an account takes all that is its own with it."""

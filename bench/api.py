"""The server's REST surfaces as a client of each sees them: paths, credentials, and how a call is placed."""

from __future__ import annotations

import base64
from typing import Any

import aiohttp

from bench.system import ACCOUNT, TOKEN

_BASIC = "Basic " + base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
CONNECTIONS = 64
SPEECH = {
    "speech_synthesis_vendor": "default",
    "speech_synthesis_language": "en-US",
    "speech_synthesis_voice": "default",
    "speech_recognizer_vendor": "default",
    "speech_recognizer_language": "en-US",
}


class Api:
    """One dialect's calls at a server. `base` is the resource of all calls."""

    def __init__(self, dialect: str, server: str) -> None:
        self.dialect = dialect
        prefixes = {"laml": "/api/laml/2010-04-01", "jambonz": "/v1", "callapi": "/call/2012-04-24"}
        self.account = f"{server}{prefixes[dialect]}/Accounts/{ACCOUNT}"
        self.base = f"{self.account}/Calls"
        self.headers = {"Authorization": f"Bearer {TOKEN}" if dialect == "jambonz" else _BASIC}

    def session(self) -> aiohttp.ClientSession:
        """Connections that are kept, with the credentials."""
        connector = aiohttp.TCPConnector(limit=CONNECTIONS)
        return aiohttp.ClientSession(connector=connector, headers=self.headers)

    def order(self, from_: str, to: str, application: str) -> dict[str, Any]:
        """How to place a call: keyword arguments for the session's `post`. `application`: its URL."""
        voice, status = f"{application}/{self.dialect}/voice", f"{application}/{self.dialect}/status"
        if self.dialect == "jambonz":
            to_whom = {"type": "phone", "number": to}
            hooks = {"call_hook": {"url": voice}, "call_status_hook": {"url": status}}
            return {"json": {"from": from_, "to": to_whom, **hooks, **SPEECH}}
        return {"data": {"From": from_, "To": to, "Url": voice, "StatusCallback": status}}

"""A small telephone application in all three dialects: it greets, takes two keys, repeats them and hangs up.

`ringback demo` runs it, and the tutorials begin with it. Each dialect has its own paths, and nothing is
shared but the words, so that one can be read without the others:

    /laml/voice     /laml/digits        LaML and TwiML
    /laml/connect                       the same: connects the caller with a telephone
    /jambonz/hook   /jambonz/digits     jambonz over HTTP
    /jambonz/ws                         jambonz over WebSocket
    /callapi/voice  /callapi/digits     CallAPI and RCML
    /status/…                           takes the status callbacks of that dialect
"""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from xml.sax.saxutils import escape

from aiohttp import WSMsgType, web

log = logging.getLogger(__name__)

GREETING = "Welcome to Ringback. Please enter two digits."
NOTHING = "I did not hear any digits."
GOODBYE = "Goodbye."

STATUSES = web.AppKey("STATUSES", list[tuple[str, dict[str, Any]]])
"""Every status callback that came, as (dialect, fields), in order."""

_KEPT = 1000


def repeat(digits: str) -> str:
    """What is said about the keys, one by one: `1, 2` rather than twelve."""
    return f"You entered {', '.join(digits)}."


# -- LaML and TwiML: the reply is XML; an action is requested when keys were entered


async def laml_voice(request: web.Request) -> web.Response:
    return _xml(
        f"""<Response>
  <Gather numDigits="2" timeout="5" action="/laml/digits">
    <Say>{escape(GREETING)}</Say>
  </Gather>
  <Say>{escape(NOTHING)} {escape(GOODBYE)}</Say>
  <Hangup/>
</Response>"""
    )


async def laml_digits(request: web.Request) -> web.Response:
    digits = (await _fields(request)).get("Digits", "")
    return _xml(
        f"""<Response>
  <Say>{escape(repeat(digits))} {escape(GOODBYE)}</Say>
  <Hangup/>
</Response>"""
    )


async def laml_connect(request: web.Request) -> web.Response:
    """Connect the caller with a registered telephone, and record both sides."""
    return _xml(
        """<Response>
  <Dial record="record-from-answer-dual"><Client>alice</Client></Dial>
</Response>"""
    )


# -- jambonz: the reply is a JSON array of verbs; the hook of a gather is always called


def jambonz_greeting() -> list[dict[str, Any]]:
    return [
        {
            "verb": "gather",
            "input": ["digits"],
            "numDigits": 2,
            "timeout": 5,
            "actionHook": "/jambonz/digits",
            "say": {"text": GREETING},
        }
    ]


def jambonz_answer(payload: dict[str, Any]) -> list[dict[str, Any]]:
    digits = payload.get("digits")
    text = repeat(digits) if digits else NOTHING
    return [{"verb": "say", "text": f"{text} {GOODBYE}"}, {"verb": "hangup"}]


async def jambonz_hook(request: web.Request) -> web.Response:
    return web.json_response(jambonz_greeting())


async def jambonz_digits(request: web.Request) -> web.Response:
    return web.json_response(jambonz_answer(await _fields(request)))


async def jambonz_socket(request: web.Request) -> web.WebSocketResponse:
    """One socket is one call: each question that wants an answer gets an `ack` with verbs."""
    socket = web.WebSocketResponse(protocols=("ws.jambonz.org",))
    await socket.prepare(request)
    async for frame in socket:
        if frame.type is not WSMsgType.TEXT:
            continue
        message = json.loads(frame.data)
        match message.get("type"):
            case "session:new" | "session:reconnect":
                verbs = jambonz_greeting()
            case "verb:hook":
                verbs = jambonz_answer(message["data"])
            case "call:status":
                _keep(request.app, "jambonz", message["data"])
                continue
            case _:
                continue
        await socket.send_json({"type": "ack", "msgid": message["msgid"], "data": verbs})
    return socket


# -- CallAPI and RCML: the reply is XML; an action is requested when keys were entered


async def callapi_voice(request: web.Request) -> web.Response:
    return _xml(
        f"""<Response>
  <Gather numDigits="2" timeout="5" action="/callapi/digits">
    <Say voice="woman">{escape(GREETING)}</Say>
  </Gather>
  <Say voice="woman">{escape(NOTHING)} {escape(GOODBYE)}</Say>
  <Hangup/>
</Response>"""
    )


async def callapi_digits(request: web.Request) -> web.Response:
    digits = (await _fields(request)).get("Digits", "")
    return _xml(
        f"""<Response>
  <Say voice="woman">{escape(repeat(digits))} {escape(GOODBYE)}</Say>
  <Hangup/>
</Response>"""
    )


# -- status callbacks, and putting it together


async def status(request: web.Request) -> web.Response:
    _keep(request.app, request.match_info["dialect"], await _fields(request))
    return web.Response(status=204)


def build() -> web.Application:
    """The application, ready to be served; `app[STATUSES]` tells which status callbacks it received."""
    app = web.Application(client_max_size=1024 * 1024)
    app[STATUSES] = []
    app.router.add_get("/jambonz/ws", jambonz_socket)
    app.router.add_route("*", "/status/{dialect:laml|jambonz|callapi}", status)
    for path, handler in {
        "/laml": laml_voice,
        "/laml/voice": laml_voice,
        "/laml/digits": laml_digits,
        "/laml/connect": laml_connect,
        "/jambonz": jambonz_hook,
        "/jambonz/hook": jambonz_hook,
        "/jambonz/digits": jambonz_digits,
        "/callapi": callapi_voice,
        "/callapi/voice": callapi_voice,
        "/callapi/digits": callapi_digits,
    }.items():
        app.router.add_route("GET", path, handler)
        app.router.add_route("POST", path, handler)
    return app


@asynccontextmanager
async def serving(host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[tuple[web.Application, str]]:
    """Serve it while the context lasts; gives the application and its base URL. Port 0: any that is free."""
    app = build()
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        bound = runner.addresses[0][1]
        yield app, f"http://{f'[{host}]' if ':' in host else host}:{bound}"
    finally:
        await runner.cleanup()


async def _fields(request: web.Request) -> dict[str, Any]:
    """The parameters, wherever they are: query, form or JSON."""
    fields: dict[str, Any] = dict(request.query)
    if request.content_type == "application/json" and request.can_read_body:
        fields.update(await request.json())
    else:
        fields.update(await request.post())
    return fields


def _keep(app: web.Application, dialect: str, fields: dict[str, Any]) -> None:
    state = fields.get("CallStatus") or fields.get("call_status")
    log.info("%s: call %s", dialect, state)
    kept = app[STATUSES]
    kept.append((dialect, fields))
    del kept[:-_KEPT]


def _xml(document: str) -> web.Response:
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n{document}\n'
    return web.Response(text=text, content_type="application/xml")

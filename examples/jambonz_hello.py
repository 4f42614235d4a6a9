"""The smallest jambonz application with a question in it: `python examples/jambonz_hello.py`."""

from __future__ import annotations

import sys

from aiohttp import web

MENU = [
    {
        "verb": "gather",
        "input": ["digits"],
        "numDigits": 2,
        "timeout": 5,
        "actionHook": "/digits",
        "say": {"text": "Hello. Please enter two digits."},
    }
]

WAIT = [{"verb": "say", "text": "Please hold the line."}, {"verb": "pause", "length": 300}]


async def hook(request: web.Request) -> web.Response:
    """A call arrived: what to do?"""
    return web.json_response(MENU)


async def digits(request: web.Request) -> web.Response:
    """The gather ended, with digits or without: what now?"""
    keys = (await request.json()).get("digits") or ""
    heard = f"You entered {', '.join(keys)}." if keys else "I did not hear any digits."
    return web.json_response([{"verb": "say", "text": f"{heard} Goodbye."}, {"verb": "hangup"}])


async def wait(request: web.Request) -> web.Response:
    """A call to be changed over REST while it is up."""
    return web.json_response(WAIT)


async def status(request: web.Request) -> web.Response:
    """Something happened to a call."""
    event = await request.json()
    print(event["call_sid"], event["call_status"], event["sip_status"])
    return web.Response(status=204)


app = web.Application()
app.add_routes(
    [
        web.post("/hook", hook),
        web.post("/digits", digits),
        web.post("/wait", wait),
        web.post("/status", status),
    ]
)

if __name__ == "__main__":
    try:
        web.run_app(app, host="127.0.0.1", port=5000)
    except OSError as error:  # the port is taken
        sys.exit(f"{error.strerror}: stop what has it, such as `make run`")

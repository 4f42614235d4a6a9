"""The smallest LaML (or TwiML) application with a question in it: `python examples/laml_hello.py`."""

from __future__ import annotations

import sys

from aiohttp import web

MENU = """<?xml version="1.0" encoding="UTF-8"?>
<Response>
  <Gather numDigits="2" timeout="5" action="/digits">
    <Say>Hello. Please enter two digits.</Say>
  </Gather>
  <Say>I did not hear any digits. Goodbye.</Say>
</Response>
"""

ANSWER = """<?xml version="1.0" encoding="UTF-8"?>
<Response>
  <Say>You entered {digits}. Goodbye.</Say>
  <Hangup/>
</Response>
"""

WAIT = """<?xml version="1.0" encoding="UTF-8"?>
<Response>
  <Say>Please hold the line.</Say>
  <Pause length="300"/>
</Response>
"""


async def voice(request: web.Request) -> web.Response:
    """A call arrived: what to do?"""
    return web.Response(text=MENU, content_type="application/xml")


async def digits(request: web.Request) -> web.Response:
    """Keys were entered: what now?"""
    keys = str((await request.post()).get("Digits", ""))
    answer = ANSWER.format(digits=", ".join(key for key in keys if key in "0123456789*#"))
    return web.Response(text=answer, content_type="application/xml")


async def wait(request: web.Request) -> web.Response:
    """A call to be changed over REST while it is up."""
    return web.Response(text=WAIT, content_type="application/xml")


async def status(request: web.Request) -> web.Response:
    """Something happened to a call."""
    fields = await request.post()
    print(fields.get("CallSid"), fields.get("CallStatus"))
    return web.Response(status=204)


app = web.Application()
app.add_routes(
    [
        web.post("/voice", voice),
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

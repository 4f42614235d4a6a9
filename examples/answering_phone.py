"""A phone that registers and answers, for trying calls that the server places.

    python examples/answering_phone.py alice --password wonderland --digits 12

It answers one call after the other: it rings, answers, presses the keys after the first prompt, and waits for
the end. `--reject 486` refuses instead.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys

from ringback.testing.softphone import CallFailed, PhoneCall, Softphone


async def take(call: PhoneCall, options: argparse.Namespace) -> None:
    """One call, from ringing to its end."""
    call.ring()
    if options.reject:
        call.reject(options.reject)
        print(f"refused with {options.reject}")
        return
    await asyncio.sleep(options.ring_for)
    call.answer()
    print("answered")
    if options.digits:
        await call.silence(timeout=3600)
        await call.press(options.digits)
        print(f"pressed {options.digits}")
    who = await call.ended(timeout=3600)
    print(f"ended ({who}), heard {len(call.heard()) / 8000:.1f} s")


async def main(options: argparse.Namespace) -> None:
    """Take calls until Ctrl-C or SIGTERM; the phone signs off then."""
    me = asyncio.current_task()
    assert me is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, me.cancel)
    async with Softphone(options.username, password=options.password, server=options.server) as phone:
        try:
            await phone.register()
        except CallFailed as error:
            sys.exit(
                f"no registration as {options.username} at {options.server}: {error} (is the password right?)"
            )
        print(f"{options.username} is registered at {options.server}, waiting for calls")
        while True:
            await take(await phone.incoming(timeout=86400), options)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="A phone that registers and answers.")
    parser.add_argument("username")
    parser.add_argument("--password", default="")
    parser.add_argument("--server", default="127.0.0.1:5060", metavar="HOST:PORT")
    parser.add_argument("--digits", default="", help="pressed after the first prompt; w waits half a second")
    parser.add_argument("--ring-for", type=float, default=1.0, metavar="SECONDS")
    parser.add_argument("--reject", type=int, default=0, metavar="STATUS", help="refuse with this SIP status")
    with contextlib.suppress(KeyboardInterrupt, asyncio.CancelledError):
        asyncio.run(main(parser.parse_args()))

"""The sample application on its own: `python examples/sample_app.py --port 5000`.

It speaks all three dialects; `src/ringback/testing/sample_app.py` is short and meant to be read.
"""

from __future__ import annotations

import argparse
import logging
import sys

from aiohttp import web

from ringback.testing.sample_app import build

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="A telephone application in three dialects.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=5000)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        web.run_app(build(), host=options.host, port=options.port, access_log=None)
    except OSError as error:  # the port is taken, or the host is none of ours
        sys.exit(f"{error.strerror}: stop what has it, such as `make run`, or name another --port")

"""One bench as a program: `python -m bench MODE [options]`, which is what `ringback bench` runs.

Ctrl-C is a word and an exit code, at any moment: modules are imported in here for that.
"""

from __future__ import annotations

import importlib
import logging
import signal
import sys


def main() -> None:
    """Run the one that the first argument names; the rest of them are its own."""
    # Who was started in a shell's background inherits that Ctrl-C is ignored, and could not be stopped by it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    module = sys.argv.pop(1).replace("-", "_")
    try:
        importlib.import_module(f"bench.{module}").main()
    except KeyboardInterrupt:
        # What was cut off has more to say as it is taken down, and nothing that helps.
        logging.disable()
        sys.unraisablehook = lambda _: None
        sys.stderr.write("stopped\n")
        sys.exit(128 + signal.SIGINT)


if __name__ == "__main__":
    main()

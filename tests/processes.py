"""Programs that tests start: none outlives the tests, however those end."""

from __future__ import annotations

import shutil


def bound(*command: str) -> tuple[str, ...]:
    """The command, killed by the kernel as soon as the process that starts it is gone, were it by `kill -9`.

    Without util-linux it is the command as it is.
    """
    return (*_BOUND, *command)


_BOUND = ("setpriv", "--pdeathsig", "KILL") if shutil.which("setpriv") else ()

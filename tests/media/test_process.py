"""Real-time priority, where the server was given one: more of it for what keeps time, none for the rest."""

from __future__ import annotations

import subprocess
import sys

import pytest

SCRIPT = """
import os
from ringback.media.process import step_back, step_forward

step_forward()
print(os.sched_getscheduler(0) == os.SCHED_OTHER)
try:
    os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(3))
except PermissionError:
    print("forbidden")
    raise SystemExit
step_forward()
print(os.sched_getscheduler(0) == os.SCHED_RR, os.sched_getparam(0).sched_priority)
step_back()
print(os.sched_getscheduler(0) == os.SCHED_OTHER)
"""


def test_a_step_forward_and_one_back() -> None:
    said = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    ordinary, *rest = said.stdout.splitlines()
    assert ordinary == "True"
    if rest == ["forbidden"]:
        pytest.skip("no real-time priority is to be had here")
    assert rest == ["True 4", "True"]

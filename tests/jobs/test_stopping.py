"""Processes end when they are told to, wherever their main thread is."""

import subprocess
import sys

from tests.command import ROOT

INTERRUPTED = """
import os, signal, threading
from jobs.stopping import stop_at_signals

stop = threading.Event()
stop_at_signals(stop)
with stop._cond:  # as within a wait for it
    os.kill(os.getpid(), signal.SIGTERM)
assert stop.wait(20)
os.kill(os.getpid(), signal.SIGINT)  # a second one changes nothing
"""


def test_a_signal_within_a_wait_for_it_stops_the_process() -> None:
    assert subprocess.run([sys.executable, "-c", INTERRUPTED], cwd=ROOT, timeout=60, check=False).returncode == 0

"""The API, a worker and the dashboard on this machine, set up, started together and stopped together.

For a first look and for development; a server runs each under its own supervisor. Whoever waits for them all that time
holds nothing: what sets up is a process of its own, too.
"""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 60.0
NAMES = ("the API", "the worker", "the dashboard")
SETUP = (sys.executable, "-m", "cli", "setup")


def run(*, api_port: int = 8000, dashboard_port: int = 8501) -> int:
    """Make a database where there is none, then `serve`. The exit code."""
    made = [*SETUP, "--no-models", "--demo", "--gently"]
    done = subprocess.run(made, check=False).returncode  # noqa: S603
    return done or serve(api_port=api_port, dashboard_port=dashboard_port)


def serve(*, api_port: int, dashboard_port: int) -> int:
    """Start all, print their addresses when they answer, stop all on Ctrl-C or when one ends. The exit code.

    First models are trained beside them, where there are none: that takes longer than anybody looks at an empty page.
    """
    if taken := [port for port in (api_port, dashboard_port) if _taken(port)]:
        print(
            f"in use: port {' and '.join(map(str, taken))}. Stop what uses it, or choose others: "
            "gradewatch run --api-port 8010 --dashboard-port 8511",
            file=sys.stderr,
        )
        return 1
    stop = _Stop()
    told = {"GRADEWATCH_DASHBOARD_URL": f"http://127.0.0.1:{dashboard_port}"} | os.environ
    api = [sys.executable, "-m", "cli", "serve", "--port", str(api_port)]
    page = [sys.executable, "-m", "streamlit", "run", str(ROOT / "dashboard" / "dashboard.py")]
    page += ["--server.port", str(dashboard_port), "--server.headless", "true", "--server.address", "127.0.0.1"]
    page += ["--logger.level", "warning"]
    quiet = subprocess.DEVNULL  # Streamlit's greeting; what goes wrong comes on the error output
    children = [
        subprocess.Popen(api, start_new_session=True, env=told),  # noqa: S603
        subprocess.Popen([sys.executable, "-m", "cli.start", "worker"], start_new_session=True),
        subprocess.Popen(page, start_new_session=True, stdout=quiet),  # noqa: S603
    ]
    aside: list[subprocess.Popen[bytes]] = []
    try:
        ready = _wait(f"http://127.0.0.1:{api_port}/health", children, stop)
        ready = ready and _wait(f"http://127.0.0.1:{dashboard_port}/_stcore/health", children, stop)
        if ready:
            print(f"API        http://127.0.0.1:{api_port}", flush=True)
            print(f"dashboard  http://127.0.0.1:{dashboard_port}", flush=True)
            print("Ctrl-C stops all of it", flush=True)
            aside.append(subprocess.Popen([*SETUP, "--gently"], start_new_session=True))  # noqa: S603
        while not stop.asked and all(child.poll() is None for child in children):
            time.sleep(0.2)
    finally:
        _end([*aside, *children])
    return 0 if stop.asked else _failure(children)


def _taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


class _Stop:
    """Remembers that the user asked to stop."""

    def __init__(self) -> None:
        self.asked = False
        signal.signal(signal.SIGINT, self._ask)
        signal.signal(signal.SIGTERM, self._ask)

    def _ask(self, _signal: int, _frame: FrameType | None) -> None:
        self.asked = True


def _wait(address: str, children: Sequence[subprocess.Popen[bytes]], stop: _Stop) -> bool:
    """Whether `address` answers before a child ends, the user stops it, or a minute has passed."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and not stop.asked and all(child.poll() is None for child in children):
        try:
            with urllib.request.urlopen(address, timeout=2):  # noqa: S310 - our own http address
                return True
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.2)
    return False


def _end(children: Sequence[subprocess.Popen[bytes]]) -> None:
    for child in children:
        if child.poll() is None:
            child.terminate()
    for child in children:
        try:
            child.wait(timeout=10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _failure(children: Sequence[subprocess.Popen[bytes]]) -> int:
    """The exit code for a start that failed: the first one that a child gave."""
    codes = [child.returncode for child in children if child.returncode and child.returncode > 0]
    names = [name for name, child in zip(NAMES, children, strict=True) if child.returncode]
    print(f"{' and '.join(names) or 'one of them'} stopped by itself, so all are down", file=sys.stderr)
    return codes[0] if codes else 1

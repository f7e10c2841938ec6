"""Servers as processes of their own: started, waited for, measured in CPU seconds and memory, ended.

Peers live in environments of their own under ~/.cache/gradewatch-bench (or GRADEWATCH_BENCH_DIR), made once with the
versions of `requirements/apart/`.
"""

import os
import socket
import subprocess
import sys
import time
import venv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

ROOT = Path(__file__).resolve().parents[1]
CACHE = Path(os.environ.get("GRADEWATCH_BENCH_DIR", Path.home() / ".cache" / "gradewatch-bench"))
TICKS = os.sysconf("SC_CLK_TCK")
START_SECONDS = 180.0
LOCKS = ROOT / "requirements" / "apart"


@dataclass(frozen=True)
class Running:
    """A started server. pid: of its first process; those that it started count too."""

    url: str
    process: subprocess.Popen[bytes]

    @property
    def cpu(self) -> float:
        """CPU seconds that its processes have spent, those that ended included."""
        return sum(_stat(pid)[1] for pid in _tree(self.process.pid))

    @property
    def memory(self) -> float:
        """MB that its processes hold, what they share counted once each (PSS)."""
        return sum(_memory(pid) for pid in _tree(self.process.pid)) / 1e3

    @property
    def own_memory(self) -> float:
        """Resident MB of its first process alone, which serves where there is one worker."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8")
        return int(status.split("VmRSS:")[1].split()[0]) / 1e3

    def kill(self) -> None:
        for pid in reversed(_tree(self.process.pid)):
            with suppress(ProcessLookupError):
                os.kill(pid, 9)
        self.process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def clean_environment() -> dict[str, str]:
    """Of a program that is measured: no settings of ours that happen to be there, and byte code is kept from one start
    to the next, as where the product was installed."""
    ours = ("GRADEWATCH_", "MONGO_", "PYTHONDONTWRITEBYTECODE")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


@contextmanager
def started(command: Sequence[str], *, port: int, settings: Mapping[str, str], ready: str) -> Iterator[Running]:
    """A server that answers at `ready`; "{port}" in its command is its port. Raises RuntimeError when it never does."""
    server = start(command, port=port, settings=settings)
    try:
        wait(server, ready)
        yield server
    finally:
        server.kill()


def start(command: Sequence[str], *, port: int, settings: Mapping[str, str]) -> Running:
    process = subprocess.Popen(
        [part.replace("{port}", str(port)) for part in command],
        env={
            **clean_environment(),
            "PYTHONPATH": str(ROOT),
            "ORT_DISABLE_TELEMETRY": "1",
            **settings,
        },  # for the peers too
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=settings.get("BENCH_MODEL", ROOT),
    )
    return Running(f"http://127.0.0.1:{port}", process)


def wait(server: Running, ready: str) -> None:
    """Until it answers anything but a 5xx."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.process.poll() is None:
        try:
            with urlopen(server.url + ready, timeout=5):
                return
        except HTTPError as error:
            if error.code < 500:
                return
        except OSError:
            pass
        time.sleep(0.02)
    raise RuntimeError("the server never answered")


def environment(peer: str) -> Path:
    """The Python of a peer's environment, made now if need be. Raises RuntimeError where it cannot be installed."""
    folder, lock = CACHE / peer, LOCKS / f"{peer}.lock"
    python, marker = folder / "bin" / "python", folder / "installed.lock"
    if not marker.exists() or marker.read_bytes() != lock.read_bytes():
        print(f"  installing {peer} into {folder} (once)", flush=True)
        venv.create(folder, with_pip=True, clear=True)
        command = [str(python), "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "-r", str(lock)]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{peer} does not install: {done.stderr.strip().splitlines()[-1]}")
        marker.write_bytes(lock.read_bytes())
    return python


def uvicorn(app: str) -> list[str]:
    """The command of an ASGI application under the very server, loop and options that Gradewatch is served with."""
    script = f"import uvicorn; from deployment.server import OPTIONS; uvicorn.run('{app}', port={{port}}, **OPTIONS)"
    return [sys.executable, "-c", script]


def _tree(pid: int) -> list[int]:
    """A process and all that descend from it."""
    parents = {}
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            with suppress(OSError):
                parents[int(path.name)] = _stat(int(path.name))[0]
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found


def _stat(pid: int) -> tuple[int, float]:
    """Parent, and CPU seconds with those of ended children."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0, 0.0
    return int(fields[1]), sum(map(int, fields[11:15])) / TICKS


def _memory(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/smaps_rollup").read_text().split("Pss:")[1].split()[0])
    except OSError:
        return 0

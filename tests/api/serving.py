"""A real service for tests: uvicorn in a process of its own, on a free port, over an installation of its own."""

import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families as parse_text

from database.open import open_store
from database.store import RecordStore
from tests.command import environment_of

SECRET = "a secret for tests, long enough"
PATIENCE = 120.0

ENGAGEMENT = {"comprehension": 75.5, "attention": 82, "focus": 78.3, "retention": 80.1, "engagement_time": 120}
UNIVERSITY = {"semester": 3, "subject": "Data Structures", "assignment_marks": 4.2, "quiz_marks": 8.0,
              "attendance_percentage": 90, "midterm_marks": 23, "previous_cgpa": 3.4}  # fmt: skip


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


SERVE = ("cli", "serve")
PLAIN = ("uvicorn", "api.app:app")
"""The two ways to start the service: as users do, or as any ASGI application."""


def begin_worker(server: "Server") -> Callable[[], None]:
    """Start a worker beside a service, as one does where the database is not a file; what stops it."""
    command = [sys.executable, "-m", "cli", "worker"]
    with server.output.open("ab") as log:
        worker = subprocess.Popen(command, cwd=server.folder, env=server.environment, stdout=log, stderr=log)

    def stop() -> None:
        worker.terminate()
        worker.wait(PATIENCE)

    with server.store() as store:
        server.until(store.workers)
    return stop


class Server:
    """A started service, and a client that talks to it."""

    def __init__(self, folder: Path, settings: dict[str, str], command: Sequence[str] = SERVE) -> None:
        self.folder = folder
        self.database_url = settings.get("GRADEWATCH_DATABASE_URL", f"sqlite:///{folder / 'gradewatch.db'}")
        port = free_port()
        usual = {"DATABASE_URL": self.database_url, "PSEUDONYM_SECRET": SECRET, "POLL_SECONDS": "0.05"}
        usual = {f"GRADEWATCH_{name}": value for name, value in usual.items()}
        self.environment = environment_of(folder, **usual | settings)
        self.output = folder / "server.log"
        with self.output.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *command, "--port", str(port)],
                cwd=folder,
                env=self.environment,
                stdout=log,
                stderr=log,
            )
        self.url = f"http://127.0.0.1:{port}"
        self.client = httpx.Client(base_url=self.url, timeout=PATIENCE)

    def until(self, holds: Callable[[], Any], *, patience: float = PATIENCE) -> Any:
        """What `holds` returns as soon as it is true. Fails, with the server's last words, when it is not in `patience`
        seconds."""
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                if found := holds():
                    return found
            except httpx.TransportError:
                pass
            time.sleep(0.02)
        raise AssertionError(f"never held; the server said:\n{self.words()}")

    def words(self) -> str:
        return self.output.read_text(errors="replace")

    def get(self, path: str, **options: Any) -> Any:
        answer = self.client.get(path, **options)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, body: Any, **options: Any) -> httpx.Response:
        return self.client.post(path, json=body, **options)

    def predict(self, domain: str, row: Any, **options: Any) -> Any:
        answer = self.post(f"/api/v1/{domain}/predict", row, **options)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        self.client.close()
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(PATIENCE)

    @contextmanager
    def store(self) -> Iterator[RecordStore]:
        """The service's own store, opened beside it."""
        store = open_store(self.database_url)
        try:
            yield store
        finally:
            store.close()

    @contextmanager
    def locked_database(self) -> Iterator[None]:
        """While this lasts nobody else can write to the SQLite file."""
        connection = sqlite3.connect(self.folder / "gradewatch.db", isolation_level=None)
        try:
            connection.execute("BEGIN IMMEDIATE")
            yield
            connection.execute("ROLLBACK")
        finally:
            connection.close()


def metric(server: Server, name: str, **labels: str) -> float:
    """The sum over the samples of a name that have these labels; their number must not be 0."""
    families = parse_text(server.client.get("/metrics").text)
    samples = [one for family in families for one in family.samples if one.name == f"gradewatch_{name}"]
    found = [one.value for one in samples if labels.items() <= one.labels.items()]
    assert found, f"no sample of {name} with {labels}; there are {[one.labels for one in samples]}"
    return sum(found)

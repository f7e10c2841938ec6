"""Processes that do jobs and are killed or stopped in the midst of it, forked from a server that has all loaded.

`act` claims a job and does it as `python -m deployment.work` would. As `python -m tests.jobs.acting ID TOKEN SECONDS`
it is the process of one job of a kind that a test can hold up.
"""

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, cast

import sqlalchemy as sa

import jobs.child
from database.open import open_store
from database.records import Job
from database.store import RecordStore
from jobs.child import Claim, do_job, end_with_worker
from jobs.job_settings import JobSettings
from jobs.kinds import JOB_KINDS, JobKind, JobRun
from model.workspace import Workspace, open_workspace
from preprocessing.schema import DomainSchema

SECRET = b"a secret for tests, long enough"
WRITES = frozenset({"add_accesses", "add_outcomes", "add_batch", "add_drift_report", "add_predictions", "end_job",
                    "put_back_job", "remove_blobs", "renew_job", "put_document"})  # fmt: skip

context = multiprocessing.get_context("forkserver")
context.set_forkserver_preload(
    [
        "tests.jobs.acting",
        "database.sql",
        "database.mongo",
        "database.ingest",
        "preprocessing.validation.tables",
        "psycopg",
    ]
)


def begin(target: Callable[..., None], *arguments: object) -> BaseProcess:
    """A process that runs `target`, begun."""
    process = context.Process(target=target, args=arguments)
    process.start()
    return process


def opened(url: str, folder: Path) -> Workspace:
    return open_workspace(database_url=url, artifacts_dir=folder / "models", domains_dir=None, secret=SECRET)


def act(url: str, folder: Path, seconds: float, sign: int = 0, at: int = -1) -> None:
    """Claim a job and do it; at the step `at` (before or after a write, counted from 0) send this process `sign`. Exit
    code 0: the job was done; 3: there was none; 4: it was not ours any more."""
    workspace = opened(url, folder)
    job = workspace.store.claim_job(tuple(JOB_KINDS), f"worker {os.getpid()}", seconds)
    if job is None:
        sys.exit(3)
    stepping = _Stepping(workspace.store, sign, at, [0])
    told = do_job(
        replace(workspace, store=cast(RecordStore, stepping)), Claim(job.id, job.token, seconds), JobSettings(1000)
    )
    workspace.close()
    sys.exit(0 if told else 4)


def act_all(url: str, folder: Path) -> None:
    """Do jobs until none is left."""
    workspace = opened(url, folder)
    while job := workspace.store.claim_job(tuple(JOB_KINDS), f"worker {os.getpid()}", 60):
        do_job(workspace, Claim(job.id, job.token, 60), JobSettings(1000))


def act_until(url: str, folder: Path, schemas: Mapping[str, DomainSchema], at: int, counted: Path) -> None:
    """Do jobs until none is left; on SQLite be killed as the statement `at` of those that write (counted from 0, begins
    and commits among them) begins. How many there were is written into `counted`."""
    count = -1

    def step(statement: str) -> None:
        nonlocal count
        if count < 0 or statement.lstrip()[:6].upper() in ("SELECT", "PRAGMA"):
            return
        if count == at:
            os.kill(os.getpid(), signal.SIGKILL)
        count += 1

    jobs.child.TOLD_EVERY = 0.0  # all progress is told, so that the same statements are counted each time
    sa.event.listen(sa.Engine, "connect", lambda connection, _: connection.set_trace_callback(step))
    workspace, count = replace(opened(url, folder), schemas=schemas), 0
    while job := workspace.store.claim_job(tuple(JOB_KINDS), f"worker {os.getpid()}", 60):
        do_job(workspace, Claim(job.id, job.token, 60), JobSettings(1000))
    counted.write_text(str(count))


class _Stepping:
    """A store that gives a sign before or after one of the writes that go through it, fenced ones included."""

    def __init__(self, store: RecordStore, sign: int, at: int, steps: list[int]) -> None:
        self._store, self._sign, self._at, self._steps = store, sign, at, steps

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        if name == "fenced":
            return lambda *held: _Stepping(found(*held), self._sign, self._at, self._steps)
        if name not in WRITES:
            return found

        def step(*arguments: Any, **named: Any) -> Any:
            self._step()
            answer = found(*arguments, **named)
            self._step()
            return answer

        return step

    def _step(self) -> None:
        number = self._steps[0]
        self._steps[0] += 1
        if number == self._at:
            os.kill(os.getpid(), self._sign)


def linger(run: JobRun) -> Mapping[str, Any]:
    """A job that goes on until a file appears, and writes how often it was begun into another."""
    place = Path(run.job.arguments["place"])
    (run.folder / "upload").touch()
    (place / "folder").write_text(str(run.folder))
    with (place / "begun").open("a") as file:
        file.write(f"{os.getpid()}\n")
    for turn in range(TURNS):
        if (place / "end").exists():
            return {"turns": turn}
        run.progress(f"turn {turn}", turn / TURNS)
        time.sleep(0.05)
    raise AssertionError("nobody ended this job")


TURNS = 5000  # four minutes: tests end it
LINGER = "lingering"
LINGERING = JobKind(linger)


def job_of(store: RecordStore, id: str) -> Job:
    found = store.job(id)
    assert found is not None
    return found


if __name__ == "__main__":
    cast(dict[str, JobKind], JOB_KINDS)[LINGER] = LINGERING
    url, given = os.environ["GRADEWATCH_DATABASE_URL"], sys.argv[1:]
    end_with_worker(given[3])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    store = open_store(url)
    nothing: Any = None
    do_job(Workspace({}, store, nothing, SECRET), Claim(given[0], int(given[1]), float(given[2])), JobSettings(1000))
    store.close()

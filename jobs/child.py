"""One job, in a process of its own: done under its fence, its end told to the store by this process itself.

The worker that started it holds its lease; this writes nothing once that has run out. It ends with its worker.
"""

import logging
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from database.errors import LostJob
from database.records import Job, JobProblem, JobProgress
from database.store import RecordStore
from errors import Category, GradewatchError
from jobs.job_settings import JobSettings
from jobs.keyed_store import keyed
from jobs.kinds import JOB_KINDS, JobRun
from jobs.queue import files_of
from log_lines import request_id
from model.workspace import Workspace
from preprocessing.validation.rules import BadData

TOLD_EVERY = 0.5  # seconds between two words of progress that are kept
FAULT = JobProblem(title="InternalError", detail="something went wrong here; the worker's log says what")

ENDING = threading.Event()
"""This process was told to end: whatever fails from now on is no failure of the job."""

log = logging.getLogger("gradewatch.jobs")


@dataclass(frozen=True)
class Claim:
    """A job that a worker holds, under this token, by leases of so many seconds."""

    id: str
    token: int
    seconds: float


def do_job(workspace: Workspace, claim: Claim, settings: JobSettings) -> Job | None:
    """Do the claimed job and tell the store how it ended. None where it is no longer ours: then nothing was written.

    Raises StoreUnavailable where even the end could not be told: the lease runs out, and it is done again.
    """
    store = workspace.store
    job = store.job(claim.id)
    if job is None or job.token != claim.token:
        return None
    request_id.set(job.request)
    try:
        result = _do(workspace, job, claim, settings)
    except LostJob:
        return None
    except GradewatchError as error:
        return None if ENDING.is_set() else _tell_failure(store, job, problem_of(error), retry_in=_pause(job, error))
    except Exception as error:
        if ENDING.is_set():  # some libraries make an error of their own of the wish to end
            return None
        log.error("a fault of ours: %s", _places(error), extra={"fields": {"job": job.id, "kind": job.kind}})
        return _tell_failure(store, job, FAULT, retry_in=None)
    return _tell(store, lambda: store.end_job(job.id, job.token, "done", result=result))


def _do(workspace: Workspace, job: Job, claim: Claim, settings: JobSettings) -> Mapping[str, Any]:
    kind = JOB_KINDS[job.kind]
    own = keyed(workspace.store.fenced(job.id, job.token), job, several=kind.several)
    with tempfile.TemporaryDirectory() as folder:
        progress = _Telling(workspace.store, claim)
        return kind.do(JobRun(job, replace(workspace, store=own), Path(folder), settings, progress))


def _pause(job: Job, error: GradewatchError) -> float | None:
    """Seconds until a job is tried again; None where that would change nothing, or it was tried often enough."""
    if error.category is not Category.UNAVAILABLE:
        return None
    return JOB_KINDS[job.kind].pause(job.attempts, error.retry_after or 0.0)


def _tell_failure(store: RecordStore, job: Job, problem: JobProblem, retry_in: float | None) -> Job | None:
    if retry_in is not None:
        return _tell(store, lambda: store.put_back_job(job.id, job.token, pause=retry_in, problem=problem))
    return _tell(store, lambda: store.end_job(job.id, job.token, "failed", problem=problem))


def _tell(store: RecordStore, end: Callable[[], Job]) -> Job | None:
    """Tell the end, and remove the files that are not needed any more."""
    try:
        told = end()
    except LostJob:
        return None
    drop_files(store, told)
    return told


def drop_files(store: RecordStore, job: Job) -> None:
    """Remove the files of a job that has ended."""
    names = [file["blob"] for file in files_of(job).values()]
    if job.ended and names:
        store.remove_blobs(names)


def problem_of(error: GradewatchError) -> JobProblem:
    """Why a job failed, as the store keeps it."""
    title, category = type(error).__name__, error.category.value
    if isinstance(error, BadData):
        problems = tuple(msgspec.to_builtins(one) for one in error.problems)
        detail = f"{error.total:,} problem{'s' if error.total != 1 else ''}; nothing of this request was kept"
        return JobProblem(title=title, detail=detail, category=category, problems=problems, problem_count=error.total)
    return JobProblem(title=title, detail=str(error.args[0] if error.args else title), category=category)


def _places(error: BaseException) -> str:
    """Where `error` came from, without its words: they may hold a student's values."""
    return f"{''.join(traceback.format_tb(error.__traceback__))}{type(error).__name__}"


class _Telling:
    """Tells the store how far a job is, now and then. Raises LostJob when it is no longer ours."""

    def __init__(self, store: RecordStore, claim: Claim) -> None:
        self._store = store
        self._claim = claim
        self._told = 0.0

    def __call__(self, step: str, share: float | None = None) -> None:
        if time.monotonic() - self._told < TOLD_EVERY:
            return
        self._told = time.monotonic()
        claim = self._claim
        self._store.renew_job(claim.id, claim.token, claim.seconds, JobProgress(step=step, share=share))


def end_with_worker(folder: str) -> None:
    """End this process when its standard input does, which its worker holds open, and remove the folder that the worker
    can remove no more; and in order when told to."""

    def end(*_: object) -> None:
        ENDING.set()
        sys.exit(128 + signal.SIGTERM)  # so that leases are given back

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def wait() -> None:
        while os.read(0, 4096):  # no buffered reader, whose lock would be in the way at the end
            pass
        shutil.rmtree(folder, ignore_errors=True)
        os._exit(128 + signal.SIGHUP)

    threading.Thread(target=wait, name="worker", daemon=True).start()

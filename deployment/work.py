"""`gradewatch worker`: the worker of this workspace, as the settings describe it.

It opens the store and nothing else. `python -m deployment.work` is the worker that a service starts for itself; with
ID TOKEN SECONDS behind it, the process of one job, which opens everything.
"""

import logging
import os
import sys
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from errors import Category, GradewatchError
from log_lines import configure_worker_logs
from settings import ECS, Settings

if TYPE_CHECKING:
    from database.store import RecordStore
    from jobs.tick import Passed
    from jobs.worker import Worker

log = logging.getLogger("gradewatch.jobs")

CHILD = (sys.executable, "-m", "deployment.work")


class UnknownKind(GradewatchError):
    """A kind of jobs that there is not; the message says which there are."""

    category = Category.MISUSED


def work(
    *, kinds: Sequence[str] = (), places: int = 2, once: bool = False, poll: float = 0.2, owned: bool = False
) -> None:
    """Do jobs until told to stop (SIGTERM, Ctrl-C); of all kinds, or of these. Raises StoreUnavailable, UnknownKind.

    owned: end with whoever holds this process's standard input open.
    """
    from jobs.kinds import JOB_KINDS
    from jobs.stopping import stop_at_signals
    from jobs.worker import Worker

    if unknown := set(kinds) - JOB_KINDS.keys():
        raise UnknownKind(f"no such kind: {', '.join(sorted(unknown))}; there are: {', '.join(JOB_KINDS)}")
    settings, stop = Settings(), threading.Event()
    stop_at_signals(stop)
    if owned:
        _when_input_ends(stop.set)
    store = _open(settings)
    try:
        made_for = kinds or tuple(JOB_KINDS)
        worker = Worker(store, CHILD, made_for, settings.for_jobs(), places=places, poll=poll, once=once)
        log.info("worker %s waits for jobs: %s", worker.name, ", ".join(worker.kinds))
        worker.work(stop)
        log.info("stopped")
    finally:
        store.close()


def do_one(id: str) -> None:
    """Do this job, if it waits still: one that is done, or that another worker has, is left alone."""
    _with_worker(lambda worker: worker.work(threading.Event()), places=1, once=True, only=id)


def wait_upon(stop: threading.Event) -> None:
    """Give the sign of life of workers that are told what to do, and make the passes of the tick, until `stop`."""
    _with_worker(lambda worker: worker.work(stop), places=0)


def _with_worker(do: "Callable[[Worker], None]", **how: Any) -> None:
    from jobs.worker import Worker

    settings = Settings()
    store = _open(settings)
    try:
        do(Worker(store, CHILD, settings=settings.for_jobs(), **how))
    finally:
        store.close()


def pass_once(say: Callable[[str], None], *, ask_only: bool = False) -> "Passed":
    """One pass of the tick. What was asked for is done here and now where no worker lives that would do it, unless
    `ask_only`. Raises StoreUnavailable."""
    from jobs.queue import absence
    from jobs.tick import Pass, tick

    settings = Settings()
    store = settings.open_store()
    try:
        passed = tick(Pass(store, settings.for_jobs()))
        for job in passed.asked:
            say(f"{job.kind}{f' of {job.domain}' if job.domain else ''} is {job.state} (job {job.id})")
        alone = any(absence(store, job) for job in store.jobs(states=("waiting",)))
    finally:
        store.close()
    if alone and not ask_only:
        work(once=True)
    return passed


def _open(settings: Settings) -> "RecordStore":
    """The store, and the lines of whoever works on it."""
    configure_worker_logs(ecs=settings.log_format == ECS)
    return settings.open_store()


def _when_input_ends(tell: Callable[[], None]) -> None:
    def wait() -> None:
        while os.read(0, 4096):  # no buffered reader, whose lock would be in the way at the end
            pass
        tell()

    threading.Thread(target=wait, name="parent", daemon=True).start()


def do_claimed(id: str, token: str, seconds: str, folder: str) -> None:
    """Do one job that a worker holds: the process of that job. folder: for its files, which the worker removes."""
    from jobs.child import Claim, do_job, end_with_worker

    end_with_worker(folder)
    settings = Settings()
    configure_worker_logs(ecs=settings.log_format == ECS)
    workspace = settings.open_workspace()
    try:
        do_job(workspace, Claim(id, int(token), float(seconds)), settings.for_jobs())
    finally:
        workspace.close()


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    do_claimed(*sys.argv[1:]) if sys.argv[1:] else work(owned=True)

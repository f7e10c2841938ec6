"""How the service has work done in the background: it asks the queue, waits a while, and says where to look later.

It does no job and never imports what one needs. Where the store is a file of this machine and nobody works on it, the
first job starts a worker, which ends with this service.
"""

import asyncio
import contextlib
import logging
import os
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from api.errors import REFUSED_AS, STATUS, UNAVAILABLE, ProblemDocument
from api.schemas import JobStatus, respond
from clock import new_id
from database.errors import StoreUnavailable
from database.records import Job, JobProblem
from database.store import RecordStore
from errors import Category, GradewatchError
from jobs.queue import (
    EARLINESS,
    RETRAINING,
    TRACKING,
    TRAINING,
    UNFINISHED,
    JobRequest,
    absence,
    ask,
    ask_alone,
    worker_for,
)
from model.workspace import Workspace
from settings import OFF, Settings

if TYPE_CHECKING:
    from jobs.celery_messages import Messages

FIRST_LOOK, LONGEST_LOOK, GROWTH = 0.02, 0.25, 1.3
"""Seconds between two looks at a job that is waited for."""

FILES_AT_ONCE = 2  # uploaded files that are put into the store: more would only wait for its one writer
LOOK_SECONDS = 2.0  # between two looks for work that nobody does
STARTING_SECONDS = 5.0  # in which a worker that was started is seen
LONGEST_IDEMPOTENCY_KEY = 200
WORKER_END_SECONDS = 15.0  # seconds that a worker of our own gets to give back what it does
WORKER = (sys.executable, "-m", "deployment.work")

LEARNING = frozenset({TRAINING, RETRAINING, EARLINESS})

log = logging.getLogger("gradewatch.api")


class BadPreference(GradewatchError):
    """A header about how to be served that cannot be followed."""

    category = Category.MALFORMED


class TrainedElsewhere(GradewatchError):
    """An order to train to a service that takes none."""

    category = Category.CONFLICT

    def __init__(self) -> None:
        super().__init__(
            "nothing is trained here (GRADEWATCH_TRAINING is off): run `gradewatch train` or `retrain` on a machine "
            "with 2 GB of memory and the same database; this service serves the new model within seconds"
        )


class Background:
    """Asks for jobs and follows them, for one service. Stop it to end the worker that it started, if it did."""

    def __init__(self, settings: Settings, store: RecordStore) -> None:
        self._settings = settings
        self._store = store
        self._worker: subprocess.Popen[bytes] | None = None
        self._holder = new_id()
        self._starting = asyncio.Lock()
        self._files = ThreadPoolExecutor(FILES_AT_ONCE, "files")
        self._broker = settings.celery_url.get_secret_value() if settings.celery_url else ""
        self._messages: Messages | None = None

    async def keep_working(self) -> None:
        """See to it that what was asked for is done, also what was asked of an earlier service, for as long as this
        lives."""
        while self._store.embedded:
            with contextlib.suppress(StoreUnavailable):  # it is looked at again
                left = await asyncio.to_thread(lambda: self._store.jobs(states=UNFINISHED, limit=1))
                if left:
                    await self._see_to_worker(left[0].kind)
            await asyncio.sleep(LOOK_SECONDS)

    async def ask(self, wanted: JobRequest, *, alone: bool = False) -> Job:
        """The job that does what is wanted. alone: one at a time in a domain. Raises AlreadyAsked, KeyReused,
        TrainedElsewhere."""
        if wanted.kind in LEARNING and self._settings.training == OFF:
            raise TrainedElsewhere
        pool = self._files if wanted.files else None  # keeping a file takes long: no other work waits behind it
        put = partial(copy_context().run, ask_alone if alone else ask, self._store, wanted)
        job = await asyncio.get_running_loop().run_in_executor(pool, put)
        log.info("job asked for", extra={"fields": {"job": job.id, "kind": job.kind}})
        if not job.ended:
            await self._see_to_worker(job.kind)
        if self._broker and job.state == "waiting":
            await asyncio.to_thread(self._tell, job)
        return job

    def _tell(self, job: Job) -> None:
        from jobs.celery_messages import Messages

        self._messages = self._messages or Messages(self._broker)
        self._messages.send([job.id])

    async def follow(self, job: Job, seconds: float) -> Job:
        """The job when it has ended, or as it is after so long; or as soon as nobody is seen who would do it."""
        loop, pause = asyncio.get_running_loop(), FIRST_LOOK
        ends, seen = loop.time() + seconds, loop.time()
        while not job.ended and loop.time() < ends:
            await asyncio.sleep(min(pause, max(0.0, ends - loop.time())))
            pause = min(LONGEST_LOOK, pause * GROWTH)
            with contextlib.suppress(StoreUnavailable):  # the job is kept: only its end is not known yet
                job = await asyncio.to_thread(self._look, job)
                if loop.time() - seen > 1.0:
                    seen = loop.time()
                    if await asyncio.to_thread(self._is_alone, job):
                        break
        return job

    def _look(self, job: Job) -> Job:
        return self._store.job(job.id) or job

    def _is_alone(self, job: Job) -> bool:
        """Whether nobody is there to do a job, nor will be by our doing."""
        return not self._store.embedded and absence(self._store, job) is not None

    async def _see_to_worker(self, kind: str) -> None:
        if not self._store.embedded or self._broker:
            return
        async with self._starting:
            if self._worker is None or self._worker.poll() is not None:
                await asyncio.to_thread(self._start_worker, kind)

    def _start_worker(self, kind: str) -> None:
        if worker_for(self._store, kind):
            return
        if self._store.try_lease("the service's own worker", self._holder, STARTING_SECONDS):
            return  # another process of this service is starting one
        self._worker = subprocess.Popen(  # noqa: S603 (our own command)
            WORKER,
            env=os.environ | _environment(self._settings),
            stdin=subprocess.PIPE,  # held open: it ends when this process does, however that is
            stdout=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C at the service's terminal is not meant for it
        )

    async def stop(self) -> None:
        """End the worker of our own, which puts back what it does."""
        await asyncio.to_thread(self._files.shutdown)
        if self._worker is not None:
            await asyncio.to_thread(self._end_worker, self._worker)

    @staticmethod
    def _end_worker(worker: subprocess.Popen[bytes]) -> None:
        worker.terminate()
        try:
            worker.wait(WORKER_END_SECONDS)
        except subprocess.TimeoutExpired:
            worker.kill()
            worker.wait()
        if worker.stdin is not None:
            worker.stdin.close()


def _environment(settings: Settings) -> dict[str, str]:
    """The settings that a worker needs, as it reads them: the same installation, wherever these came from."""
    return {
        "GRADEWATCH_DATA_DIR": str(settings.data_dir),
        "GRADEWATCH_DATABASE_URL": settings.database_url,
        "GRADEWATCH_ARTIFACTS_URL": settings.artifacts_url,
        "GRADEWATCH_PSEUDONYM_SECRET": settings.secret().decode(),
        "GRADEWATCH_WINDOW": str(settings.window),
        "GRADEWATCH_DURABILITY": settings.durability,
        "GRADEWATCH_TRAIN_AFTER": str(settings.train_after),
        "GRADEWATCH_LOG_FORMAT": settings.log_format,
        "MONGO_POOL_SIZE": str(settings.mongo_pool_size),
        "MLFLOW_TRACKING_URI": settings.mlflow_tracking_uri,
        **({"GRADEWATCH_DOMAINS_DIR": str(settings.domains_dir)} if settings.domains_dir else {}),
    }


def ask_tracking(workspace: Workspace, domain: str, actor: str) -> None:
    """Have a worker tell MLflow who is champion now, where there is one: no client of it is loaded here."""
    if workspace.tracking:
        ask(workspace.store, JobRequest(TRACKING, domain, actor))


# What the caller says about waiting, and what is answered ---------------------------------------------------------


def idempotency_key(request: Request) -> str | None:
    """The key under which the caller asks, so that asking again asks for the same. Raises BadPreference."""
    key = request.headers.get("idempotency-key")
    if key is None:
        return None
    key = key.strip().strip('"')
    if not key or len(key) > LONGEST_IDEMPOTENCY_KEY or not key.isprintable():
        raise BadPreference(
            f"Idempotency-Key is 1 to {LONGEST_IDEMPOTENCY_KEY} printable characters, made anew for each request"
        )
    return key


def patience_of(request: Request, settings: Settings) -> float:
    """Seconds that the caller waits at most for an answer: none after Prefer: respond-async, fewer after wait=SECONDS
    (RFC 7240). Less than a request may take, so that it is told where to look and not that it took too long."""
    most = max(settings.request_seconds / 2, settings.request_seconds - 2.0)
    for preference in _preferences(request):
        if preference == "respond-async":
            return 0.0
        name, _, value = preference.partition("=")
        if name.strip() == "wait" and (digits := value.strip().strip('"')).isdigit() and len(digits) < 8:
            most = min(most, float(digits))
    return most


def _preferences(request: Request) -> list[str]:
    given = ",".join(request.headers.getlist("prefer"))
    return [part.partition(";")[0].strip().casefold() for part in given.split(",") if part.strip()]


async def done(
    request: Request,
    background: Background,
    wanted: JobRequest,
    settings: Settings,
    *,
    later: bool = False,
    alone: bool = False,
) -> Job | Response:
    """The job that did what is wanted, or what to answer instead: where to look later, or why it failed.

    later: at once. alone: as `Background.ask` has it.
    """
    job = await background.ask(wanted, alone=alone)
    job = await background.follow(job, 0.0 if later else patience_of(request, settings))
    if not job.ended:
        return accepted(job, preferred="respond-async" in _preferences(request))
    return job if job.state == "done" else refused_job(request, job)


def accepted(job: Job, *, preferred: bool = False) -> Response:
    """202: where the job is found."""
    headers = {"location": f"/api/v1/jobs/{job.id}"} | ({"preference-applied": "respond-async"} if preferred else {})
    return respond(status_of_job(job), 202, headers)


def refused_job(request: Request, job: Job) -> Response:
    """The refusal that a failed job ended in, as if it had been refused here."""
    document = document_of(job.problem or CANCELLED)
    request.scope[REFUSED_AS] = document.title
    if document.problems and "text/csv" in request.headers.get("accept", ""):
        from preprocessing.render import problems_csv

        headers = {"content-disposition": 'attachment; filename="problems.csv"'}
        return Response(problems_csv(document.problems), 422, headers, media_type="text/csv")
    answer = respond(document, document.status)
    answer.headers["content-type"] = "application/problem+json"
    return answer


CANCELLED = JobProblem(title="Cancelled", detail="this job was cancelled before it was done", category="conflict")


def document_of(problem: JobProblem) -> ProblemDocument:
    """Why a job failed, in the form that every refusal has."""
    told = UNAVAILABLE if problem.title == StoreUnavailable.__name__ else problem.detail
    plain: Mapping[str, Any] = msgspec.to_builtins(problem)
    status = STATUS[Category(problem.category)] if problem.category else 500
    wanted = {**{name: plain[name] for name in ("problems", "problem_count") if name in plain}}
    return msgspec.convert({"title": problem.title, "status": status, "detail": told, **wanted}, ProblemDocument)


def status_of_job(job: Job, note: str | None = None) -> JobStatus:
    """A job as whoever may see it sees it. note: what keeps it from being done."""
    return JobStatus(
        id=job.id,
        kind=job.kind,
        domain=job.domain,
        actor=job.actor,
        state=job.state,
        asked=job.at,
        attempts=job.attempts,
        started=job.started,
        finished=job.finished,
        cancelling=job.cancelling and not job.ended,
        progress=job.progress,
        result=job.result,
        problem=document_of(job.problem) if job.problem else None,
        note=note,
    )

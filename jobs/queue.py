"""The queue of background work, as whoever asks sees it: asking for a job, its files, and who is there to do it.

It does no job and knows no kind's work: the API imports this and nothing else of the package.
"""

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, NamedTuple

import msgspec

from clock import new_id, now
from database.blobs import put_blob
from database.read_only import ReadOnly
from database.records import Job, JobState, SeenWorker, digest
from database.store import RecordStore
from database.uploads import Upload, begin_upload, new_upload
from errors import Category, GradewatchError
from log_lines import request_id
from preprocessing.validation.pii import harmless_name

TRAINING = "training"
RETRAINING = "retraining"
DRIFT_FILE = "drift of a file"
DRIFT_DAYS = "drift of days"
SCORING = "scoring"
BATCH_FILE = "batch"
OUTCOMES_FILE = "outcomes"
MATCHING = "match of outcomes"
EXPORT = "export"
COHORT_REPORT = "cohort report"
WATCHING = "watch"
COLLECTING = "inbox"
DELIVERY = "alerts"
ERASURE = "erasure"
REMAKING = "making again"
KEEPING = "keeping"
TRACKING = "tracking"
ANCHORING = "anchoring"
CATCHING_UP = "catching up"
KEEPING_WEEKS = "weeks"
EARLINESS = "earliness"
CHANGES_REPORT = "changes"
STEPS_FILE = "steps of cases"
"""The kinds that there are; `jobs.kinds` says what each does."""

SEEN_SECONDS = 15.0
"""After so long without a sign of life a worker is taken to be gone. It gives one every third of that."""

KEPT = timedelta(days=30)
"""For how long a job that has ended can be asked about, and an idempotency key is known."""

LEFT_BEHIND = timedelta(hours=1)
"""After which the file of no job, or of one that has ended, is removed. A job that ends takes its files along; this is
for what a killed process left."""

ASKING_SECONDS = 10.0
TRIED_LATELY = timedelta(hours=1)  # after a failure that would come again
UPLOADED = (BATCH_FILE, OUTCOMES_FILE)
"""Kinds that keep an uploaded file's rows; the history of uploads tells of each."""

UNFINISHED: tuple[JobState, ...] = ("waiting", "running")


class AlreadyAsked(GradewatchError):
    """A job of this kind waits or runs in the domain, and one at a time does."""

    category = Category.CONFLICT
    retry_after = 30


class KeyReused(GradewatchError):
    """An idempotency key that came before with another request."""


class JobFile(NamedTuple):
    """A file that a job is given. name: what its sender calls it."""

    name: str
    content: bytes


@dataclass(frozen=True)
class JobRequest:
    """What is asked for. arguments: JSON-ready. files: by the name that the kind knows them under. key: of whoever
    asks; the same key asks for the same job."""

    kind: str
    domain: str
    actor: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, JobFile] = field(default_factory=dict)
    key: str | None = None

    @property
    def id(self) -> str:
        """Of the job; made of the key where there is one."""
        return new_id() if self.key is None else digest([self.kind, self.domain, self.actor, self.key])


def ask(store: RecordStore, request: JobRequest) -> Job:
    """The job that does what is asked for: a new one, or the one that the same key asked for before.

    Its files are in the store before it is. Raises KeyReused, StoreUnavailable.
    """
    made = request.id
    files = {name: _described(made, name, file) for name, file in request.files.items()}
    arguments = {**request.arguments, **({"files": files} if files else {})}
    if request.key is not None and (known := store.job(made)):
        return _same(known, arguments)
    for name, file in request.files.items():
        put_blob(store, files[name]["blob"], file.content)
    at = now()
    asked = Job(
        id=made,
        kind=request.kind,
        domain=request.domain,
        actor=request.actor,
        arguments=arguments,
        at=at,
        due=at,
        request=request_id.get(),
    )
    job = _same(store.add_job(asked), arguments)
    if job.kind in UPLOADED:
        begin_upload(store, upload_of(job))
    return job


def upload_of(job: Job) -> Upload:
    """What the history says of the file of a job of these kinds when it comes in."""
    kind = job.arguments.get("kind", "outcomes")
    name, actor = files_of(job)["file"]["name"], job.actor or ""
    return new_upload(job.id, job.domain or "", kind, name=name, actor=actor)


def ask_alone(store: RecordStore, request: JobRequest) -> Job:
    """As `ask`, for what one at a time does in a domain. Raises AlreadyAsked as well."""
    lease, holder = f"asking for {request.kind}:{request.domain}", new_id()
    if store.try_lease(lease, holder, ASKING_SECONDS):
        raise AlreadyAsked(f"{request.kind} of {request.domain} is being asked for; wait for that to finish")
    try:
        if request.key is not None and store.job(request.id):
            return ask(store, request)
        if store.jobs(domain=request.domain, kind=request.kind, states=UNFINISHED, limit=1):
            raise AlreadyAsked(f"{request.kind} of {request.domain} is under way; wait for that to finish")
        return ask(store, request)
    finally:
        store.release_lease(lease, holder)


def ask_catching_up(store: RecordStore, actor: str, *, anew: bool = False) -> Job:
    """The job that looks at all that came: one that waits for it already, or a new one. anew: also where one runs,
    which may be past what came just now."""
    newest = next(iter(store.jobs(kind=CATCHING_UP, limit=1)), None)
    if newest is not None and (newest.state == "waiting" or (not anew and _is_tried(newest))):
        return newest
    return ask(store, JobRequest(CATCHING_UP, "", actor))


def ask_in_passing(store: RecordStore, actor: str) -> None:
    """As `ask_catching_up`, for whoever looks at something; an installation that only reads is looked at too."""
    with suppress(ReadOnly):
        ask_catching_up(store, actor)


def _is_tried(job: Job) -> bool:
    return job.state == "running" or (job.state == "failed" and (job.finished or job.at) > now() - TRIED_LATELY)


def _described(job: str, name: str, file: JobFile) -> dict[str, str]:
    content = hashlib.sha256(file.content).hexdigest()
    return {"name": harmless_name(file.name), "blob": f"{job}-{name}", "sha256": content}


def _same(job: Job, arguments: Mapping[str, Any]) -> Job:
    if msgspec.json.encode(job.arguments, order="sorted") != msgspec.json.encode(arguments, order="sorted"):
        raise KeyReused("this Idempotency-Key came before with another request; a new request needs a new key")
    return job


def files_of(job: Job) -> Mapping[str, Mapping[str, str]]:
    """The files that a job was given, by name: each with the sender's `name` for it and its `blob`."""
    found: Mapping[str, Mapping[str, str]] = job.arguments.get("files", {})
    return found


def prediction_id(job: str, row: int) -> str:
    """The id (32 hex digits) under which the answer to a row of a job's file is logged, however often it is done."""
    return f"{digest([job, 'row'])[:22]}{row:010x}"


# Who is there --------------------------------------------------------------------------------------------------------


def worker_for(store: RecordStore, kind: str) -> SeenWorker | None:
    """A worker that lives and does jobs of `kind`."""
    return next((one for one in store.workers() if one.ago < SEEN_SECONDS and kind in one.kinds), None)


def absence(store: RecordStore, job: Job) -> str | None:
    """That nobody is there to do a job that waits; None where somebody is, or it does not wait."""
    if job.state != "waiting" or worker_for(store, job.kind):
        return None
    last = next((one.at for one in store.workers() if job.kind in one.kinds), None)
    since = f"since {last:%Y-%m-%d %H:%M:%S} UTC" if last else "yet"
    return f"no worker has been seen {since}: start one with gradewatch worker"


def sweep(store: RecordStore) -> None:
    """Forget jobs that ended long ago, workers that are gone, files that no job needs, and rows of killed uploads."""
    at = now()
    store.remove_jobs(at - KEPT)
    store.forget_workers(at - KEPT)
    store.sweep_uploads()
    names = [name for name in store.blobs(before=at - LEFT_BEHIND) if "/" not in name]
    jobs = {name: store.job(name.partition("-")[0]) for name in names}
    gone = [name for name, job in jobs.items() if job is None or job.ended]
    if gone:
        store.remove_blobs(gone)

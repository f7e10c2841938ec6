"""The history of uploaded files: who sent which, how far it is, what it brought, and why one was refused.

An upload is kept as a document that changes with its state. It holds no value of a file; the rows themselves are those
of its batch.
"""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec

from clock import now
from database.errors import Conflict
from database.records import BatchKind, Document, Job
from database.store import RecordStore
from errors import Category, GradewatchError
from preprocessing.validation.pii import harmless_name, names_somebody
from preprocessing.validation.rules import BadData, Problem

UploadKind = BatchKind | Literal["outcomes"]
UploadState = Literal["received", "validating", "stored", "training", "done", "refused"]
ENDED: tuple[UploadState, ...] = ("done", "refused")

UPLOADS_IN = "upload/"
"""What the kinds of their documents begin with; the domain follows, so that one is listed without the others."""

REASONS_KEPT = 10  # of a refused file, or of rows that were left out
UPLOADS_OF_PAGE = 100
QUOTES = r"[\"'()~;|]"  # around names of columns, which may be names of people
SILENT = timedelta(days=1)
"""After which an upload that no job does, and that says nothing, is taken to have ended."""

CUT_OFF = "it ended before it was stored: send it again"


class UnknownUpload(GradewatchError):
    """No upload of that id in the domain."""

    category = Category.UNKNOWN


class Upload(msgspec.Struct, frozen=True, kw_only=True):
    """One uploaded file. id: of the job that takes it, where one does. at: when it came; changed: when its state did.

    batch: what it became. added, updated, unchanged: rows (of outcomes: one per row and target) that are new, that
    replace what was known of the same student, group and period, and that say it again; None until they are counted.
    left_out: bad rows, and those of groups that are not the sender's. reasons: why it was refused, or rows left out.
    labelled: rows that brought a new or changed outcome. training: the jobs that it started. note: what came of them,
    or why none was started.
    """

    id: str
    domain: str
    kind: UploadKind
    name: str
    actor: str
    at: datetime
    changed: datetime
    state: UploadState = "received"
    batch: str | None = None
    added: int | None = None
    updated: int | None = None
    unchanged: int | None = None
    left_out: int = 0
    reasons: tuple[str, ...] = ()
    labelled: int = 0
    training: tuple[str, ...] = ()
    note: str = ""

    @property
    def ended(self) -> bool:
        """Whether nothing more becomes of it."""
        return self.state in ENDED


def new_upload(id: str, domain: str, kind: UploadKind, *, name: str, actor: str) -> Upload:
    """An upload that comes in now. name: the file's."""
    at = now()
    return Upload(id=id, domain=domain, kind=kind, name=harmless_name(name), actor=actor, at=at, changed=at)


def begin_upload(store: RecordStore, upload: Upload) -> Upload:
    """Keep it, unless it is there: as it is there."""
    try:
        store.put_document(_document(upload, 1))
    except Conflict:
        return find_upload(store, upload.domain, upload.id)
    return upload


def find_upload(store: RecordStore, domain: str, id: str) -> Upload:
    """The upload of that id, as it is now. Raises UnknownUpload."""
    return _follow(store, _upload(_found(store, domain, id)))


def change_upload(store: RecordStore, upload: Upload, **changes: Any) -> Upload:
    """The upload with these changes, kept over whatever it is by now."""
    while True:
        document = _found(store, upload.domain, upload.id)
        changed = msgspec.structs.replace(_upload(document), **changes, changed=now())
        try:
            store.put_document(_document(changed, document.revision + 1))
        except Conflict:
            continue  # somebody else changed it: over that
        return changed


def refuse_upload(store: RecordStore, upload: Upload, error: GradewatchError) -> Upload:
    """It ends as refused, for the reasons that an error gives."""
    return change_upload(store, upload, state="refused", reasons=reasons_of(error))


def uploads_of(
    store: RecordStore,
    domain: str,
    *,
    actor: str | None = None,
    before: Upload | None = None,
    limit: int = UPLOADS_OF_PAGE,
) -> list[Upload]:
    """Newest first. actor: only whose. before: the last one of the page before."""
    place = None if before is None else (before.at, before.id)
    found: list[Upload] = []
    while len(found) < limit:
        page = [
            _upload(one) for one in store.newest_documents(UPLOADS_IN + domain, before=place, limit=UPLOADS_OF_PAGE)
        ]
        found += [one for one in page if actor in (None, one.actor)]
        if len(page) < UPLOADS_OF_PAGE:
            break
        place = (page[-1].at, page[-1].id)
    return [_follow(store, one) for one in found[:limit]]


def rows_to_learn_from(store: RecordStore, upload: Upload) -> int:
    """Rows with a new or changed outcome that came with this upload, and since one last started a training."""
    rows, before = upload.labelled, None
    while page := uploads_of(store, upload.domain, before=before):
        for one in page:
            if one.training:
                return rows
            rows += one.labelled if one.id != upload.id and one.state != "refused" else 0
        before = page[-1]
    return rows


def reasons_of(error: GradewatchError) -> tuple[str, ...]:
    """Why something was refused, in sentences that may be kept: without any value of the file."""
    if isinstance(error, BadData):
        return reasons_of_problems(error.problems, error.total)
    return (_harmless(str(error.args[0]) if error.args else type(error).__name__),)


def reasons_of_problems(problems: Sequence[Problem], total: int) -> tuple[str, ...]:
    """Problems by column and rule, each said once, with how many rows have it."""
    rows: dict[tuple[str | None, str], list[int | None]] = {}
    for problem in problems:
        rows.setdefault((problem.column, problem.rule), []).append(problem.row)
    said = [_told(column, rule, found) for (column, rule), found in rows.items()]
    told = sum(len(found) for found in list(rows.values())[:REASONS_KEPT])
    return (*said[:REASONS_KEPT], *([f"and {total - told:,} more problems"] if total > told else ()))


def _told(column: str | None, rule: str, rows: Sequence[int | None]) -> str:
    where = "" if column is None else f"column {column!r}: "
    known = [row for row in rows if row is not None]
    many = f" ({len(known):,} rows, the first is row {known[0]})" if len(known) > 1 else ""
    return _harmless(where + rule + (many or (f" (row {known[0]})" if known else "")))


def _harmless(words: str) -> str:
    found = names_somebody(re.sub(QUOTES, " ", words))
    return words if found is None else f"the words of this refusal hold {found}, and are not kept"


def _follow(store: RecordStore, upload: Upload) -> Upload:
    """The upload as the end of the jobs that it waits for makes it."""
    if upload.ended:
        return upload
    if upload.state == "training":
        jobs = [store.job(one) for one in upload.training]
        if any(job is not None and not job.ended for job in jobs):
            return upload
        return change_upload(store, upload, state="done", note="; ".join(_learned(job) for job in jobs if job))
    job = store.job(upload.id)
    if job is None and now() - upload.changed > SILENT:
        return change_upload(store, upload, state="refused", reasons=(CUT_OFF,))
    if job is not None and job.state in ("failed", "cancelled"):
        why = _harmless(job.problem.detail) if job.problem else f"the job was {job.state}"
        return change_upload(store, upload, state="refused", reasons=(why,))
    return upload


def _learned(job: Job) -> str:
    """What came of a training, in words."""
    if job.state != "done":
        return f"{job.kind} {job.state}" + (f": {job.problem.detail}" if job.problem else "")
    told = job.result or {}
    models = [
        f"{one['target']}@{one['moment']}: " + ("a model that serves" if one["serves"] else one["reason"] or "a model")
        for one in told.get("models", ())
    ]
    return f"{job.kind}: " + ("; ".join([*models, *told.get("verdicts", ())]) or "nothing to do")


def _found(store: RecordStore, domain: str, id: str) -> Document:
    document = store.document(UPLOADS_IN + domain, id)
    if document is None:
        raise UnknownUpload(f"no upload {id!r:.80} in {domain}; its list names those that there are")
    return document


def _document(upload: Upload, revision: int) -> Document:
    body = msgspec.to_builtins(upload)
    return Document(
        kind=UPLOADS_IN + upload.domain,
        name=upload.id,
        revision=revision,
        at=upload.at,
        domain=upload.domain,
        body=body,
    )


def _upload(document: Document) -> Upload:
    return msgspec.convert(document.body, Upload)

"""Where cohort reports are kept: the content as a blob, and on a shelf of each group and period which there are.

A report is there when the shelf names it, which one compare-and-swap does: once for a group, period and day, however
many make it and whoever is killed meanwhile. It is never changed; without a student it has a new edition, in whose
place nothing of the old one stays.
"""

import hashlib
from collections.abc import Sequence
from datetime import date, datetime, timedelta

import msgspec

from clock import now
from database.blobs import put_blob, read_blob
from database.errors import Conflict
from database.records import Document, digest
from database.store import RecordStore
from errors import Category, GradewatchError
from reports.names import REPORT_BLOBS
from reports.records import CohortReport, stands_in, without_student

SHELF_KIND = "cohort reports"
UNNAMED_FOR = timedelta(hours=1)
"""After which a content that no shelf names was left by a killed process."""

SHELF_TRIES = 20
"""Of putting something on a shelf that others put things on, too."""


class NoReport(GradewatchError):
    """There is no such report; the message says which there are, or when one is due."""

    category = Category.UNKNOWN


class LostReport(GradewatchError):
    """A report that is listed and whose content is not there."""

    category = Category.DAMAGED


class ReportEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A report on the shelf. due: the day that it is for; every: days until the next. students: in it. edition: counts
    from 1. withdrawn: students who were erased from it since. replaces: the content of the edition before, which is to
    be gone."""

    id: str
    domain: str
    group: str
    period: str
    due: date
    every: int
    made: datetime
    edition: int
    students: int
    blob: str
    withdrawn: int = 0
    replaces: str = ""

    @property
    def next(self) -> date:
        """When the one after it is due."""
        return self.due + timedelta(days=self.every)


class _Shelf(msgspec.Struct, frozen=True, kw_only=True):
    group: str
    period: str
    reports: tuple[ReportEntry, ...] = ()


def shelf_name(domain: str, group: str, period: str) -> str:
    """Under which the reports of a group and period are listed."""
    return digest([domain, group, period])


def reports_of(store: RecordStore, domain: str, group: str, period: str) -> list[ReportEntry]:
    """The reports of a group and period, the newest first."""
    document = store.document(SHELF_KIND, shelf_name(domain, group, period))
    return _newest_first(_read(document).reports) if document else []


def latest_report(store: RecordStore, domain: str, group: str, period: str) -> ReportEntry:
    """The newest report of a group and period. Raises NoReport."""
    found = reports_of(store, domain, group, period)
    if not found:
        raise NoReport(f"no report on {group} in {period} has been made yet in {domain}")
    return found[0]


def list_reports(store: RecordStore, domain: str, groups: Sequence[str] | None = None) -> list[ReportEntry]:
    """All reports of a domain, the newest first. groups: of these alone."""
    shelves = [_read(document) for document in store.documents(SHELF_KIND, domain=domain)]
    seen = [shelf for shelf in shelves if groups is None or shelf.group in groups]
    return _newest_first([entry for shelf in seen for entry in shelf.reports])


def _newest_first(entries: Sequence[ReportEntry]) -> list[ReportEntry]:
    return sorted(entries, key=lambda one: (one.due, one.period, one.group), reverse=True)


def read_report(store: RecordStore, entry: ReportEntry) -> CohortReport:
    """The report of an entry. Raises LostReport."""
    content = b"".join(read_blob(store, entry.blob))
    if blob_name(entry.id, content) != entry.blob:
        raise LostReport(f"the content of report {entry.id} is missing or changed: restore it from a backup")
    return msgspec.json.decode(content, type=CohortReport)


def keep_report(store: RecordStore, report: CohortReport) -> tuple[ReportEntry, bool]:
    """The entry of a report, and whether it is new: of a group, period and day the first one stays."""
    entry, content = _entry(report), msgspec.json.encode(report)
    put_blob(store, entry.blob, content)
    for _ in range(SHELF_TRIES):
        name = shelf_name(report.domain, report.group, report.period)
        document = store.document(SHELF_KIND, name)
        shelf = _read(document) if document else _Shelf(group=report.group, period=report.period)
        known = next((one for one in shelf.reports if one.due == report.due), None)
        if known is not None:
            if known.blob != entry.blob:
                store.remove_blobs([entry.blob])
            return known, False
        if _put(store, report.domain, shelf, (*shelf.reports, entry), document):
            return entry, True
    raise Conflict(f"the reports of {report.group} are being changed by others; try again")


def withdraw_student(store: RecordStore, entry: ReportEntry, student: str, at: date) -> ReportEntry | None:
    """The next edition of a report, made without a student and in place of the one before; None where the student does
    not stand in it. Done again after a kill, it ends what was begun. Raises LostReport, Conflict."""
    for _ in range(SHELF_TRIES):
        document = store.document(SHELF_KIND, shelf_name(entry.domain, entry.group, entry.period))
        shelf = _read(document) if document else None
        present = next((one for one in shelf.reports if one.id == entry.id), None) if shelf else None
        if document is None or shelf is None or present is None:
            return None
        if present.replaces:
            store.remove_blobs([present.replaces])
        report = read_report(store, present)
        if not stands_in(report, student):
            return None
        made = without_student(report, student, at)
        following = msgspec.structs.replace(_entry(made), replaces=present.blob)
        put_blob(store, following.blob, msgspec.json.encode(made))
        others = tuple(following if one.id == entry.id else one for one in shelf.reports)
        if _put(store, entry.domain, shelf, others, document):
            store.remove_blobs([present.blob])
            return following
    raise Conflict(f"report {entry.id} is being changed by others; try again")


def remove_report(store: RecordStore, entry: ReportEntry) -> None:
    """Take a report from its shelf, and its content with it. Done again after a kill, it does no more; a content that
    was left is swept. Raises Conflict."""
    for _ in range(SHELF_TRIES):
        document = store.document(SHELF_KIND, shelf_name(entry.domain, entry.group, entry.period))
        shelf = _read(document) if document else None
        present = next((one for one in shelf.reports if one.id == entry.id), None) if shelf else None
        if document is None or shelf is None or present is None:
            return
        others = tuple(one for one in shelf.reports if one.id != entry.id)
        if _put(store, entry.domain, shelf, others, document):
            store.remove_blobs([one for one in (present.blob, present.replaces) if one])
            return
    raise Conflict(f"report {entry.id} is being changed by others; try again")


def reports_with(store: RecordStore, domain: str, student: str) -> list[ReportEntry]:
    """The reports in which a student stands, the newest first. It reads them all."""
    return [one for one in list_reports(store, domain) if stands_in(read_report(store, one), student)]


def sweep_reports(store: RecordStore, *, at: datetime | None = None) -> list[str]:
    """Remove the contents that killed processes left without a name; which."""
    before = (at or now()) - UNNAMED_FOR
    left = [name for name in store.blobs(before=before) if name.startswith(REPORT_BLOBS)]
    if not left:
        return []
    named = {entry.blob for one in store.documents(SHELF_KIND) for entry in _read(one).reports}
    gone = [name for name in left if name not in named]
    if gone:
        store.remove_blobs(gone)
    return gone


def blob_name(id: str, content: bytes) -> str:
    """Of a report's content: another content has another name, so that two who write at once never mix."""
    return f"{REPORT_BLOBS}{id}/{hashlib.sha256(content).hexdigest()[:32]}"


def _entry(report: CohortReport) -> ReportEntry:
    return ReportEntry(
        id=report.id,
        domain=report.domain,
        group=report.group,
        period=report.period,
        due=report.due,
        every=report.every,
        made=report.made,
        edition=report.edition,
        students=len(report.students),
        blob=blob_name(report.id, msgspec.json.encode(report)),
        withdrawn=len(report.withdrawn),
    )


def _put(
    store: RecordStore, domain: str, shelf: _Shelf, reports: tuple[ReportEntry, ...], before: Document | None
) -> bool:
    """Whether the shelf now holds these: nobody was quicker."""
    body = msgspec.to_builtins(msgspec.structs.replace(shelf, reports=reports))
    name, revision = shelf_name(domain, shelf.group, shelf.period), before.revision + 1 if before else 1
    document = Document(kind=SHELF_KIND, name=name, revision=revision, at=now(), domain=domain, body=body)
    try:
        store.put_document(document)
    except Conflict:
        return False
    return True


def _read(document: Document) -> _Shelf:
    return msgspec.convert(document.body, _Shelf)

"""Catching up with what came: the newest answer of each student, and how answers turned out by day.

Whoever looks at a page does a little of it in passing; after a file of a million rows a job does it, so that nobody
waits. It measures nothing.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime, time
from typing import TYPE_CHECKING, Any

from clock import now
from database.errors import Conflict
from database.layout import EPOCH
from database.records import Document, Job
from database.store import MADE_IN_PASSING, MOST_IN_PASSING, RecordStore
from jobs.queue import ask_catching_up

if TYPE_CHECKING:
    from model.workspace import Workspace

COUNTED_KIND = "counted pairs"
"""The kind of the documents that say up to which change of its outcomes the days of a domain were made."""

FEW_DAYS = 3
"""Changed days that are left to whoever looks next: single outcomes start no job each."""


def is_behind(store: RecordStore, domains: Iterable[str] | None = None) -> bool:
    """Whether more came than is caught up with in passing: about students, or outcomes of these domains, of all that
    have models by default. It loads no library of numbers."""
    if store.newest_behind() > MOST_IN_PASSING:
        return True
    wanted = {one.domain for one in store.champions()} if domains is None else set(domains)
    return any(has_uncounted(store, one, few=FEW_DAYS) for one in sorted(wanted))


def has_uncounted(store: RecordStore, domain: str, *, few: int = 0) -> bool:
    """Whether outcomes came, or went, of more days than are made in passing. few: so many days are none to speak of."""
    changes, counted = store.changes(domain), _counted(store, domain)
    days = {day for day, number in changes.days.items() if number > counted}
    if changes.always <= counted and len(days) <= few:
        return False
    first = EPOCH if changes.always > counted else datetime.combine(min(days), time(), tzinfo=UTC)
    known = store.predictions_per_day(domain, first)
    return sum(rows for day, rows in known.items() if changes.always > counted or day in days) > MADE_IN_PASSING


def after_many(store: RecordStore, domain: str, actor: str) -> Job | None:
    """The job that catches up with what somebody has just stored of a domain, where that is much."""
    return ask_catching_up(store, actor, anew=True) if is_behind(store, [domain]) else None


def _counted(store: RecordStore, domain: str) -> int:
    kept = store.document(COUNTED_KIND, domain)
    return 0 if kept is None else int(kept.body["newest"])


def catch_up(workspace: "Workspace", progress: Callable[[str, float | None], None]) -> dict[str, Any]:
    """All of it; how many predictions were looked at. Killed anywhere, it goes on from there when it is done again."""
    from monitoring.evidence_archive import EvidenceArchive  # with numpy, which whoever only asks does without

    store = workspace.store
    behind = max(1, store.newest_behind())
    looked = store.catch_up_newest(lambda done: progress("students", min(1.0, done / behind)))
    for domain in sorted({one.domain for one in store.champions()} | workspace.schemas.keys()):
        newest = store.changes(domain).newest  # before any pair is read
        if schema := workspace.schemas.get(domain):  # a domain whose file is gone has no figures, and waits for none
            archive = EvidenceArchive(store, schema, workspace.learned)
            for target in schema.targets:
                progress(f"outcomes of {domain}", None)
                archive.matched(target)
        _keep_counted(store, domain, newest)
    return {"predictions": looked}


def _keep_counted(store: RecordStore, domain: str, newest: int) -> None:
    kept = store.document(COUNTED_KIND, domain)
    if kept is not None and kept.body["newest"] >= newest:
        return
    revision = 1 if kept is None else kept.revision + 1
    with suppress(Conflict):  # another process keeps the same
        body = {"newest": newest}
        store.put_document(
            Document(kind=COUNTED_KIND, name=domain, revision=revision, at=now(), domain=domain, body=body)
        )

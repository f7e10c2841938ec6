"""Erasures of students: asking for one, and what became of it, as a record that holds no key in the end.

The record is a document that knows the student until all is done, and then only what was done. The work is
`jobs.erasing`'s.
"""

from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import msgspec

from clock import new_id, now
from database.records import Document, Job
from database.store import RecordStore
from database.withdrawal import require_nobody_named
from jobs.queue import ERASURE, JobRequest, ask

ERASURE_KIND = "erasure"
"""The kind of the documents, and of the events that say how much is gone."""


class Erasure(msgspec.Struct, frozen=True, kw_only=True):
    """An erasure and its proof. who: the pseudonym, in a form that no search for it finds; None when all is done.
    predictions … looks: how many were there. days, batches: whose profiles were made again. models: those that learned
    from the student's rows. remade: what was made again or withdrawn beside, in words. retraining: the job that was
    asked for in turn."""

    id: str
    domain: str
    reason: str
    actor: str
    asked: datetime
    who: str | None
    retrain: bool = False
    predictions: int = 0
    outcomes: int = 0
    rows: int = 0
    looks: int = 0
    days: tuple[date, ...] = ()
    batches: tuple[str, ...] = ()
    models: tuple[Mapping[str, Any], ...] = ()
    remade: tuple[str, ...] = ()
    retraining: str | None = None
    done: datetime | None = None

    @property
    def student(self) -> str | None:
        """The pseudonym, as long as it is known."""
        return None if self.who is None else b64decode(self.who).decode()

    def told(self) -> "Erasure":
        """As it may be shown: it says of nobody who it was, or is."""
        return msgspec.structs.replace(self, who=None)


def ask_to_erase(
    store: RecordStore, domain: str, student: str, *, reason: str, actor: str, retrain: bool = False
) -> Job:
    """The job that erases a student (a pseudonym) from a domain. Raises NamesSomebody."""
    require_nobody_named(reason)
    who = b64encode(student.encode()).decode()
    wanted = Erasure(id=new_id(), domain=domain, reason=reason, actor=actor, asked=now(), who=who, retrain=retrain)
    store.put_document(_document(wanted, 1))
    return ask_for(store, ERASURE, wanted)


def ask_for(store: RecordStore, kind: str, wanted: Erasure) -> Job:
    """The job of that kind that works on an erasure."""
    return ask(store, JobRequest(kind, wanted.domain, wanted.actor, {ERASURE_KIND: wanted.id}, key=wanted.id))


def ask_for_unfinished(store: RecordStore) -> Sequence[Job]:
    """Ask for what was begun and has no job, should a process have been killed between the two."""
    found = [_read(one) for one in store.documents(ERASURE_KIND)]
    asked = [ask_for(store, ERASURE, one) for one in found if one.done is None]
    return [job for job in asked if not job.ended]


def erasures(store: RecordStore, domain: str | None = None) -> list[Erasure]:
    """All there were, the newest first."""
    found = [_read(one) for one in store.documents(ERASURE_KIND, domain=domain)]
    return sorted(found, key=lambda one: one.asked, reverse=True)


# Its document --------------------------------------------------------------------------------------------------------


def kept_erasure(store: RecordStore, job: Job) -> tuple[Erasure, int]:
    """The record that a job works on, and its revision."""
    found = store.document(ERASURE_KIND, job.arguments[ERASURE_KIND])
    if found is None:
        raise LookupError("the record of this erasure is gone")
    return _read(found), found.revision


def _read(document: Document) -> Erasure:
    return msgspec.convert(dict(document.body), Erasure)


def put_erasure(store: RecordStore, wanted: Erasure, revision: int) -> None:
    """Keep the record as it is now."""
    store.put_document(_document(wanted, revision))


def _document(wanted: Erasure, revision: int) -> Document:
    body = msgspec.to_builtins(wanted)
    return Document(kind=ERASURE_KIND, name=wanted.id, revision=revision, at=now(), domain=wanted.domain, body=body)

"""Jobs that stand on a schedule: which, how often, and asking for what is due. Kept in the store, so that all machines
see the same.

It asks and does nothing itself: the jobs are the workers'. When something is due, `jobs.schedule` says.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

import msgspec

from clock import now
from database.errors import Conflict
from database.records import Document, Job, digest
from database.store import RecordStore
from errors import Category, GradewatchError
from jobs.queue import JobRequest, ask
from jobs.schedule import Schedule

SCHEDULE_KIND = "schedule"


class NoSuchSchedule(GradewatchError):
    """There is no schedule of that name; the message names those that there are."""

    category = Category.UNKNOWN


class ScheduledJob(msgspec.Struct, frozen=True, kw_only=True):
    """A job that is asked for whenever `when` says that it is due, with these arguments.

    asked: the due time for which it was asked last, by the job `last`; None: not yet.
    """

    name: str
    kind: str
    when: Schedule
    domain: str = ""
    arguments: Mapping[str, Any] = {}
    asked: datetime | None = None
    last: str | None = None

    def due(self, at: datetime) -> datetime | None:
        """The due time that has not been asked for; None where there is none."""
        newest = self.when.due(at)
        return None if self.asked is not None and self.asked >= newest else newest

    def request(self, due: datetime) -> JobRequest:
        """What is asked for at a due time: the same job however often it is asked."""
        arguments = {**self.arguments, "due": due.isoformat()}
        key = digest([self.name, due.isoformat(), msgspec.json.encode(arguments, order="sorted").decode()])
        return JobRequest(self.kind, self.domain, f"schedule {self.name}", arguments, key=key)


def put_schedule(store: RecordStore, wanted: ScheduledJob) -> None:
    """Have a job stand on a schedule, in place of what had its name. What was asked for is not asked for again."""
    found = store.document(SCHEDULE_KIND, wanted.name)
    if found is not None:
        known = _read(found)
        wanted = msgspec.structs.replace(wanted, asked=known.asked, last=known.last)
    store.put_document(_written(wanted, found.revision + 1 if found else 1))


def remove_schedule(store: RecordStore, name: str) -> None:
    """Ask for it no more. Raises NoSuchSchedule."""
    if not store.remove_document(SCHEDULE_KIND, name):
        there = ", ".join(one.name for one in schedules(store)) or "none"
        raise NoSuchSchedule(f"no schedule is called {name!r:.80}; there are: {there}")


def schedules(store: RecordStore) -> list[ScheduledJob]:
    """All that there are, by name."""
    return [_read(document) for document in store.documents(SCHEDULE_KIND)]


def ask_for_due(store: RecordStore, at: datetime) -> list[Job]:
    """Ask for every job whose time has come, and remember it. Called twice, or by several at once, it asks for each
    once; one whose last job has not ended waits for that, so that a pause of all workers heaps nothing up."""
    asked = []
    for document in store.documents(SCHEDULE_KIND):
        planned = _read(document)
        due = planned.due(at)
        if due is None or _is_under_way(store, planned):
            continue
        job = ask(store, planned.request(due))
        with suppress(Conflict):  # someone else asked for the very same job, or the schedule was changed meanwhile
            store.put_document(
                _written(msgspec.structs.replace(planned, asked=due, last=job.id), document.revision + 1)
            )
        asked.append(job)
    return asked


def last_jobs(store: RecordStore, planned: Sequence[ScheduledJob]) -> list[Job | None]:
    """Of each schedule the job that was asked for last; None where there is none any more."""
    return [store.job(one.last) if one.last else None for one in planned]


def late_schedules(store: RecordStore, before: datetime) -> list[tuple[ScheduledJob, datetime]]:
    """Those whose time came before then and for which nothing was begun yet, each with the first such time."""
    found = []
    for document in store.documents(SCHEDULE_KIND):
        planned = _read(document)
        [last] = last_jobs(store, [planned])
        waiting = last is not None and last.state == "waiting"
        due = planned.asked if waiting and planned.asked else planned.when.next(planned.asked or document.at)
        if due < before:
            found.append((planned, due))
    return found


def _is_under_way(store: RecordStore, planned: ScheduledJob) -> bool:
    [last] = last_jobs(store, [planned])
    return last is not None and not last.ended


def _read(document: Document) -> ScheduledJob:
    return msgspec.convert(document.body, ScheduledJob)


def _written(planned: ScheduledJob, revision: int) -> Document:
    body = msgspec.to_builtins(planned)
    domain = planned.domain or None
    return Document(kind=SCHEDULE_KIND, name=planned.name, revision=revision, body=body, at=now(), domain=domain)

"""One pass over what is to be done by itself: schedules, alerts that wait, what lies about.

`gradewatch tick` makes one, a worker one each minute. A pass asks for jobs and does nothing that takes long; made
twice, or by several at once, it does nothing twice. What it looks after is the list CHORES, to which a line is added.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from clock import now
from database.errors import StoreUnavailable
from database.observed import WEEKS_KIND
from database.records import Job
from database.seals import newest_block, seal
from database.store import RecordStore
from errors import GradewatchError
from jobs.catching_up import is_behind
from jobs.erasures import ask_for_unfinished
from jobs.job_settings import JobSettings
from jobs.queue import (
    ANCHORING,
    CHANGES_REPORT,
    COHORT_REPORT,
    COLLECTING,
    DELIVERY,
    KEEPING,
    KEEPING_WEEKS,
    UNFINISHED,
    JobRequest,
    ask,
    ask_catching_up,
    sweep,
)
from jobs.schedules import ask_for_due
from reports.names import REPORT_BLOBS, REPORT_SCHEDULE

REMOTE_MINUTES = 5
"""Between two looks into an inbox on another machine."""


MOST_MESSAGES = 1_000
"""That one pass sends: those that were asked for last are told when they are asked for."""


@dataclass(frozen=True)
class Pass:
    """What a pass is made with. at: the time that it is."""

    store: RecordStore
    settings: JobSettings = field(default_factory=JobSettings)
    at: datetime = field(default_factory=now)


class Passed(NamedTuple):
    """What a pass asked for, and which chores could not be done; these are tried again by the next pass."""

    asked: list[Job]
    failed: dict[str, GradewatchError]


Chore = Callable[[Pass], Sequence[Job]]
"""Looks after one thing, and returns the jobs that it asked for. Done twice, it asks for the same jobs."""


def tick(given: Pass) -> Passed:
    """Make a pass. One chore that fails keeps none of the others. Raises StoreUnavailable."""
    asked: list[Job] = []
    failed: dict[str, GradewatchError] = {}
    for name, chore in CHORES.items():
        try:
            asked += chore(given)
        except StoreUnavailable:
            raise
        except GradewatchError as error:
            failed[name] = error
    return Passed(asked, failed)


def _scheduled(given: Pass) -> Sequence[Job]:
    return ask_for_due(given.store, given.at)


def _reports(given: Pass) -> Sequence[Job]:
    """Reports on groups in periods that are due; one that could not be made is asked for again the next day."""
    store, today = given.store, given.at.date()
    if not store.documents(REPORT_SCHEDULE):
        return []
    from reports.schedule import due_reports  # with numpy, which a worker does without that makes no reports

    due = due_reports(store, today)
    waiting = store.jobs(kind=COHORT_REPORT, states=UNFINISHED, limit=MOST_MESSAGES) if due else []
    asked = []
    for planned, occasion in due:
        arguments = {"group": planned.group, "period": planned.period, "due": str(occasion.due), "every": planned.every}
        if any((job.domain, job.arguments) == (planned.domain, arguments) for job in waiting):
            continue
        key = f"{planned.group}\t{planned.period}\t{occasion.due}\t{today}"
        asked.append(ask(store, JobRequest(COHORT_REPORT, planned.domain, "schedule", arguments, key=key)))
    return [job for job in asked if not job.ended]


def _alerts(given: Pass) -> Sequence[Job]:
    """What waits in the outbox and may be tried (again)."""
    from monitoring.alerts import next_delivery

    due = next_delivery(given.store)
    if due is None or due > given.at:
        return ()
    hour = f"{given.at:%Y-%m-%dT%H}"  # what waits for a channel that is no longer set is looked at now and then
    job = ask(given.store, JobRequest(DELIVERY, "", "tick", key=f"{due.isoformat()} {hour}"))
    return () if job.ended else [job]


def _inbox(given: Pass) -> Sequence[Job]:
    """New files in the inbox. One on this machine is looked into here, another by its job every five minutes."""
    from jobs.inbox import new_files, opened_inbox

    url, slot = given.settings.inbox, given.at.replace(second=0, microsecond=0)
    if not url:
        return ()
    if "://" in url:
        slot -= timedelta(minutes=slot.minute % REMOTE_MINUTES)
    else:
        with opened_inbox(url) as inbox:
            if not new_files(given.store, inbox, given.at):
                return ()
    job = ask(given.store, JobRequest(COLLECTING, "", "tick", key=slot.isoformat()))
    return () if job.ended else [job]


def _messages(given: Pass) -> Sequence[Job]:
    """Tell Celery's workers, where there are any, what waits and may be done."""
    if not given.settings.broker:
        return ()
    from jobs.celery_messages import Messages

    waiting = given.store.jobs(states=("waiting", "running"), limit=MOST_MESSAGES)
    lost = [job for job in waiting if (job.expires or job.due) <= given.at]
    Messages(given.settings.broker).send(job.id for job in reversed(lost))
    return ()


def _erasures(given: Pass) -> Sequence[Job]:
    """Those that were asked for and have no job."""
    return ask_for_unfinished(given.store)


def _kept(given: Pass) -> Sequence[Job]:
    """What has been kept long enough, once a day."""
    if not given.settings.keep:
        return ()
    job = ask(given.store, JobRequest(KEEPING, "", "tick", key=f"{given.at:%Y-%m-%d}"))
    return () if job.ended else [job]


def _sealed(given: Pass) -> Sequence[Job]:
    """What came in is sealed in the log's chain; its end is noted elsewhere once a day, which also begins it."""
    if newest_block(given.store) is not None:
        seal(given.store, given.at)
    elif not (given.store.accesses(limit=1) or given.store.events(limit=1)):
        return ()
    job = ask(given.store, JobRequest(ANCHORING, "", "tick", key=f"{given.at:%Y-%m-%d}"))
    return () if job.ended else [job]


def _behind(given: Pass) -> Sequence[Job]:
    """Answers and outcomes that nobody has looked at yet, where they are many."""
    if not is_behind(given.store):
        return ()
    job = ask_catching_up(given.store, "tick")
    return () if job.ended else [job]


def _weeks(given: Pass) -> Sequence[Job]:
    """Of domains whose weeks are closed: once a day, whether another is over, and each hour in which something new is
    observed."""
    asked = []
    for state in given.store.documents(WEEKS_KIND):
        domain, slot = state.name, f"{given.at:%Y-%m-%d}"
        if given.store.observed_since(domain, state.body["receipt"]).students:
            slot = f"{given.at:%Y-%m-%dT%H}"
        asked.append(ask(given.store, JobRequest(KEEPING_WEEKS, domain, "tick", key=slot)))
    return [job for job in asked if not job.ended]


def _changes(given: Pass) -> Sequence[Job]:
    """What changed for students, after a promotion, another warning policy, or a load of data, in domains that anybody
    is answered about."""
    if not (champions := given.store.champions()):
        return ()
    from monitoring.change_causes import begin_telling, changes_due, told_of

    asked = []
    for domain, target in sorted({(one.domain, one.target) for one in champions}):
        told = told_of(given.store, domain, target)
        if told is None:
            begin_telling(given.store, domain, target, given.at)
        elif changes_due(given.store, domain, target, told, given.at):
            key = f"{target}\t{told.revision}\t{given.at:%Y-%m-%d}"  # one that failed is tried again the next day
            asked.append(ask(given.store, JobRequest(CHANGES_REPORT, domain, "tick", {"target": target}, key=key)))
    return [job for job in asked if not job.ended]


def _left_behind(given: Pass) -> Sequence[Job]:
    sweep(given.store)
    if any(name.startswith(REPORT_BLOBS) for name in given.store.blobs()):
        from reports.archive import sweep_reports

        sweep_reports(given.store)
    return ()


CHORES: Mapping[str, Chore] = {
    "schedules": _scheduled,
    "reports": _reports,
    "alerts": _alerts,
    "inbox": _inbox,
    "erasures": _erasures,
    "what was kept long enough": _kept,
    "seals of the log": _sealed,
    "what came": _behind,
    "weeks": _weeks,
    "what changed": _changes,
    "what is left behind": _left_behind,
    "messages": _messages,
}
"""What a pass looks after, in this order."""

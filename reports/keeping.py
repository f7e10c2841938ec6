"""Removing reports that were kept long enough, so that none of them is made anew for it.

How long that is, and when it is looked at, is `jobs.keeping`'s.
"""

from collections.abc import Sequence
from datetime import datetime

from database.store import RecordStore
from reports.archive import ReportEntry, list_reports, remove_report
from reports.schedule import end_schedule, schedule_of


def forget_reports(store: RecordStore, domain: str, before: datetime, at: datetime) -> list[ReportEntry]:
    """Remove the reports of a domain that were made before; which. at: the time that it is.

    The report of the present stretch of a schedule stays until its successor is due; a schedule that has ended goes
    with its last report. Done again after a kill, it ends what was begun.
    """
    found = list_reports(store, domain)
    old = [one for one in found if one.made < before and not _in_use(store, one, at)]
    for one in old:
        if _is_last(store, one, found, at):
            end_schedule(store, domain, one.group, one.period)
        remove_report(store, one)
    return old


def _in_use(store: RecordStore, one: ReportEntry, at: datetime) -> bool:
    planned = schedule_of(store, one.domain, one.group, one.period)
    slot = planned.due(at.date()) if planned and planned.following(at.date()) else None
    return slot is not None and one.due >= slot


def _is_last(store: RecordStore, one: ReportEntry, found: Sequence[ReportEntry], at: datetime) -> bool:
    """Whether it is the newest of a schedule that has ended."""
    planned = schedule_of(store, one.domain, one.group, one.period)
    place = one.group, one.period
    newest = all(other.due <= one.due for other in found if (other.group, other.period) == place)
    return planned is not None and planned.following(at.date()) is None and newest

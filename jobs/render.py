"""Schedules as a table for a terminal. Computes nothing."""

from collections.abc import Sequence
from datetime import datetime

from rich.table import Table

from database.records import Job
from jobs.schedules import ScheduledJob


def schedules_table(planned: Sequence[ScheduledJob], last: Sequence[Job | None], at: datetime) -> Table:
    """Each with when it is due next after `at`, and how its last job is."""
    table = Table("name", "when", "next (UTC)", "last (UTC)", "which")
    for one, job in zip(planned, last, strict=True):
        due = one.due(at) or one.when.next(at)
        asked = f"{one.asked:%Y-%m-%d %H:%M}" if one.asked else "not yet"
        how = "" if job is None else f"{job.state}{f': {job.problem.detail}' if job.problem else ''}"
        table.add_row(one.name, str(one.when), f"{due:%Y-%m-%d %H:%M}", asked, how)
    return table

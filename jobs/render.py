"""Schedules and erasures as tables for a terminal. Computes nothing."""

from collections.abc import Sequence
from datetime import datetime

from rich.table import Table

from database.records import Job
from jobs.erasures import Erasure
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


def erasures_table(found: Sequence[Erasure]) -> Table:
    """Each with how much is gone, and since when. Times are UTC."""
    table = Table(
        "erasure", "domain", "asked (UTC)", "done (UTC)", "predictions", "rows", "outcomes", "models", "reason"
    )
    for one in found:
        counts = (f"{number:,}" for number in (one.predictions, one.rows, one.outcomes, len(one.models)))
        done = f"{one.done:%Y-%m-%d %H:%M}" if one.done else "not yet"
        table.add_row(one.id[:12], one.domain, f"{one.asked:%Y-%m-%d %H:%M}", done, *counts, one.reason)
    return table

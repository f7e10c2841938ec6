"""Schedules, erasures and the history of uploads as text for a terminal. Computes nothing."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from rich import box
from rich.table import Table

from clock import now
from database.records import Job
from database.seals import Verified
from database.uploads import Upload
from jobs.erasures import Erasure
from jobs.schedules import ScheduledJob

SEALED_BY = timedelta(hours=1)
"""Workers seal each minute: a row that waits for longer tells that none does, or that its seal is gone."""


def schedules_table(planned: Sequence[ScheduledJob], last: Sequence[Job | None], at: datetime) -> Table:
    """Each with when it is due next after `at`, and how its last job is."""
    table = Table("name", "when", "next (UTC)", "last (UTC)", "which")
    for one, job in zip(planned, last, strict=True):
        due = one.due(at) or one.when.next(at)
        asked = f"{one.asked:%Y-%m-%d %H:%M}" if one.asked else "not yet"
        how = "" if job is None else f"{job.state}{f': {job.problem.detail}' if job.problem else ''}"
        table.add_row(one.name, str(one.when), f"{due:%Y-%m-%d %H:%M}", asked, how)
    return table


def verified_lines(found: Verified, wrong: Sequence[str]) -> Iterator[str]:
    """What became of comparing the log with its seals; wrong: of anchors."""
    yield f"block {found.number}:{found.digest}" if found.number else "nothing was sealed so far: gradewatch audit seal"
    yield f"{found.rows:,} rows: {found.sealed:,} as they were sealed, {found.waiting:,} not sealed yet"
    if found.waiting_since and found.number and now() - found.waiting_since > SEALED_BY:
        yield (
            f"the oldest of these is of {found.waiting_since:%Y-%m-%d %H:%M} UTC: no worker runs, or, where one does, "
            "blocks were cut off the end of the chain"
        )
    if found.late:
        yield f"{found.late:,} were sealed long after their time"
    if found.erased:
        yield f"{found.erased:,} name nobody any more, as erasures left them"
    if found.forgotten:
        yield f"{found.forgotten:,} were kept long enough: nothing is to be compared"
    yield from wrong
    for one in found.faults:
        when = f" of {one.at:%Y-%m-%d %H:%M:%S} UTC" if one.at else ""
        yield f"{one.kind} {one.row}".rstrip() + f"{when}: {one.what}"
    if found.fault_count > len(found.faults):
        yield f"and {found.fault_count - len(found.faults):,} more"
    yield "whole" if found.whole and not wrong else f"NOT WHOLE: {found.fault_count + len(wrong):,} wrong"


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


def uploads_table(uploads: Sequence[Upload]) -> Table:
    """One line for each."""
    table = Table(box=box.SIMPLE)
    for head in ("upload", "when (UTC)", "by", "file", "kind", "state", "rows", "why"):
        table.add_column(head, overflow="fold")
    for one in uploads:
        when, rows = f"{one.at:%Y-%m-%d %H:%M}", counts_of(one).replace(", ", "\n")
        why = "\n".join([*one.reasons[:1], *([one.note] if one.note else [])])
        table.add_row(one.id, when, one.actor, one.name, one.kind, one.state, rows, why)
    return table


def upload_lines(upload: Upload) -> Iterator[str]:
    """All that is known of one."""
    yield f"{upload.name} ({upload.kind}) of {upload.domain}, by {upload.actor}, {upload.at:%Y-%m-%d %H:%M:%S} UTC"
    counts = counts_of(upload)
    yield f"{upload.state} since {upload.changed:%Y-%m-%d %H:%M:%S} UTC" + (f": {counts}" if counts else "")
    if upload.batch:
        yield f"batch {upload.batch}"
    yield from (f"training: job {job}" for job in upload.training)
    if upload.note:
        yield upload.note
    if upload.reasons:
        yield "refused:" if upload.state == "refused" else "left out:"
        yield from (f"  {reason}" for reason in upload.reasons)


def counts_of(upload: Upload) -> str:
    """What rows an upload brought; empty where they were not counted.

    >>> from datetime import UTC, datetime
    >>> at = datetime(2026, 3, 1, tzinfo=UTC)
    >>> came = {"id": "1", "domain": "school", "kind": "labeled", "name": "a.csv", "actor": "ann", "at": at}
    >>> counts_of(Upload(**came, changed=at, added=3, updated=1, unchanged=0, left_out=2))
    '3 added, 1 updated, 2 left out'
    """
    counts = {"added": upload.added, "updated": upload.updated, "unchanged": upload.unchanged}
    if upload.added is None:
        return ""
    told = [f"{count:,} {name}" for name, count in {**counts, "left out": upload.left_out}.items() if count]
    return ", ".join(told) or "no rows"

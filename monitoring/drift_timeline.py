"""Stored drift reports as points in time: when, how it stood, how much moved, how much lay outside what is known.

Points are made of reports as they were stored; nothing is judged again. Drawing them is others'.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

from database.records import DriftRecord, Succession
from drift.records import ColumnDrift, DriftReport
from drift.sentences import with_words
from drift.story import state_of, tell_story
from language import worded
from language.palette import State
from preprocessing.schema import DomainSchema, title_of


class TimelinePoint(NamedTuple):
    """A stored report. moved: of `columns` compared. outside: share of rows outside what the model knows, 0 to 1, by
    range or by level, whichever is more; None where no model was asked. moment: of its rows. told: its first sentence.
    """

    id: str
    at: datetime
    state: State
    rows: int
    moved: int
    columns: int
    outside: float | None
    moment: str
    told: str


class ChampionChange(NamedTuple):
    """Models came into use together: at a time, for some moments."""

    at: datetime
    versions: tuple[str, ...]
    action: str
    moments: tuple[str, ...]


def read_report(record: DriftRecord, schema: DomainSchema | None = None) -> DriftReport:
    """A stored report, in the words that the domain's file has today. ValueError for one that cannot be read."""
    report = DriftReport.from_document(record.document)

    def told(columns: Iterable[ColumnDrift]) -> tuple[ColumnDrift, ...]:
        return tuple(with_words(one, schema, title_of, worded) for one in columns)

    segments = tuple(msgspec.structs.replace(one, columns=told(one.columns)) for one in report.segments)
    return msgspec.structs.replace(report, columns=told(report.columns), segments=segments)


def timeline_of(records: Iterable[DriftRecord], schema: DomainSchema | None = None) -> list[TimelinePoint]:
    """The reports that can be read, oldest first."""
    found = []
    for record in records:
        try:
            report = read_report(record, schema)
        except ValueError:
            continue
        found.append(
            TimelinePoint(
                id=record.id,
                at=record.at,
                state=state_of(report),
                rows=report.n_current,
                moved=len(report.flagged),
                columns=len(report.columns),
                outside=_outside(report),
                moment=report.origin.moment,
                told=tell_story(report)[0],
            )
        )
    return sorted(found, key=lambda one: (one.at, one.id))


def changes_of(successions: Sequence[Succession], since: datetime | None = None) -> list[ChampionChange]:
    """What came into use, oldest first; models that came together for several moments are one change."""
    found: dict[tuple[str, datetime], list[Succession]] = {}
    for one in successions:
        if since is None or one.at >= since:
            found.setdefault((one.action, one.at.replace(second=0, microsecond=0)), []).append(one)
    return [
        ChampionChange(
            at,
            tuple(dict.fromkeys(one.version for one in them)),
            action,
            tuple(dict.fromkeys(one.moment for one in them)),
        )
        for (action, at), them in sorted(found.items(), key=lambda item: item[0][1])
    ]


def _outside(report: DriftReport) -> float | None:
    """The share of rows outside what the model knows: a level that it never saw makes an answer a guess, as a number
    beyond its range does."""
    if report.expected is None:
        return None
    unseen = (sum(level.rows for level in one.new_levels) for one in report.columns if one.importance is not None)
    return max(report.expected.outside, max(unseen, default=0) / max(report.n_current, 1))

"""The school week that is compared, and the same week of earlier years: season is no drift.

It finds both among the parts of the archive; days and the earlier periods of other domains are `drift_days`'s.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, timedelta
from typing import NamedTuple

from clock import now
from drift.records import NotComparable
from model.workspace import Workspace
from monitoring.days import DAY
from monitoring.profile_archive import ArchivePart, ProfileArchive, Source
from preprocessing.periods import is_week
from preprocessing.schema import DomainSchema

WEEKS_REACH = timedelta(days=1_099)
"""Back from today, in which a named week is looked for, and earlier years of it."""
EARLIER_YEARS = 3
ENOUGH_OF_WEEK = 200
"""Rows of earlier years, as of days (`drift_days.ENOUGH`)."""
FEWEST_OF_YEAR = 10
"""Rows of a year, of which fewer say nothing of it."""


class EarlierWeeks(NamedTuple):
    """A week in earlier years. source: where its rows are. words: which years, each with its rows."""

    parts: Sequence[ArchivePart]
    words: str
    source: Source

    @property
    def rows(self) -> int:
        return sum(part.rows for part in self.parts)


def is_weekly(schema: DomainSchema, parts: Sequence[ArchivePart]) -> bool:
    """Whether these rows are of school weeks."""
    return schema.panel is not None and any(part.period is not None and is_week(part.period) for part in parts)


def one_week(parts: Sequence[ArchivePart], week: str | None) -> tuple[list[ArchivePart], list[str]]:
    """The rows of a school week, the newest if none is named, and notes: that others are left aside. Raises
    NotComparable where it has none."""
    named = sorted({part.period for part in parts if part.period is not None and is_week(part.period)})
    chosen = week or named[-1]
    found = [part for part in parts if part.period == chosen]
    if not found:
        raise NotComparable(f"no rows of school week {chosen!r}; there are {', '.join(named[-5:]) or 'none'}")
    if week or len(named) == 1:
        return found, []
    return found, [f"of {len(named)} school weeks in these days the newest, {chosen}, is compared"]


def days_of_week(workspace: Workspace, schema: DomainSchema, week: str, source: Source) -> tuple[date, date]:
    """The days on which rows of a school week were taken down, and the day behind them. Raises NotComparable."""
    until = now().date() + DAY
    parts = ProfileArchive(workspace, schema).parts(source, until - WEEKS_REACH, until)
    if schema.panel is None:
        raise NotComparable(f"{schema.name} has no school weeks")
    found, _ = one_week(parts, week)
    return min(part.day for part in found), max(part.day for part in found) + DAY


def earlier_weeks(
    archive: ProfileArchive, source: Source, parts: Sequence[ArchivePart], *, exact: bool
) -> tuple[EarlierWeeks | None, str]:
    """The same school week of the newest three earlier years that have it: rows like these, or else labelled ones; or
    None, and why there is not enough of it."""
    week, until = parts[0].period or "", now().date() + DAY
    fewer = f"no rows of school week {week[-2:]} of an earlier year"
    sources: list[Source] = [source, "labeled"]
    for one in dict.fromkeys(sources):
        there = archive.parts(one, until - WEEKS_REACH, until, exact=exact)
        by_year: dict[str, list[ArchivePart]] = defaultdict(list)
        for part in there:
            period = part.period or ""
            if part.moment == parts[0].moment and is_week(period) and period[-3:] == week[-3:] and period < week:
                by_year[period[:-4]].append(part)
        found = _of_years(by_year, week, one)
        if found.rows >= ENOUGH_OF_WEEK:
            return found, ""
        if found.rows:
            fewer = f"{found.words} are too few: {ENOUGH_OF_WEEK} rows are needed"
    return None, fewer


def _of_years(by_year: dict[str, list[ArchivePart]], week: str, source: Source) -> EarlierWeeks:
    rows = {year: sum(part.rows for part in found) for year, found in by_year.items()}
    chosen = sorted((year for year, n in rows.items() if n >= FEWEST_OF_YEAR), reverse=True)[:EARLIER_YEARS]
    told = ", ".join(f"{year} (n {rows[year]:,})" for year in sorted(chosen))
    kind = {"predictions": "as answered then", "labeled": "labelled records", "unlabeled": "records"}[source]
    words = f"school week {week[-2:]} of {told}, {kind}"
    return EarlierWeeks([part for year in chosen for part in by_year[year]], words, source)

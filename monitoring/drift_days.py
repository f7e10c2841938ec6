"""Drift over any window of days, from stored profiles: against the champion's data or the same weeks of earlier years.

Rows are read only where no profile is kept, or on request. Which change matters is `drift.compare`'s to decide.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, date, timedelta
from typing import Literal, NamedTuple

import msgspec

from clock import now
from drift.profile import Profile
from drift.records import NotComparable
from model.registry import NoChampion
from model.workspace import Workspace
from monitoring.drift_weeks import earlier_weeks, is_weekly, one_week
from monitoring.feeds import silent_at_close
from monitoring.profile_archive import ArchivePart, ProfileArchive, Source, Standard, standard_at, total
from preprocessing.schema import DomainSchema

Against = Literal["auto", "champion", "past"]
LONGEST = 1_100  # days of a window
YEARS = 3  # that the past reaches back from the window's start
PERIODS = 3  # past periods that are compared with, the newest
YEAR = timedelta(days=364)  # 52 weeks, so that days of the week stay together
ENOUGH = 200  # rows of the past; the interval of D is about .2 wide there, and a halved sample says little


class Days(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to report on: rows of `source` from `since` to before `until`, whole days, UTC.

    moment: None takes the one with the most rows. against: "champion" (its training data), "past" (the same weeks of
    earlier periods), or "auto": the past where there is enough of it; of school weeks nothing else, since their season
    is no drift. exact: read the rows again. week: the school week that is compared, by default the newest of the days.
    """

    since: date
    until: date
    source: Source = "predictions"
    moment: str | None = None
    against: Against = "auto"
    exact: bool = False
    week: str | None = None

    def __post_init__(self) -> None:
        days = (self.until - self.since).days
        if not 1 <= days <= LONGEST:
            raise ValueError(f"from {self.since} to before {self.until} is {days} days: give 1 to {LONGEST:,}")


class Past(NamedTuple):
    """The rows of the past that a window is compared with, and which they are, in words."""

    parts: Sequence[ArchivePart]
    words: str
    source: Source = "predictions"

    @property
    def rows(self) -> int:
        return sum(part.rows for part in self.parts)


class ComparedDays(NamedTuple):
    """A window of one moment and what it is compared with, by their profiles.

    basis: what the reference is, in words. parts: what the window holds at that moment; past: what it is compared with,
    None for the champion's data, of `past_source`. standard: the champion's data, where there is a
    champion. notes: how many rows of the files of its batches were left out; of a school week, weeks that are left
    aside, and records that had stopped coming by its close, which is a fault of data.
    """

    reference: Profile
    current: Profile
    basis: str
    moment: str
    parts: Sequence[ArchivePart]
    past: Sequence[ArchivePart] | None
    standard: Standard | None
    notes: tuple[str, ...] = ()
    past_source: Source = "predictions"


def days_of(since: date, until: date | None, **choices: object) -> Days:
    """The window; until: after today (UTC) if None. Raises NotComparable in words for one that is none."""
    end = until or now().astimezone(UTC).date() + timedelta(days=1)
    try:
        return msgspec.convert({"since": since, "until": end, **choices}, Days)
    except (ValueError, msgspec.ValidationError) as error:
        raise NotComparable(str(error)) from error


def compared_days(workspace: Workspace, schema: DomainSchema, days: Days) -> ComparedDays:
    """A window beside the past, or beside what the champion was trained on. Raises NotComparable, NoChampion."""
    workspace.champions.refresh()
    archive = ProfileArchive(workspace, schema)
    found = archive.parts(days.source, days.since, days.until, exact=days.exact)
    parts, said = _at_moment(schema, days, found), list[str]()
    if weekly := is_weekly(schema, parts):
        parts, said = one_week(parts, days.week)
        said += [one.words for one in silent_at_close(workspace.store, schema.name, parts[0].period or "")]
    current = total(part.load() for part in parts)
    moment = parts[0].moment
    past, why = (None, "") if days.against == "champion" else _past(archive, days, parts, weekly=weekly)
    standard = standard_at(workspace, schema, moment)
    if past:
        reference, basis = total(part.load() for part in past.parts), past.words
    elif days.against == "past":
        raise NotComparable(f"no past to compare with: {why or 'no rows in the same weeks of earlier periods'}")
    elif weekly and days.against != "champion":
        raise NotComparable(f"not enough data to compare {parts[0].period} with: {why}")
    elif standard:
        at = "" if standard.moment == moment else f" at moment {standard.moment!r}"
        reference, basis = standard.profile, f"what the champion{at} was trained on" + (f" ({why})" if why else "")
    else:
        raise NoChampion(
            f"no champion of {schema.name} at moment {moment!r} to compare with" + (f"; {why}" if why else "")
        )
    notes = (*said, *_left_out(archive, days, parts))
    compared = ComparedDays(reference, current, basis, moment, parts, past.parts if past else None, standard, notes)
    return compared._replace(past_source=past.source) if past else compared


def _past(
    archive: ProfileArchive, days: Days, parts: Sequence[ArchivePart], *, weekly: bool
) -> tuple[Past | None, str]:
    if not weekly:
        found, why = find_past(archive, days, parts)
        return found and found._replace(source=days.source), why
    earlier, why = earlier_weeks(archive, days.source, parts, exact=days.exact)
    return earlier and Past(*earlier), why


def _left_out(archive: ProfileArchive, days: Days, parts: Sequence[ArchivePart]) -> tuple[str, ...]:
    """How many rows were left out as bad when the window's batches came in. Of predictions nothing is kept that was
    refused (decision 0024)."""
    skipped, of = (0, 0) if days.source == "predictions" else archive.left_out(days.source, {p.day for p in parts})
    told = f"{skipped:,} of {of:,} rows of the files of these batches were left out as bad and are not compared"
    return (told,) if skipped else ()


def _at_moment(schema: DomainSchema, days: Days, parts: Sequence[ArchivePart]) -> list[ArchivePart]:
    """Those of one moment. Raises NotComparable where there are none, naming what there is."""
    rows: Counter[str] = Counter()
    for part in parts:
        rows[part.moment] += part.rows
    moment = days.moment or (rows.most_common(1)[0][0] if rows else None)
    chosen = [part for part in parts if part.moment == moment]
    if not chosen:
        there = ", ".join(f"{count:,} at {name!r}" for name, count in rows.most_common()) or "none at any moment"
        what = "predictions" if days.source == "predictions" else f"{days.source} batches"
        raise NotComparable(
            f"no rows of {schema.name} in {what} from {days.since} to before {days.until}"
            + (f" at moment {days.moment!r}; there are {there}" if days.moment else "")
        )
    return chosen


# The same weeks of the past


def find_past(archive: ProfileArchive, days: Days, parts: Sequence[ArchivePart]) -> tuple[Past | None, str]:
    """The past to compare the window's `parts` with, or None and why there is not enough of it.

    With a period: rows of the newest three earlier periods, in the weeks (from each period's first day with rows) in
    which the window's own rows stand in theirs. Without: the same days, 52, 104 and 156 weeks before.
    """
    earliest = days.since - YEAR * YEARS
    earlier = archive.parts(days.source, earliest, days.since, exact=days.exact)
    earlier = [part for part in earlier if part.moment == parts[0].moment]
    dated = any(part.period is not None for part in parts)
    past = _past_periods(earlier, parts) if dated else _past_years(earlier, days)
    if not past.rows:
        return None, ""
    if past.rows < ENOUGH:
        return None, f"{past.words} hold {past.rows:,} rows, of {ENOUGH} that are needed"
    if dated and (open_weeks := _weeks(parts, earlier).keys() - _weeks(past.parts, earlier).keys()):
        weeks = ", ".join(str(week + 1) for week in sorted(open_weeks)[:5])
        return None, f"{past.words} have no rows in week {weeks}"
    return past, ""


def _past_years(earlier: Sequence[ArchivePart], days: Days) -> Past:
    shifts = [YEAR * years for years in range(1, YEARS + 1)]
    parts = [p for p in earlier if any(days.since <= p.day + shift < days.until for shift in shifts)]
    years = sum(any(days.since <= p.day + shift < days.until for p in parts) for shift in shifts)
    return Past(parts, f"the same weeks of the last {years} years" if years != 1 else "the same weeks of last year")


def _past_periods(earlier: Sequence[ArchivePart], parts: Sequence[ArchivePart]) -> Past:
    starts = _starts([*earlier, *parts])
    current = {part.period for part in parts}
    first = min(starts[period] for period in current if period is not None)
    before = [period for period, start in starts.items() if period not in current and start < first]
    chosen = sorted(before, key=lambda period: starts[period], reverse=True)[:PERIODS]
    weeks = _weeks(parts, earlier)
    kept = [p for p in earlier if p.period in chosen and _week(p, starts) in weeks]
    names = ", ".join(sorted(chosen))
    return Past(kept, f"the same weeks of {names}" if names else "earlier periods")


def _starts(parts: Sequence[ArchivePart]) -> dict[str, date]:
    """The first day on which each period has rows."""
    days: dict[str, list[date]] = defaultdict(list)
    for part in parts:
        if part.period is not None:
            days[part.period].append(part.day)
    return {period: min(found) for period, found in days.items()}


def _week(part: ArchivePart, starts: Mapping[str, date]) -> int:
    return -1 if part.period is None else (part.day - starts[part.period]).days // 7


def _weeks(parts: Sequence[ArchivePart], earlier: Sequence[ArchivePart]) -> dict[int, int]:
    """Rows by week of their own period."""
    starts = _starts([*earlier, *parts])
    rows: dict[int, int] = defaultdict(int)
    for part in parts:
        if part.period is not None:
            rows[_week(part, starts)] += part.rows
    return rows

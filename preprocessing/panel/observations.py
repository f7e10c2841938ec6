"""What is observed about students, as five frames of fixed columns, and the school weeks that they fall into.

Whoever reads files or a store makes these frames, and whoever computes features takes them. It knows neither files,
nor a store, nor a feature. Days are school days: those of the school's own time zone.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from types import MappingProxyType

import polars as pl

from errors import Category, GradewatchError
from preprocessing.panel.kinds import (
    DAY_OF,
    GRADE_STATES,
    LEAST_SEVERITY,
    MOST_SEVERITY,
    OBSERVATION_KINDS,
    STATUSES,
    WEEK_DAYS,
    ObservationKind,
)

FRAMES = MappingProxyType[ObservationKind, pl.Schema]({
    "attendance": pl.Schema({"student": pl.String, "day": pl.Date, "status": pl.String}),
    "grades": pl.Schema({
        "student": pl.String, "subject": pl.String, "posted_at": pl.Date, "due": pl.Date,
        "points": pl.Float64, "max_points": pl.Float64, "state": pl.String,
    }),
    "incidents": pl.Schema({
        "student": pl.String, "at": pl.Date, "category": pl.String, "severity": pl.Int8,
        "removal_days": pl.Float64, "event_id": pl.String,
    }),
    "enrolment": pl.Schema({
        "student": pl.String, "school": pl.String, "grade_level": pl.String, "begin": pl.Date, "end": pl.Date,
    }),
    "calendar": pl.Schema({"school": pl.String, "day": pl.Date, "school_day": pl.Boolean}),
})  # fmt: skip
"""The columns of each frame. grades: posted_at is the day from which the mark is known; due may be null; points are
null where missing or exempt. incidents: event_id orders those of one day. enrolment: end is the first day after the
spell, null while it lasts. calendar: school null means all that have no line of their own for that day."""

MAY_BE_NULL = frozenset({"due", "points", "grade_level", "end", "school"})
"""Columns that may be null; the school of a spell may not."""


class BadObservations(GradewatchError):
    """Frames that are not as `FRAMES` has them; the message lists everything wrong in them."""

    category = Category.INVALID


@dataclass(frozen=True)
class Observations:
    """What is known of some students: a frame of each kind, columns as in `FRAMES`, in any order of rows."""

    attendance: pl.DataFrame
    grades: pl.DataFrame
    incidents: pl.DataFrame
    enrolment: pl.DataFrame
    calendar: pl.DataFrame

    def frames(self) -> Iterator[tuple[ObservationKind, pl.DataFrame]]:
        """Each kind with its frame."""
        for kind in OBSERVATION_KINDS:
            yield kind, getattr(self, kind)


def no_observations() -> Observations:
    """Five empty frames."""
    return of_kinds({})


def of_kinds(frames: Mapping[ObservationKind, pl.DataFrame]) -> Observations:
    """Observations of these frames; the other kinds are empty."""
    attendance, grades, incidents, enrolment, calendar = (
        frames[kind] if kind in frames else FRAMES[kind].to_frame() for kind in OBSERVATION_KINDS
    )
    return Observations(attendance, grades, incidents, enrolment, calendar)


def check(observations: Observations) -> Observations:
    """Itself. Raises BadObservations that names every frame, column and rule broken, with how many rows break it; no
    value is in the message."""
    problems = [problem for kind, frame in observations.frames() for problem in _problems(kind, frame)]
    if problems:
        raise BadObservations("; ".join(problems))
    return observations


def span(kind: ObservationKind, frame: pl.DataFrame) -> tuple[date | None, date | None]:
    """The first and the last day of a frame: of marks when they were posted, of spells when they began."""
    days = frame[DAY_OF[kind]]
    first, last = days.min(), days.max()
    return (first, last) if isinstance(first, date) and isinstance(last, date) else (None, None)


def newest_day(observations: Observations) -> date | None:
    """The last day of which anything is recorded; None where nothing is. Marks count where there is nothing else: some
    are dated ahead."""
    days = [span(kind, frame)[1] for kind, frame in observations.frames() if kind in ("attendance", "incidents")]
    return max(filter(None, days), default=span("grades", observations.grades)[1])


def first_monday(calendar: pl.DataFrame) -> date:
    """The Monday of the week of the calendar's first day: school week 0 begins there. Raises BadObservations for an
    empty calendar."""
    first = calendar["day"].min()
    if not isinstance(first, date):
        raise BadObservations("the calendar is empty: school weeks are counted from its first day")
    return first - timedelta(days=first.weekday())


def school_week(day: str, start: date) -> pl.Expr:
    """The number of the school week of the column `day` (Int32): 0 from `start`, the `first_monday`; before it
    negative. The day of the week is `pl.col(day).dt.weekday()`, Monday 1."""
    return ((pl.col(day) - pl.lit(start)).dt.total_days() // WEEK_DAYS).cast(pl.Int32)


def _problems(kind: ObservationKind, frame: pl.DataFrame) -> Iterator[str]:
    if frame.schema != FRAMES[kind]:
        yield f"{kind}: columns are {_told(frame.schema)}, expected {_told(FRAMES[kind])}"
        return
    rules = {
        f"{name} is missing": pl.col(name).is_null()
        for name in frame.columns
        if name not in MAY_BE_NULL or (kind, name) == ("enrolment", "school")
    }
    rules |= row_rules(kind) | _twice(kind)
    broken = frame.select(**{rule: wrong.sum() for rule, wrong in rules.items()})
    for rule, count in broken.row(0, named=True).items() if frame.height else ():
        if count:
            yield f"{kind}: {rule} in {count:,} of {frame.height:,} rows"


def row_rules(kind: str) -> dict[str, pl.Expr]:
    """What is wrong with a row that lacks nothing and is looked at alone, by what is said of it."""
    if kind == "attendance":
        return {"status is unknown": ~pl.col("status").is_in(STATUSES)}
    if kind == "grades":
        without = pl.col("state").is_in(["missing", "exempt"])
        return {
            "state is unknown": ~pl.col("state").is_in(GRADE_STATES),
            "max_points is not above 0": ~(pl.col("max_points") > 0),
            "points are missing though scored": (pl.col("state") == "scored") & pl.col("points").is_null(),
            "points are given though not scored": without & pl.col("points").is_not_null(),
            "points are below 0 or no number": ~(pl.col("points").is_finite() & (pl.col("points") >= 0)),
        }
    if kind == "incidents":
        return {
            "severity is outside 1 to 5": ~pl.col("severity").is_between(LEAST_SEVERITY, MOST_SEVERITY),
            "removal_days are below 0": ~(pl.col("removal_days") >= 0),
        }
    return {"end is not after begin": pl.col("end") <= pl.col("begin")} if kind == "enrolment" else {}


def _twice(kind: ObservationKind) -> dict[str, pl.Expr]:
    """What rows may not say again, by what is said of it."""
    keys = {
        "attendance": ("a student has a day twice", ("student", "day")),
        "incidents": ("event_id occurs twice", ("event_id",)),
        "calendar": ("a school has a day twice", ("school", "day")),
    }
    return {rule: pl.struct(columns).is_duplicated() for rule, columns in (keys[kind],)} if kind in keys else {}


def _told(schema: pl.Schema) -> str:
    return ", ".join(f"{name} {dtype}" for name, dtype in schema.items())

"""The 42 weekly features of students: one function for training, a batch, one student and a live update.

What a row says depends on the student's own events up to the end of its week, and on what those of the same school and
grade have together (`peers_of`): rows of few students equal those of all of them, bit by bit, where the peers are
given.
"""

from datetime import date

import numpy as np
import polars as pl

from preprocessing.panel.attendance import attendance_features, attended
from preprocessing.panel.channels import CHANNEL_NAMES, weekly_channels
from preprocessing.panel.discipline import discipline_features
from preprocessing.panel.events import Events, events_of
from preprocessing.panel.grades import grade_features, marked
from preprocessing.panel.look_back import with_look_back
from preprocessing.panel.observations import Observations
from preprocessing.panel.school_year import SchoolYear
from preprocessing.panel.windows import Mask, Weeks, rate, trailing
from preprocessing.schema import DomainSchema

ATTENDANCE_FEATURES = (
    "att_rate_w", "att_rate_4w", "att_rate_ytd", "unexc_rate_4w", "exc_rate_4w", "tardy_rate_4w", "att_trend_8w",
    "att_volatility_8w", "att_delta_4v4", "abs_run_days", "abs_run_max_20w", "monfri_excess_10w",
    "dow_concentration_10w", "att_vs_peers_4w",
)  # fmt: skip
GRADE_FEATURES = (
    "gpa_ytd", "pct_w", "pct_4w", "pct_trend_8w", "pct_volatility_8w", "pct_delta_4v4", "missing_rate_4w",
    "late_rate_4w", "failing_subjects_8w", "min_subject_pct_8w", "math_pct_8w", "ela_pct_8w", "subject_spread_8w",
    "worst_subject_drop", "pct_vs_peers_4w",
)  # fmt: skip
DISCIPLINE_FEATURES = (
    "inc_w", "inc_4w", "inc_ytd", "sev_sum_4w", "sev_max_20w", "sev_decay_hl4", "inc_accel_4v4", "sev_trend_8w",
    "weeks_since_inc", "recid_4w_20w", "same_type_repeat_20w", "removal_days_20w", "sev_escalation_20w",
)  # fmt: skip
FEATURE_NAMES = (*ATTENDANCE_FEATURES, *GRADE_FEATURES, *DISCIPLINE_FEATURES)

FEWEST_PEERS = 10
"""Others of the same school and grade, below which nobody is compared with them."""
PART_STUDENTS = 2_000
"""About so many are computed at once: their arrays stay within the cache of a core, and memory within bounds."""

POOLS = ("there", "scheduled", "attending", "points", "most", "marked")


def weekly_features(
    observations: Observations,
    year: SchoolYear,
    *,
    as_of: date | None = None,
    peers: pl.DataFrame | None = None,
    schema: DomainSchema | None = None,
) -> pl.DataFrame:
    """A row for each student and week of enrolment up to `as_of`: keys, school_week, `FEATURE_NAMES` (Float64, null
    where they say nothing), whether attendance and marks were seen in the week, and weeks_of_data until then.

    peers: as of `peers_of`, where the observations are not those of everybody. schema: of a domain whose columns that
    look back are wanted, too.
    """
    events = events_of(observations, year, as_of=as_of)
    peers = peers_of(events) if peers is None else peers
    return rows_in_parts(events, peers, last_week=last_week(year, as_of), schema=schema)


def rows_in_parts(
    events: Events, peers: pl.DataFrame, *, last_week: int, schema: DomainSchema | None = None
) -> pl.DataFrame:
    """The rows of all students, computed by parts of whole schools. schema: as of `weekly_features`."""
    shared = peers, last_week, schema
    parts = [rows_looking_back(shared, part) for part in events.parts(PART_STUDENTS)]
    return pl.concat(parts) if parts else rows_looking_back(shared, events)


def last_week(year: SchoolYear, as_of: date | None) -> int:
    """The newest week that has begun, -1 before the year."""
    return year.weeks - 1 if as_of is None else min((as_of - year.start).days // 7, year.weeks - 1)


def peers_of(events: Events) -> pl.DataFrame:
    """What those of each school, grade and week have together over its last four weeks, and how many have any of it:
    days there and scheduled; points had and to be had, in parts. Sums are exact, so that parts may be added."""
    roster = events.roster
    groups, weeks = len(roster.schools) * len(roster.grades), roster.year.weeks
    pools = np.zeros((len(POOLS), groups * weeks))
    for part in events.parts(PART_STUDENTS):
        week = np.broadcast_to(np.arange(weeks), part.roster.school.shape)
        group = part.roster.school.astype(np.int64) * len(roster.grades) + part.roster.grade
        cells = (group * weeks + week)[part.roster.enrolled]
        for place, own in enumerate(_pooled_of(part)):
            pools[place] += np.bincount(cells, own[part.roster.enrolled], groups * weeks)
    school, rest = np.divmod(np.arange(groups * weeks), max(len(roster.grades) * weeks, 1))
    frame = pl.DataFrame({
        "school": pl.Series(roster.schools, dtype=pl.String).gather(school),
        "grade_level": pl.Series(roster.grades, dtype=pl.String).gather(rest // weeks),
        "week": pl.Series(rest % weeks, dtype=pl.Int32),
        **dict(zip(POOLS, pools, strict=True)),
    })  # fmt: skip
    return frame.filter((pl.col("attending") > 0) | (pl.col("marked") > 0))


def _pooled_of(events: Events) -> tuple[Weeks, ...]:
    """Of each student and week, what `POOLS` adds up."""
    there, scheduled = (trailing(one, 4) for one in attended(events.status))
    points, most = (trailing(one, 4) for one in marked(events.marks, there.shape))
    return there, scheduled, (scheduled > 0).astype(np.float64), points, most, (most > 0).astype(np.float64)


def rows_of(shared: tuple[pl.DataFrame, int], events: Events) -> pl.DataFrame:
    """The rows of some students. shared: the peers, and the last week that is wanted."""
    peers, until = shared
    roster = events.roster
    shape = roster.school.shape
    pools = _pools_at(events, peers)
    school_weeks = roster.days.any(axis=2) & roster.enrolled
    found = {
        **attendance_features(events.status, _pooled_rate(pools["there"], pools["scheduled"], pools["attending"])),
        **grade_features(events.marks, shape, _pooled_rate(pools["points"], pools["most"], pools["marked"])),
        **discipline_features(events.incidents, shape, school_weeks),
    }
    scheduled, most = attended(events.status)[1], marked(events.marks, shape)[1]
    wanted = roster.enrolled & (np.arange(shape[1]) <= until)
    return _frame(events, found, seen=(scheduled > 0, most > 0), wanted=wanted)


def rows_looking_back(shared: tuple[pl.DataFrame, int, DomainSchema | None], events: Events) -> pl.DataFrame:
    """As `rows_of`, with the columns of the schema that look back, and what those are made of."""
    peers, until, schema = shared
    rows, roster = rows_of((peers, until), events), events.roster
    if schema is None:
        return rows
    wanted = roster.enrolled & (np.arange(roster.year.weeks) <= until)
    found = weekly_channels(events) if {*CHANNEL_NAMES} & {*schema.feature_by_name} else {}
    rows = rows.with_columns(pl.Series(name, values[wanted], nan_to_null=True) for name, values in found.items())
    return with_look_back(rows, schema)


def _pools_at(events: Events, peers: pl.DataFrame) -> dict[str, Weeks]:
    """What the peers of each student and week have together, by `POOLS`; nothing where nobody is enrolled."""
    roster, shape = events.roster, (len(events.roster.schools), len(events.roster.grades), events.roster.year.weeks)
    schools, grades = ({name: place for place, name in enumerate(names)} for names in (roster.schools, roster.grades))
    known = peers.filter(pl.col("school").is_in(roster.schools) & pl.col("grade_level").is_in(roster.grades))
    places = (
        known["school"].replace_strict(schools, return_dtype=pl.Int64).to_numpy(),
        known["grade_level"].replace_strict(grades, return_dtype=pl.Int64).to_numpy(),
        known["week"].to_numpy(),
    )
    found = dict[str, Weeks]()
    for name in POOLS:
        table = np.zeros(shape)
        table[places] = known[name].to_numpy()
        found[name] = np.where(roster.enrolled, table[roster.school, roster.grade, np.arange(shape[2])], 0.0)
    return found


def _pooled_rate(part: Weeks, of: Weeks, students: Weeks) -> Weeks:
    """The rate of all of a group, the student included; NaN where there are fewer than `FEWEST_PEERS` others."""
    return np.where(students > FEWEST_PEERS, rate(part, of), np.nan)


def _frame(events: Events, found: dict[str, Weeks], *, seen: tuple[Mask, Mask], wanted: Mask) -> pl.DataFrame:
    roster = events.roster
    student, week = np.nonzero(wanted)
    names = pl.Series([roster.year.week_name(number) for number in range(roster.year.weeks)], dtype=pl.String)
    weeks_of_data = np.cumsum(seen[0] | seen[1], axis=1)

    return pl.DataFrame({
        "student": roster.students.gather(student),
        "week": names.gather(week),
        "school": pl.Series(roster.schools, dtype=pl.String).gather(roster.school[wanted]),
        "grade_level": pl.Series(roster.grades, dtype=pl.String).gather(roster.grade[wanted]),
        "school_week": pl.Series(week, dtype=pl.Int32),
        **{name: pl.Series(found[name][wanted], nan_to_null=True) for name in FEATURE_NAMES},
        "attendance_seen": seen[0][wanted],
        "marks_seen": seen[1][wanted],
        "weeks_of_data": pl.Series(weeks_of_data[wanted], dtype=pl.Int32),
    })  # fmt: skip

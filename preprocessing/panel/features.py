"""Weekly features as rows of a table: of all students of some observations, by parts of whole schools.

What is computed is `preprocessing.panel.computed`'s; here are the peers of all, and columns.
"""

from datetime import date

import numpy as np
import polars as pl

from preprocessing.panel.cells import Events
from preprocessing.panel.channels import CHANNEL_NAMES, weekly_channels
from preprocessing.panel.computed import FEATURE_NAMES, POOLS, FeatureWeeks, compute, own_sums
from preprocessing.panel.events import events_of
from preprocessing.panel.grid import SchoolYear, last_week
from preprocessing.panel.look_back import with_look_back
from preprocessing.panel.observations import Observations
from preprocessing.panel.windows import Mask, Weeks
from preprocessing.schema import DomainSchema

PART_STUDENTS = 2_000
"""About so many are computed at once: their arrays stay within the cache of a core, and memory within bounds."""


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
        for place, own in enumerate(own_sums(part)):
            pools[place] += np.bincount(cells, own[part.roster.enrolled], groups * weeks)
    school, rest = np.divmod(np.arange(groups * weeks), max(len(roster.grades) * weeks, 1))
    frame = pl.DataFrame({
        "school": pl.Series(roster.schools, dtype=pl.String).gather(school),
        "grade_level": pl.Series(roster.grades, dtype=pl.String).gather(rest // weeks),
        "week": pl.Series(rest % weeks, dtype=pl.Int32),
        **dict(zip(POOLS, pools, strict=True)),
    })  # fmt: skip
    return frame.filter((pl.col("attending") > 0) | (pl.col("marked") > 0))


def rows_looking_back(shared: tuple[pl.DataFrame, int, DomainSchema | None], events: Events) -> pl.DataFrame:
    """The rows of some students, with the columns of the schema that look back, and what those are made of. shared: the
    peers, the last week that is wanted, and the schema; None where nothing looks back."""
    peers, until, schema = shared
    rows = _rows(events, peers, np.arange(events.roster.year.weeks) <= until, schema)
    return rows if schema is None else with_look_back(rows, schema)


def rows_of_week(events: Events, peers: pl.DataFrame, week: int, schema: DomainSchema) -> pl.DataFrame:
    """`rows_looking_back` of one week alone."""
    if any(feature.of for feature in schema.features):
        return rows_looking_back((peers, week, schema), events).filter(pl.col("school_week") == week)
    until = events.until(week)
    return _rows(until, peers.filter(pl.col("week") <= week), np.arange(week + 1) == week, schema)


def _rows(events: Events, peers: pl.DataFrame, weeks: Mask, schema: DomainSchema | None) -> pl.DataFrame:
    """The rows of these weeks (W,), with the weekly channels that the schema has."""
    wanted = events.roster.enrolled & weeks
    rows = _frame(events, compute(events, _pools_at(events, peers)), wanted)
    channels = schema is not None and {*CHANNEL_NAMES} & {*schema.feature_by_name}
    found = weekly_channels(events) if channels else {}
    return rows.with_columns(pl.Series(name, values[wanted], nan_to_null=True) for name, values in found.items())


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


def _frame(events: Events, found: FeatureWeeks, wanted: Mask) -> pl.DataFrame:
    roster = events.roster
    student, week = np.nonzero(wanted)
    names = pl.Series([roster.year.week_name(number) for number in range(roster.year.weeks)], dtype=pl.String)
    return pl.DataFrame({
        "student": pl.Series(roster.students, dtype=pl.String).gather(student),
        "week": names.gather(week),
        "school": pl.Series(roster.schools, dtype=pl.String).gather(roster.school[wanted]),
        "grade_level": pl.Series(roster.grades, dtype=pl.String).gather(roster.grade[wanted]),
        "school_week": pl.Series(week, dtype=pl.Int32),
        **{name: pl.Series(found.features[name][wanted], nan_to_null=True) for name in FEATURE_NAMES},
        "attendance_seen": found.attendance_seen[wanted],
        "marks_seen": found.marks_seen[wanted],
        "weeks_of_data": pl.Series(found.weeks_of_data[wanted], dtype=pl.Int32),
    })  # fmt: skip

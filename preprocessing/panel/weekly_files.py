"""A folder of observations to a file of weekly rows, which is trained on and answered like any other.

Years are read one after the other and students by parts of whole schools, here or on a cluster: the file is the same.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import polars as pl

from cluster import map_on
from errors import Category, GradewatchError
from preprocessing.panel.cells import Events
from preprocessing.panel.channels import CHANNEL_NAMES
from preprocessing.panel.computed import FEATURE_NAMES
from preprocessing.panel.events import events_of
from preprocessing.panel.features import PART_STUDENTS, peers_of, rows_looking_back
from preprocessing.panel.folder import read_folder
from preprocessing.panel.grid import SchoolYear, last_week
from preprocessing.panel.kinds import WEEK_DAYS
from preprocessing.panel.observations import BadObservations, Observations, newest_day
from preprocessing.panel.outcomes import EVENT_COLUMNS, with_outcome
from preprocessing.panel.school_year import school_years
from preprocessing.schema import ContextColumn, DomainSchema, Feature, Target

DEMOGRAPHICS = "demographics.parquet"
"""Of the student and what is audited of it, never computed with."""

Tell = Callable[[str], None]


class UnusableWeeks(GradewatchError):
    """A domain that has no place for weekly features, or a file that rows cannot be written to."""

    category = Category.MISUSED


@dataclass(frozen=True)
class WeeklyFile:
    """What was written. thin: weeks of students of whom too little was known for a row."""

    rows: int
    students: int
    weeks: int
    thin: int


@dataclass(frozen=True)
class _Beside:
    """What is known of students beside their observations: protected columns, and events of targets by name."""

    demographics: pl.DataFrame | None
    events: dict[str, pl.DataFrame]


class _Year(NamedTuple):
    """A school year as far as it has come. newest: the last week that has begun; over: how many weeks are."""

    events: Events
    newest: int
    over: int


def write_weekly_rows(
    folder: Path,
    schema: DomainSchema,
    output: Path,
    *,
    labelled: bool = False,
    cluster: str | None = None,
    tell: Tell = lambda _: None,
) -> WeeklyFile:
    """Writes the columns of `schema` of every student and week with enough data to `output` (.parquet or .csv), which
    appears when it is complete; no week that had not begun by the last day observed.

    Beside the observations the folder may have `demographics.parquet` (the schema's protected columns) and, for a
    target with horizons, a file of its name (`EVENT_COLUMNS`, up to the last day observed), from which outcomes are
    told. labelled: only rows with an outcome, to learn from. cluster: the address of a Dask scheduler whose workers
    compute the parts. Raises UnusableWeeks, BadObservations and what `map_on` raises.
    """
    if schema.panel is None or not takes_weeks(schema):
        raise UnusableWeeks(
            f"domain {schema.name!r} has no place for weekly rows: it needs [panel] and weekly features"
        )
    if output.suffix not in WRITERS:
        raise UnusableWeeks(f"weekly rows are written as .parquet or .csv; {output.name!r} is neither")
    least_weeks = schema.panel.least_weeks
    tell("reading observations")
    beside = _beside(folder, schema)
    found = _years(read_folder(folder))
    outcomes = [*beside.events] if labelled else []
    if labelled and not outcomes:
        names = [f"{target.name}.parquet" for target in schema.targets if target.within]
        raise BadObservations(f"{folder} holds none of {', '.join(names)}: no row has an outcome to learn from")
    output.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=output.parent, prefix=".weeks-") as spool:
        students, thin, files = set[str](), 0, list[Path]()
        for events, newest, over in found:
            year = events.roster.year
            tell(f"computing {year.name}")
            shared = peers_of(events), newest, schema
            students.update(events.roster.students)
            for rows in map_on(cluster, rows_looking_back, events.parts(PART_STUDENTS), shared):
                enough = rows.filter(pl.col("weeks_of_data") >= least_weeks)
                thin += rows.height - enough.height
                files.append(Path(spool) / f"{len(files):06d}.arrow")
                told = _columns(enough, beside, (year, over), schema)
                (told.drop_nulls(outcomes) if outcomes else told).write_ipc(files[-1])
        if not files:
            raise BadObservations("nobody is enrolled in a week of the calendar")
        tell("writing rows")
        written = pl.scan_ipc(files)
        WRITERS[output.suffix](written, Path(spool) / output.name)
        os.replace(Path(spool) / output.name, output)  # noqa: PTH105 (as documented: over a file that is there)
        weeks = sum(year.newest + 1 for year in found)
        return WeeklyFile(written.select(pl.len()).collect().item(), len(students), weeks, thin)


def _years(observations: Observations) -> list[_Year]:
    """Each year of the calendar that has begun by the last day observed; of the frames nothing is kept."""
    until, calendar = newest_day(observations), observations.calendar
    begun = [(year, last_week(year, until)) for year in school_years(calendar)]
    return [
        _Year(events_of(observations, year), newest, newest + (not _goes_on(calendar, year, newest, until)))
        for year, newest in begun
        if newest >= 0
    ]


def _goes_on(calendar: pl.DataFrame, year: SchoolYear, week: int, until: date | None) -> bool:
    """Whether a week has school days after `until`."""
    if until is None:
        return False
    later = calendar.filter("school_day", pl.col("day") > until)["day"]
    return bool(((later - year.start).dt.total_days() // WEEK_DAYS == week).any())


WRITERS: dict[str, Callable[[pl.LazyFrame, Path], object]] = {
    ".parquet": lambda rows, path: rows.sink_parquet(path, compression_level=1),
    ".csv": lambda rows, path: rows.sink_csv(path),
}


def takes_weeks(schema: DomainSchema) -> bool:
    """Whether a domain has a place for weekly rows: a panel, and some of their features."""
    return schema.panel is not None and bool({*FEATURE_NAMES} & {*schema.feature_by_name})


def _beside(folder: Path, schema: DomainSchema) -> _Beside:
    demographics = folder / DEMOGRAPHICS
    events = {target.name: folder / f"{target.name}.parquet" for target in schema.targets if target.within}
    audited = pl.read_parquet(demographics) if demographics.exists() else None
    if audited is not None and audited["student"].is_duplicated().any():
        raise BadObservations(f"{DEMOGRAPHICS}: a student is there twice; each of its weeks would be, too")
    return _Beside(
        audited,
        {name: pl.read_parquet(file, schema=EVENT_COLUMNS) for name, file in events.items() if file.exists()},
    )


def _columns(
    rows: pl.DataFrame, beside: _Beside, followed: tuple[SchoolYear, int], schema: DomainSchema
) -> pl.DataFrame:
    """The rows with the columns that the schema declares, as it calls them. followed: their year, and how many of its
    weeks are over."""
    year, weeks = followed
    for name, events in beside.events.items():
        rows = with_outcome(rows, events, year, schema.target_by_name[name], weeks=weeks)
    if beside.demographics is not None:
        rows = rows.join(beside.demographics, on="student", how="left", maintain_order="left")
    assert schema.panel is not None  # noqa: S101 (`takes_weeks`)
    rows = rows.rename({"student": schema.panel.entity, "week": schema.panel.period})
    return rows.select(_bounded(column) for column in schema.columns if column.name in rows.columns)


def _bounded(column: Feature | Target | ContextColumn) -> pl.Expr:
    """A column, a computed number within the range that the domain declares: what is beyond it is at its end."""
    if isinstance(column, Feature) and (column.of or column.name in {*FEATURE_NAMES, *CHANNEL_NAMES}):
        return pl.col(column.name).clip(column.minimum, column.maximum)
    return pl.col(column.name)

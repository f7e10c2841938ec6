"""A folder of observations to a file of weekly rows, which is trained on and answered like any other.

Years are read one after the other and students by parts of whole schools, here or on a cluster: the file is the same.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from cluster import map_on
from errors import Category, GradewatchError
from preprocessing.panel.events import Events, events_of
from preprocessing.panel.features import FEATURE_NAMES, PART_STUDENTS, last_week, peers_of, rows_of
from preprocessing.panel.folder import read_folder
from preprocessing.panel.observations import BadObservations, Observations
from preprocessing.panel.outcomes import EVENT_COLUMNS, with_outcome
from preprocessing.panel.school_year import SchoolYear, school_years
from preprocessing.schema import DomainSchema

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
    appears when it is complete.

    Beside the observations the folder may have `demographics.parquet` (the schema's protected columns) and, for a
    target with horizons, a file of its name (`EVENT_COLUMNS`), from which outcomes are told. labelled: only rows with
    an outcome, to learn from. cluster: the address of a
    Dask scheduler whose workers compute the parts. Raises UnusableWeeks, BadObservations and what `map_on` raises.
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
    found = _events_by_year(read_folder(folder))
    outcomes = [*beside.events] if labelled else []
    if labelled and not outcomes:
        names = [f"{target.name}.parquet" for target in schema.targets if target.within]
        raise BadObservations(f"{folder} holds none of {', '.join(names)}: no row has an outcome to learn from")
    output.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=output.parent, prefix=".weeks-") as spool:
        students, thin, files = set[str](), 0, list[Path]()
        for events in found:
            year = events.roster.year
            tell(f"computing {year.name}")
            shared = peers_of(events), last_week(year, None)
            students.update(events.roster.students)
            for rows in map_on(cluster, rows_of, events.parts(PART_STUDENTS), shared):
                enough = rows.filter(pl.col("weeks_of_data") >= least_weeks)
                thin += rows.height - enough.height
                files.append(Path(spool) / f"{len(files):06d}.arrow")
                told = _columns(enough, beside, year, schema)
                (told.drop_nulls(outcomes) if outcomes else told).write_ipc(files[-1])
        if not files:
            raise BadObservations("nobody is enrolled in a week of the calendar")
        tell("writing rows")
        written = pl.scan_ipc(files)
        WRITERS[output.suffix](written, Path(spool) / output.name)
        os.replace(Path(spool) / output.name, output)  # noqa: PTH105 (as documented: over a file that is there)
        weeks = sum(events.roster.year.weeks for events in found)
        return WeeklyFile(written.select(pl.len()).collect().item(), len(students), weeks, thin)


def _events_by_year(observations: Observations) -> list[Events]:
    """The events of each year of the calendar; of the frames nothing is kept."""
    return [events_of(observations, year) for year in school_years(observations.calendar)]


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
    return _Beside(
        pl.read_parquet(demographics) if demographics.exists() else None,
        {name: pl.read_parquet(file, schema=EVENT_COLUMNS) for name, file in events.items() if file.exists()},
    )


def _columns(rows: pl.DataFrame, beside: _Beside, year: SchoolYear, schema: DomainSchema) -> pl.DataFrame:
    """The rows with the columns that the schema declares, as it calls them."""
    for name, events in beside.events.items():
        rows = with_outcome(rows, events, year, schema.target_by_name[name])
    if beside.demographics is not None:
        rows = rows.join(beside.demographics, on="student", how="left", maintain_order="left")
    assert schema.panel is not None  # noqa: S101 (`takes_weeks`)
    rows = rows.rename({"student": schema.panel.entity, "week": schema.panel.period})
    return rows.select(column.name for column in schema.columns if column.name in rows.columns)

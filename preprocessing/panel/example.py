"""An invented district as a folder: its observations, what became of its students, their weekly rows, and the truth.

It writes what `preprocessing.panel.district` draws, and invents nothing itself.
"""

from pathlib import Path
from typing import NamedTuple

import msgspec
import polars as pl

from preprocessing.panel.district import BOTH_DECLINE, DRIVERS, HAZARD_WEIGHTS, RAMP_WEEKS, District, invent_district
from preprocessing.panel.folder import write_folder
from preprocessing.panel.observations import Observations
from preprocessing.panel.weekly_files import DEMOGRAPHICS, WeeklyFile, write_weekly_rows
from preprocessing.schema import DomainSchema

ROWS, LABELLED, DRIVERS_FILE, TRUTH_FILE = "rows.parquet", "labelled.parquet", "drivers.parquet", "truth.json"
CHRONIC = 0.1  # of days absent, from which on absence is chronic


class Realised(NamedTuple):
    """Shares of students and years as they came out: chronically absent, with two incidents or more, removed at all,
    with an event; and the mean of their shares of points."""

    chronic: float
    two_incidents: float
    removed: float
    event: float
    mean_mark: float


def write_district(folder: Path, schema: DomainSchema, *, students: int, seed: int, years: int = 1) -> WeeklyFile:
    """Invents a district and writes it into `folder`, which is made: observations, `demographics.parquet`, events by
    the name of each target with horizons, weekly rows (and again those with an outcome), the drivers of each student
    and `truth.json`.

    Raises UnusableWeeks.
    """
    district = invent_district(students, seed=seed, years=years)
    write_folder(district.observations, folder)
    district.demographics.write_parquet(folder / DEMOGRAPHICS)
    for target in schema.targets:
        if target.within:
            district.events.write_parquet(folder / f"{target.name}.parquet")
    district.drivers.write_parquet(folder / DRIVERS_FILE)
    truth = {
        "students": students,
        "years": years,
        "seed": seed,
        "realised": realised(district)._asdict(),
        "hazard": dict(zip(DRIVERS, HAZARD_WEIGHTS, strict=True)) | {"abs_decline and grade_slump": BOTH_DECLINE},
        "ramp_weeks": RAMP_WEEKS,
        "driven": dict(district.drivers["driver"].value_counts().sort("driver").iter_rows()),
    }
    (folder / TRUTH_FILE).write_bytes(msgspec.json.format(msgspec.json.encode(truth)) + b"\n")
    written = write_weekly_rows(folder, schema, folder / ROWS)
    outcomes = [target.name for target in schema.targets if target.within]
    pl.read_parquet(folder / ROWS).drop_nulls(outcomes).write_parquet(folder / LABELLED, compression_level=1)
    return written


def realised(district: District) -> Realised:
    """What came out."""
    observations, student_years = district.observations, _student_years(district.observations)
    attendance = observations.attendance.group_by("student", _year("day"))
    absent = attendance.agg(pl.col("status").is_in(["excused", "unexcused"]).mean())["status"].to_numpy()
    incidents = observations.incidents.group_by("student", _year("at")).agg(pl.len(), pl.col("removal_days").sum())
    return Realised(
        chronic=float((absent >= CHRONIC).mean()),
        two_incidents=incidents.filter(pl.col("len") > 1).height / student_years,
        removed=incidents.filter(pl.col("removal_days") > 0).height / student_years,
        event=district.events.height / student_years,
        mean_mark=observations.grades.select((pl.col("points") / pl.col("max_points")).mean()).item(),
    )


def _student_years(observations: Observations) -> int:
    return int(observations.enrolment.select(pl.struct("student", _year("begin")).n_unique()).item())


def _year(day: str) -> pl.Expr:
    """The year in which a school year began."""
    return pl.col(day).dt.year() - (pl.col(day).dt.month() < 8).cast(pl.Int32)

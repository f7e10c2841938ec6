"""What a model would lose without a kind of record is told from what is there, or that it cannot be."""

from dataclasses import replace
from pathlib import Path

import polars as pl

from database.observed_frames import frames_of_export
from preprocessing.panel.district import invent_district
from preprocessing.panel.exports import read_export
from preprocessing.panel.school_year import school_years
from preprocessing.schema import load_domains
from tests.preprocessing.panel.exporting import export_of, write_zip
from training.lost_kinds import LEAST_STUDENTS, lost_kinds, told_lost

K12 = load_domains()["k12"]


def test_marks_are_missed_where_they_tell_and_what_is_not_there_is_not_judged() -> None:
    observations = invent_district(400, seed=3).observations
    [year] = school_years(observations.calendar)
    found = lost_kinds(observations, year, K12)
    assert found is not None
    assert found.auc.low > 0.6
    assert found.lost["grades"].low > 0
    assert found.lost["incidents"].low < 0 < found.lost["incidents"].high
    assert (f"n = {found.rows:,} weeks of {found.students}" in told_lost(found)[0], len(told_lost(found))) == (True, 4)
    without = replace(observations, incidents=observations.incidents.clear())
    less = lost_kinds(without, year, K12)
    assert less is not None
    assert set(less.lost) == {"attendance", "grades"}


def test_of_few_students_nothing_is_told() -> None:
    observations = invent_district(LEAST_STUDENTS // 2, seed=3).observations
    [year] = school_years(observations.calendar)
    assert lost_kinds(observations, year, K12) is None
    assert "cannot be measured" in told_lost(None)[0]


def test_an_export_is_computed_by_what_it_says_last(tmp_path: Path) -> None:
    gathered = read_export(write_zip(tmp_path / "sis.zip", export_of()), K12)
    said = gathered.events["attendance"].with_columns(version=pl.lit(1))
    again = said.with_columns(version=pl.lit(2), status=pl.lit("tardy"))
    gone = again.head(1).with_columns(version=pl.lit(3), removed=pl.lit(value=True))
    gathered.events["attendance"] = pl.concat([gone, again, said], how="vertical_relaxed")
    observations = frames_of_export(gathered)
    assert observations.attendance["status"].to_list() == ["tardy"]
    assert observations.incidents.height == 1

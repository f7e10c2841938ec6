"""The five frames of observations: what is refused, and which school week a day belongs to."""

from dataclasses import replace
from datetime import date, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from preprocessing.panel.folder import read_folder, write_folder
from preprocessing.panel.observations import (
    FRAMES,
    BadObservations,
    check,
    first_monday,
    no_observations,
    of_kinds,
    school_week,
)
from tests.command import run_command

DAY = date(2026, 9, 1)  # a Tuesday
GOOD = {
    "attendance": ("s1", DAY, "present"),
    "grades": ("s1", "math", DAY, None, 8.0, 10.0, "scored"),
    "incidents": ("s1", DAY, "disruption", 2, 0.5, "e1"),
    "enrolment": ("s1", "north", "7", DAY, None),
    "calendar": (None, DAY, True),
}
BROKEN = [
    ("attendance", "status", "ill", "status is unknown"),
    ("attendance", "student", None, "student is missing"),
    ("grades", "state", "lost", "state is unknown"),
    ("grades", "state", "missing", "points are given though not scored"),
    ("grades", "points", None, "points are missing though scored"),
    ("grades", "points", float("nan"), "points are below 0 or no number"),
    ("grades", "max_points", 0.0, "max_points is not above 0"),
    ("incidents", "severity", 6, "severity is outside 1 to 5"),
    ("incidents", "removal_days", -1.0, "removal_days are below 0"),
    ("enrolment", "end", DAY, "end is not after begin"),
    ("enrolment", "school", None, "school is missing"),
]


def one_of_each():
    return of_kinds({kind: pl.DataFrame([row], schema=FRAMES[kind], orient="row") for kind, row in GOOD.items()})


@pytest.mark.parametrize(("kind", "column", "value", "told"), BROKEN)
def test_each_rule_is_told_alone_and_without_the_value(kind, column, value, told):
    good = one_of_each()
    assert check(good) is good
    wrong = getattr(good, kind).with_columns(pl.lit(value, dtype=FRAMES[kind][column]).alias(column))
    with pytest.raises(BadObservations) as refused:
        check(replace(good, **{kind: wrong}))
    assert str(refused.value) == f"{kind}: {told} in 1 of 1 rows"


def test_what_is_said_twice_and_other_columns_are_refused_together():
    good = one_of_each()
    twice = {kind: pl.concat([getattr(good, kind)] * 2) for kind in ("attendance", "incidents", "calendar")}
    with pytest.raises(BadObservations) as refused:
        check(replace(good, **twice, enrolment=good.enrolment.drop("end")))
    assert str(refused.value).count("twice in 2 of 2 rows") == 3
    assert "enrolment: columns are" in str(refused.value)


@given(first=st.dates(date(2000, 1, 1), date(2100, 1, 1)), later=st.integers(0, 400))
def test_school_weeks_are_whole_calendar_weeks_from_the_first_day(first, later):
    day = first + timedelta(days=later)
    calendar = pl.DataFrame([(None, first, True), (None, day, True)], schema=FRAMES["calendar"], orient="row")
    start = first_monday(calendar.unique())
    week, weekday = calendar.select(school_week("day", start), pl.col("day").dt.weekday().alias("dow")).row(1)
    assert start.weekday() == 0
    assert first - start < timedelta(days=7)
    assert start + timedelta(days=7 * week + weekday - 1) == day


def test_without_a_calendar_there_are_no_weeks():
    with pytest.raises(BadObservations, match="calendar is empty"):
        first_monday(no_observations().calendar)


def test_a_folder_gives_back_what_was_written_and_says_what_it_holds(tmp_path):
    some = replace(one_of_each(), grades=FRAMES["grades"].to_frame())
    write_folder(some, tmp_path / "there")
    read = dict(read_folder(tmp_path / "there").frames())
    assert all(frame.equals(read[kind]) for kind, frame in some.frames())
    told = run_command(tmp_path, "observations", "check", "there")
    assert told.returncode == 0, told.stderr
    assert [line.split("│")[1:3] for line in told.stdout.splitlines() if "attendance" in line] == [
        [" attendance ", " 1    "]
    ]
    (tmp_path / "there" / "grades.parquet").write_bytes(b"no Parquet")
    refused = run_command(tmp_path, "observations", "check", "there")
    assert (refused.returncode, "grades.parquet cannot be read" in refused.stderr) == (1, True)

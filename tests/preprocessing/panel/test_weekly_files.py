"""An invented district and its weekly rows: shares as they are set, outcomes by horizon, the same file again."""

from dataclasses import replace
from datetime import date, timedelta

import polars as pl
import pytest

from preprocessing.panel.district import DRIVERS, invent_district
from preprocessing.panel.example import realised, write_district
from preprocessing.panel.folder import read_folder, write_folder
from preprocessing.panel.grid import SchoolYear
from preprocessing.panel.observations import BadObservations
from preprocessing.panel.outcomes import EVENT_COLUMNS, with_outcome
from preprocessing.panel.school_year import school_years
from preprocessing.panel.weekly_files import UnusableWeeks, write_weekly_rows
from preprocessing.reading.chunks import open_source
from preprocessing.schema import load_domains
from preprocessing.validation.files import check_file

DOMAINS = load_domains()
K12 = DOMAINS["k12"]
SECRET = b"of this test"


def test_shares_of_a_district_come_out_as_they_are_set_and_drivers_drive():
    district = invent_district(6_000, seed=3)
    found = realised(district)
    assert found.chronic == pytest.approx(0.15, abs=0.01)
    assert found.event == pytest.approx(0.25, abs=0.02)
    assert found.two_incidents == pytest.approx(0.13, abs=0.02)
    assert found.removed == pytest.approx(0.06, abs=0.02)
    events = set(district.events["student"])
    driven = district.drivers.group_by("driver").agg(pl.col("student").is_in(events).mean().alias("share"))
    shares = dict(driven.iter_rows())
    plain = set(district.demographics["student"]) - set(district.drivers["student"])
    undriven = len(plain & events) / len(plain)
    assert set(shares) == set(DRIVERS)
    assert all(share > undriven for share in shares.values())
    assert max(shares, key=shares.__getitem__) in ("grade_slump", "abs_decline")
    again = invent_district(6_000, seed=3)
    assert all(one.equals(other) for (_, one), (_, other) in zip(
        district.observations.frames(), again.observations.frames(), strict=True
    ))  # fmt: skip


def test_rows_of_a_folder_are_those_of_the_domain_year_by_year_and_the_same_again(tmp_path):
    told = write_district(tmp_path / "district", K12, students=150, seed=2, years=2)
    rows = pl.read_parquet(tmp_path / "district" / "rows.parquet")
    assert (told.rows, told.weeks) == (rows.height, 78)
    assert told.rows + told.thin <= 300 * 39
    assert rows.select("student_id", "week").is_unique().all()
    years = [year.name for year in school_years(read_folder(tmp_path / "district").calendar)]
    assert rows["week"].str.head(7).unique().sort().to_list() == years == ["2025-26", "2026-27"]
    both = rows.group_by("student_id").agg(pl.col("week").str.head(7).n_unique())
    assert 0.6 < (both["week"] == 2).mean() / (both["week"] >= 1).mean() * 1.15 < 1.0
    assert rows["at_risk_event"].drop_nulls().n_unique() == 4
    rates = rows["att_rate_4w"].cast(pl.Float64)  # 18 days of 20 are the 90 % that the plain rule asks for, not less
    assert (rates == 0.9).any()
    assert not rates.is_between(0.8999, 0.9, closed="left").any()
    source = open_source(tmp_path / "district" / "rows.parquet")
    assert check_file(source, K12, secret=SECRET, keep=lambda _: None).problem_count == 0
    for name in ("again.parquet", "again.csv"):
        write_weekly_rows(tmp_path / "district", K12, tmp_path / name)
    assert (tmp_path / "again.parquet").read_bytes() == (tmp_path / "district" / "rows.parquet").read_bytes()
    assert pl.read_csv(tmp_path / "again.csv", infer_schema_length=None).height == rows.height
    with pytest.raises(UnusableWeeks, match="no place for weekly rows"):
        write_weekly_rows(tmp_path / "district", DOMAINS["school"], tmp_path / "no.parquet")


def test_an_outcome_says_how_soon_the_first_event_came_and_nothing_that_nobody_saw():
    year = SchoolYear("2025-26", date(2025, 8, 25), 39)
    event, stays, leaves = 15, 39, 21

    def rows(student, weeks):
        return [(student, week) for week in range(weeks)]

    frame = pl.DataFrame(
        [*rows("e", stays), *rows("n", stays), *rows("l", leaves)], ["student", "school_week"], orient="row"
    )
    frame = frame.with_columns(pl.col("school_week").cast(pl.Int32))
    days = [("e", year.start + timedelta(7 * week + 3)) for week in (event, event + 2, 60)]
    told = with_outcome(frame, pl.DataFrame(days, EVENT_COLUMNS, orient="row"), year, K12.targets[0], weeks=39)
    soon, middle, late, none = K12.targets[0].levels
    found = {student: part["at_risk_event"].to_list() for (student,), part in told.group_by("student")}
    assert found["e"] == [late] * 7 + [middle] * 4 + [soon] * 4 + [None] * 24
    assert found["n"] == [none] * 21 + [None] * 18
    assert found["l"] == [none] * 3 + [None] * 18


def test_within_a_year_no_week_to_come_has_a_row_and_what_is_told_of_one_never_changes(tmp_path):
    write_district(tmp_path / "whole", K12, students=150, seed=4)
    whole, events = read_folder(tmp_path / "whole"), pl.read_parquet(tmp_path / "whole" / "at_risk_event.parquet")
    later = pl.read_parquet(tmp_path / "whole" / "rows.parquet")
    (year,) = school_years(whole.calendar)
    for week, weekday in ((24, 2), (24, 4), (29, 4)):  # within a week, on its last school day, before holidays
        today = year.start + timedelta(7 * week + weekday)
        known = replace(
            whole,  # marks that are dated ahead stay
            attendance=whole.attendance.filter(pl.col("day") <= today),
            incidents=whole.incidents.filter(pl.col("at") <= today),
            enrolment=whole.enrolment.filter(pl.col("begin") <= today),
        )
        write_folder(known, tmp_path / "now")
        events.filter(pl.col("at") <= today).write_parquet(tmp_path / "now" / "at_risk_event.parquet")
        write_weekly_rows(tmp_path / "now", K12, tmp_path / "now.parquet")
        rows = pl.read_parquet(tmp_path / "now.parquet")
        assert rows["school_week"].max() == week
        told = rows.drop_nulls("at_risk_event").join(later, on=["student_id", "week"], suffix="_later")
        assert (told["at_risk_event"] == told["at_risk_event_later"]).all()
        assert told["school_week"].max() == week - 18 - (weekday < 4)
        assert told["at_risk_event"].n_unique() == 4


def test_extra_credit_makes_no_row_that_the_domain_refuses(tmp_path):
    write_district(tmp_path, K12, students=20, seed=4)
    grades = pl.read_parquet(tmp_path / "grades.parquet")
    much = pl.when(pl.int_range(pl.len()) % 7 == 0).then(pl.col("points") * 9).otherwise("points")
    grades.with_columns(much).write_parquet(tmp_path / "grades.parquet")
    write_weekly_rows(tmp_path, K12, tmp_path / "rows.parquet")
    assert pl.read_parquet(tmp_path / "rows.parquet")["pct_w"].max() == 2
    source = open_source(tmp_path / "rows.parquet")
    assert check_file(source, K12, secret=SECRET, keep=lambda _: None).problem_count == 0


def test_a_student_twice_among_demographics_is_refused(tmp_path):
    write_district(tmp_path, K12, students=20, seed=4)
    demographics = pl.read_parquet(tmp_path / "demographics.parquet")
    pl.concat([demographics, demographics[:1]]).write_parquet(tmp_path / "demographics.parquet")
    with pytest.raises(BadObservations, match="a student is there twice"):
        write_weekly_rows(tmp_path, K12, tmp_path / "rows.parquet")

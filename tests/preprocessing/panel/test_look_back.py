"""Columns that look back: what a week says of the weeks before it, and never of those after it or of another year."""

from datetime import date
from math import isnan, nan

import msgspec
import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from preprocessing.panel.channels import CHANNEL_NAMES
from preprocessing.panel.district import invent_district
from preprocessing.panel.example import write_district
from preprocessing.panel.features import weekly_features
from preprocessing.panel.look_back import with_look_back
from preprocessing.panel.school_year import school_years
from preprocessing.reading.chunks import open_source
from preprocessing.schema import Feature, SchemaError, load_domains, looking_back, read_schema
from preprocessing.validation.files import check_file

K12 = load_domains()["k12"]


def wide(window=6, weekly=None, summed=("pct_w", "inc_w")):
    """The shipped domain with columns that look back."""
    weekly = {"attendance": ("att_rate_w", "tardy_rate_w"), "incidents": ("inc_w",)} if weekly is None else weekly
    raw = tuple(Feature(name=name, kind="numeric", optional=True) for name in CHANNEL_NAMES)
    panel = msgspec.structs.replace(K12.panel, window=window, weekly=weekly, summed=summed)
    return looking_back(msgspec.structs.replace(K12, features=(*K12.features, *raw), panel=panel))


def test_columns_that_look_back_are_what_slow_reading_says_and_stay_with_their_year_and_student():
    schema = wide()
    made = [one for one in schema.features if one.of]
    assert len(made) == 3 * 5 + 2 * 2 * 3
    assert all(one.optional and schema.feature_by_name[one.of].maximum == one.maximum for one in made)
    draw, rows = np.random.default_rng(4), []
    for student in "abc":
        for week in range(14):
            if draw.random() < 0.75:  # gaps, late entries
                values = {one.of: None if draw.random() < 0.3 else float(draw.integers(5)) for one in made}
                rows.append({"student": student, "school_week": week, **values})
    frame = pl.DataFrame(rows, infer_schema_length=None)
    found = with_look_back(frame.sample(fraction=1.0, shuffle=True, seed=3), schema)
    known = {(row["student"], row["school_week"]): row for row in rows}
    for row in found.iter_rows(named=True):
        for one in made:
            if one.weeks_before:
                truth = known.get((row["student"], row["school_week"] - one.weeks_before), {}).get(one.of)
            else:
                how, span = one.name.removeprefix(f"{one.of}_").split("_")
                weeks = range(row["school_week"] - int(span[:-1]) + 1, row["school_week"] + 1)
                seen = [known.get((row["student"], week), {}).get(one.of) for week in weeks]
                seen = [value for value in seen if value is not None]
                truth = {"mean": np.mean, "least": min, "most": max}[how](seen) if seen else None
            assert row[one.name] == (None if truth is None else pytest.approx(truth)), one.name
    for week in (3, 9):  # nothing after a week changes what it says
        cut = with_look_back(frame.filter(pl.col("school_week") <= week), schema)
        whole = found.filter(pl.col("school_week") <= week)
        assert_frame_equal(cut.sort("student", "school_week"), whole.sort("student", "school_week"), check_exact=True)


def test_weekly_files_and_single_students_have_the_same_columns_and_a_file_of_them_is_valid(tmp_path):
    schema = wide()
    write_district(tmp_path, schema, students=60, seed=5, years=2)
    rows = pl.read_parquet(tmp_path / "rows.parquet")
    source = open_source(tmp_path / "rows.parquet")
    assert check_file(source, schema, secret=b"of this test", keep=lambda _: None).problem_count == 0
    observations = invent_district(60, seed=5, years=2).observations
    year = school_years(observations.calendar)[1]
    computed = weekly_features(observations, year, schema=schema).filter(pl.col("weeks_of_data") >= 4)
    names = [one.name for one in schema.features if one.of or one.name in CHANNEL_NAMES]
    bounded = [pl.col(name).clip(one.minimum, one.maximum) for name in names for one in [schema.feature_by_name[name]]]
    of_year = rows.filter(pl.col("week").str.starts_with(year.name)).sort("student_id", "week")
    assert_frame_equal(
        of_year.select(names), computed.sort("student", "week").select(bounded), check_exact=True, check_dtypes=False
    )
    assert all(of_year[name].null_count() < of_year.height for name in names)


def test_raw_channels_are_of_their_week_alone():
    observations = invent_district(60, seed=5).observations
    (year,) = school_years(observations.calendar)
    rows = weekly_features(observations, year, schema=wide())
    assert year.start == date(2025, 8, 25)
    week = (pl.col("day") - year.start).dt.total_days() // 7
    days = observations.attendance.with_columns(week=week).group_by("student", "week").agg(pl.col("status"))
    statuses = {(student, at): said for student, at, said in days.iter_rows()}
    for row in rows.iter_rows(named=True):
        said = statuses.get((row["student"], row["school_week"]), [])
        there = sum(one in ("present", "tardy") for one in said)
        late = said.count("tardy") / there if there else nan
        found = nan if row["tardy_rate_w"] is None else row["tardy_rate_w"]
        assert found == pytest.approx(late) or (isnan(found) and isnan(late))
    marks = observations.grades.filter(pl.col("subject") == "math", pl.col("points").is_not_null())
    marks = marks.with_columns(school_week=((pl.col("posted_at") - year.start).dt.total_days() // 7).cast(pl.Int32))
    shares = marks.group_by("student", "school_week").agg(
        (pl.col("points").sum() / pl.col("max_points").sum()).alias("share")
    )
    both = rows.join(shares, on=["student", "school_week"])
    assert both.height > 500
    assert ((both["math_pct_w"] - both["share"]).abs() < 1e-9).all()
    per_year = rows.group_by("student").agg(pl.col("sev_sum_w").sum(), pl.col("removal_days_w").sum())
    severity = observations.incidents.group_by("student").agg(pl.col("severity").cast(pl.Float64).sum())
    assert per_year["sev_sum_w"].sum() == severity["severity"].sum() > 0


@pytest.mark.parametrize(
    ("weekly", "summed", "told"),
    [
        ({"a": ("nothing",)}, (), "'nothing' .weekly, summed. is no numeric column"),
        ({}, ("sex",), "'sex' .weekly, summed. is no numeric column"),
        ({"a": ("inc_w",), "b": ("inc_w",)}, (), "'inc_w_1_before' is declared more than once"),
    ],
)
def test_a_panel_looks_back_on_numbers_that_are_declared(weekly, summed, told):
    words = f"window = 20\nweekly = {{ {', '.join(f'{k} = {[*v]}' for k, v in weekly.items())} }}\nsummed = {[*summed]}"
    text = (load_domains.__globals__["SHIPPED"] / "k12.toml").read_text().replace("window = 20", words)
    with pytest.raises(SchemaError, match=told):
        read_schema(text)

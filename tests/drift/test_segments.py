"""Drift by segment: where the change is, with no more false alarms than one report raises."""

import numpy as np
import polars as pl
import pytest

from drift.column import ProfileError
from drift.correct import adjust
from drift.profile import build_profile
from drift.report import DriftReport, compare
from drift.segments import add_segments, columns_per_group, compare_segments, segmented
from preprocessing.schema import ContextColumn, DomainSchema, Feature, Target

SCHEMA = DomainSchema(
    name="invented",
    title="",
    group=("course",),
    context=(ContextColumn(name="course"),),
    features=(
        Feature(name="x", kind="numeric"),
        Feature(name="size", kind="numeric"),
        Feature(name="school", kind="categorical", open=True),
    ),
    targets=(Target(name="y"),),
)


def sample(seed: int, schools: dict[str, int], shifts: dict[str, float] | None = None) -> pl.DataFrame:
    """`schools` rows of each school, in courses of ten; size belongs to the course."""
    draw = np.random.default_rng(seed)
    parts = []
    for school, rows in schools.items():
        course = np.arange(rows) // 10
        parts.append(
            pl.DataFrame(
                {
                    "x": draw.normal((shifts or {}).get(school, 0.0), 1, rows),
                    "size": draw.normal(30, 5, course.max() + 1)[course],
                    "school": [school] * rows,
                    "_group": [f"{school} {seed} {number}" for number in course],
                }
            )
        )
    return pl.concat(parts)


def report_by(before: pl.DataFrame, after: pl.DataFrame, by: str = "school") -> DriftReport:
    whole = compare(build_profile(before, SCHEMA), build_profile(after, SCHEMA))
    return add_segments(whole, before, after, SCHEMA, by)


def test_a_change_in_one_school_is_found_there_and_nowhere_else():
    schools = {"north": 500, "south": 500, "west": 500}
    report = report_by(sample(1, schools), sample(2, schools, {"south": 1.0}))
    assert [(one.segment, one.alarm) for one in report.segments] == [("south", True), ("north", False), ("west", False)]
    assert [column.column for column in report.segments[0].flagged] == ["x"]
    assert (report.alarm, report.by) == (True, "school")
    assert "By school: drift in south (500 rows against 500: x); none found in 2." in report.summary
    assert DriftReport.from_document(report.to_document()) == report


def test_small_new_and_vanished_segments_are_named_and_not_compared():
    report = report_by(
        sample(1, {"north": 100, "tiny": 29, "old": 50}), sample(2, {"north": 100, "tiny": 90, "new": 50})
    )
    reasons = {one.segment: one.reason for one in report.segments}
    assert reasons["north"] == ""
    assert reasons["tiny"].startswith("not enough data")
    assert reasons["new"].startswith("new")
    assert reasons["old"].startswith("gone")
    assert {one.segment: (one.n_reference, one.n_current) for one in report.segments}["new"] == (0, 50)


def test_segments_are_corrected_together():
    schools = {f"school {i}": 60 for i in range(8)}
    before, after = sample(1, schools), sample(2, schools)
    profiles = [segmented(f, SCHEMA, "school", per_group=(), columns=["x"]).profiles for f in (before, after)]
    together = {one.segment: one.columns[0] for one in compare_segments(*profiles, SCHEMA)}
    alone = {name: compare(profiles[0][name], profiles[1][name]).column("x") for name in profiles[0]}
    adjusted = adjust([alone[name].p_value for name in alone])
    assert [together[name].p_adjusted for name in alone] == pytest.approx(adjusted.tolist())
    assert all(together[name].effect_high > alone[name].effect_high for name in alone)


def test_without_drift_at_most_one_report_in_twenty_alarms_in_any_of_forty_segments():
    schools = {f"school {i}": 60 for i in range(40)}
    alarms = 0
    for seed in range(40):
        frames = sample(2 * seed, schools), sample(2 * seed + 1, schools)
        profiles = [segmented(f, SCHEMA, "school", per_group=(), columns=["x"]).profiles for f in frames]
        alarms += any(one.alarm for one in compare_segments(*profiles, SCHEMA))
    assert alarms <= 2


def test_a_value_that_belongs_to_the_course_counts_once_for_each_course():
    schools = {"north": 400}
    report = report_by(sample(1, schools), sample(2, schools))
    assert report.per_group == ("size",)
    (north,) = report.segments
    found = {column.column: column for column in north.columns}
    assert (found["size"].n_reference, found["x"].n_reference) == (40, 400)


@pytest.mark.parametrize(("per_group", "false_alarms"), [((), range(20, 61)), (("size",), range(9))])
def test_counting_courses_keeps_false_alarms_rare_where_counting_rows_does_not(per_group, false_alarms):
    found = 0
    for seed in range(60):
        samples = sample(1_000 + seed, {"north": 400}), sample(2_000 + seed, {"north": 400})
        profiles = [segmented(f, SCHEMA, "school", per_group=per_group, columns=["size"]).profiles for f in samples]
        found += compare_segments(*profiles, SCHEMA)[0].alarm
    assert found in false_alarms  # of 60: a twentieth and three standard errors are 8


def test_a_column_that_varies_within_groups_or_has_no_groups_is_counted_by_rows():
    frame = sample(1, {"north": 100})
    assert columns_per_group(frame, ["x", "size"]) == {"size"}
    assert columns_per_group(frame.drop("_group"), ["x", "size"]) == set()
    assert columns_per_group(frame.unique("_group"), ["x", "size"]) == set()


def test_rows_without_a_segment_are_a_segment_and_a_course_may_be_one():
    before, after = (sample(seed, {"north": 60}).with_columns(school=pl.lit(None, pl.String)) for seed in (1, 2))
    assert [one.segment for one in report_by(before, after).segments] == ["(none)"]
    courses = [f.with_columns(_group=pl.lit("algebra")) for f in (before, after)]
    assert [one.segment for one in report_by(*courses, by="course").segments] == ["algebra"]


def test_a_column_that_makes_no_segments_is_refused_and_the_others_named():
    frame = sample(1, {"north": 60})
    with pytest.raises(ProfileError, match=r"'x' cuts invented into no segments; these do: school, group"):
        report_by(frame, sample(2, {"north": 60}), by="x")
    keys = (
        frame.head(1)
        .select(pl.all().repeat_by(1_001).explode())
        .with_columns(school=pl.Series([f"key {i}" for i in range(1_001)]))
    )
    with pytest.raises(ProfileError, match="1,001 values"):
        report_by(keys, keys.with_columns(x=pl.col("x") + 1))

"""Drift by segment: where the change is, with no more false alarms than one report raises."""

import numpy as np
import polars as pl
import pytest

from drift.column import ProfileError
from drift.compare import Findings, compare
from drift.profile import build_profile
from drift.records import DriftReport
from drift.samples import columns_per_group, effective_shares_of
from drift.segments import gather_segments
from drift.univariate import ks_band
from drift.verdicts import adjust
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
    findings = Findings(segments=gather_segments(before, after, SCHEMA, by))
    names = [name for name in before.columns if name in SCHEMA.feature_by_name]
    effective = effective_shares_of(before, names), effective_shares_of(after, names)
    return compare(
        build_profile(before, SCHEMA),
        build_profile(after, SCHEMA),
        rows=(findings or Findings())._replace(effective=effective),
    )


def test_a_change_in_one_school_is_found_there_and_nowhere_else():
    schools = {"north": 500, "south": 500, "west": 500}
    report = report_by(sample(1, schools), sample(2, schools, {"south": 1.0}))
    assert [(one.segment, one.alarm) for one in report.segments] == [("south", True), ("north", False), ("west", False)]
    assert [column.column for column in report.segments[0].flagged] == ["x"]
    assert (report.alarm, report.by) == (True, "school")
    assert "By school: drift in south (500 rows against 500: x); too few rows to tell in 2." in report.summary
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


def test_columns_and_segments_are_one_family_of_which_segments_have_half_the_weight():
    schools = {f"school {i}": 60 for i in range(8)}
    before, after = sample(1, schools), sample(2, schools)
    report = report_by(before, after)
    inside = [column for segment in report.segments for column in segment.columns]
    m = len(report.columns) + len(inside)
    assert report.tests == m == 3 + 16
    p_values = [column.p_value for column in (*report.columns, *inside)]
    weights = [m / 2 / 3] * 3 + [m / 2 / 16] * 16
    found = [column.p_adjusted for column in (*report.columns, *inside)]
    assert found == pytest.approx(adjust(p_values, weights).tolist())
    x = report.column("x")  # the whole pays a factor of two, not of six
    assert x.effect_high - x.effect == pytest.approx(ks_band(480, 480, 0.05 / 2 / 3))


def test_weights_of_one_change_nothing():
    assert adjust([0.01, 0.04, 0.03], [1, 1, 1]).tolist() == adjust([0.01, 0.04, 0.03]).tolist()


def test_without_drift_at_most_one_report_in_twenty_alarms_in_the_whole_or_in_any_of_twenty_segments():
    schools = {f"school {i}": 60 for i in range(20)}
    alarms = sum(report_by(sample(2 * seed, schools), sample(2 * seed + 1, schools)).alarm for seed in range(40))
    assert alarms <= 6  # of 40: a twentieth and three standard errors


def test_a_value_that_belongs_to_the_course_counts_as_many_rows_as_there_are_courses():
    schools = {"north": 400}
    (north,) = report_by(sample(1, schools), sample(2, schools)).segments
    found = {column.column: column for column in north.columns}
    assert (found["size"].n_reference, found["size"].independent_reference) == (400, pytest.approx(40))
    assert (found["x"].n_reference, found["x"].independent_reference) == (400, None)


@pytest.mark.parametrize(("groups", "false_alarms"), [(False, range(20, 61)), (True, range(9))])
def test_counting_courses_keeps_false_alarms_rare_where_counting_rows_does_not(groups, false_alarms):
    found = 0
    for seed in range(60):
        frames = [sample(first + seed, {"north": 400}).select("size", "school", "_group") for first in (1_000, 2_000)]
        frames = frames if groups else [frame.drop("_group") for frame in frames]
        found += gather_alone(*frames)
    assert found in false_alarms  # of 60: a twentieth and three standard errors are 8


def gather_alone(before: pl.DataFrame, after: pl.DataFrame) -> bool:
    return report_by(before, after).segments[0].alarm


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

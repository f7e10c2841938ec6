"""Rows of one student tell less than as many students: what they are worth, and that repeats raise no alarm."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift.compare import Findings, compare
from drift.policy import ALARMING
from drift.profile import build_profile
from drift.samples import effective_shares_of
from drift.statistics import EffectiveShare
from preprocessing.schema import DomainSchema, Feature, Target

NAMES = ["own", "half", "free", "kind"]
SCHEMA = DomainSchema(
    name="invented",
    title="",
    features=(
        *(Feature(name=name, kind="numeric") for name in NAMES[:3]),
        Feature(name="kind", kind="categorical", levels=("a", "b", "c")),
    ),
    targets=(Target(name="y"),),
)


def weekly(seed: int, students: int, times: int, *, missing: float = 0.0) -> pl.DataFrame:
    """`students` asked `times` times: `own` and `kind` stay a student's, `half` of the variance does, `free` none."""
    draw = np.random.default_rng(seed)
    who = np.repeat(np.arange(students), times)
    own, half = draw.normal(size=students)[who], draw.normal(size=students)[who]
    lost = (draw.random(students) < missing)[who]
    return pl.DataFrame(
        {
            "own": pl.Series(own).scatter(np.flatnonzero(lost), None),
            "half": np.sqrt(0.5) * half + np.sqrt(0.5) * draw.normal(size=len(who)),
            "free": draw.normal(size=len(who)),
            "kind": draw.choice(["a", "b", "c"], students)[who],
            "_student": [f"{seed} {number}" for number in who],
        }
    )


def test_rows_are_worth_what_their_intraclass_correlation_says():
    found = effective_shares_of(weekly(1, 200, 5), NAMES)
    assert found["own"].values == pytest.approx(1 / 5)
    assert found["kind"].values == pytest.approx(1 / 5)
    assert found["half"].values == pytest.approx(1 / 3, rel=0.2)
    assert found.get("free", EffectiveShare()).values == pytest.approx(1, rel=0.15)


def test_students_who_stand_in_one_row_each_and_rows_of_nobody_count_whole():
    assert effective_shares_of(weekly(1, 50, 1), NAMES) == {}
    assert effective_shares_of(weekly(1, 10, 5).with_columns(_student=pl.lit(None, pl.String)), NAMES) == {}
    assert effective_shares_of(weekly(1, 10, 5).drop("_student"), NAMES) == {}


def test_a_few_students_asked_often_are_as_few():
    found = effective_shares_of(weekly(1, 6, 50), NAMES)
    assert all(found[name].values == pytest.approx(1 / 50) for name in NAMES)


def test_a_sample_of_the_rows_is_worth_what_all_of_them_are():
    whole = weekly(1, 400, 12)
    part = whole.sample(fraction=0.25, seed=2)
    found, known = (effective_shares_of(part, NAMES, share=0.25), effective_shares_of(whole, NAMES))
    for name in ("own", "half", "kind"):
        assert found[name].values == pytest.approx(known[name].values, rel=0.2)


@given(st.integers(1, 40), st.integers(1, 6), st.integers(0, 1_000))
def test_a_row_is_worth_something_and_at_most_one_row_in_any_order(students, times, seed):
    frame = weekly(seed, students, times, missing=0.3)
    found, turned = (
        effective_shares_of(frame, NAMES),
        effective_shares_of(frame.sample(fraction=1.0, shuffle=True, seed=1), NAMES),
    )
    for name in NAMES:
        one, other = found.get(name, EffectiveShare()), turned.get(name, EffectiveShare())
        assert 0 < one.values <= 1
        assert 0 < one.missing <= 1
        assert other == pytest.approx(one)


@pytest.mark.parametrize(
    ("column", "missing", "by_rows"), [("own", 0.0, 20), ("half", 0.0, 5), ("kind", 0.0, 20), ("own", 0.3, 15)]
)
def test_repeated_students_raise_no_alarm_where_counting_rows_raises_many(column, missing, by_rows):
    """Neither by their values nor, where a student's value is always missing, by the missing rate."""
    alarms = {"rows": 0, "students": 0}
    for seed in range(60):
        drawn = [weekly(first + seed, 60, 8, missing=missing) for first in (10_000, 20_000)]
        frames = [frame.select(column, "_student") for frame in drawn]
        profiles = [build_profile(frame, SCHEMA, columns=[column]) for frame in frames]
        effective = effective_shares_of(frames[0], [column]), effective_shares_of(frames[1], [column])
        for counted, findings in (("rows", Findings()), ("students", Findings(effective=effective))):
            report = compare(*profiles, rows=findings)
            alarms[counted] += report.column(column).missing.verdict in ALARMING if missing else report.alarm
    assert alarms["rows"] > by_rows
    assert alarms["students"] <= 8  # of 60: a twentieth and three standard errors


def test_a_real_change_among_repeated_students_is_still_found_and_the_report_says_what_rows_are_worth():
    before, after = weekly(1, 300, 4), weekly(2, 300, 4).with_columns(own=pl.col("own") + 1.0)
    profiles = [build_profile(frame, SCHEMA, columns=NAMES) for frame in (before, after)]
    report = compare(
        *profiles, rows=Findings(effective=(effective_shares_of(before, NAMES), effective_shares_of(after, NAMES)))
    )
    own = report.column("own")
    assert own.verdict == "drift"
    assert (own.n_current, own.independent_current) == (1_200, pytest.approx(300))
    assert "1,200 rows as 300 against 1,200 as 300" in report.summary

"""Telling rows apart: what no single column shows is found, and nothing is found where there is nothing."""

import numpy as np
import polars as pl
import pytest

from drift.classifier_test import FEWEST_A_SIDE, run_classifier_test
from drift.compare import Findings, compare
from drift.policy import DriftPolicy
from drift.profile import build_profile
from drift.records import DriftReport


def correlated(rho: float, rows: int, seed: int, columns: int = 4) -> pl.DataFrame:
    """Normal columns, of which x0 and x1 go together by `rho`; each column alone is the same for every rho."""
    z = np.random.default_rng(seed).normal(size=(rows, columns))
    z[:, 1] = rho * z[:, 0] + np.sqrt(1 - rho**2) * z[:, 1]
    return pl.DataFrame({f"x{i}": z[:, i] for i in range(columns)})


@pytest.fixture(scope="module")
def four(make_schema):
    return make_schema([f"x{i}" for i in range(4)])


def test_a_flipped_correlation_is_found_named_and_alarms_though_no_column_changed(four):
    before, after = correlated(0.6, 500, 1), correlated(-0.6, 400, 2)
    profiles = build_profile(before, four), build_profile(after, four)
    assert not compare(*profiles, schema=four).alarm
    found = run_classifier_test(before, after, four)
    assert found.auc_low > 0.6
    assert {one.column for one in found.columns} == {"x0", "x1"}
    report = compare(*profiles, schema=four, rows=Findings(classifier=found))
    assert report.alarm
    assert report.joint.verdict == "drift"
    assert set(report.joint.hidden) == {"x0", "x1"}
    assert "though not surely by themselves" in report.summary
    assert DriftReport.from_document(report.to_document()) == report


def test_without_drift_it_alarms_no_more_often_than_promised(four):
    runs = 40
    p_values = [
        run_classifier_test(correlated(0.5, 120, s), correlated(0.5, 90, 10_000 + s), four).p_value for s in range(runs)
    ]
    allowed = 0.05 * runs + 3 * np.sqrt(runs * 0.05 * 0.95)
    assert sum(p <= 0.05 for p in p_values) <= allowed
    assert 0.35 < np.mean(p_values) < 0.65


def test_classes_that_differ_by_themselves_are_no_drift_when_the_classes_are_named(four):
    def classes(seed: int) -> tuple[pl.DataFrame, np.ndarray]:
        generator = np.random.default_rng(seed)
        label = np.repeat(np.arange(16), 15)
        values = generator.normal(size=(240, 4)) + 1.5 * generator.normal(size=(16, 4))[label]
        return pl.DataFrame({f"x{i}": values[:, i] for i in range(4)}), label + 1000 * seed

    fooled = sober = 0
    for run in range(6):
        (before, old), (after, new) = classes(2 * run + 1), classes(2 * run + 2)
        fooled += run_classifier_test(before, after, four).p_value <= 0.01
        grouped = run_classifier_test(before, after, four, groups=(old, new))
        assert (grouped.unit, grouped.clusters) == ("groups", 32)
        sober += grouped.p_value <= 0.01
    assert fooled >= 5  # by rows, every sample of other classes looks like another population
    assert sober <= 1


def test_levels_and_missing_values_tell_apart_too(make_schema):
    schema = make_schema(["x"], ["level"])
    generator = np.random.default_rng(5)

    def sample(both: bool) -> pl.DataFrame:
        level = generator.choice(["a", "b", None], 300)
        missing = (level == "a") if both else (level == "b")
        values = np.where(missing, np.nan, generator.normal(size=300))
        return pl.DataFrame({"level": level.tolist(), "x": values}).with_columns(pl.col("x").fill_nan(None))

    found = run_classifier_test(sample(True), sample(False), schema)
    assert found.auc_low > 0.6
    assert {one.column for one in found.columns} == {"x", "level"}


def test_the_same_frames_and_seed_give_the_same_answer_and_more_columns_than_asked_are_left(four):
    before, after = correlated(0.6, 200, 1), correlated(-0.6, 200, 2)
    assert run_classifier_test(before, after, four, seed=3) == run_classifier_test(before, after, four, seed=3)
    alone = run_classifier_test(before, after, four, columns=["x0"])
    assert alone.auc_low < 0.5 < alone.auc_high


def test_a_column_without_a_value_in_common_does_not_hide_the_others(make_schema):
    schema = make_schema([f"x{i}" for i in range(4)], ["school"])
    before = correlated(0.6, 300, 1).with_columns(pl.lit("GP").alias("school"))
    after = correlated(-0.6, 300, 2).with_columns(pl.lit("MS").alias("school"))
    found = run_classifier_test(before, after, schema)
    assert found.left_out == ("school",)
    assert {one.column for one in found.columns} == {"x0", "x1"}
    assert found.auc < 0.9


def test_too_few_rows_or_no_column_in_common_are_no_answer(four):
    rows = correlated(0.5, FEWEST_A_SIDE, 1)
    assert run_classifier_test(rows, rows.head(FEWEST_A_SIDE - 1), four) is None
    assert run_classifier_test(rows.select("x0"), rows.select("x1"), four) is None
    assert run_classifier_test(rows, correlated(0.5, FEWEST_A_SIDE, 2), four) is not None


def test_constant_columns_cannot_be_told_apart(make_schema):
    schema = make_schema(["x"])
    same = pl.DataFrame({"x": [1.0] * 80})
    found = run_classifier_test(same, same, schema)
    assert (found.auc, found.p_value) == (0.5, 1.0)


def test_a_policy_may_ask_for_a_clearer_separation(four):
    before, after = correlated(0.3, 300, 1), correlated(-0.3, 300, 2)
    profiles, findings = (
        (build_profile(before, four), build_profile(after, four)),
        Findings(classifier=run_classifier_test(before, after, four)),
    )
    report = compare(*profiles, policy=DriftPolicy(auc_threshold=0.9), schema=four, rows=findings)
    assert report.joint.verdict == "ok"
    with pytest.raises(ValueError, match="auc_threshold"):
        DriftPolicy(auc_threshold=0.4)

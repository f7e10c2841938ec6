"""Does it matter: severity, the move of the mean answer, the error to be expected, and what the report says first."""

import numpy as np
import polars as pl
import pytest
from scipy import stats

from drift.compare import Findings, compare
from drift.impact import ASSUMPTION, ExpectedError
from drift.profile import build_profile


@pytest.fixture(scope="module")
def samples(make_schema):
    schema = make_schema(["small", "large", "steady"])
    generator = np.random.default_rng(0)

    def sample(small: float, large: float, answer: float, rows: int) -> pl.DataFrame:
        columns = {"small": small, "large": large, "steady": 0.0, "_prediction:y": answer}
        return pl.DataFrame({name: generator.normal(by, size=rows) for name, by in columns.items()})

    return schema, sample(0, 0, 12, 900), sample(0.6, 1.5, 11, 700)


def expected(change: float, half: float) -> ExpectedError:
    return ExpectedError(
        target="y", unit="points", n_reference=900, n_current=700, before=1.0, before_low=0.9, before_high=1.1,
        after=1.0 + change, after_low=1.0, after_high=2.0, change=change, change_low=change - half,
        change_high=change + half,
    )  # fmt: skip


def test_the_column_that_can_cost_most_stands_first_not_the_one_that_moved_most(samples):
    schema, before, after = samples
    profiles = build_profile(before, schema), build_profile(after, schema)
    by_effect = compare(*profiles, schema=schema)
    assert [c.column for c in by_effect.columns if c.column in ("small", "large")] == ["large", "small"]
    priced = compare(*profiles, schema=schema, rows=Findings(importance={"small": 2.0, "large": 0.1, "steady": 3.0}))
    small, large = priced.column("small"), priced.column("large")
    assert [c.column for c in priced.columns][:2] == ["small", "large"]
    assert small.severity == pytest.approx(small.effect * 2.0)
    assert small.severity_low == pytest.approx(small.effect_low * 2.0)
    assert small.severity_low < small.severity < small.severity_high
    assert large.severity < small.severity
    assert [c.column for c in priced.columns][-1] == "steady"


def test_the_mean_moves_as_welch_says(samples):
    schema, before, after = samples
    report = compare(build_profile(before, schema), build_profile(after, schema))
    found = report.column("large")
    truth = stats.ttest_ind(after["large"], before["large"], equal_var=False).confidence_interval(0.95)
    shown = sum(column.significant for column in report.columns)
    wider = stats.norm.isf(0.025 * shown / report.tests) / stats.norm.isf(0.025)
    assert found.mean_change_high - found.mean_change_low == pytest.approx((truth.high - truth.low) * wider)
    assert found.mean_current - found.mean_reference == pytest.approx(after["large"].mean() - before["large"].mean())
    assert found.wasserstein_deviations == pytest.approx(found.wasserstein / before["large"].std())
    assert (found.lowest_current, found.highest_current) == (after["large"].min(), after["large"].max())


def test_the_summary_says_what_changed_then_what_it_likely_costs(samples):
    schema, before, after = samples
    findings = Findings(expected=expected(0.4, 0.1))
    told = compare(build_profile(before, schema), build_profile(after, schema), schema=schema, rows=findings).summary
    places = [told.index(part) for part in ("Drift in 3 of 4", "The mean answer for y fell from 12 to 11", "to rise")]
    assert places == sorted(places)
    assert ASSUMPTION in told


def test_a_handful_of_rows_is_told_as_too_few_not_as_unchanged(samples):
    schema, before, _ = samples
    report = compare(build_profile(before, schema), build_profile(before.head(2), schema), schema=schema)
    assert {column.verdict for column in report.columns} == {"undecided"}
    assert report.summary.startswith("Too few rows to tell whether anything changed (2 rows against")
    assert "No drift" not in report.summary


def test_an_estimate_that_may_be_nothing_is_said_to_be_open(samples):
    schema, before, after = samples
    findings = Findings(expected=expected(0.05, 0.1))
    told = compare(build_profile(before, schema), build_profile(after, schema), schema=schema, rows=findings).summary
    assert "Whether the mean error for y changes is open" in told
    assert "expected to" not in told


def test_means_of_infinite_or_enormous_values_are_left_out(make_schema):
    schema = make_schema(["x"])
    for values in ([1.0, float("inf")], [1e300, -1e300]):
        current = build_profile(pl.DataFrame({"x": [*values, 2.0]}), schema)
        report = compare(build_profile(pl.DataFrame({"x": [1.0, 2.0, 3.0, 4.0]}), schema), current)
        assert report.column("x").mean_current is None


def test_a_stored_report_of_the_first_version_can_still_be_read(samples):
    from drift.records import DriftReport

    schema, before, after = samples
    document = compare(build_profile(before, schema), build_profile(after, schema)).to_document()
    old = {key: value for key, value in document.items() if key not in ("joint", "expected")} | {"schema_version": 1}
    assert DriftReport.from_document(old).schema_version == 1
    with pytest.raises(ValueError, match="version 3"):
        DriftReport.from_document(document | {"schema_version": 3})

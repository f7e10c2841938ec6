"""A corrected verdict and the interval that stands beside it say the same, whatever the samples and the policy."""

import re

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from drift.column import PREDICTION
from drift.compare import Findings, compare
from drift.policy import ALARMING, DriftPolicy
from drift.profile import build_profile
from drift.records import ColumnDrift, DriftReport
from drift.render import render_table
from drift.sentences import describe, describe_answers, describe_joint, effect_of
from monitoring.row_findings import part_rows
from tests.drift.conftest import schema_of

POLICIES = st.builds(
    DriftPolicy, q=st.sampled_from([0.01, 0.05, 0.2]), level=st.sampled_from([0.8, 0.95]), together=st.integers(1, 3)
)
SCHEMA = schema_of([f"x{place}" for place in range(6)], ["c"])


def sample(draw: np.random.Generator, size: int, shift: float) -> pl.DataFrame:
    """Columns of which each moved more than the one before, some values of it missing."""
    columns: dict[str, object] = {}
    for place in range(6):
        values = draw.normal(shift * place, 1.0, size)
        values[draw.random(size) < 0.1 + shift * place / 10] = np.nan
        columns[f"x{place}"] = values
    columns["c"] = draw.choice(["a", "b", "c"], size, p=[0.5 - shift / 3, 0.3, 0.2 + shift / 3])
    columns[f"{PREDICTION}y"] = draw.normal(shift, 1.0, size)
    return pl.DataFrame(columns).fill_nan(None).with_columns(_student=pl.lit(None), _group=pl.lit(None), _period=None)


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(12, 500), st.sampled_from([0.0, 0.03, 0.1, 0.4]), POLICIES)
def test_no_verdict_contradicts_the_interval_beside_it(seed: int, size: int, shift: float, policy: DriftPolicy) -> None:
    draw = np.random.default_rng(seed)
    frames = sample(draw, size, 0.0), sample(draw, size + 7, shift)
    parted = Findings(classifier=part_rows(*frames, SCHEMA))
    report = compare(*(build_profile(one, SCHEMA) for one in frames), policy=policy, rows=parted)
    for column in report.columns:
        agrees(column, policy)
    agrees_jointly(report)
    table = render_table(report).columns[2]
    assert not any("(0.00" in str(cell) and c.significant for cell, c in zip(table.cells, report.columns, strict=True))


def agrees(column: ColumnDrift, policy: DriftPolicy) -> None:
    said, lost = describe(column), column.missing
    assert column.significant == (column.p_adjusted is not None and column.p_adjusted <= policy.q)
    assert column.significant or column.effect_low == 0
    assert (lost.p_adjusted or 0.0) <= policy.q or lost.effect_low == 0
    assert column.verdict != "drift" or column.effect_low > column.threshold
    assert column.verdict != "ok" or column.effect_high < column.threshold
    assert column.verdict not in ALARMING or column.significant
    if "may or may not" in said or "no sign" in said:
        assert column.effect_low == 0
        assert not column.significant
    ends = [float(end) for end in re.findall(r"[0-9.]+", effect_of(column))]
    assert not column.significant or ends[0] > 0
    assert column.verdict != "ok" or ends[-1] < column.threshold
    assert column.verdict != "drift" or ends[0] > column.threshold
    change, low, high = describe_answers(column), column.mean_change_low, column.mean_change_high
    if low is None or high is None:
        return
    assert column.significant or low <= 0 <= high
    if re.search(r"\b(rose|fell)\b", change):
        assert not low <= 0 <= high


def agrees_jointly(report: DriftReport) -> None:
    if report.joint is None:
        return
    said, found = describe_joint(report.joint), report.joint.classifier
    shown = report.joint.p_adjusted <= report.policy.q
    assert shown or found.auc_low <= 0.5
    assert "can be told from earlier ones, in" not in said or shown
    if "is open" in said or "no sign" in said:
        assert not shown or found.auc_high >= report.joint.threshold

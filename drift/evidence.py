"""What the tests say about one column, before anything is corrected or decided.

First the values are measured, and are needed no more; then tests conclude from that and from how much rows count.
Verdicts need all columns together and a policy; they are made in `drift.verdicts`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from drift.answers import class_changes
from drift.buckets import BucketedColumn, Moments, Part, thinned
from drift.column import CategoricalColumn, Column
from drift.effective_size import EACH_ROW, EffectiveShare
from drift.moments import mean_change, moments
from drift.profile import PREDICTION
from drift.statistics import MEASURES, TESTS, TestResult, informed, range_of
from drift.summaries import Kind, nothing_of
from drift.univariate import side_by_side

Pair = tuple[EffectiveShare, EffectiveShare]
NONE = TestResult(0.0, 0.0, 1.0, 1.0, 0.0)


class Measured(NamedTuple):
    """One column of both samples, measured.

    test: what its test needs; None where a sample holds no value. constant: one value, the same on both sides.

    moments: of numbers. levels: both summaries of a categorical column. drawn: the current summary, or what stands for
    it in a plot.
    """

    name: str
    kind: Kind
    rows: tuple[int, int]
    missing: tuple[int, int]
    test: Any = None
    facts: Mapping[str, Any] = {}
    constant: bool = False
    moments: tuple[Moments | None, Moments | None] = (None, None)
    levels: tuple[CategoricalColumn, CategoricalColumn] | None = None
    drawn: Column | None = None


class Evidence(NamedTuple):
    """What the tests say about one column before correction.

    effective: what a row of each sample is worth in independent rows; all tests count those. lost: the test of the
    missing rates, None where nothing is missing or a sample has no rows at all.
    """

    name: str
    kind: Kind
    test: Literal["ks", "chi-square", "none"]
    rows: tuple[int, int]
    missing: tuple[int, int]
    outcome: TestResult
    lost: TestResult | None
    constant: bool
    facts: Mapping[str, Any]
    effective: Pair = (EACH_ROW, EACH_ROW)

    @property
    def independent(self) -> tuple[float, float]:
        """Independent rows that the rows with a value are worth, at least 1."""
        before, after = (
            max(1.0, rows * effective.values) for rows, effective in zip(self.rows, self.effective, strict=True)
        )
        return before, after


def measure(name: str, reference: Column, current: Column | BucketedColumn) -> Measured:
    """What is needed of one column; both summaries are of one kind."""
    rows, missing = (reference.present, current.present), (reference.missing, current.missing)
    if isinstance(reference, CategoricalColumn) and isinstance(current, CategoricalColumn):
        changes = next(one for one in MEASURES if one.name == "levels").measure(reference, current)
        if not all(rows):
            return Measured(name, "categorical", rows, missing, facts=changes, drawn=current)
        facts = informed("categorical", reference, current)
        found = TESTS["categorical"].measure(reference, current)
        constant = len({*reference.levels, *current.levels}) == 1
        return Measured(
            name, "categorical", rows, missing, found, facts, constant, levels=(reference, current), drawn=current
        )
    assert not isinstance(reference, CategoricalColumn)  # noqa: S101 (callers check the kinds)
    assert not isinstance(current, CategoricalColumn)  # noqa: S101
    if not all(rows):
        return Measured(name, "numeric", rows, missing, drawn=nothing_of("numeric"))
    before, after = side_by_side(reference, current)
    found, facts = TESTS["numeric"].measure(before, after), informed("numeric", before, after)
    constant = len({*range_of(before), *range_of(after)}) == 1
    both, drawn = (moments(before), moments(after)), thinned(after) if isinstance(after, Part) else after
    return Measured(name, "numeric", rows, missing, found, facts, constant, both, drawn=drawn)


def conclude(column: Measured, effective: Pair = (EACH_ROW, EACH_ROW)) -> Evidence:
    """All that the tests say about one measured column. effective: of a row of each sample in independent rows."""
    facts, outcome = dict(column.facts), NONE
    if column.test is not None:
        weights = (effective[0].values, effective[1].values)
        outcome = TESTS[column.kind].conclude(column.test, column.rows, weights)
        facts |= {**outcome.facts, **_changes(column, effective)}
    test: Any = "none" if column.test is None else TESTS[column.kind].name
    lost = _missing(column, effective)
    return Evidence(
        column.name, column.kind, test, column.rows, column.missing, outcome, lost, column.constant, facts, effective
    )


def _changes(column: Measured, effective: Pair) -> dict[str, Any]:
    """What moved, with an interval that knows how much rows count: the mean of numbers, the classes of answers."""
    if column.levels:
        return {"classes": class_changes(*column.levels, effective)} if column.name.startswith(PREDICTION) else {}
    change = mean_change(*column.moments, (effective[0].values, effective[1].values))
    if change is None:
        return {}
    found = {"mean_reference": change.before, "mean_current": change.after, "deviation_reference": change.deviation}
    found |= {"mean_change_low": change.low, "mean_change_high": change.high}
    distance = column.facts.get("wasserstein")
    if change.deviation and distance is not None:
        found["wasserstein_deviations"] = distance / change.deviation
    return found


def _missing(column: Measured, effective: Pair) -> TestResult | None:
    rows = (column.rows[0] + column.missing[0], column.rows[1] + column.missing[1])
    if not any(column.missing) or not all(rows):
        return None
    return TESTS["missing"].conclude(column.missing, rows, (effective[0].missing, effective[1].missing))

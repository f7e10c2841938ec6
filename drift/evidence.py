"""What the tests say about one column, before anything is corrected or decided.

Verdicts need all columns together and a policy; they are made in `drift.report`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import msgspec
import numpy as np

from drift.answers import class_changes
from drift.column import BinnedColumn, CategoricalColumn, Column, NumericColumn, just_below
from drift.effective_size import WHOLE, Worth
from drift.moments import mean_change
from drift.profile import PREDICTION, Kind
from drift.univariate import Divergence, ks_distance, ks_p_value, level_divergence, level_test, number_divergence

Pair = tuple[Worth, Worth]

NAMED_LEVELS = 50  # new, vanished or pooled levels that a report names; all are counted


class LevelCount(msgspec.Struct, frozen=True):
    """A level and in how many rows it occurred."""

    level: str
    rows: int


class Evidence(NamedTuple):
    """What the tests say about one column before correction. p_high, p_low: for the smallest and largest D possible.

    worth: what a row of each sample is worth in independent rows; all tests count those.
    """

    name: str
    kind: Kind
    test: Literal["ks", "chi-square", "none"]
    rows: tuple[int, int]
    missing: tuple[int, int]
    statistic: float = 0.0
    statistic_high: float = 0.0
    p_high: float = 1.0
    p_low: float = 1.0
    effect: float = 0.0
    freedom: int = 0
    constant: bool = False
    divergence: Divergence | None = None
    facts: Mapping[str, Any] = {}
    worth: Pair = (WHOLE, WHOLE)

    @property
    def independent(self) -> tuple[float, float]:
        """Independent rows that the rows with a value are worth, at least 1."""
        before, after = (max(1.0, rows * worth.values) for rows, worth in zip(self.rows, self.worth, strict=True))
        return before, after


def gather(
    name: str, reference: Column, current: Column, sharper: NumericColumn | None = None, worth: Pair = (WHOLE, WHOLE)
) -> Evidence:
    """All that the tests say about one column; both summaries are of one kind.

    sharper: gives the distance where `current` is known only on a grid (`drift.univariate.narrowed`). worth: what a row
    of each sample is worth in independent rows.
    """
    if isinstance(reference, CategoricalColumn) and isinstance(current, CategoricalColumn):
        return _gather_levels(name, reference, current, worth)
    assert not isinstance(reference, CategoricalColumn)  # noqa: S101 (callers check the kinds)
    assert not isinstance(current, CategoricalColumn)  # noqa: S101
    return _gather_numbers(name, reference, current, sharper, worth)


def _gather_levels(name: str, reference: CategoricalColumn, current: CategoricalColumn, worth: Pair) -> Evidence:
    rows, missing = (reference.present, current.present), (reference.missing, current.missing)
    levels = _level_changes(reference, current)
    if not all(rows):
        return Evidence(name, "categorical", "none", rows, missing, facts=levels, worth=worth)
    result = level_test(reference, current, (worth[0].values, worth[1].values))
    constant = len({*reference.levels, *current.levels}) == 1
    facts = levels | {"where": result.where, "share_reference": result.reference, "share_current": result.current}
    facts |= {"pooled_levels": result.pooled[:NAMED_LEVELS], "pooled_level_count": len(result.pooled)}
    if name.startswith(PREDICTION):
        facts["classes"] = class_changes(reference, current, worth)
    facts |= {"middle_reference": _commonest(reference), "middle_current": _commonest(current)}
    return Evidence(
        name,
        "categorical",
        "chi-square",
        rows,
        missing,
        statistic=result.statistic,
        statistic_high=result.statistic,
        p_high=result.p_value,
        p_low=result.p_value,
        effect=result.effect,
        freedom=result.freedom,
        constant=constant,
        divergence=level_divergence(reference, current),
        facts=facts,
        worth=worth,
    )


def _commonest(column: CategoricalColumn) -> str:
    return column.levels[int(column.counts.argmax())]


def _level_changes(reference: CategoricalColumn, current: CategoricalColumn) -> dict[str, Any]:
    new, vanished = _only_in(current, reference), _only_in(reference, current)
    named = {"new_levels": new[:NAMED_LEVELS], "vanished_levels": vanished[:NAMED_LEVELS]}
    return named | {"new_level_count": len(new), "vanished_level_count": len(vanished)}


def _only_in(column: CategoricalColumn, other: CategoricalColumn) -> tuple[LevelCount, ...]:
    known = set(other.levels)
    counted = zip(column.levels, column.counts.tolist(), strict=True)
    extra = [LevelCount(level, count) for level, count in counted if level not in known]
    return tuple(sorted(extra, key=lambda item: (-item.rows, item.level)))


def _gather_numbers(
    name: str,
    reference: NumericColumn | BinnedColumn,
    current: NumericColumn | BinnedColumn,
    sharper: NumericColumn | None,
    worth: Pair,
) -> Evidence:
    rows, missing = (reference.present, current.present), (reference.missing, current.missing)
    nothing = Evidence(name, "numeric", "none", rows, missing, worth=worth)
    if not all(rows):
        return nothing
    distance = ks_distance(reference, sharper or current)
    p_high = ks_p_value(distance.low, *nothing.independent)
    facts = {
        "where": _finite(distance.where),
        "share_reference": distance.reference,
        "share_current": distance.current,
        "middle_reference": _median(reference),
        "middle_current": _median(current),
        "outside_range": _outside(reference, current),
        **_ranges(reference, current),
        **_means(reference, current, worth),
    }
    return nothing._replace(
        test="ks",
        statistic=distance.low,
        statistic_high=distance.high,
        p_high=p_high,
        p_low=p_high if distance.low == distance.high else ks_p_value(distance.high, *nothing.independent),
        effect=distance.low,
        constant=_range(reference) == _range(current) and _range(current)[0] == _range(current)[1],
        divergence=number_divergence(reference, current),
        facts=facts,
    )


def _ranges(reference: NumericColumn | BinnedColumn, current: NumericColumn | BinnedColumn) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    for side, column in (("reference", reference), ("current", current)):
        low, high = _range(column)
        found |= {f"lowest_{side}": _finite(low), f"highest_{side}": _finite(high)}
    return found


def _means(
    reference: NumericColumn | BinnedColumn, current: NumericColumn | BinnedColumn, worth: Pair
) -> dict[str, float]:
    change = mean_change(reference, current, (worth[0].values, worth[1].values))
    if change is None:
        return {}
    return {
        "mean_reference": change.before,
        "mean_current": change.after,
        "mean_change_low": change.low,
        "mean_change_high": change.high,
        "deviation_reference": change.deviation,
    }


def _range(column: NumericColumn | BinnedColumn) -> tuple[float, float]:
    if isinstance(column, BinnedColumn):
        return column.low, column.high
    return float(column.values[0]), float(column.values[-1])


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _median(column: NumericColumn | BinnedColumn) -> float | None:
    if isinstance(column, NumericColumn):
        return _finite(float(column.quantiles(np.array([0.5]))[0]))
    middle = np.searchsorted(np.cumsum(column.counts), math.ceil(column.present / 2))
    return _finite(float(column.edges[middle]))


def _outside(reference: NumericColumn | BinnedColumn, current: NumericColumn | BinnedColumn) -> int:
    low, high = _range(reference)
    if isinstance(current, NumericColumn):
        below, within = current.rows_up_to(np.array([just_below(low), high]))
        return int(current.present - (within - below))
    edges, total = current.edges, np.cumsum(current.counts)
    below = np.searchsorted(edges, just_below(low), side="right")
    beyond = np.searchsorted(edges, high, side="left")
    return int(np.append(0, total)[below] + current.present - total[beyond])

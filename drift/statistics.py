"""The statistics of a drift report, each registered once: what it is of, which fields it fills, how it is said.

A test decides (`TESTS`); what else is measured informs (`MEASURES`), and so do means, how far they moved, and what is
drawn of a column. Reports, the page, the table in the reference and the checks that all of them must pass are made from
these two; a new statistic is one more entry here.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from drift.buckets import DRAWN_SHARES, Moments, Numbers
from drift.column import BinnedColumn, CategoricalColumn, Floats, Kind, NumericColumn, just_below
from drift.records import ColumnDrift, Curve, LevelCount
from drift.univariate import (
    Steps,
    chi_square,
    cramers_v_interval,
    jensen_shannon,
    ks_band,
    ks_distance,
    ks_exact_p_value,
    ks_p_value,
    level_cells,
    level_test,
    number_cells,
    psi,
    share_interval,
    steps_of,
    wasserstein,
)

LEVEL = 0.95  # of the intervals beside what only informs
NAMED_LEVELS = 50  # new, vanished or pooled levels that a report names; all are counted
CURVE_BINS = 12  # at most, and as many levels: more cannot be told apart on a phone
ROUND_WIDTHS = (1.0, 2.0, 2.5, 5.0)  # times a power of ten
ASKED_WHOLE = 4_096  # distinct values; of more it is not asked whether they are whole
FARTHEST, NEAREST = 1e150, 1e-290  # beyond and between which steps between values would overflow
MOST_DECIMALS = 300  # that doubles can be rounded to
Weights = tuple[float, float]
"""What a row of the reference and of the current sample counts as in independent rows."""


class EffectiveShare(NamedTuple):
    """What a row is worth in independent rows, above 0 up to 1: for a column's values, and for its missing rate."""

    values: float = 1.0
    missing: float = 1.0


EACH_ROW = EffectiveShare()
EffectiveShares = Mapping[str, EffectiveShare]


Needs = Callable[[Any, Any], tuple[Any, ...]]
"""Makes of two summaries what a statistic needs of them, once for all statistics that need the same."""


def as_they_are(reference: Any, current: Any) -> tuple[Any, Any]:
    """Both summaries, of which nothing is made."""
    return reference, current


class TestResult(NamedTuple):
    """What a test says of two samples. p_high, p_low: for the smallest and the largest statistic possible."""

    statistic: float
    statistic_high: float
    p_high: float
    p_low: float
    effect: float
    freedom: int = 0
    facts: Mapping[str, Any] = {}


class Test(NamedTuple):
    """A test that decides about one kind of column, or about its missing values.

    measure: of two summaries that hold values, or of what `needs` makes of them, as a `Measure` has it. conclude: of
    that, the rows of both samples and their weights. interval: of an outcome, independent rows and alpha, where the
    effect lies but for that chance.
    """

    name: str
    of: Kind | str
    measure: Callable[..., Any]
    conclude: Callable[[Any, tuple[int, int], Weights], TestResult]
    interval: Callable[[TestResult, tuple[float, float], float], tuple[float, float]]
    method: str
    effect: str
    interval_method: str
    needs: Needs = as_they_are


class Measure(NamedTuple):
    """A statistic for information: it decides nothing, because it does not say how much chance alone would give.

    fields: of a ColumnDrift that it fills. measure: from what it needs. said: its numbers in a few words; empty where
    there are none. symmetric: whether exchanging the samples leaves it as it is.
    """

    name: str
    of: tuple[Kind, ...]
    fields: tuple[str, ...]
    measure: Callable[..., Mapping[str, Any]]
    meaning: str
    said: Callable[[ColumnDrift], str]
    symmetric: bool = False
    needs: Needs = as_they_are


def measured(kind: Kind, reference: Any, current: Any) -> tuple[Any, dict[str, Any]]:
    """Of the summaries of two samples: what their test concludes from, and what all measures of that kind of column
    fill in, and what is drawn of it."""
    test, informing = TESTS[kind], [one for one in MEASURES if kind in one.of]
    wanted = dict.fromkeys([test.needs, *(one.needs for one in informing)])
    needed = {needs: needs(reference, current) for needs in wanted}
    facts = {field: value for one in informing for field, value in one.measure(*needed[one.needs]).items()}
    return test.measure(*needed[test.needs]), {**facts, "curve": curve_of(reference, current)}


# Tests


def _steps(reference: Numbers, current: Numbers) -> tuple[Numbers, Numbers, Steps | None]:
    return reference, current, steps_of(reference, current)


def _ks(distance: Any, rows: tuple[int, int], weights: Weights) -> TestResult:
    independent = [max(1.0, n * weight) for n, weight in zip(rows, weights, strict=True)]
    exact = distance.distinct and weights == (1.0, 1.0)
    p_high = ks_exact_p_value(distance.low, *rows) if exact else ks_p_value(distance.low, *independent)
    p_low = p_high if distance.low == distance.high else ks_p_value(distance.high, *independent)
    shares = {"share_reference": distance.reference, "share_current": distance.current}
    facts = {"where": _finite(distance.where), **shares, "p_method": "exact" if exact else "asymptotic"}
    return TestResult(distance.low, distance.high, p_high, p_low, distance.low, facts=facts)


def _ks_interval(outcome: TestResult, independent: tuple[float, float], alpha: float) -> tuple[float, float]:
    band = ks_band(*independent, alpha)
    return max(0.0, outcome.statistic - band), min(1.0, outcome.statistic_high + band)


def _levels(both: tuple[CategoricalColumn, CategoricalColumn], _: tuple[int, int], weights: Weights) -> TestResult:
    result = level_test(*both, weights)
    facts = {"where": result.where, "share_reference": result.reference, "share_current": result.current}
    facts |= {"p_method": "asymptotic"} if result.freedom else {}
    facts |= {"pooled_levels": result.pooled[:NAMED_LEVELS], "pooled_level_count": len(result.pooled)}
    statistic, p = result.statistic, result.p_value
    return TestResult(statistic, statistic, p, p, result.effect, result.freedom, facts)


def _levels_interval(outcome: TestResult, independent: tuple[float, float], alpha: float) -> tuple[float, float]:
    low, high = cramers_v_interval(outcome.statistic, sum(independent), outcome.freedom, alpha)
    return min(low, outcome.effect), max(high, outcome.effect)


def _lost(reference: Any, current: Any) -> tuple[int, int]:
    return reference.missing, current.missing


def _missing(lost: tuple[int, int], rows: tuple[int, int], weights: Weights) -> TestResult:
    """rows: with a value or without."""
    table = np.array([[n - gone for n, gone in zip(rows, lost, strict=True)], lost]).T
    weighed = table if weights == (1.0, 1.0) else table * np.array(weights)[:, None]
    statistic, p, freedom = chi_square(weighed[:, weighed.sum(axis=0) > 0])
    effect = abs(lost[1] / rows[1] - lost[0] / rows[0])
    counts = {"lost": tuple(n * weight for n, weight in zip(lost, weights, strict=True))}
    return TestResult(statistic, statistic, p, p, effect, freedom, counts)


def _missing_interval(outcome: TestResult, independent: tuple[float, float], alpha: float) -> tuple[float, float]:
    low, high = share_interval(outcome.facts["lost"], independent, alpha)
    return min(low, outcome.effect), max(high, outcome.effect)


TESTS = {
    test.of: test
    for test in (
        Test(
            "ks",
            "numeric",
            ks_distance,
            _ks,
            _ks_interval,
            "two-sample Kolmogorov-Smirnov; p exact up to n*m = 10,000 without ties, else (p_method: asymptotic) from "
            "the one-sample distribution at round(nm/(n+m)) rows",
            "D",
            "D: Dvoretzky-Kiefer-Wolfowitz-Massart",
            needs=_steps,
        ),
        Test(
            "chi-square",
            "categorical",
            as_they_are,
            _levels,
            _levels_interval,
            "chi-square homogeneity on the 2 x k table, levels with fewer than 5 expected rows pooled",
            "Cramér's V, bias-corrected (Bergsma 2013)",
            "V: non-central chi-square",
        ),
        Test(
            "missing",
            "missing",
            _lost,
            _missing,
            _missing_interval,
            "chi-square on present and missing rows, where any are missing",
            "difference of the rates",
            "rates: Newcombe",
        ),
    )
}


# Measures


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _ranges(reference: Numbers, current: Numbers) -> dict[str, Any]:
    (low, high), (lowest, highest) = reference.ends, current.ends
    found = {"lowest_reference": low, "highest_reference": high, "lowest_current": lowest, "highest_current": highest}
    return {name: _finite(value) for name, value in found.items()}


def _outside(reference: Numbers, current: Numbers) -> dict[str, Any]:
    low, high = reference.ends
    if isinstance(current, BinnedColumn):
        high = float(current.edges[np.searchsorted(current.edges, high)])  # all of its bucket may lie within
    below, within = current.rows_up_to(np.array([just_below(low), high]))
    return {"outside_range": int(current.present - (within - below))}


def _median(column: Numbers) -> float | None:
    return _finite(float(column.quantiles(np.array([0.5]))[0]))


def _medians(reference: Numbers, current: Numbers) -> dict[str, Any]:
    return {"middle_reference": _median(reference), "middle_current": _median(current)}


def _commonest(reference: CategoricalColumn, current: CategoricalColumn) -> dict[str, Any]:
    found = [column.levels[int(column.counts.argmax())] for column in (reference, current)]
    return {"middle_reference": found[0], "middle_current": found[1]}


def _level_changes(reference: CategoricalColumn, current: CategoricalColumn) -> dict[str, Any]:
    new, vanished = _only_in(current, reference), _only_in(reference, current)
    named = {"new_levels": new[:NAMED_LEVELS], "vanished_levels": vanished[:NAMED_LEVELS]}
    return named | {"new_level_count": len(new), "vanished_level_count": len(vanished)}


def _only_in(column: CategoricalColumn, other: CategoricalColumn) -> tuple[LevelCount, ...]:
    known = set(other.levels)
    counted = zip(column.levels, column.counts.tolist(), strict=True)
    extra = [LevelCount(level, count) for level, count in counted if level not in known]
    return tuple(sorted(extra, key=lambda item: (-item.rows, item.level)))


def _cells(reference: Any, current: Any) -> tuple[Any]:
    levels = isinstance(reference, CategoricalColumn)
    return (level_cells(reference, current) if levels else number_cells(reference, current),)


def _say(field: str) -> Callable[[ColumnDrift], str]:
    def said(column: ColumnDrift) -> str:
        value = getattr(column, field)
        return "" if value is None else f"{value:.3g}"

    return said


def _say_range(column: ColumnDrift) -> str:
    ends = (column.lowest_reference, column.highest_reference, column.lowest_current, column.highest_current)
    told = [f"{end:.4g}" if end is not None else "?" for end in ends]
    return f"{told[0]}–{told[1]} → {told[2]}–{told[3]}" if ends != (None,) * 4 else ""


def _say_middles(column: ColumnDrift) -> str:
    ends = (column.middle_reference, column.middle_current)
    told = [f"{end:.4g}" if isinstance(end, float) else end or "?" for end in ends]
    return f"{told[0]} → {told[1]}" if ends != (None, None) else ""


def _say_levels(column: ColumnDrift) -> str:
    told = f"{column.new_level_count} new, {column.vanished_level_count} vanished"
    return told if column.new_level_count or column.vanished_level_count else ""


BOTH: tuple[Kind, Kind] = ("numeric", "categorical")
MEASURES = (
    Measure(
        "values",
        ("numeric",),
        ("lowest_reference", "highest_reference", "lowest_current", "highest_current"),
        _ranges,
        "smallest and largest value",
        _say_range,
    ),
    Measure(
        "outside",
        ("numeric",),
        ("outside_range",),
        _outside,
        "rows beyond the reference's smallest and largest value; on a grid, up to its edges",
        _say("outside_range"),
    ),
    Measure("median", ("numeric",), ("middle_reference", "middle_current"), _medians, "the median", _say_middles),
    Measure(
        "commonest",
        ("categorical",),
        ("middle_reference", "middle_current"),
        _commonest,
        "the most frequent level",
        _say_middles,
    ),
    Measure(
        "levels",
        ("categorical",),
        ("new_levels", "new_level_count", "vanished_levels", "vanished_level_count"),
        _level_changes,
        "levels that only one sample has, the most frequent 50 by name",
        _say_levels,
    ),
    Measure(
        "PSI",
        BOTH,
        ("psi",),
        lambda cells: {"psi": psi(cells)},
        "population stability index, over the reference's ten equal shares or the levels",
        _say("psi"),
        needs=_cells,
    ),
    Measure(
        "JS",
        BOTH,
        ("jensen_shannon",),
        lambda cells: {"jensen_shannon": jensen_shannon(cells)},
        "Jensen–Shannon distance, 0 to 1, over the same cells",
        _say("jensen_shannon"),
        needs=_cells,
    ),
    Measure(
        "W",
        ("numeric",),
        ("wasserstein",),
        lambda reference, current, steps: {"wasserstein": wasserstein(reference, current, steps)},
        "Wasserstein distance, in the column's unit; empty on a grid and with infinite values",
        _say("wasserstein"),
        symmetric=True,
        needs=_steps,
    ),
)
METHOD = {
    **{str(of): test.method for of, test in TESTS.items()},
    "correction": "Benjamini-Hochberg over all tests of the report; with segments, half the weight is theirs",
    "intervals": "; ".join([*(test.interval_method for test in TESTS.values()), "Bonferroni"]),
}


class MeanChange(NamedTuple):
    """How far the mean moved, in the column's unit, with the 95 % interval (Welch 1947).

    deviation: the reference's standard deviation.
    """

    before: float
    after: float
    low: float
    high: float
    deviation: float


def mean_change(
    before: Moments | None, after: Moments | None, effective: tuple[float, float] = (1.0, 1.0)
) -> MeanChange | None:
    """How far the mean moved; None where either sample has no moments, or is worth less than two independent rows.

    effective: what a row of each is worth in independent rows.
    """
    from scipy.special import stdtrit

    if before is None or after is None:
        return None
    rows = np.array([before.n * effective[0], after.n * effective[1]])
    if rows.min() < 2:
        return None
    variances = np.array([before.variance, after.variance])
    parts = variances / rows
    error, half = math.sqrt(float(parts.sum())), 0.0
    if error:
        shares = parts / parts.sum()
        freedom = 1 / float((shares**2 / (rows - 1)).sum())
        half = float(stdtrit(freedom, (1 + LEVEL) / 2)) * error
    change = after.mean - before.mean
    return MeanChange(before.mean, after.mean, change - half, change + half, math.sqrt(before.variance))


# Curves


def curve_of(reference: Numbers | CategoricalColumn, current: Numbers | CategoricalColumn) -> Curve:
    """That of two summaries of one kind, which hold values."""
    if isinstance(reference, CategoricalColumn) or isinstance(current, CategoricalColumn):
        assert isinstance(reference, CategoricalColumn)  # noqa: S101 (callers check the kinds)
        assert isinstance(current, CategoricalColumn)  # noqa: S101
        return _of_levels(reference, current)
    (low, high), (now_low, now_high) = _middle(reference), _middle(current)
    whole = _is_whole(reference) and _is_whole(current)
    edges = bin_edges(min(low, now_low), max(high, now_high), whole=whole)
    before, now = (_rows_in(column, edges) for column in (reference, current))
    return Curve(before=before, now=now, edges=tuple(edges.tolist()), whole=whole)


def _of_levels(reference: CategoricalColumn, current: CategoricalColumn) -> Curve:
    shares = {
        level: _rows_of(reference, level) / reference.present + _rows_of(current, level) / current.present
        for level in {*_drawn_levels(reference), *_drawn_levels(current)}
    }
    levels = sorted(shares, key=lambda level: (-shares[level], level))[:CURVE_BINS]
    before, now = (tuple(_rows_of(column, level) for level in levels) for column in (reference, current))
    return Curve(
        before=before,
        now=now,
        levels=tuple(levels),
        words=tuple(levels),
        other_before=reference.present - sum(before),
        other_now=current.present - sum(now),
    )


def _drawn_levels(column: CategoricalColumn) -> list[str]:
    return [column.levels[place] for place in np.argsort(-column.counts, kind="stable")[:CURVE_BINS].tolist()]


def _rows_of(column: CategoricalColumn, level: str) -> int:
    place = bisect_left(column.levels, level)
    there = place < len(column.levels) and column.levels[place] == level
    return int(column.counts[place]) if there else 0


def _middle(column: Numbers) -> list[float]:
    """Where nearly all values lie, within what steps can be made between."""
    ends = column.quantiles(np.array(DRAWN_SHARES)).clip(*column.ends).clip(-FARTHEST, FARTHEST)
    found: list[float] = ends.tolist()
    return found


def _is_whole(column: Numbers) -> bool:
    if not isinstance(column, NumericColumn) or len(column.values) > ASKED_WHOLE:
        return False
    return bool((np.floor(column.values) == column.values).all())


def bin_edges(low: float, high: float, *, whole: bool) -> Floats:
    """Round edges of at most 12 bins that hold the values from `low` to `high`; of whole numbers, each bin as many.

    >>> bin_edges(0.0, 20.0, whole=True).tolist()
    [0.0, 2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 14.0, 16.0, 18.0, 20.0, 22.0]
    >>> bin_edges(0.31, 0.92, whole=False).tolist()
    [0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
    """
    spans = (high - low, 0.0 if whole else abs(low) / CURVE_BINS, 1.0)
    span = next(one for one in spans if one > NEAREST)
    power = math.floor(math.log10(span / CURVE_BINS))
    for scale in range(power, power + 3):
        for step in (round_ * 10.0**scale for round_ in ROUND_WIDTHS):
            if whole and step != math.floor(step):
                continue
            start = math.floor(low / step)
            bins = (math.floor(high / step) + 1 if whole else max(start + 1, math.ceil(high / step))) - start
            if bins <= CURVE_BINS:
                edges = step * np.arange(start, start + bins + 1, dtype=np.float64)
                edges = np.unique(np.round(edges, min(2 - scale, MOST_DECIMALS)))
                return edges if len(edges) > 1 else np.array([low, np.nextafter(low, np.inf)])
    raise AssertionError  # a hundred times the least step is enough for any span


def _rows_in(column: Numbers, edges: Floats) -> tuple[int, ...]:
    """Rows in each bin between `edges`, the outermost open."""
    upto = np.concatenate([[0], column.rows_up_to(just_below(edges[1:-1])), [column.present]])
    return tuple(np.diff(upto).tolist())

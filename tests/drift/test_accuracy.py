"""Every statistic beside SciPy's, on thousands of columns made to be nasty."""

import math

import numpy as np
import pytest
from scipy import stats

from drift.column import CategoricalColumn, count_levels, summarise_numbers
from drift.univariate import (
    chi_square,
    jensen_shannon,
    ks_distance,
    ks_p_value,
    level_cells,
    level_test,
    share_interval,
    survival,
    wasserstein,
)
from drift.verdicts import conclude, measure

ROUNDS = 3_000


def nasty(generator: np.random.Generator) -> np.ndarray:
    """A column of 1 to some thousand values of a random kind: ties, grids, tails, constants, infinities, outliers."""
    size = int(10 ** generator.uniform(0, 3.4))
    kinds = (
        lambda: generator.normal(size=size),
        lambda: generator.integers(0, 21, size).astype(float),
        lambda: generator.integers(0, 200, size) / 10,
        lambda: np.round(generator.normal(60, 15, size), 2),
        lambda: generator.standard_cauchy(size) * 10.0 ** generator.integers(-200, 200),
        lambda: np.full(size, generator.choice([0.0, -0.0, 3.0, 1e300])),
        lambda: np.where(
            generator.random(size) < 0.1, generator.choice([np.inf, -np.inf, 1e300]), generator.random(size)
        ),
        lambda: generator.normal(size=size).astype(np.float32),
        lambda: np.exp(generator.normal(0, 50, size)),
        lambda: generator.choice([-0.0, 0.0, 5e-324, 1.0, 1.0 + 2**-52], size),
    )
    return kinds[generator.integers(len(kinds))]()


def test_ks_equals_scipy_on_nasty_columns():
    generator = np.random.default_rng(2024)
    for _ in range(ROUNDS):
        first, second = nasty(generator), nasty(generator)
        found = ks_distance(summarise_numbers(first), summarise_numbers(second))
        if not round(len(first) * len(second) / (len(first) + len(second))):
            continue  # one row against one, for which SciPy divides by zero
        expected = stats.ks_2samp(first.astype(float), second.astype(float), method="asymp")
        assert found.low == pytest.approx(expected.statistic, abs=1e-12)
        assert ks_p_value(found.low, len(first), len(second)) == pytest.approx(expected.pvalue, abs=1e-12)


def test_the_p_of_small_samples_without_ties_is_exact_and_says_so():
    generator, methods = np.random.default_rng(5), set()
    for _ in range(300):
        sizes = generator.integers(1, 130, 2)
        first, second = (np.round(generator.normal(size=size), generator.choice([2, 12])) for size in sizes)
        found = conclude(measure("x", summarise_numbers(first), summarise_numbers(second)))
        distinct = len({*first, *second}) == len(first) + len(second) and len(first) * len(second) <= 10_000
        method = "exact" if distinct else "asymptotic"
        assert found.facts["p_method"] == method
        methods.add(method)
        if distinct:
            expected = stats.ks_2samp(first, second, method="exact").pvalue
            assert found.outcome.p_high == pytest.approx(expected, rel=1e-12)
    assert methods == {"exact", "asymptotic"}


def test_ks_of_long_columns_equals_scipy():
    generator = np.random.default_rng(11)
    for turn in range(120):
        sizes = generator.integers(4_200, 40_000, 2)
        first, second = generator.normal(size=sizes[0]), generator.normal(0.05 * (turn % 3), size=sizes[1])
        if turn % 6 == 3:
            second += 20  # nothing of one lies among the other
        if turn % 6 == 4:
            first, second = first.round(4), np.concatenate([first, second[:50]]).round(4)
        if turn % 6 == 5:
            first[:40], second[:9] = np.inf, -np.inf
        found = ks_distance(summarise_numbers(first.copy()), summarise_numbers(second.copy()))
        expected = stats.ks_2samp(first, second, method="asymp")
        assert found.low == found.high == pytest.approx(expected.statistic, abs=1e-12)
        below = (np.mean(first <= found.where), np.mean(second <= found.where))
        assert (found.reference, found.current) == pytest.approx(below, abs=1e-12)
        assert abs(below[0] - below[1]) == pytest.approx(found.low, abs=1e-12)


@pytest.mark.parametrize(
    "rows", [1, 2, 7, 100, 140, 141, 1_999, 2_000, 12_345, 100_001, 999_999, 1_000_001, 50_000_000]
)
def test_the_tail_equals_scipys_in_every_region(rows):
    squares = np.concatenate([np.geomspace(1e-3, 2.3, 25), [3.9, 4.1, 17.0, 80.0, 369.0, 371.0]])
    slow = rows > 100_000 and rows <= 1_000_000  # SciPy then takes a second for each
    for square in squares[:-6] if slow else squares:
        distance = math.sqrt(square / rows)
        if distance <= 1 and not (slow and square > 2.2):
            assert survival(rows, distance) == pytest.approx(stats.kstwo.sf(distance, rows), abs=1e-12)


def test_the_tail_keeps_its_relative_precision_where_scipy_sums_every_term():
    for rows, distance in ((2_000, 0.2), (30_000, 0.05), (70_000, 0.009), (300_000, 0.004)):
        assert survival(rows, distance) == pytest.approx(stats.kstwo.sf(distance, rows), rel=1e-11)


def test_chi_square_equals_scipy_on_nasty_tables():
    generator = np.random.default_rng(5)
    for _ in range(ROUNDS):
        levels = int(generator.integers(2, 40))
        table = generator.poisson(10 ** generator.uniform(-1, 4, levels) * generator.uniform(0.5, 2, (2, levels)))
        table = table[:, table.sum(axis=0) > 0]
        if table.shape[1] < 2 or not table.sum(axis=1).all():
            continue
        statistic, p_value, freedom = chi_square(table)
        expected = stats.chi2_contingency(table, correction=False)
        assert statistic == pytest.approx(expected.statistic, rel=1e-12, abs=1e-12)
        assert p_value == pytest.approx(expected.pvalue, abs=1e-12)
        assert freedom == expected.dof


def test_wasserstein_equals_scipy():
    generator = np.random.default_rng(3)
    for _ in range(200):
        first, second = generator.normal(size=200), generator.integers(-3, 4, 150).astype(float)
        found = wasserstein(summarise_numbers(first), summarise_numbers(second))
        assert found == pytest.approx(stats.wasserstein_distance(first, second), rel=1e-12)


def test_wasserstein_of_long_columns_is_close_to_scipys():
    generator = np.random.default_rng(3)
    first, second = generator.normal(size=60_000), generator.normal(0.5, 1.5, size=50_000)
    found = wasserstein(summarise_numbers(first), summarise_numbers(second))
    assert found == pytest.approx(stats.wasserstein_distance(first, second), rel=0.01)


def test_the_divergence_of_levels_is_scipys():
    from scipy.spatial.distance import jensenshannon

    first, second = (level_column({"a": 40, "b": 60}), level_column({"a": 55, "b": 40, "c": 5}))
    assert jensen_shannon(level_cells(first, second)) == pytest.approx(
        jensenshannon([0.4, 0.6, 0], [0.55, 0.4, 0.05], base=2), abs=1e-12
    )


def level_column(counted: dict[str, int]) -> CategoricalColumn:
    return count_levels(counted, 0)


def test_rare_levels_are_tested_together_and_named():
    first = level_column({"a": 500, "b": 400} | {f"rare{i}": 1 for i in range(9)})
    found = level_test(first, level_column({"a": 480, "b": 420, "rare3": 2, "other": 1}))
    assert set(found.pooled) == {*(f"rare{i}" for i in range(9)), "other"}
    assert found.freedom == 2
    assert found.p_value > 0.05


def test_one_row_of_a_new_level_is_no_drift():
    found = level_test(level_column({"a": 600, "b": 400}), level_column({"a": 590, "b": 409, "new": 1}))
    assert found.p_value > 0.05


def test_the_intervals_of_shares_are_newcombes():
    # Newcombe (1998), table II, method 10: 56/70 − 48/80 is 0.0524 to 0.3339; 9/10 − 3/10 is 0.1705 to 0.8090
    assert share_interval((48, 56), (80, 70), 0.05) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    assert share_interval((3, 9), (10, 10), 0.05) == pytest.approx((0.1705, 0.8090), abs=5e-5)

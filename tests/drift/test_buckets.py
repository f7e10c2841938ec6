"""Counting in buckets beside a reference: to the last bit what sorting says, on any values in any order."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift import buckets, column, profile, univariate
from drift.buckets import BucketedColumn, buckets_of, count_beside, count_sorted, moments, printed
from drift.column import NumericColumn, are_marks, count_numbers, prints_of, summarise_numbers
from drift.univariate import ks_distance, side_by_side, wasserstein
from drift.verdicts import conclude, measure

NASTY = st.sampled_from([0.0, -0.0, 1e300, -1e300, math.inf, -math.inf, 5e-324, 1.0, 1.0 + 2**-52, 0.1, 0.3, math.nan])
KINDS = (st.floats(-5, 5), st.floats(allow_nan=True), NASTY, st.integers(-3, 3).map(float), st.floats(0, 1e-9))
samples = st.one_of(st.lists(kind, min_size=1, max_size=50) for kind in (*KINDS, st.one_of(KINDS)))


@pytest.fixture(autouse=True)
def always_in_buckets(monkeypatch):
    for module in (profile, univariate):
        monkeypatch.setattr(module, "SORTED_UP_TO", 0)
    monkeypatch.setattr(univariate, "are_marks", lambda _: False)  # which are counted and never come here
    monkeypatch.setattr(buckets, "FEWEST_BESIDE", 0)
    monkeypatch.setattr(buckets, "PIECE", 16)


def both(reference: list[float], current: list[float], kind: type = np.float64) -> tuple[NumericColumn, BucketedColumn]:
    """The reference, and the current sample beside it, unsorted."""
    before = summarise_numbers(np.array(reference))
    return before, count_beside(buckets_of(before) or buckets.Buckets(0.0, 1.0), typed(current, kind))


def typed(values: list[float], kind: type) -> np.ndarray:
    with np.errstate(over="ignore"):
        return np.array(values).astype(kind)


def plain(column: BucketedColumn) -> NumericColumn:
    return column.exact()


@given(samples, samples, st.sampled_from([np.float64, np.float32]), st.randoms())
def test_neither_order_nor_sorting_changes_anything_that_is_measured(reference, current, kind, lots):
    before, after = both(reference, current, kind)
    shuffled = list(current)
    lots.shuffle(shuffled)
    again, sorted_ = both(reference, shuffled, kind)[1], summarise_numbers(typed(current, kind))
    same = printed(after.buckets, sorted_)
    for other in (again, same):
        assert other.counts.tolist() == after.counts.tolist()
        assert (other.sums, other.prints, other.missing) == (after.sums, after.prints, after.missing)
    found = conclude(measure("x", before, after))
    assert found == conclude(measure("x", before, again)) == conclude(measure("x", before, sorted_))


@given(samples, samples)
def test_every_figure_is_that_of_sorted_values(reference, current):
    before, after = both(reference, current)
    exact = plain(after)
    assert sorted(np.repeat(exact.values, exact.counts)) == sorted(value for value in current if not math.isnan(value))
    if not before.present or not after.present:
        return
    first, second = side_by_side(before, after)
    found, expected = ks_distance(first, second), ks_distance(before, exact)
    assert found._replace(distinct=False) == expected._replace(distinct=False)
    assert second.ends == exact.ends
    middle = np.array([0.5])
    assert second.quantiles(middle) == exact.quantiles(middle)
    points = np.append(before.quantiles(univariate.SHARES), before.values[[0, -1]])
    assert second.rows_up_to(points).tolist() == exact.rows_up_to(points).tolist()


@given(st.lists(st.floats(-50, 50), min_size=8, max_size=60), st.lists(st.floats(-50, 50), min_size=8, max_size=60))
def test_means_spreads_and_wasserstein_are_those_of_the_values(reference, current):
    from scipy import stats

    before, after = both(reference, current)
    if buckets_of(before) is None:
        return
    first, second = side_by_side(before, after)
    width = np.ptp(reference + current)
    found = moments(second)
    assert found is not None
    assert found.mean == pytest.approx(np.mean(current), abs=1e-9 * width)
    assert found.variance == pytest.approx(np.var(current, ddof=1), abs=1e-8 * width**2)
    expected = stats.wasserstein_distance(reference, current)
    assert wasserstein(first, second) == pytest.approx(expected, abs=width / buckets.WITHIN + 1e-12)


MARKS = st.tuples(st.integers(-700, 700), st.sampled_from([1, 2, 10, 100])).map(lambda one: one[0] / one[1])
FAR = st.sampled_from([65_536.0, -65_536.0, 65_537.0, 1e9, math.inf, 1 / 3, -0.0])


@given(st.lists(MARKS, min_size=1, max_size=30), st.lists(FAR, max_size=2), st.randoms())
def test_whether_a_column_is_counted_depends_on_its_values_and_not_on_their_order(marks, others, lots):
    values = [*marks, *others]
    lots.shuffle(values)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(column, "MARKS_FROM", 0)
        patch.setattr(column, "POSSIBLE_MARKS", math.inf)
        patch.setattr(column, "LOOKED_AT", 3)
        counted = count_numbers(np.array(values))
    ordered = summarise_numbers(np.array(values))
    assert (counted is not None) == are_marks(ordered.values)
    if counted is not None:
        assert (counted.values.tolist(), counted.counts.tolist()) == (ordered.values.tolist(), ordered.counts.tolist())


def test_all_mass_in_one_bucket_far_outliers_and_a_far_shift_stay_exact():
    generator = np.random.default_rng(0)
    wide = np.append(generator.normal(size=5_000), [1e300, -1e300, np.inf])
    for current in (
        generator.normal(0, 1e-9, 5_000),
        generator.normal(40, 1, 5_000),
        np.full(5_000, 0.25),
        np.append(generator.normal(0.1, 1, 5_000), [np.nan, -np.inf, 1e308]),
        np.exp(generator.normal(0, 30, 5_000)),
    ):
        before, after = both(wide.tolist(), current.tolist())
        assert ks_distance(*side_by_side(before, after)) == ks_distance(before, plain(after))


@given(samples, samples)
def test_prints_add_and_tell_values_apart(first, second):
    one, two = (summarise_numbers(np.array(values)) for values in (first, second))
    together = summarise_numbers(np.array(first + second))
    prints = [prints_of(column.values, column.repeats) for column in (one, two, together)]
    assert buckets.add_prints(prints[0], prints[1]) == prints[2]
    equal = one.values.tolist() == two.values.tolist() and one.counts.tolist() == two.counts.tolist()
    assert (prints[0] == prints[1]) == equal


def test_a_column_on_both_sides_of_the_middle_is_counted_in_the_outermost_buckets():
    before = summarise_numbers(np.linspace(0, 1, 2_000))
    found = count_sorted(buckets_of(before), summarise_numbers(np.array([-5.0, 0.5, 7.0])))
    assert (found.counts[0], found.counts[-1], found.present) == (1, 1, 3)

"""Laws of the engine, for any columns: ties, infinities, huge and tiny values, missing ones."""

import math
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from drift.column import NumericColumn, bin_numbers, grid_of, merge, summarise_numbers
from drift.compare import compare
from drift.policy import DEFAULT_POLICY, DriftPolicy
from drift.profile import Profile, build_profile
from drift.records import DriftReport, SameSample
from drift.sentences import describe
from drift.univariate import (
    chi_square,
    cramers_v_interval,
    ks_distance,
    ks_p_value,
)
from drift.verdicts import adjust
from tests.drift.conftest import schema_of

ANY = st.floats(allow_nan=False)
MARKS = st.integers(0, 20).map(float)
NASTY = st.sampled_from([0.0, -0.0, 1e300, -1e300, math.inf, -math.inf, 5e-324, 1.0, 1.0 + 2**-52, 0.1, 0.3])
numbers = st.one_of(*(st.lists(kind, min_size=1, max_size=60) for kind in (ANY, MARKS, NASTY)))
levels = st.lists(st.sampled_from(["a", "b", "c", "d", "ä", ""]), min_size=1, max_size=60)

SCHEMA = schema_of(["x", "k"], ["c"])
rows = st.lists(
    st.tuples(st.one_of(st.none(), ANY, MARKS, NASTY, st.just(math.nan)), st.sampled_from(["a", "b", None])),
    max_size=40,
)


def profile_of(sample: list[tuple[float | None, str | None]]) -> Profile:
    shape = {"x": pl.Float64, "c": pl.String}
    return build_profile(pl.DataFrame(sample, schema=shape, orient="row"), SCHEMA)


def column(values: list[float]) -> NumericColumn:
    return summarise_numbers(np.array(values))


def distance(first: list[float], second: list[float]) -> float:
    return ks_distance(column(first), column(second)).low


def brute_force(first: list[float], second: list[float]) -> float:
    """D by its definition, over every value that occurs."""
    a, b = np.array(first), np.array(second)
    return max(abs(float((a <= x).mean()) - float((b <= x).mean())) for x in [*first, *second])


@given(numbers, numbers)
def test_d_is_what_its_definition_says_and_is_reached_where_it_says(first, second):
    found = ks_distance(column(first), column(second))
    assert found.low == found.high == pytest.approx(brute_force(first, second), abs=1e-15)
    assert abs(found.reference - found.current) == pytest.approx(found.low, abs=1e-15)
    assert found.reference == (np.array(first) <= found.where).mean()


@given(numbers, numbers, numbers, st.booleans())
def test_the_certified_interval_contains_d_on_any_grid(grid, first, second, both):
    edges = grid_of(column(grid))
    binned = bin_numbers(column(second), edges)
    found = ks_distance(bin_numbers(column(first), edges) if both else column(first), binned)
    assert found.low - 1e-15 <= brute_force(first, second) <= found.high + 1e-15


@given(rows, rows, rows)
def test_profiles_add_to_the_profile_of_all_rows_in_any_order(a, b, c):
    together = profile_of(a + b + c).to_bytes()
    first, second, third = profile_of(a), profile_of(b), profile_of(c)
    assert ((first + second) + third).to_bytes() == together
    assert (third + (second + first)).to_bytes() == together
    assert replace(Profile.from_bytes(together)).digest == profile_of(c + a + b).digest


@given(numbers, numbers, numbers)
def test_counts_on_a_grid_add_exactly_too(grid, first, second):
    edges = grid_of(column(grid))
    apart = merge(bin_numbers(column(first), edges), column(second))
    together = bin_numbers(column(first + second), edges)
    assert np.array_equal(apart.counts, together.counts)
    assert (apart.low, apart.high) == (together.low, together.high)


@given(rows, st.integers(1, 30))
def test_missing_numbers_change_nothing_but_the_missing_rate(sample, more):
    assume(any(x is not None and not math.isnan(x) for x, _ in sample))
    reference = build_profile(pl.DataFrame({"x": np.arange(30.0)}), SCHEMA)
    values = [x for x, _ in sample]
    plain, sparse = (
        build_profile(pl.DataFrame({"x": pl.Series(v, dtype=pl.Float64)}), SCHEMA)
        for v in (values, values + [math.nan] * more)
    )
    found, again = (compare(reference, profile).column("x") for profile in (plain, sparse))
    assert (found.statistic, found.p_value, found.where) == (again.statistic, again.p_value, again.where)
    assert again.missing.rate_current > found.missing.rate_current


@given(rows, rows)
def test_a_constant_column_changes_only_how_many_tests_are_corrected_for(first, second):
    assume(first and second and sorted(map(repr, first)) != sorted(map(repr, second)))
    frames = [pl.DataFrame(s, schema={"x": pl.Float64, "c": pl.String}, orient="row") for s in (first, second)]
    try:
        plain = compare(*(build_profile(frame, SCHEMA) for frame in frames))
    except SameSample:
        assume(False)
    more = compare(*(build_profile(frame.with_columns(k=pl.lit(7.0)), SCHEMA) for frame in frames))
    assert more.column("k").verdict == "constant"
    assert more.column("k").p_value == 1
    assert more.tests == plain.tests + 1
    for name in ("x", "c"):
        assert (plain.column(name).statistic, plain.column(name).p_value, plain.column(name).effect) == (
            more.column(name).statistic,
            more.column(name).p_value,
            more.column(name).effect,
        )


@given(st.lists(st.floats(0, 1), min_size=1, max_size=50))
def test_adjusted_p_values_are_those_of_scipy(p_values):
    from scipy.stats import false_discovery_control

    assert adjust(p_values) == pytest.approx(false_discovery_control(p_values), abs=1e-15)


@given(rows, rows)
def test_no_sample_leads_to_anything_but_finite_numbers_and_a_verdict(first, second):
    try:
        document = compare(profile_of(first), profile_of(second)).to_document()
    except SameSample:
        return
    stack = [document]
    while stack:
        part = stack.pop()
        stack += part.values() if isinstance(part, dict) else part if isinstance(part, list | tuple) else []
        assert not isinstance(part, float) or math.isfinite(part)
    words = {"drift", "warn", "ok", "undecided", "constant"}
    assert all(column["verdict"] in words and column["missing"]["verdict"] in words for column in document["columns"])


def test_p_is_uniform_without_drift():
    generator = np.random.default_rng(7)
    samples = (generator.normal(size=(2, 1_000)) for _ in range(600))
    p_values = np.sort([ks_p_value(distance(a, b), 1_000, 1_000) for a, b in samples])
    assert distance(p_values, (np.arange(600) + 0.5) / 600) < 1.63 / math.sqrt(600)  # the 1 % bound of one sample


def normals(generator: np.random.Generator, shift: float = 0.0, moved: int = 0, size: int = 1_000) -> pl.DataFrame:
    values = generator.normal(size=(40, size))
    values[:moved] += shift
    return pl.DataFrame({f"x{i:02}": row for i, row in enumerate(values)})


FORTY = schema_of([f"x{i:02}" for i in range(40)])


def alarms(runs: int, shift: float = 0.0, moved: int = 0) -> int:
    generator = np.random.default_rng(11)
    pairs = ((normals(generator), normals(generator, shift, moved)) for _ in range(runs))
    return sum(compare(*(build_profile(frame, FORTY) for frame in pair), policy=DriftPolicy()).alarm for pair in pairs)


def test_at_most_one_alarm_in_twenty_over_400_samples_without_drift():
    assert alarms(400) <= 400 * 0.05 + 3 * math.sqrt(400 * 0.05 * 0.95)


def test_a_shift_of_a_fifth_of_a_deviation_in_four_of_forty_columns_is_found():
    assert alarms(100, shift=0.2, moved=4) >= 95


@pytest.mark.parametrize("rows", [3, 10, 50])
def test_a_few_rows_in_equal_shares_are_undecided_and_not_the_same(rows):
    frame = pl.DataFrame({"c": ["a", "b"] * rows, "x": range(2 * rows)}, schema_overrides={"x": pl.Float64})
    other = frame.with_columns(pl.col("x") + 0.5)
    found = compare(build_profile(frame, SCHEMA), build_profile(other, SCHEMA)).column("c")
    assert found.effect == 0
    assert found.effect_high > found.threshold
    assert found.verdict == "undecided"


@given(st.lists(ANY, max_size=19), st.lists(MARKS, min_size=1, max_size=300), st.booleans())
def test_fewer_than_twenty_rows_raise_no_alarm(few, many, now):
    frames = [pl.DataFrame({"x": sample}, schema={"x": pl.Float64}) for sample in (few, [*many, 1e9])]
    report = compare(*(build_profile(frame, SCHEMA) for frame in (frames[::-1] if now else frames)))
    assert not report.alarm
    assert report.column("x").verdict in ("undecided", "constant", "ok")
    assert "oo few rows" in report.summary or "No verdict" in report.summary


def told_of(effect: float, rows: int, policy: DriftPolicy = DEFAULT_POLICY) -> str:
    """What is said of a column of which the share `effect` of many rows moved up."""
    values = np.arange(rows, dtype=float)
    moved = values + np.where(values < effect * rows, 2.0 * rows, 0.0)
    frames = [pl.DataFrame({"x": sample}) for sample in (values, moved)]
    report = compare(*(build_profile(frame, SCHEMA) for frame in frames), policy=policy)
    return f"{report.column('x').doubt}: {describe(report.column('x'))} {report.summary}"


def test_an_undecided_column_says_whether_rows_are_wanting_or_the_change_is_about_its_limit_or_none_is_seen():
    near = told_of(0.095, 19_064)
    assert near.startswith("at the limit: x changed beyond chance, by 0.08 to 0.11, and 0.1 would matter")
    assert "too few rows" not in near.lower()
    calm = told_of(0.01, 300)
    assert calm.startswith("no sign: x shows no sign of change, at most 0.12")
    assert "No drift found" in calm
    few = told_of(0.01, 60)
    assert few.startswith("few rows: x may or may not have changed (too few rows to tell)")
    assert "Too few rows to tell whether anything changed" in few
    assert told_of(0.01, 800, DriftPolicy(ks_threshold=0.07)).startswith("no sign: ")
    assert told_of(0.04, 800, DriftPolicy(ks_threshold=0.07)).startswith("few rows: ")  # .04 is no half of .07


def test_levels_that_are_all_too_rare_are_not_tested_and_have_no_p():
    before, after = (pl.DataFrame({"c": [f"{side}{i}" for i in range(40)]}) for side in "ab")
    found = compare(build_profile(before, SCHEMA), build_profile(after, SCHEMA))
    column = found.column("c")
    assert (column.verdict, column.doubt, column.p_value, column.p_adjusted) == ("undecided", "untested", None, None)
    assert describe(column).startswith("c was not tested: its levels are too rare")
    assert DriftReport.from_document(found.to_document()) == found


def test_the_interval_of_v_misses_the_truth_as_seldom_as_it_says():
    generator, alpha, rows, difference = np.random.default_rng(5), 0.002, 20, 0.15
    missed = 0
    for _ in range(1000):
        first, second = generator.binomial(rows, (0.5 - difference / 2, 0.5 + difference / 2))
        statistic, _, freedom = chi_square(np.array([[first, rows - first], [second, rows - second]]))
        low, high = cramers_v_interval(statistic, 2 * rows, freedom, alpha)
        missed += not low <= difference <= high
    assert missed <= 10


def test_the_reference_s_own_rows_are_refused_though_the_final_model_says_something_else_of_them():
    frame = pl.DataFrame({"x": np.arange(50.0), "c": ["a", "b"] * 25, "_prediction:y": np.arange(50.0)})
    columns = ["x", "c", "_prediction:y"]
    reference = build_profile(frame, SCHEMA, columns=columns)
    again = build_profile(frame.with_columns(pl.col("_prediction:y") * 0.9), SCHEMA, columns=columns)
    with pytest.raises(SameSample):
        compare(reference, again)


def test_all_intervals_of_a_report_hold_together_missing_rates_included():
    """Ten columns, of which a third of the values is missing, on both sides alike: every true effect is 0."""
    generator, level, runs, missed = np.random.default_rng(5), 0.8, 400, 0
    schema = schema_of([f"x{i}" for i in range(10)])

    def draw() -> Profile:
        values = generator.normal(size=(10, 300))
        values[generator.random(values.shape) < 1 / 3] = np.nan
        return build_profile(pl.DataFrame({f"x{i}": column for i, column in enumerate(values)}), schema)

    for _ in range(runs):
        report = compare(draw(), draw(), policy=DriftPolicy(level=level))
        missed += any(column.effect_low > 0 or column.missing.effect_low > 0 for column in report.columns)
    assert missed / runs <= 1 - level + 3 * math.sqrt(level * (1 - level) / runs)


def test_integers_of_a_narrow_type_are_counted_over_their_whole_range():
    values = np.repeat(np.arange(-128, 128), 3).astype(np.int8)
    found = summarise_numbers(values)
    assert found.values.tolist() == list(range(-128, 128))
    assert set(found.counts.tolist()) == {3}

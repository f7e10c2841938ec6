"""Profiles: what goes in, what bytes come out, and what each kind of bad sample is answered with."""

import contextlib
import math
import os
import subprocess
import sys
from dataclasses import replace

import msgspec
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift.column import BinnedColumn, ProfileError, summarise_numbers
from drift.compare import compare
from drift.policy import ALARMING, DriftPolicy
from drift.profile import Profile, build_profile, profile_frame
from drift.records import NotComparable, SameSample
from tests.drift.conftest import schema_of


@pytest.fixture
def schema(make_schema):
    return make_schema(["x", "z"], ["c"])


def numbers(schema, *values, **others) -> Profile:
    return build_profile(pl.DataFrame({"x": pl.Series(values, dtype=pl.Float64), **others}), schema)


def test_a_profile_counts_values_levels_and_what_is_missing(schema):
    frame = pl.DataFrame(
        {"x": [1.5, None, 1.5, math.nan, -0.0], "c": ["b", None, "a", "b", "b"], "_student": list("abcde")}
    )
    profile = build_profile(frame, schema)
    x, c = profile.columns["x"], profile.columns["c"]
    assert (profile.rows, list(profile.columns)) == (5, ["c", "x"])
    assert (x.values.tolist(), x.counts.tolist(), x.missing) == ([0.0, 1.5], [1, 2], 2)
    assert math.copysign(1, x.values[0]) == 1
    assert (c.levels, c.counts.tolist(), c.missing) == (("a", "b"), [1, 3], 1)


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.int8, np.uint8, np.int64, np.uint64])
def test_the_type_of_a_number_does_not_matter(schema, kind):
    ends = [] if issubclass(kind, np.floating) else [np.iinfo(kind).min, np.iinfo(kind).max]
    values = np.array([3, 1, 120, 1, 0, *ends], dtype=kind)
    assert build_profile(pl.DataFrame({"x": values}), schema) == numbers(schema, *values.astype(float))


def test_codes_that_a_reader_made_floats_are_still_the_same_levels(schema):
    text, floats = pl.DataFrame({"c": ["1", "2", None]}), pl.DataFrame({"c": [1.0, 2.0, None]})
    assert build_profile(text, schema) == build_profile(floats, schema)


def test_predictions_and_errors_are_profiled_with_their_target(school):
    frame = pl.DataFrame({"_prediction:G3": [10.0, 11.0], "_error:G3": [0.5, -1.0], "_prediction:G9": [1.0, 2.0]})
    assert list(build_profile(frame, school).columns) == ["_error:G3", "_prediction:G3"]


def test_other_spellings_of_a_column_are_accepted(school):
    alias = (
        next(alias for feature in school.features for alias in feature.aliases)
        if any(feature.aliases for feature in school.features)
        else "g1"
    )
    assert list(profile_frame(pl.DataFrame({"g1": [1.0]}), school).columns) == ["G1"]
    assert len(profile_frame(pl.DataFrame({alias: ["1"]}), school).columns) == 1


def test_the_same_column_twice_is_refused(school):
    with pytest.raises(ProfileError, match=r"more than once.*'g1'"):
        profile_frame(pl.DataFrame({"g1": [1.0], "G1": [1.0]}), school)


def test_bytes_are_the_same_for_the_same_sample_in_any_process(schema, tmp_path):
    script = (
        "import polars as pl, sys; from drift.profile import build_profile; from preprocessing.schema import *;"
        "s = DomainSchema(name='n', title='', targets=(Target(name='y'),), features=("
        "Feature(name='x', kind='numeric'), Feature(name='c', kind='categorical', open=True)));"
        "f = pl.DataFrame({'x': [2.0, 0.1, 2.0], 'c': ['é', 'b', None]});"
        "sys.stdout.write(build_profile(f, s).to_bytes().hex())"
    )
    runs = {
        subprocess.run(
            [sys.executable, "-c", script], check=True, capture_output=True, env=os.environ | {"PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("1", "2")
    }
    assert len(runs) == 1
    profile = Profile.from_bytes(bytes.fromhex(runs.pop().decode()))
    assert profile.columns["c"].levels == ("b", "é")


def test_a_stored_profile_keeps_its_digest_and_one_of_an_earlier_release_gets_it_again(schema):
    profile = numbers(schema, 0.25, 2, 2, math.nan)
    content = profile.to_bytes()
    start, size = 16, int.from_bytes(content[8:16], "little")
    stored = Profile.from_bytes(content)
    assert vars(stored)["digest"] == profile.digest == replace(stored).digest  # a copy counts it from its columns
    header = msgspec.msgpack.decode(content[start : start + size])
    earlier = msgspec.msgpack.encode(header[:-1])
    rest = content[start + size + -(start + size) % 8 :]
    written = content[:8] + len(earlier).to_bytes(8, "little") + earlier + bytes(-(start + len(earlier)) % 8) + rest
    assert "digest" not in vars(Profile.from_bytes(written))
    assert Profile.from_bytes(written) == profile


def test_a_damaged_foreign_or_newer_profile_is_refused(schema):
    content = numbers(schema, 1, 2, 3).to_bytes()
    for bad, word in ((b"", "no profile"), (b"PK\x03\x04abcdefgh", "no profile"), (content[:-9], "damaged")):
        with pytest.raises(ProfileError, match=word):
            Profile.from_bytes(bad)
    with pytest.raises(ProfileError, match="another version"):
        Profile.from_bytes(content[:7] + b"\x63" + content[8:])


def test_text_among_numbers_is_named(schema):
    with pytest.raises(ProfileError, match=r"column 'x': numeric in the schema, but 2 values are no numbers.*'n/a'"):
        profile_frame(pl.DataFrame({"x": ["1", "n/a", "2.5", "?"]}), schema)
    with pytest.raises(ProfileError, match="'twelve'"):
        profile_frame(pd.DataFrame({"x": [1, "twelve", None, 2.5]}), schema)


def test_an_unknown_or_absent_column_is_named(schema):
    with pytest.raises(ProfileError, match=r"\['q'\] are no features.*\['z'\] are not in the sample"):
        build_profile(pl.DataFrame({"x": [1.0]}), schema, columns=["x", "q", "z"])


def test_profiles_of_two_schemas_or_of_other_columns_do_not_add(schema, make_schema):
    other = make_schema(["x"])
    with pytest.raises(ProfileError, match="two schemas"):
        numbers(schema, 1) + numbers(other, 1)
    with pytest.raises(ProfileError, match=r"\['z'\]"):
        numbers(schema, 1) + numbers(schema, 1, z=[1.0])


def test_columns_counted_on_two_references_do_not_add(schema):
    generator = np.random.default_rng(0)
    first, second, third = (numbers(schema, *generator.normal(size=20_000)) for _ in range(3))
    with pytest.raises(ProfileError, match=r"column 'x'.*two different references"):
        first.on_grid_of(second) + first.on_grid_of(third)


def test_on_a_reference_s_grid_profiles_stay_small_add_and_bound_d(schema):
    generator = np.random.default_rng(0)
    reference, first, second = (numbers(schema, *generator.normal(size=30_000)) for _ in range(3))
    merged = first.on_grid_of(reference) + second.on_grid_of(reference)
    assert merged == (first + second).on_grid_of(reference)
    assert isinstance(merged.columns["x"], BinnedColumn)
    assert not merged.exact
    exact, certified = (compare(reference, current).column("x") for current in (first + second, merged))
    assert certified.statistic <= exact.statistic <= certified.statistic_high
    assert certified.statistic_high - certified.statistic < 3e-4
    assert certified.verdict == exact.verdict == "ok"
    assert replace(Profile.from_bytes(merged.to_bytes())) == merged


def test_a_grid_leaves_the_verdict_open_only_where_the_rows_would_settle_it(schema):
    generator = np.random.default_rng(0)
    reference, current = (
        numbers(schema, *generator.normal(size=30_000)),
        numbers(schema, *generator.normal(0.3, size=30_000)),
    )
    binned = current.on_grid_of(reference)
    interval = compare(reference, binned).column("x")
    between = DriftPolicy(thresholds={"x": (interval.statistic + interval.statistic_high) / 2})
    assert compare(reference, binned, policy=between).column("x").read_rows_again
    clear = compare(reference, binned, policy=DriftPolicy(thresholds={"x": 0.05})).column("x")
    assert (clear.verdict, clear.read_rows_again) == ("drift", False)


def test_marks_stay_exact_on_a_grid_of_marks(schema):
    reference, current = numbers(schema, *range(21)), numbers(schema, *range(5, 18))
    assert current.on_grid_of(reference) == current


# Bad samples: each has a stated verdict or a clear error.


def test_an_empty_sample_decides_nothing(schema):
    report = compare(numbers(schema, 1, 2, 3), numbers(schema))
    assert (report.alarm, report.column("x").verdict) == (False, "undecided")
    assert report.summary == "No verdict: one of the samples is empty (0 rows against 3)."


def test_a_column_that_lost_all_values_alarms_by_its_missing_rate(schema):
    report = compare(numbers(schema, *range(100)), numbers(schema, *[None] * 100))
    found = report.column("x")
    assert (found.verdict, found.missing.verdict, found.alarming) == ("undecided", "drift", True)
    assert "missing in 100% of the rows, 0% before" in report.summary


def test_one_outlier_of_1e300_does_not_blind_the_test(schema):
    generator = np.random.default_rng(0)
    reference = [*generator.normal(size=20_000), 1e300]
    current = generator.normal(0.5, size=20_000)
    plain = compare(numbers(schema, *reference[:-1]), numbers(schema, *current)).column("x")
    for profile in (numbers(schema, *current), numbers(schema, *current).on_grid_of(numbers(schema, *reference))):
        found = compare(numbers(schema, *reference), profile).column("x")
        assert found.statistic == pytest.approx(plain.statistic, abs=5e-4)
        assert found.verdict == "drift"


def test_infinite_values_are_values(schema):
    report = compare(numbers(schema, *range(50), math.inf), numbers(schema, *range(50), -math.inf, -math.inf))
    assert report.column("x").outside_range == 2
    assert compare(numbers(schema, 1, 5, 9), numbers(schema, 0, 1, 9, 10, 11)).column("x").outside_range == 3
    assert report.column("x").wasserstein is None


def test_a_hundred_thousand_levels_are_counted_and_a_few_named(schema):
    many = [f"level {i}" for i in range(100_000)]
    reference = build_profile(pl.DataFrame({"c": ["a"] * 60_000 + ["b"] * 40_000}), schema)
    found = compare(reference, build_profile(pl.DataFrame({"c": many}), schema)).column("c")
    assert (found.verdict, found.new_level_count, len(found.new_levels), found.vanished_level_count) == (
        "drift",
        100_000,
        50,
        2,
    )


def test_new_and_vanished_levels_are_named_with_their_counts(schema):
    before, after = ["a"] * 40 + ["b"] * 10, ["a"] * 40 + ["n"] * 12 + ["m"]
    found = compare(*(build_profile(pl.DataFrame({"c": levels}), schema) for levels in (before, after))).column("c")
    assert [(item.level, item.rows) for item in found.new_levels] == [("n", 12), ("m", 1)]
    assert [(item.level, item.rows) for item in found.vanished_levels] == [("b", 10)]


def test_a_missing_or_extra_column_is_listed_and_the_rest_compared(schema):
    report = compare(numbers(schema, 1, 2, z=[1.0, 2.0]), numbers(schema, 1, 3, c=["a", "b"]))
    assert [item.column for item in report.not_compared] == ["c", "z"]
    assert [item.reason for item in report.not_compared] == ["only in the current sample", "only in the reference"]
    assert [column.column for column in report.columns] == ["x"]


def test_no_column_in_common_is_an_error(schema):
    with pytest.raises(NotComparable, match="no column in common"):
        compare(numbers(schema, 1), build_profile(pl.DataFrame({"z": [1.0]}), schema))


def test_the_reference_itself_is_refused(schema):
    frame = pl.DataFrame({"x": [1.0, 2.0, 3.0], "c": ["a", "b", None]})
    with pytest.raises(SameSample, match="the reference itself"):
        compare(build_profile(frame, schema), build_profile(frame.reverse(), schema))


def test_a_profile_of_another_schema_is_refused(schema, make_schema):
    with pytest.raises(NotComparable, match="'invented'"):
        compare(numbers(schema, 1, 2), numbers(make_schema(["x"]), 1, 3))
    with pytest.raises(NotComparable):
        compare(numbers(schema, 1, 2), numbers(schema, 1, 3), schema=make_schema(["x"]))


def test_thresholds_come_from_the_policy_before_the_schema_before_the_default(schema, make_schema):
    import msgspec

    strict = msgspec.structs.replace(schema.features[0], drift_threshold=0.3)
    declared = msgspec.structs.replace(schema, features=(strict, *schema.features[1:]))
    profiles = numbers(schema, 1, 2), numbers(schema, 1, 3)
    assert compare(*profiles).column("x").threshold == 0.1
    assert compare(*profiles, schema=declared).column("x").threshold == 0.3
    policy = DriftPolicy(thresholds={"x": 0.2})
    assert compare(*profiles, schema=declared, policy=policy).column("x").threshold == 0.2


def test_a_policy_that_makes_no_sense_lists_all_that_is_wrong():
    with pytest.raises(ValueError, match=r"q is 0.*ks_threshold is 2.*x is -1"):
        DriftPolicy(q=0, ks_threshold=2, thresholds={"x": -1})


def test_several_small_changes_alarm_together_and_an_irrelevant_one_never(make_schema):
    generator = np.random.default_rng(4)
    schema = make_schema(["p", "q"])
    policy = DriftPolicy(ks_threshold=0.15)

    def sample(shift: float, size: int) -> Profile:
        return build_profile(pl.DataFrame({name: generator.normal(shift, size=size) for name in "pq"}), schema)

    small = compare(sample(0, 1_000), sample(0.25, 1_000), policy=policy)
    assert {column.verdict for column in small.columns}.isdisjoint(ALARMING)
    assert small.alarm
    assert "changed beyond chance" in small.summary
    irrelevant = compare(sample(0, 100_000), sample(0.05, 100_000))
    assert [(column.verdict, column.significant) for column in irrelevant.columns] == [("ok", True)] * 2
    assert not irrelevant.alarm


@pytest.mark.parametrize("scale", [1, 2, 10, 100])
@pytest.mark.parametrize("odd", [None, 0.123456, -0.0, math.inf, math.nan, 1e300])
def test_counting_marks_and_sorting_values_find_the_same(scale, odd):
    values = np.random.default_rng(scale).integers(-300, 2_000, 70_000) / scale
    if odd is not None:
        values[69_000] = odd
    found = summarise_numbers(values)
    expected, counts = np.unique(values[~np.isnan(values)], return_counts=True)
    assert found.values.tolist() == expected.tolist()
    assert found.counts.tolist() == counts.tolist()
    assert found.missing == int(np.isnan(values).sum())
    assert math.copysign(1, found.values[np.searchsorted(found.values, 0.0)]) == 1


@pytest.mark.parametrize("rows", [50, 5_000, 60_000])
@pytest.mark.parametrize("late", [None, "a level that comes late"])
def test_levels_are_counted_whole_however_they_are_found(schema, rows, late):
    values = [["a", "b", None][i % 3] for i in range(rows)]
    values[-1] = late
    column = build_profile(pl.DataFrame({"c": values}), schema).columns["c"]
    assert dict(zip(column.levels, column.counts.tolist(), strict=True)) == {
        level: values.count(level) for level in set(values) - {None}
    }
    assert column.missing == values.count(None)


@given(st.data())
def test_any_damage_to_a_profile_is_a_clear_error_or_a_profile(data):
    frame = pl.DataFrame({"x": [1.5, 2.0, 2.0, None], "c": ["a", "b", "b", None]})
    content = bytearray(build_profile(frame, schema_of(["x"], ["c"])).to_bytes())
    for place in data.draw(st.lists(st.integers(8, len(content) - 1), min_size=1, max_size=4)):
        content[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(content)))
    for damaged in (bytes(content), bytes(content[:cut])):
        with contextlib.suppress(ProfileError):
            assert isinstance(Profile.from_bytes(damaged), Profile)


def test_a_column_that_holds_neither_numbers_nor_levels_is_named(schema):
    for name in ("x", "c"):
        with pytest.raises(ProfileError, match=f"column '{name}'"):
            build_profile(pl.DataFrame({name: [{"a": 1}, {"a": 2}]}), schema)


def test_every_type_of_pandas_is_read_and_arrow_and_lazy_frames_too(schema):
    frame = pd.DataFrame(
        {
            "x": pd.array([1, None, 3], dtype="Int64"),
            "z": [True, False, True],
            "c": pd.Categorical(["b", None, "a"]),
        }
    )
    plain = pl.DataFrame({"x": [1.0, None, 3.0], "z": [1.0, 0.0, 1.0], "c": ["b", None, "a"]})
    assert profile_frame(frame, schema) == build_profile(plain, schema)
    for table in (frame.astype({"c": object}), plain.lazy(), pa.Table.from_pandas(frame)):
        assert profile_frame(table, schema) == build_profile(plain, schema)


def test_profiling_leaves_the_sample_as_it_was(schema):
    values = np.random.default_rng(0).normal(size=2_000)
    table, kept = pa.table({"x": values}), values.copy()
    chunks = pl.concat([pl.DataFrame({"x": values[:900]}), pl.DataFrame({"x": values[900:]})], rechunk=False)
    for sample in (pl.DataFrame({"x": values}), chunks, pd.DataFrame({"x": values}), table):
        profile_frame(sample, schema)
    assert np.array_equal(values, kept)
    assert chunks["x"].to_list() == table["x"].to_pylist() == kept.tolist()

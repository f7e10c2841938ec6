"""What is drawn of a column is what the column holds, whoever draws it, and reports from before pictures still open."""

import math
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from drift import buckets
from drift.column import summarise_numbers
from drift.compare import Findings, compare
from drift.page import render_html
from drift.profile import build_profile
from drift.quadrants import place_columns
from drift.records import DriftReport
from drift.sentences import sentences_of
from drift.statistics import CURVE_BINS, curve_of
from drift.story import tell_story
from drift.univariate import side_by_side
from preprocessing.schema import DomainSchema, Feature, Target

NUMBERS = st.one_of(
    st.integers(-5, 20).map(float),
    st.floats(allow_nan=False, width=32),
    st.sampled_from([math.inf, -math.inf, 1e300, 5e-324, 0.1, 12.5]),
)
SCHEMA = DomainSchema(
    name="invented",
    title="",
    features=(
        Feature(name="x", kind="numeric", unit="points", description="the first mark"),
        Feature(name="c", kind="categorical", open=True, levels=("a", "b"), labels={"a": "apart"}),
    ),
    targets=(Target(name="y"),),
)


def in_bins(values: list[float], edges: tuple[float, ...]) -> list[int]:
    """Rows in each bin, counted one by one; the outermost are open."""
    ends = [-math.inf, *edges[1:-1], math.inf]
    found = [sum(low <= value < high for value in values) for low, high in pairwise(ends)]
    found[-1] += values.count(math.inf)
    return found


@given(st.lists(NUMBERS, min_size=1, max_size=60), st.lists(NUMBERS, min_size=1, max_size=60))
def test_bins_hold_every_row_once_and_where_its_value_lies(before: list[float], now: list[float]) -> None:
    found = curve_of(*(summarise_numbers(np.array(side)) for side in (before, now)))
    assert 1 <= len(found.before) == len(found.now) == len(found.edges) - 1 <= CURVE_BINS
    assert all(low < high for low, high in pairwise(found.edges))
    assert ([*found.before], [*found.now]) == (in_bins(before, found.edges), in_bins(now, found.edges))


@given(st.integers(0, 2**32 - 1), st.floats(-3, 3))
@settings(max_examples=10)
def test_long_columns_are_drawn_to_one_bucket_by_what_was_counted_for_the_tests(seed: int, shift: float) -> None:
    generator = np.random.default_rng(seed)
    values = generator.normal(size=50_000), generator.normal(shift, size=40_000)
    sides = side_by_side(*map(summarise_numbers, values))
    assert isinstance(sides[0], buckets.Part)
    found = curve_of(*sides)
    for rows, side in zip((found.before, found.now), values, strict=True):
        assert sum(rows) == len(side)
        assert np.abs(np.array(rows) - in_bins(side.tolist(), found.edges)).max() <= len(side) // 1_000


LEVELS = st.lists(st.one_of(st.sampled_from("abc"), st.integers(0, 40).map(str)), min_size=1, max_size=80)


@given(LEVELS, LEVELS)
def test_levels_hold_every_row_once_the_commonest_by_name(before: list[str], now: list[str]) -> None:
    frames = [pl.DataFrame({"c": side}, schema={"c": pl.String}) for side in (before, now)]
    found = curve_of(*(build_profile(frame, SCHEMA).columns["c"] for frame in frames))
    assert len(found.levels) <= CURVE_BINS
    assert [*found.before] == [before.count(level) for level in found.levels]
    assert [*found.now] == [now.count(level) for level in found.levels]
    assert (sum(found.before) + found.other_before, sum(found.now) + found.other_now) == (len(before), len(now))


def moved_report() -> DriftReport:
    """A level that was never there, and marks that fell."""
    generator = np.random.default_rng(0)
    before = pl.DataFrame({"x": generator.normal(12, 2, 400), "c": ["a", "b"] * 200})
    now = pl.DataFrame({"x": generator.normal(10, 2, 300), "c": ["z"] * 300})
    rows = Findings(importance={"x": 2.0, "c": 0.05})
    return compare(build_profile(before, SCHEMA), build_profile(now, SCHEMA), SCHEMA, rows=rows)


def test_the_story_begins_with_what_was_never_there_and_speaks_the_domains_words() -> None:
    report = moved_report()
    cause, size, *_, after = tell_story(report)
    assert (cause, after) == (
        "Never seen before under “c”: z (300 of 300 students).",
        "Next: retrain when the outcomes of these students are known.",
    )
    assert size.startswith("“The first mark (x)” is 1.9 points lower than before on average: 10")
    assert report.column("c").curve.words == ("z", "apart", "b")
    assert [(one.column.column, one.quadrant) for one in place_columns(report)] == [
        ("x", "moved and matters"),
        ("c", "moved, hardly used"),
    ]


def test_a_stored_report_is_drawn_like_a_new_one_and_one_from_before_pictures_in_words() -> None:
    report = moved_report()
    stored = msgspec.json.decode(msgspec.json.encode(report.to_document()))
    assert render_html(DriftReport.from_document(stored)) == render_html(report)
    old: dict[str, Any] = {name: value for name, value in stored.items() if name != "origin"}
    new = ("curve", "title", "unit")
    old["columns"] = [{k: v for k, v in one.items() if k not in new} for one in stored["columns"]]
    opened = DriftReport.from_document(old)
    assert tell_story(opened)[0] == tell_story(report)[0]
    page = render_html(opened)
    assert "Before and now" in page
    assert page.count("<svg") == 1, "the map needs no picture of a column"
    assert sentences_of(opened)[0] in page

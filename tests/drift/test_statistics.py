"""What holds for every registered statistic of drift: a new one is checked by being registered."""

import math
from collections.abc import Sequence
from typing import Any

import msgspec
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drift.column import Kind
from drift.compare import compare
from drift.page import render_html
from drift.profile import build_profile, summarise
from drift.records import ColumnDrift
from drift.statistics import MEASURES, TESTS, Measure
from drift.verdicts import conclude, measure
from tests.drift.conftest import schema_of

NUMBERS = st.one_of(
    st.integers(-3, 3).map(float),
    st.floats(allow_nan=True, allow_infinity=True, width=32),
    st.sampled_from([-0.0, 1e300]),
)
CELLS: dict[str, st.SearchStrategy[Any]] = {
    "numeric": st.one_of(st.none(), NUMBERS),
    "categorical": st.one_of(st.none(), st.sampled_from(["a", "b", "ä", ""])),
}
TYPES = {"numeric": pl.Float64, "categorical": pl.String}
FIELDS = {field.name for field in msgspec.structs.fields(ColumnDrift)}
CASES = [pytest.param(measure, kind, id=f"{measure.name}-{kind}") for measure in MEASURES for kind in measure.of]
SCHEMA = schema_of(["numeric"], ["categorical"])


def samples(kind: str) -> st.SearchStrategy[tuple[list[Any], list[Any]]]:
    """Two samples that hold a value each, with ties, gaps, single values and infinities among them."""
    one = st.lists(CELLS[kind], min_size=1, max_size=40).filter(lambda cells: any(map(is_value, cells)))
    return st.tuples(one, one)


def is_value(cell: Any) -> bool:
    return cell is not None and not (isinstance(cell, float) and math.isnan(cell))


def summary(kind: Kind, cells: Sequence[Any]) -> Any:
    return summarise(pl.Series(kind, cells, TYPES[kind]), kind)


def told(measure: Measure, kind: Kind, before: Sequence[Any], after: Sequence[Any]) -> dict[str, Any]:
    return dict(measure.measure(*measure.needs(summary(kind, before), summary(kind, after))))


@pytest.mark.parametrize(("measure", "kind"), CASES)
@given(data=st.data())
@settings(max_examples=40)
def test_a_measure_fills_its_fields_with_what_json_can_hold_in_any_order_of_rows(
    measure: Measure, kind: Kind, data: st.DataObject
) -> None:
    before, after = data.draw(samples(kind))
    found = told(measure, kind, before, after)
    assert found.keys() == set(measure.fields) <= FIELDS
    assert all(not isinstance(value, float) or math.isfinite(value) for value in found.values())
    assert found == told(measure, kind, data.draw(st.permutations(before)), data.draw(st.permutations(after)))


@pytest.mark.parametrize("measure", [measure for measure in MEASURES if measure.symmetric], ids=lambda one: one.name)
@given(data=st.data())
@settings(max_examples=40)
def test_a_symmetric_measure_says_the_same_of_exchanged_samples(measure: Measure, data: st.DataObject) -> None:
    before, after = data.draw(samples(measure.of[0]))
    here, there = (told(measure, measure.of[0], *pair) for pair in ((before, after), (after, before)))
    assert list(here.values()) == [value if value is None else pytest.approx(value) for value in there.values()]


@pytest.mark.parametrize("test", TESTS.values(), ids=lambda one: one.name)
@given(data=st.data())
@settings(max_examples=40)
def test_a_test_says_the_same_of_exchanged_samples_and_of_other_orders_and_its_interval_holds_its_effect(
    test: Any, data: st.DataObject
) -> None:
    kind: Kind = "numeric" if test.of == "missing" else test.of
    before, after = data.draw(samples(kind))
    shuffled = data.draw(st.permutations(before)), data.draw(st.permutations(after))
    found = []
    for one, other in ((before, after), (after, before), shuffled):
        first, second = summary(kind, one), summary(kind, other)
        rows = (len(one), len(other)) if test.of == "missing" else (first.present, second.present)
        result = test.conclude(test.measure(first, second), rows, (1.0, 1.0))
        low, high = test.interval(result, (float(rows[0]), float(rows[1])), 0.05)
        assert 0 <= result.p_low <= 1
        assert low - 1e-12 <= result.effect <= high + 1e-12
        found.append((result.statistic, result.p_high, result.effect))
    assert found[0] == pytest.approx(found[1])
    assert found[0] == found[2]


@pytest.mark.parametrize("kind", CELLS)
@given(data=st.data())
@settings(max_examples=40)
def test_columns_that_are_empty_or_hold_no_value_go_through_all_statistics(kind: Kind, data: st.DataObject) -> None:
    cells = st.lists(st.none(), max_size=9) | st.lists(CELLS[kind], max_size=20)
    before, after = data.draw(st.tuples(cells, cells))
    found = conclude(measure(kind, summary(kind, before), summary(kind, after)))
    both = any(map(is_value, before)) and any(map(is_value, after))
    pooled = kind == "categorical" and not found.outcome.freedom and not found.constant
    assert (found.test == "none") == bool(found.untested) == (not both or pooled)
    assert found.facts.keys() <= FIELDS | {"lost"}
    assert all(not isinstance(value, float) or math.isfinite(value) for value in found.facts.values())
    shuffled = data.draw(st.permutations(before)), data.draw(st.permutations(after))
    assert found == conclude(measure(kind, *(summary(kind, cells) for cells in shuffled)))


@given(st.lists(CELLS["numeric"], max_size=30), st.lists(CELLS["categorical"], max_size=30), st.integers(1, 9))
@settings(max_examples=40)
def test_every_word_can_be_said_and_stands_on_the_page(numbers: list[Any], levels: list[Any], more: int) -> None:
    rows = {"numeric": numbers + [None] * (30 - len(numbers)), "categorical": levels + [None] * (30 - len(levels))}
    before = pl.DataFrame(rows, schema=TYPES)
    after = pl.concat([before, before[:more]])  # other rows, or it would be refused as the same sample
    profiles = build_profile(before, SCHEMA), build_profile(after, SCHEMA)
    report = compare(*profiles)
    for column in report.columns:
        assert all(isinstance(measure.said(column), str) for measure in MEASURES if column.kind in measure.of)
    page = render_html(report)
    assert [measure.name for measure in MEASURES if f"<th>{measure.name}</th>" not in page] == []

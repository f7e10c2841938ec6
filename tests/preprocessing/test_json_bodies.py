"""Bodies are accepted and refused exactly as the rules do, one row or many, in every form of JSON."""

import csv
import io
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from preprocessing.columns import ColumnRows
from preprocessing.reading.files import read_table
from preprocessing.schema import DomainSchema, Feature, load_domains, read_schema
from preprocessing.validation import rules
from preprocessing.validation.json_bodies import MalformedBody, RowReader
from preprocessing.validation.json_rows import ValidRow, validate_rows
from preprocessing.validation.row_type import example_row
from preprocessing.validation.rules import BadData, Problem
from preprocessing.validation.validate import rows_of, validate_table
from tests.api.serving import SECRET

ODD = """
name = "odd"
title = "Names that are no Python names, groups and periods, an open column, nothing that every moment knows"
moments = ["autumn", "spring"]
group = ["Class room", "subject"]
period = "Year"
[student]
name = "pupil-id"
aliases = ["id"]
[[context]]
name = "Class room"
[[context]]
name = "Year"
[[features]]
name = "1st mark"
kind = "numeric"
minimum = 0
maximum = 20
[[features]]
name = "subject"
kind = "categorical"
levels = ["Art", "Music"]
open = true
optional = true
[[features]]
name = "visits"
kind = "numeric"
integer = true
optional = true
[[features]]
name = "2nd mark"
kind = "numeric"
minimum = 0
maximum = 20
known_at = "spring"
[[targets]]
name = "final"
minimum = 0
maximum = 20
"""


SCHEMAS = {**load_domains(), "odd": read_schema(ODD)}


READERS = {name: RowReader(schema, SECRET.encode()) for name, schema in SCHEMAS.items()}


def by_rules(schema: DomainSchema, body: bytes, many: bool) -> tuple[list[ValidRow], tuple[Problem, ...]]:
    decoded = msgspec.json.decode(body)
    found = validate_rows(decoded if many else [decoded], schema, secret=SECRET.encode(), with_targets="refused")
    return ([] if found.problems else list(found.rows)), found.problems


def in_order(tables: Sequence[ColumnRows]) -> list[ValidRow]:
    """The rows of a body in the order in which they stand in it."""
    return sorted((row for table in tables for row in table), key=lambda row: row.row)


def by_reader(reader: RowReader, body: bytes, many: bool) -> tuple[list[ValidRow], tuple[Problem, ...]]:
    try:
        return (in_order(reader.many(body, limit=100)) if many else [reader.one(body)]), ()
    except BadData as error:
        return [], error.problems


ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
    st.sampled_from(["", " ", "NA", "ana@example.org", "Ana Sousa", "x" * 101, "a\nb", -0.0, 0.5, 2**70, 1e31, [], {}]),
)


def value_of(feature: Feature) -> st.SearchStrategy[Any]:
    if feature.kind == "categorical":
        return st.one_of(
            st.sampled_from([*feature.levels, feature.levels[0].lower(), feature.levels[0] + " "]), ANYTHING
        )
    low, high = (max(rules.bounds(feature)[0], -1e6), min(rules.bounds(feature)[1], 1e6))
    inside = st.one_of(st.integers(int(low), int(high)), st.floats(low, high), st.sampled_from([low, high, high + 1]))
    return st.one_of(inside, inside, inside, ANYTHING)


@st.composite
def rows(draw: st.DrawFn, schema: DomainSchema) -> dict[str, Any]:
    """A good row with a few fields changed, left out, renamed or added."""
    row: dict[str, Any] = example_row(schema)
    for feature in draw(st.lists(st.sampled_from(schema.features), max_size=3)):
        row[feature.name] = draw(value_of(feature))
    for name in draw(st.lists(st.sampled_from([f.name for f in schema.features]), max_size=2)):
        row.pop(name, None)
    names = [*schema.context_names, *schema.target_by_name, "id", "unknown", schema.features[0].name.upper()]
    for name in draw(st.lists(st.sampled_from(names), max_size=2)):
        row[name] = draw(st.one_of(ANYTHING, st.sampled_from(["7b", "s-1", 12, 2026])))
    return row


@pytest.mark.parametrize("name", ["engagement", "school", "university", "course", "odd"])
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_one_many_and_the_rules_accept_and_refuse_exactly_the_same_rows(name: str, data: st.DataObject) -> None:
    schema, reader = SCHEMAS[name], READERS[name]
    given_rows = data.draw(st.lists(rows(schema), min_size=1, max_size=3))
    batch = msgspec.json.encode(given_rows)
    together = by_reader(reader, batch, many=True)
    assert together == by_rules(schema, batch, many=True)
    assert not any(isinstance(cell, int) for row in together[0] for cell in row.inputs.values())
    singles = [by_reader(reader, msgspec.json.encode(row), many=False) for row in given_rows]
    for row, single in zip(given_rows, singles, strict=True):
        assert single == by_rules(schema, msgspec.json.encode(row), many=False)
    refused = any(problems for _, problems in singles)
    assert bool(together[1]) == refused


@settings(max_examples=50, deadline=None)
@given(
    body=st.binary(max_size=40) | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(msgspec.json.encode)
)
def test_a_body_that_is_no_row_is_named_as_such_and_never_an_error_of_ours(body: bytes) -> None:
    for read in (READERS["engagement"].one, lambda b: READERS["engagement"].many(b, limit=1000)):
        with pytest.raises((MalformedBody, BadData)):
            read(body)


@pytest.mark.parametrize("name", ["engagement", "school", "university"])
def test_rows_are_read_by_column_those_of_each_moment_apart(name: str) -> None:
    schema, reader = SCHEMAS[name], READERS[name]
    whole = example_row(schema)
    [read] = reader.many(msgspec.json.encode([whole] * 60), limit=100)
    assert (read.moment, list(read.places)) == (schema.moments[-1], list(range(60)))
    known = {feature.name for feature in schema.features_at(schema.moments[0])}
    early = {key: value for key, value in whole.items() if key in {*known, *schema.context_names}}
    for rows_asked in (3, 30):
        mixed = reader.many(msgspec.json.encode([whole, early] * rows_asked), limit=100)
        assert [table.moment for table in mixed] == list(dict.fromkeys([schema.moments[-1], schema.moments[0]]))
        assert sorted(place for table in mixed for place in table.places) == list(range(2 * rows_asked))


def test_a_key_given_twice_among_many_rows_is_refused() -> None:
    row = msgspec.json.encode(example_row(SCHEMAS["engagement"]))
    twice = row.replace(b"{", b'{"focus": 3, ')
    with pytest.raises(BadData) as refused:
        READERS["engagement"].many(b"[" + b",".join([row] * 60 + [twice]) + b"]", limit=100)
    assert [(problem.row, problem.column) for problem in refused.value.problems] == [(61, "focus")]


NUMBERS = st.sampled_from(
    ["1", "1.0", "-0", "0.1e2", "1E400", "-1e-400", "01", "1.", ".5", "+1", "0x1", "NaN", "Infinity", "-Infinity", "1e",
     "9" * 30, "9" * 5000, "1_000", "true", "null", '"1"']
)  # fmt: skip


def told(reader: RowReader, body: bytes, *, lines: bool) -> tuple[list[ValidRow], tuple[Problem, ...]]:
    try:
        return in_order((reader.lines if lines else reader.many)(body, limit=100)), ()
    except BadData as error:
        return [], error.problems


@pytest.mark.parametrize("name", ["engagement", "school", "university", "odd"])
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_lines_are_accepted_and_refused_as_a_list_is(name: str, data: st.DataObject) -> None:
    given_rows = data.draw(st.lists(rows(SCHEMAS[name]), min_size=1, max_size=3))
    listed = told(READERS[name], msgspec.json.encode(given_rows), lines=False)
    assert told(READERS[name], msgspec.json.Encoder().encode_lines(given_rows), lines=True) == listed


def becomes(reader: RowReader, body: bytes, how: str) -> object:
    """What a body is read as; for one that is refused, whether as no JSON or as bad data."""
    try:
        if how == "one":
            return reader.one(body)
        return (reader.lines if how == "lines" else reader.many)(body, limit=100)[0][0]
    except (MalformedBody, BadData) as error:
        return type(error)


@pytest.mark.parametrize("name", ["engagement", "school"])
@given(data=st.data(), number=NUMBERS)
def test_a_number_however_written_is_the_same_alone_among_others_and_on_a_line(
    name: str, data: st.DataObject, number: str
) -> None:
    row = msgspec.json.encode(data.draw(rows(SCHEMAS[name])))
    feature = msgspec.json.encode(SCHEMAS[name].features[0].name)
    body = row[:-1] + (b"," if len(row) > 2 else b"") + feature + b":" + number.encode() + b"}"
    alone = becomes(READERS[name], body, "one")
    assert becomes(READERS[name], b"[" + body + b"]", "many") == alone
    assert becomes(READERS[name], body + b"\n", "lines") == alone


def as_file(row: dict[str, Any]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows([row.keys(), ["" if value is None else value for value in row.values()]])
    return text.getvalue().encode()


@pytest.mark.parametrize("name", ["engagement", "school"])
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_what_is_accepted_as_json_is_the_same_row_from_a_file(name: str, data: st.DataObject) -> None:
    schema = SCHEMAS[name]
    row = {key: value for key, value in data.draw(rows(schema)).items() if key in schema.feature_by_name}
    accepted, _ = told(READERS[name], msgspec.json.encode([row]), lines=False)
    if accepted:
        table = read_table(as_file(row), name="rows.csv")
        validated = validate_table(table, schema, secret=SECRET.encode(), with_targets="ignored").require_clean()
        [found] = rows_of(validated.frame, schema)
        assert (found.moment, dict(found.inputs)) == (accepted[0].moment, dict(accepted[0].inputs))


def test_a_line_ends_where_json_says_and_not_at_other_separators() -> None:
    lines = '{"a": 1, "note": "x\u2028y\u0085z"}\n{"a": 2, "note": ""}\n'
    assert read_table(lines.encode(), name="a.jsonl").frame.height == 2

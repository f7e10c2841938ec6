"""A row means the same in every form: JSON, JSON lines, a file."""

import csv
import io
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from preprocessing.reading.files import read_table
from preprocessing.validation.json_bodies import MalformedBody, RowReader
from preprocessing.validation.json_rows import ValidRow
from preprocessing.validation.rules import BadData, Problem
from preprocessing.validation.validate import rows_of, validate_table
from tests.api.serving import SECRET
from tests.api.test_hot_road import READERS, SCHEMAS, in_order, rows

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

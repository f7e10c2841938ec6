"""What holds for all rows: every format carries them unchanged, and files and requests agree about them."""

from typing import Any

import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from preprocessing.reading.files import read_table
from preprocessing.reading.raw_table import RawTable
from preprocessing.schema import Feature
from preprocessing.validation import rules
from preprocessing.validation.json_rows import validate_rows
from preprocessing.validation.pii import identifying_columns
from preprocessing.validation.validate import validate_table
from tests.preprocessing.making import BINARY, FORMATS, SECRET, SUBJECT

MARK = st.floats(0, 10).map(lambda mark: round(mark, 4))
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=12).filter(
    lambda text: rules.text_fault(text) is None
)
KEY = st.text("abcXYZ0123456789", min_size=3, max_size=8)

VALID = st.fixed_dictionaries(
    {
        "hours": st.floats(0, 40.5).map(lambda hours: round(hours, 4)),
        "age": st.none() | st.integers(10, 20),
        "support": st.sampled_from(["none", "some", "NA"]),
        "topic": st.none() | st.just("Algebra") | TEXT,
        "class": st.none() | TEXT,
        "final": st.none() | MARK,
        "grade": st.none() | st.sampled_from(["fail", "pass"]),
    }
)


@st.composite
def valid_rows(draw: st.DrawFn) -> list[dict[str, Any]]:
    rows = draw(st.lists(VALID, min_size=1, max_size=5))
    keys = draw(st.lists(KEY, min_size=len(rows), max_size=len(rows), unique=True))
    marks = [[*draw(st.lists(MARK, max_size=2)), None, None] for _ in rows]
    made = [
        {**row, "pupil_id": key, "P1": first, "P2": second}
        for row, key, (first, second, *_) in zip(rows, keys, marks, strict=True)
    ]
    assume(not identifying_columns(frame_of_rows(made), SUBJECT, {name: name for name in made[0]}))
    return made


def frame_of_rows(rows: list[dict[str, Any]]) -> pl.DataFrame:
    numbers = {"hours", "age", "P1", "P2", "final"}
    kinds = {name: pl.Float64 if name in numbers else pl.String for name in rows[0]}
    return pl.DataFrame(rows, schema=kinds)


@pytest.mark.parametrize("form", FORMATS)
def test_a_valid_row_survives_every_format_unchanged(form: str) -> None:
    @settings(max_examples=8 if form in BINARY else 40, deadline=None)
    @given(rows=valid_rows())
    def survives(rows: list[dict[str, Any]]) -> None:
        frame = frame_of_rows(rows)
        direct = validate_table(RawTable(frame, "", is_text=False, first_row=1), SUBJECT, secret=SECRET)
        through = validate_table(read_table(FORMATS[form](frame)), SUBJECT, secret=SECRET)
        assert through.problems == direct.problems == ()
        wanted = direct.frame.drop("_row")
        assert through.frame.select(wanted.columns).equals(wanted)

    survives()


@settings(max_examples=80, deadline=None)
@given(rows=valid_rows())
def test_requests_and_files_read_a_valid_row_alike(rows: list[dict[str, Any]]) -> None:
    frame = (
        validate_table(read_table(FORMATS["json"](frame_of_rows(rows))), SUBJECT, secret=SECRET).require_clean().frame
    )
    read = validate_rows(rows, SUBJECT, secret=SECRET).require_clean().rows
    for row, typed in zip(read, frame.iter_rows(named=True), strict=True):
        assert row.inputs == {name: typed[name] for name in row.inputs}
        assert (row.student, row.group, row.period) == (typed["_student"], typed["_group"], typed["_period"])
        assert row.moment == typed["_moment"]
        assert row.targets == {name: typed[name] for name in ("final", "grade") if typed[name] is not None}


NUMBERS = st.none() | st.integers(-2, 45) | st.floats(allow_nan=True, allow_infinity=True)
LEVELS = st.none() | st.sampled_from(["none", "some", "NA", "much", "Some Others"])


@settings(max_examples=120, deadline=None)
@given(
    rows=st.lists(
        st.fixed_dictionaries({"hours": NUMBERS, "age": NUMBERS, "support": LEVELS, "P1": NUMBERS, "P2": NUMBERS}),
        min_size=1,
        max_size=6,
    ),
    moment=st.none() | st.sampled_from(SUBJECT.moments),
)
def test_requests_and_typed_files_refuse_the_same_cells_in_the_same_words(
    rows: list[dict[str, Any]], moment: str | None
) -> None:
    assume(all(any(value is not None for value in row.values()) for row in rows))  # a blank row of a file is no row
    kinds = {name: pl.String if name == "support" else pl.Float64 for name in rows[0]}
    raw = RawTable(pl.DataFrame(rows, schema=kinds, strict=False), "", is_text=False, first_row=1)
    from_file = validate_table(raw, SUBJECT, secret=SECRET, moment=moment)
    from_request = validate_rows(rows, SUBJECT, secret=SECRET, moment=moment)
    said = {(problem.row, problem.column, problem.rule) for problem in from_file.problems}
    assert {(problem.row, problem.column, problem.rule) for problem in from_request.problems} == said
    assert [row.row for row in from_request.rows] == from_file.frame["_row"].to_list()


@settings(max_examples=200, deadline=None)
@given(text=st.text("0123456789.,+-eE%_ nai", max_size=8) | st.floats().map(str) | st.integers().map(str))
def test_a_column_of_text_is_read_as_each_of_its_cells(text: str) -> None:
    column = Feature(name="x", kind="numeric", minimum=-1000, maximum=1000, optional=True)
    schema = SUBJECT.__class__(
        name="one", title="", features=(column, Feature(name="y", kind="numeric")), targets=SUBJECT.targets[:1]
    )
    frame = pl.DataFrame({"x": [text], "y": ["1"]})
    validated = validate_table(RawTable(frame, "", is_text=True, first_row=2), schema, secret=SECRET)
    ambiguous = rules.AMBIGUOUS_COMMA.fullmatch(text.strip()) and abs(int(text.replace(",", ""))) <= 1000
    value = None if ambiguous else rules.parse_number(text, comma=True)
    if rules.is_missing(text):
        assert validated.frame["x"].to_list() == [None]
    elif value is not None and rules.number_fault(column, value) is None:
        assert validated.frame["x"].to_list() == [value]
    else:
        assert [problem.column for problem in validated.problems] == ["x"]


@settings(max_examples=100, deadline=None)
@given(rows=valid_rows(), data=st.data())
def test_the_order_of_columns_and_rows_changes_nothing_else(rows: list[dict[str, Any]], data: st.DataObject) -> None:
    frame = frame_of_rows(rows)
    columns = data.draw(st.permutations(frame.columns))
    places = data.draw(st.permutations(range(frame.height)))
    turned = RawTable(frame[list(places)].select(columns), "", is_text=False, first_row=1)
    one = validate_table(RawTable(frame, "", is_text=False, first_row=1), SUBJECT, secret=SECRET).frame
    other = validate_table(turned, SUBJECT, secret=SECRET).frame
    assert other.drop("_row").equals(one[list(places)].drop("_row"))

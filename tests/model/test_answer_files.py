"""Answers as files: read back, they say what was answered, in the dialect and with the columns that were asked for."""

import io
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.answer_files import (
    COMMA_LANGUAGES,
    POINT_LANGUAGES,
    Dialect,
    UnknownLocale,
    UnusableOutput,
    csv_bytes,
    dialect_of,
    readable,
    sink_of,
    with_kept,
    write_answers,
)
from model.readable import rounded_value
from preprocessing.excel import excel_bytes
from preprocessing.schema import Target

POINTS = Target(name="G3", minimum=0, maximum=20)
GPA = Target(name="gpa", minimum=0, maximum=4)
GRADE = Target(name="grade", kind="ordered_class", levels=("F", "A"))
ANSWERS = pl.DataFrame(
    {
        "row": [2, 3],
        "student": ["a" * 64, None],
        "G3": [11.26, 7.0],
        "G3_low": [8.04, None],
        "G3_high": [14.449, None],
        "G3_naive": [12.0, 7.0],
        "G3_model": ["0123456789abcdef", "0123456789abcdef"],
        "gpa": [3.14159, 2.0],
        "gpa_low": [3.0, 1.0],
        "gpa_high": [3.5, 3.0],
        "gpa_naive": [3.333, 3.0],
        "gpa_model": ["fedcba9876543210", "fedcba9876543210"],
        "grade": ["A", "F"],
        "grade_p_F": [0.12345, 0.9],
        "grade_p_A": [0.87655, 0.1],
        "grade_model": ["00", "00"],
    }
)


def shown() -> pl.DataFrame:
    return readable(ANSWERS.lazy(), [POINTS, GPA, GRADE]).collect()


def test_numbers_have_the_decimals_of_their_unit_and_versions_twelve_letters() -> None:
    first = shown().row(0, named=True)
    assert (first["G3"], first["G3_low"], first["G3_high"]) == (11.3, 8.0, 14.4)
    assert (first["gpa"], first["gpa_naive"]) == (3.14, 3.33)
    assert (first["grade_p_F"], first["grade_p_A"]) == (0.123, 0.877)
    assert first["G3_model"] == "0123456789ab"


@given(st.lists(st.floats(0, 100), min_size=1, max_size=40), st.lists(st.integers(1, 99), max_size=14, unique=True))
def test_no_shown_answer_stands_on_the_other_side_of_a_cut_point(values: list[float], cuts: list[int]) -> None:
    target = Target(name="mark", minimum=0, maximum=100, cut_points=tuple(sorted(cuts)))
    near = [cut + gap for cut in cuts for gap in (-0.04, -1e-9, 0.0, 0.04)]
    told = pl.LazyFrame({"mark": [*values, *near]}).with_columns(mark_model=pl.lit("m"))
    told = told.with_columns(pl.col("mark").alias(f"mark_{part}") for part in ("low", "high", "naive", "below_pass"))
    shown = readable(told, [target]).collect()["mark"].to_list()
    for value, said in zip([*values, *near], shown, strict=True):
        assert [value >= cut for cut in cuts] == [said >= cut for cut in cuts]
        assert abs(value - said) <= 0.1
        assert said == round(said, 1)
        alone = rounded_value(value, target)
        assert [value >= cut for cut in cuts] == [alone >= cut for cut in cuts]
        assert abs(alone - said) <= 0.1 + 1e-9


@pytest.mark.parametrize("locale", ["auto", *sorted(COMMA_LANGUAGES | POINT_LANGUAGES), "de_AT", "fr-CH", "EN-us"])
def test_every_locale_gives_a_file_that_its_own_readers_read_back(locale: str) -> None:
    dialect = dialect_of(locale)
    told = csv_bytes(shown(), dialect)
    read = pl.read_csv(io.BytesIO(told), separator=dialect.separator, decimal_comma=dialect.comma)
    assert read.columns == ANSWERS.columns
    assert read["G3_high"].to_list() == [14.4, None]
    assert told.startswith(b"\xef\xbb\xbf") == dialect.comma == (locale[:2].lower() in COMMA_LANGUAGES)


def test_a_file_with_semicolons_is_answered_with_semicolons_and_an_unknown_locale_is_named() -> None:
    assert dialect_of("auto", ";") == Dialect(";", comma=True)
    assert dialect_of("auto", "\t") == dialect_of("auto", "") == dialect_of("en", ";") == Dialect()
    with pytest.raises(UnknownLocale, match="'klingon' is not known; say a language such as"):
        dialect_of("klingon")


def test_own_columns_stand_after_the_row_and_never_hide_one_of_ours() -> None:
    own = pl.DataFrame({"class": ["3b", "3c"], "student": ["0012", "=1+1"]})
    kept = with_kept(shown(), own)
    assert kept.columns[:4] == ["row", "class", "student (file)", "student"]
    book = pl.read_excel(excel_bytes(kept, "answers"), infer_schema_length=None)
    assert book["student (file)"].to_list() == ["0012", "=1+1"]  # text, neither a number nor a formula
    assert book["G3"].to_list() == [11.3, 7.0]


@pytest.mark.parametrize("ending", [".csv", ".xlsx", ".parquet", ".pq"])
def test_long_and_short_answers_are_written_alike_and_parquet_keeps_all(ending: str, tmp_path: Path) -> None:
    targets, path = [POINTS, GPA, GRADE], tmp_path / f"long{ending}"
    sink_of(path, targets, Dialect())(ANSWERS.lazy(), path)
    write_answers(shown(), tmp_path / f"short{ending}", Dialect())
    read = {".csv": pl.read_csv, ".xlsx": pl.read_excel}.get(ending, pl.read_parquet)
    long, short = read(path), read(tmp_path / f"short{ending}")
    assert long.height == short.height == 2
    assert long["G3_high"][0] == (14.449 if ending in (".parquet", ".pq") else 14.4)
    if ending in (".csv", ".xlsx"):
        assert long.equals(short)


def test_another_ending_is_refused_with_those_there_are() -> None:
    with pytest.raises(UnusableOutput, match=r"written as \.csv, \.xlsx or \.parquet; 'answers\.doc' is none"):
        sink_of(Path("answers.doc"), (), Dialect())

"""One encoding for a row and for a table, exact on whole marks."""

from typing import Any

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from preprocessing.encode import (
    CategoricalPart,
    Encoding,
    NumericPart,
    RowEncoder,
    encode_frame,
    encode_rows,
    fit_encoding,
)
from preprocessing.schema import Feature

FEATURES = (
    Feature(name="mark", kind="numeric", minimum=0, maximum=20),
    Feature(name="hours", kind="numeric", optional=True),
    Feature(name="support", kind="categorical", levels=("low", "high"), optional=True),
    Feature(name="subject", kind="categorical", open=True),
)
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "mark": st.one_of(st.integers(0, 20).map(float), st.floats(-1e6, 1e6)),
            "hours": st.one_of(st.none(), st.floats(-1e6, 1e6)),
            "support": st.sampled_from([None, "low", "high", "Low", ""]),
            "subject": st.one_of(st.none(), st.text(max_size=3)),
        }
    ),
    min_size=1,
    max_size=30,
)


def frame_from(rows: list[dict[str, float | str | None]]) -> pl.DataFrame:
    kinds = {"mark": pl.Float64, "hours": pl.Float64, "support": pl.String, "subject": pl.String}
    return pl.DataFrame({name: [row[name] for row in rows] for name in kinds}, schema=kinds)


@given(ROWS, st.booleans(), st.integers(0, 29))
def test_rows_and_frames_encode_to_the_same_bits(rows, standardise, taught) -> None:  # type: ignore[no-untyped-def]
    encoding = fit_encoding(FEATURES, frame_from(rows[:taught]), standardise=standardise)
    by_rows, by_frame = encode_rows(encoding, rows), encode_frame(encoding, frame_from(rows))
    assert by_rows.dtype == by_frame.dtype == np.float32
    assert by_rows.shape == (len(rows), encoding.width)
    assert by_rows.tobytes() == by_frame.tobytes()
    assert np.isfinite(by_rows).all()


@given(ROWS, st.randoms(use_true_random=False))
def test_row_order_changes_no_rows_code(rows, random) -> None:  # type: ignore[no-untyped-def]
    encoding = fit_encoding(FEATURES, frame_from(rows), standardise=False)
    order = list(range(len(rows)))
    random.shuffle(order)
    shuffled = [rows[position] for position in order]
    assert fit_encoding(FEATURES, frame_from(shuffled), standardise=False) == encoding
    assert encode_rows(encoding, shuffled).tobytes() == encode_rows(encoding, rows)[order].tobytes()


def test_columns_name_what_stands_behind_every_position() -> None:
    frame = frame_from([{"mark": 1.0, "hours": 2.0, "support": "low", "subject": "zoo"}])
    encoding = fit_encoding(FEATURES, frame, standardise=False)
    assert encoding.columns == ("mark", "hours", "hours", "support", "support", "subject")


def test_open_levels_are_learned_sorted_and_closed_ones_are_the_schemas() -> None:
    rows = [{"mark": 1.0, "hours": 2.0, "support": "low", "subject": subject} for subject in ("zoo", "art", None)]
    encoding = fit_encoding(FEATURES, frame_from(rows), standardise=False)
    assert [part.levels for part in encoding.categorical] == [("low", "high"), ("art", "zoo")]


def test_an_unknown_level_and_a_missing_one_are_no_level() -> None:
    encoding = Encoding(numeric=(), categorical=(CategoricalPart(name="support", levels=("low", "high")),))
    rows: list[dict[str, str | None]] = [{"support": "high"}, {"support": "highest"}, {"support": None}, {}]
    assert encode_rows(encoding, rows).tolist() == [[0, 1], [0, 0], [0, 0], [0, 0]]


def test_a_missing_optional_value_is_filled_and_flagged() -> None:
    frame = frame_from([{"mark": 1.0, "hours": h, "support": "low", "subject": "art"} for h in (1.0, 5.0, None, 30.0)])
    encoding = fit_encoding(FEATURES[:2], frame, standardise=False)
    assert encode_rows(encoding, [{"mark": 3.0, "hours": None}, {"mark": 3.0, "hours": 0.0}]).tolist() == [
        [3, 5, 1],
        [3, 0, 0],
    ]


def test_a_column_without_any_value_encodes_as_zeros_and_says_missing() -> None:
    frame = frame_from([{"mark": 2.0, "hours": None, "support": None, "subject": None}] * 3)
    encoding = fit_encoding(FEATURES, frame, standardise=True)
    assert encode_frame(encoding, frame).tolist() == [[2, 0, 1, 0, 0]] * 3  # a column of one value is not scaled


@given(st.lists(st.integers(0, 100), min_size=2, max_size=50).filter(lambda marks: len(set(marks)) > 1))
def test_whole_marks_are_scaled_in_double_precision_and_cast_once(marks: list[int]) -> None:
    values = np.array(marks, dtype=np.float64)
    frame = pl.DataFrame({"mark": values})
    encoding = fit_encoding(FEATURES[:1], frame, standardise=True)
    expected = ((values - values.mean()) / values.std()).astype(np.float32)
    assert np.array_equal(encode_frame(encoding, frame)[:, 0], expected)
    plain = fit_encoding(FEATURES[:1], frame, standardise=False)
    assert np.array_equal(encode_frame(plain, frame)[:, 0], values)


MIXED = Encoding(
    numeric=(
        NumericPart(name="mark", fill=9.7, center=10.3, scale=3.1, flag_missing=True),
        NumericPart(name="age", fill=16.0, center=0.0, scale=1.0, flag_missing=False),
    ),
    categorical=(CategoricalPart(name="school", levels=("GP", "MS")), CategoricalPart(name="job", levels=("x",))),
)


MIXED_ROW = st.fixed_dictionaries(
    {
        "mark": st.none() | st.floats(-1e6, 1e6),
        "age": st.none() | st.integers(0, 99).map(float),
        "school": st.sampled_from(["GP", "MS", "unknown", None]),
        "job": st.sampled_from(["x", "y", None]),
    }
)


@given(rows=st.lists(MIXED_ROW, min_size=1, max_size=4))
def test_a_few_rows_are_encoded_to_the_very_bytes_that_they_have_among_many(rows: list[dict[str, Any]]) -> None:
    assert RowEncoder(MIXED)(rows).tobytes() == encode_rows(MIXED, rows).tobytes()

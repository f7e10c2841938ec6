"""Copies are told from honest rows that happen to be equal."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from preprocessing.copies import ORDINARY, copies, once


def marks(n: int, *, alike: float, columns: int, seed: int = 0) -> pl.DataFrame:
    """Whole marks from 0 to 20 of `n` students; alike: what the marks of one student have in common."""
    draw = np.random.default_rng(seed)
    common = np.sqrt(alike) * draw.normal(0, 1, (n, 1))
    said = np.clip(np.round(11 + 3.2 * (common + np.sqrt(1 - alike) * draw.normal(0, 1, (n, columns)))), 0, 20)
    return pl.DataFrame({f"mark {column}": said[:, column] for column in range(columns)})


def noisy(n: int, columns: int = 4, seed: int = 0) -> pl.DataFrame:
    """Measured values, no two of which are equal but by copying."""
    values = np.random.default_rng(seed).normal(50, 15, (n, columns)).round(2)
    return pl.DataFrame({f"value {column}": values[:, column] for column in range(columns)})


@pytest.mark.parametrize("n", [300, 10_000])
@pytest.mark.parametrize("alike", [0.5, 0.85, 0.95])
@pytest.mark.parametrize("columns", [1, 2, 3, 4])
def test_honest_students_who_share_marks_all_count(n: int, alike: float, columns: int) -> None:
    frame = marks(n, alike=alike, columns=columns)
    assert once(frame, frame.columns).mean() >= 0.99


def test_students_who_were_never_there_all_count() -> None:
    frame = pl.concat([noisy(400), pl.DataFrame({f"value {column}": [0.0] * 80 for column in range(4)})])
    assert once(frame, frame.columns).all()


@given(st.integers(2, 12), st.integers(0, 60), st.randoms(use_true_random=False))
def test_of_copied_rows_one_counts_wherever_they_stand(times: int, honest: int, random) -> None:  # type: ignore[no-untyped-def]
    frame = pl.concat([noisy(60), *([noisy(30, seed=1)] * times), noisy(60, seed=2).head(honest)])
    order = random.sample(range(frame.height), frame.height)
    shuffled = frame[order]
    counted = once(shuffled, frame.columns)
    assert counted.sum() == 60 + 30 + honest
    assert shuffled.filter(pl.Series(counted)).is_unique().all()
    found = copies(shuffled, frame.columns)
    assert (found == ORDINARY).sum() == 60 + honest


def test_copies_of_real_rows_with_another_outcome_are_copies_beside_the_real_ones() -> None:
    real = noisy(200)
    other = real.head(30).with_columns((pl.col("value 3") + 1.23).round(2))
    frame = pl.concat([real, *([other] * 12)])
    assert once(frame, frame.columns).sum() == 200 + 30, "the real row next to it is no crowd that explains twelve"


def test_a_missing_cell_equals_a_missing_cell_and_no_row_is_no_copy() -> None:
    frame = noisy(40).with_columns(pl.lit(None, pl.String).alias("support"))
    assert once(pl.concat([frame] * 3), frame.columns).sum() == 40
    assert once(frame.clear(), frame.columns).size == 0
    assert once(frame, []).all()


def test_a_small_file_said_twice_is_seen_though_no_row_by_itself_would_be() -> None:
    draw = np.random.default_rng(3)
    first, second = draw.integers(1, 20, (2, 100))
    rows = pl.DataFrame(
        {"p1": first, "p2": second, "mark": (3 * first + 1.5 * second + draw.normal(0, 8, 100)).round(1)}
    )
    assert (copies(rows, rows.columns) == ORDINARY).all()
    assert (copies(pl.concat([rows, rows]), rows.columns) != ORDINARY).mean() > 0.5


def test_copies_are_seen_by_what_is_known_in_the_end_where_few_early_columns_hide_them() -> None:
    draw = np.random.default_rng(5)
    early = pl.DataFrame({"year": draw.integers(1, 4, 260), "passed": draw.integers(0, 2, 260)}).cast(pl.Float64)
    rows = pl.concat([early, noisy(260)], how="horizontal")
    frame = pl.concat([rows, *([rows.head(40)] * 5)])
    assert once(frame, early.columns).all(), "honest students have these in common"
    assert once(frame, early.columns, rows.columns).sum() == 260

"""Rows that were answered before as they are, are known again; rows of which anything is new are not."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from msgspec.structs import replace

from clock import new_ids
from database.records import Prediction
from database.store import RecordStore
from model.repeats import answered_before
from tests.database.making import NOON, make_prediction

HOUR = timedelta(hours=1)


def file_of(store: RecordStore, hours: int, *, students: bool, marks: Sequence[float]) -> list[Prediction]:
    """The logged predictions of a file's rows, so many hours after noon."""
    rows = [
        make_prediction(NOON + hours * HOUR, id=one, student=f"s{n}" if students else None, inputs={"G1": mark})
        for n, (one, mark) in enumerate(zip(new_ids(len(marks)), marks, strict=True))
    ]
    store.add_predictions(rows)
    return rows


@pytest.mark.parametrize("students", [True, False])
def test_the_same_rows_are_known_and_others_are_not(store: RecordStore, students: bool) -> None:
    marks = [float(one) for one in range(9)]
    first = file_of(store, 0, students=students, marks=marks)
    assert answered_before(store, first) is None
    assert answered_before(store, file_of(store, 1, students=students, marks=marks)) == NOON
    assert answered_before(store, file_of(store, 2, students=students, marks=[*marks[:-1], 9.5])) is None
    assert answered_before(store, [replace(one, moment="G1") for one in first]) is None
    assert answered_before(store, []) is None

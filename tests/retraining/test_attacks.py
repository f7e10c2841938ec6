"""Files that should not change the champion: copies, students under new names, outcomes that are none."""

import msgspec
import numpy as np
import pytest

from database.ingest import add_batch
from database.records import BatchRow, record_id
from model.workspace import Workspace
from retraining.holdout import COPIES
from retraining.run import Result, Run, retrain
from tests.training.making import MARK, SCHEMA, make_rows

KNOWN = make_rows(120, seed=1, shift=3.0)  # what the champion of `workspace` has learned from


def under_new_names(rows: list[BatchRow], times: int = 1) -> list[BatchRow]:
    """The same rows as of other students, `times` over."""
    return [
        msgspec.structs.replace(row, student=name, record=record_id("invented", name, None, None, row.inputs))
        for time in range(times)
        for place, row in enumerate(rows)
        if (name := f"another {time} {place}")
    ]


def with_marks(rows: list[BatchRow], marks: np.ndarray) -> list[BatchRow]:  # type: ignore[type-arg]
    return [
        msgspec.structs.replace(row, targets={"mark": round(float(mark), 2)})
        for row, mark in zip(rows, marks, strict=True)
    ]


def marks_of(rows: list[BatchRow]) -> np.ndarray:  # type: ignore[type-arg]
    return np.array([row.targets["mark"] for row in rows])


def noise(n: int) -> list[BatchRow]:
    rows = make_rows(n, seed=9, first=9000)
    return with_marks(rows, np.random.default_rng(3).uniform(0, 20, n))


def renamed() -> list[BatchRow]:
    return under_new_names(KNOWN)


def copied() -> list[BatchRow]:
    return under_new_names(noise(60), times=12)


def shuffled() -> list[BatchRow]:
    rows = make_rows(300, seed=5, shift=3.0, first=5000)
    return with_marks(rows, np.random.default_rng(1).permutation(marks_of(rows)))


def inverted() -> list[BatchRow]:
    rows = make_rows(300, seed=6, shift=3.0, first=6000)
    return with_marks(rows, 20 - marks_of(rows))


def constant() -> list[BatchRow]:
    return with_marks(make_rows(300, seed=7, first=7000), np.full(300, 11.0))


@pytest.mark.parametrize("attack", [renamed, copied, shuffled, inverted, constant])
def test_no_attack_replaces_the_champion(workspace: Workspace, attack) -> None:  # type: ignore[no-untyped-def]
    add_batch(workspace.store, SCHEMA.name, attack(), "labeled", name="attack.csv")
    (result,) = retrain(Run(workspace, SCHEMA, window=20_000), [MARK])
    assert not result.promoted, result.decision.reasons
    assert [one.generation for one in workspace.store.successions(MARK)] == [1]


def judged(workspace: Workspace, rows: list[BatchRow]) -> Result:
    (result,) = retrain(Run(workspace, SCHEMA, window=20_000, dry=True), [MARK], unstored=rows)
    return result


def test_copies_are_counted_and_said(workspace: Workspace) -> None:
    again = judged(workspace, renamed())
    assert again.decision.left_out[COPIES] > 100  # of 120; rows with empty cells may well be equal
    result = judged(workspace, copied())
    assert result.decision.left_out[COPIES] > 640  # of 660
    assert result.decision.n <= 60

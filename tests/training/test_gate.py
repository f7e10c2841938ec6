"""Proud and useless models are refused before they serve, each with a sentence and its remedy."""

import numpy as np
import polars as pl
import pytest

from preprocessing.schema import Feature, Target
from training.fit import Task
from training.gate import objections, questions, told_without_error

N = 90
CHANCE = np.random.default_rng(5)
PARTS = {f"p{i}": CHANCE.integers(0, 21, N).astype(float) for i in (1, 2, 3)}
TOTAL = PARTS["p1"] + PARTS["p2"] + PARTS["p3"]
NOISE = CHANCE.normal(0, 4, N)
MARK = Target(name="mark")
GRADE = Target(name="grade", kind="ordered_class", levels=("F", "C", "A"))


def task(truth: np.ndarray, target: Target = MARK, **columns: object) -> Task:
    frame = pl.DataFrame({**columns, target.name: truth, "_student": [None] * N}, strict=False)
    kinds = {name: "numeric" if frame.schema[name].is_numeric() else "categorical" for name in columns}
    inputs = tuple(
        Feature(name=name, kind=kind, levels=() if kind == "numeric" else ("a",), open=kind != "numeric")  # type: ignore[arg-type]
        for name, kind in kinds.items()
    )
    return Task(target, inputs, frame, truth, 0)


GRADES = np.digitize(TOTAL, [24, 36]).astype(float)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (task(TOTAL, **PARTS), "'p1', 'p2' and 'p3' together are 'mark', their sum or weighted mean in every row"),
        (task(np.round(TOTAL / 3, 1), **PARTS), "'p1', 'p2' and 'p3' together are 'mark'"),
        (task(np.round(0.5 * PARTS["p1"] + 0.2 * PARTS["p2"]), **PARTS), "'p1' and 'p2' together are 'mark'"),
        (task(GRADES, GRADE, total=TOTAL, hours=NOISE), "'grade' is 'total' by bands"),
        (task(TOTAL + NOISE, hours=NOISE, no=CHANCE.permutation(N) + 1.0), "input 'no' counts the rows"),
        (
            task(TOTAL + NOISE, hours=NOISE, pin=CHANCE.permutation(N) * 613.0 + 10_000),
            "input 'pin' looks like a key, 100% of its whole numbers are different",
        ),
        (task(TOTAL + NOISE, note=[f"text {i}" for i in range(N)]), "input 'note' is another text in 100% of the rows"),
        (task(TOTAL, Target(name="Test 1"), **{"Test 2": TOTAL + NOISE}), "'Test 1' is known before 'Test 2'"),
        (task(TOTAL, Target(name="previous mark"), **{"final mark": TOTAL + NOISE}), "is known before 'final mark'"),
    ],
)
def test_what_would_be_proud_and_useless_is_refused_with_a_remedy(asked: Task, said: str) -> None:
    [objection] = objections(asked)
    assert said in objection
    assert any(remedy in objection for remedy in ("leave it out", "leave out"))


def test_honest_rows_are_let_be() -> None:
    assert objections(task(TOTAL + NOISE, **PARTS)) == []
    assert objections(task(PARTS["p1"] + NOISE, p1=PARTS["p1"], p2=PARTS["p2"])) == []
    assert objections(task(np.digitize(TOTAL + NOISE, [24, 36]).astype(float), GRADE, total=TOTAL)) == []
    assert objections(task(TOTAL + NOISE, money=CHANCE.normal(50_000, 9_000, N).round(2))) == []
    trusted = task(TOTAL, **PARTS)
    inputs = tuple(Feature(name=name, kind="numeric", trusted=True) for name in PARTS)
    assert objections(Task(trusted.target, inputs, trusted.frame, trusted.truth, 0)) == []


def test_unseen_answers_without_any_error_are_no_proof_of_a_good_model() -> None:
    assert told_without_error(task(TOTAL, **PARTS), TOTAL[:, None]) is not None
    assert told_without_error(task(TOTAL, **PARTS), (TOTAL + NOISE)[:, None]) is None
    sure = np.eye(3)[GRADES.astype(int)]
    assert told_without_error(task(GRADES, GRADE, **PARTS), sure) is not None
    assert told_without_error(task(GRADES, GRADE, **PARTS), np.roll(sure, 1, axis=1)) is None


def test_unknown_levels_and_repeated_rows_without_a_key_are_asked_about() -> None:
    [question] = questions(task(TOTAL, topic=["a", "b"] * (N // 2)), 0)
    assert question.startswith("50% of 'topic' are levels that the domain does not list")
    assert questions(task(TOTAL, **PARTS), N // 5) == []
    [question] = questions(task(TOTAL, **PARTS), N)
    assert question.startswith("50% of the rows say again what another says, and no key tells whose they are")

"""Who can no longer be worth while fits no further folds, and is never gone without a word."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from database.records import ChampionKey
from model.scores import ClassScores, ValueScores
from tests.training.making import GRADE, MARK, SCHEMA, make_frame
from training.evaluate import merit, score
from training.fit import Floats, Task
from training.race import FEWEST_RACED_CLUSTERS, RACED_ROWS, WORTH_WHILE, overtaken
from training.render import summary
from training.train import TRAINING_FOLDS, _task, train

FRAME = make_frame(600, seed=4)
TASKS = {key: _task(SCHEMA, key, FRAME, 0, False)[0] for key in (MARK, GRADE)}
WRONG = st.floats(0.2, 0.8)
BOTH = pytest.mark.parametrize("key", [MARK, GRADE], ids=["value", "class"])


def answers(task: Task, wrong: float, seed: int) -> Floats:
    """(n, outputs) that are off by `wrong` points, or wrong in such a share of the rows."""
    draw, n = np.random.default_rng(seed), task.frame.height
    if task.target.kind == "value":
        return (task.truth + wrong * draw.normal(0, 1, n)).reshape(-1, 1)
    levels = len(task.target.levels)
    other = (task.truth + 1) % levels
    return np.eye(levels)[np.where(draw.random(n) < wrong, other, task.truth).astype(int)]


@BOTH
@given(first=WRONG, second=WRONG, seed=st.integers(0, 99), size=st.sampled_from([1, 5, 100]))
def test_who_leads_stays_and_who_leaves_is_surely_not_worth_it(
    key: ChampionKey, first: float, second: float, seed: int, size: int
) -> None:
    task = TASKS[key]
    said = {"first": answers(task, first, seed), "second": answers(task, second, 100 + seed)}
    clusters = np.arange(task.frame.height) // size
    merits = {name: merit(score(task, outputs, clusters)) for name, outputs in said.items()}
    found = overtaken(task, said, clusters, folds=1)
    leader = max(merits, key=lambda name: merits[name])
    assert leader not in found
    assert not found or clusters[-1] + 1 >= FEWEST_RACED_CLUSTERS
    for name, one in found.items():
        assert (one.leader, one.n) == (leader, task.frame.height)
        assert (one.score, one.best) == pytest.approx((abs(merits[name]), abs(merits[leader])))
        assert merits[name] - merits[leader] <= one.most < WORTH_WHILE * one.best
    far = merits[leader] - min(merits.values()) > 0.25 * abs(merits[leader])
    assert bool(found) or not far or size == 100


def test_equal_answers_are_one_too_many() -> None:
    task = TASKS[MARK]
    same = answers(task, 0.5, 1)
    assert list(overtaken(task, {"first": same, "second": same}, np.arange(600), folds=2)) == ["second"]


def test_of_many_rows_each_candidate_has_a_score_or_a_reason() -> None:
    frame, steps = make_frame(RACED_ROWS, seed=5), Counter[str]()
    manifest = train(SCHEMA, MARK, frame, progress=lambda step: steps.update([step])).bundle.manifest
    assert manifest.overtaken
    assert not manifest.overtaken.keys() & manifest.scores.keys()
    for name in manifest.scores.keys() - {"naive"}:
        assert steps[name] == TRAINING_FOLDS
    for name, one in manifest.overtaken.items():
        assert steps[name] == (one.folds if name != "mean_of_trees" else 0)  # a mean's parts are what is fitted
        assert one.folds < TRAINING_FOLDS
        assert f"{name} stopped after {one.folds} fold" in "\n".join(summary(manifest))
    assert isinstance(manifest.scores[manifest.candidate], ValueScores | ClassScores)

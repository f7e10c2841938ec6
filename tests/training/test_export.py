"""What is served is what was fitted, proved on rows made to find the difference."""

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from database.records import ChampionKey
from model.export import NASTY_ROWS, TOLERANCE, ParityError, check_parity, export_graph, nasty_rows
from model.graph import open_graph, run_graph
from preprocessing.encode import Encoding
from tests.training.making import GRADE, MARK, SCHEMA, few_trees, make_frame
from training.candidates import ABSOLUTE, CLASS_CANDIDATES, VALUE_CANDIDATES, Candidate, Mean
from training.fit import Task, fit
from training.train import _task

ALL = [(MARK, c) for c in (*VALUE_CANDIDATES, ABSOLUTE)] + [(GRADE, c) for c in CLASS_CANDIDATES]


def task_of(key: ChampionKey, seed: int = 1) -> Task:
    return _task(SCHEMA, key, make_frame(150, seed=seed, levels=("F", "D", "C", "A")), 0, False)[0]


def nasty(task: Task, encoding: Encoding) -> np.ndarray:
    seen = {name: task.frame[name].to_numpy().astype(np.float64) for name in ("hours", "before")}
    return nasty_rows(task.inputs, encoding, seen, seed=0)


@pytest.mark.parametrize(("key", "candidate"), ALL, ids=[f"{key.target}-{c.name}" for key, c in ALL])
def test_every_candidate_s_graph_says_the_same_and_of_a_row_alone_what_it_says_among_others(
    key: ChampionKey, candidate: Candidate | Mean
) -> None:
    task = task_of(key)
    fitted = fit(candidate, task)
    levels = len(task.target.levels)
    graph = export_graph(fitted.estimator, fitted.encoding.width, levels=levels)
    X = nasty(task, fitted.encoding)
    assert check_parity(fitted.estimator, graph, X, scale=fitted.scale) <= TOLERANCE
    assert export_graph(fitted.estimator, fitted.encoding.width, levels=levels) == graph
    session = open_graph(graph)
    served = run_graph(session, X)
    assert served.shape == (len(X), levels or 1)
    if key == MARK:
        served = np.clip(served * np.float64(fitted.scale) + fitted.center, 0, 20)
    assert np.abs(served - fitted.outputs_of(X)).max() <= TOLERANCE
    some = X[:300]
    alone = np.concatenate([run_graph(session, some[i : i + 1]) for i in range(len(some))])
    pieces = np.concatenate([run_graph(session, some[i : i + 7]) for i in range(0, len(some), 7)])
    assert np.array_equal(alone, run_graph(session, some))
    assert np.array_equal(pieces, run_graph(session, some))


def test_nasty_rows_are_many_and_hold_what_finds_differences() -> None:
    task = task_of(MARK)
    encoding = fit(VALUE_CANDIDATES[1], task).encoding
    X = nasty(task, encoding)
    assert X.shape == (NASTY_ROWS, encoding.width)
    assert NASTY_ROWS >= 20_000
    columns = np.array(encoding.columns)
    (hours, missing), (before,) = np.flatnonzero(columns == "hours"), np.flatnonzero(columns == "before")
    for name in ("support", "subject"):
        known = X[:, columns == name].sum(axis=1)
        assert set(known) == {0.0, 1.0}  # 0: unknown or missing
        assert (X[:, columns == name].sum(axis=0) > 0).all()
    assert set(X[:, missing]) == {0.0, 1.0}
    assert (X[X[:, missing] == 1, hours] == np.float32(encoding.numeric[0].fill)).all()
    assert {0.0, 20.0, 7.0, 7.5} <= set(X[:, before])  # bounds, a whole mark, the middle between two
    seen = np.unique(task.frame["hours"].drop_nulls().to_numpy())
    middles = ((seen[1:] + seen[:-1]) / 2).astype(np.float32)
    assert np.isin(middles, X[:, hours]).all()
    assert len(np.unique(X, axis=0)) < len(X)


@pytest.mark.parametrize("key", [MARK, GRADE], ids=["value", "class"])
def test_the_graph_of_another_model_is_not_saved(key: ChampionKey) -> None:
    candidate = (VALUE_CANDIDATES if key == MARK else CLASS_CANDIDATES)[3]
    task, other = task_of(key), task_of(key, seed=2)
    with few_trees():
        fitted, stranger = fit(candidate, task), fit(candidate, other)
    graph = export_graph(stranger.estimator, stranger.encoding.width, levels=len(task.target.levels))
    with pytest.raises(ParityError, match=r"by more than 0.0001 on \d+ of 20000 rows; the model is not saved"):
        check_parity(fitted.estimator, graph, nasty(task, fitted.encoding))


def test_a_difference_in_a_single_row_is_found() -> None:
    X = np.zeros((20_000, 1), dtype=np.float32)
    X[12_345] = 1.0
    fitted, off = LinearRegression().fit(X, X[:, 0]), LinearRegression().fit(X, X[:, 0] * 1.001)
    assert check_parity(fitted, export_graph(fitted, 1), X) <= TOLERANCE
    with pytest.raises(ParityError, match="on 1 of 20000 rows"):
        check_parity(fitted, export_graph(off, 1), X)

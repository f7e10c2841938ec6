"""Which candidates need not go on: a race over folds, in which who can no longer be worth while fits no further model.

Pure functions over unseen answers. Nothing here fits, and nothing chooses: that is done among those who finish.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t

from model.scores import Overtaken, weighted_f1
from training.evaluate import answers_of
from training.fit import Floats, Task

RACED_ROWS = 2_000
"""From so many rows on there is a race. Fewer are fitted in seconds, and their folds tell little apart."""
FEWEST_RACED_CLUSTERS = 10
RACE_LEVEL = 0.99
"""Of each candidate at each look, one-sided: with four looks, the best of all is sent home in 4 % of trainings at most,
and then for one that is hardly worse."""
WORTH_WHILE = 0.005
"""Of the leader's RMSE or weighted F1: who cannot be better by so much is not worth the fits."""


class _Result(NamedTuple):
    """A deciding score, larger is better, and what it would be without each cluster in turn."""

    merit: float
    without: Floats


def overtaken(
    task: Task, outputs: Mapping[str, Floats], clusters: NDArray[np.int64], *, folds: int
) -> dict[str, Overtaken]:
    """Of the candidates with these unseen (n, outputs) for the rows of `task`, of so many folds, those that need not go
    on.

    The standard error of a candidate's difference from the leader is that of leaving out each cluster in turn (Tukey
    1958), the quantile Student's. Among few clusters nobody is told apart.
    """
    _, number = np.unique(clusters, return_inverse=True)
    count = int(number.max()) + 1
    if count < FEWEST_RACED_CLUSTERS:
        return {}
    results = {name: _result(task, one, number) for name, one in outputs.items()}
    leader = max(results, key=lambda name: results[name].merit)
    best, quantile, found = results[leader], float(t.ppf(RACE_LEVEL, count - 1)), {}
    for name, one in results.items():
        apart = one.without - best.without
        error = float(np.sqrt((count - 1) / count * ((apart - apart.mean()) ** 2).sum()))
        most = one.merit - best.merit + quantile * error
        if name != leader and most < WORTH_WHILE * abs(best.merit):
            found[name] = Overtaken(
                score=abs(one.merit),
                leader=leader,
                best=abs(best.merit),
                most=most,
                level=RACE_LEVEL,
                n=len(clusters),
                folds=folds,
            )
    return found


def _result(task: Task, outputs: Floats, number: NDArray[np.intp]) -> _Result:
    """The merit of `training.evaluate.merit`, from sums over clusters. number: (n,) the cluster of each row."""
    answers, rows = answers_of(task, outputs), np.bincount(number)
    if task.target.kind == "value":
        squared = np.bincount(number, weights=(answers - task.truth) ** 2)
        without = (squared.sum() - squared) / (rows.sum() - rows)
        return _Result(-float(np.sqrt(squared.sum() / rows.sum())), -np.sqrt(without))
    levels = len(task.target.levels)
    cells = (number * levels + task.truth.astype(np.intp)) * levels + answers.astype(np.intp)
    confusions = np.bincount(cells, minlength=len(rows) * levels**2).reshape(-1, levels, levels)
    total = confusions.sum(axis=0)
    return _Result(float(weighted_f1(total)), weighted_f1(total - confusions))

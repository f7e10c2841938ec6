"""Fits candidates and lets each answer rows it has not seen. Chooses nothing and judges nothing."""

from collections import deque
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
import sklearn
from numpy.typing import NDArray
from sklearn import config_context
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import VotingRegressor
from sklearn.utils import parallel
from threadpoolctl import threadpool_limits

from model.predictor import clip
from preprocessing.encode import Encoding, encode_frame, fit_encoding
from preprocessing.schema import Feature, Target
from preprocessing.split import Rows
from training.candidates import Candidate, Estimator, Mean

Floats = NDArray[np.float64]
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Task:
    """What is to be learned: `inputs` of `frame` to `truth` ((n,) values, or level numbers). banded: the levels are
    bands of a value, which is what is learned."""

    target: Target
    inputs: tuple[Feature, ...]
    frame: pl.DataFrame
    truth: Floats
    seed: int
    banded: bool = False

    def subset(self, rows: Rows) -> "Task":
        return Task(self.target, self.inputs, self.frame[rows], self.truth[rows], self.seed, self.banded)


@dataclass(frozen=True)
class Fitted:
    """A fitted estimator with the encoding it was fitted on.

    A value is what the estimator says times `scale` plus `center`: it learned values of mean 0 and deviation 1, so that
    the float32 graph spends its seven digits on what differs between students.
    """

    estimator: Estimator
    encoding: Encoding
    target: Target
    center: float = 0.0
    scale: float = 1.0

    def outputs(self, frame: pl.DataFrame) -> Floats:
        """(n, 1) values within the target's range, or (n, levels) probabilities, for the rows of a typed frame."""
        return self.outputs_of(encode_frame(self.encoding, frame))

    def outputs_of(self, X: NDArray[np.float32]) -> Floats:
        """As `outputs`, for encoded rows."""
        if self.target.kind == "value":
            values = self.estimator.predict(X).reshape(-1, 1).astype(np.float64)
            return clip(values * self.scale + self.center, self.target.minimum, self.target.maximum)
        probabilities = np.zeros((len(X), len(self.target.levels)))
        probabilities[:, self.estimator.classes_.astype(int)] = self.estimator.predict_proba(X)
        return probabilities


@dataclass(frozen=True)
class Unseen:
    """What one candidate said about rows it was not fitted on.

    outputs: (n, outputs), NaN in rows that no fold tests (the first periods of a time split). last: the model that was
    fitted without the last fold.
    """

    outputs: Floats
    last: Fitted


def fit(candidate: Candidate | Mean, task: Task) -> Fitted:
    """`candidate` fitted on all rows of `task`; where all are of one class, a model that always answers it.

    In one OpenMP thread, so that sums are added in one order everywhere: `training.train` sees to that.
    """
    if isinstance(candidate, Mean):
        return _mean_of([fit(part, task) for part in candidate.parts])
    encoding = fit_encoding(candidate.inputs_of(task.inputs), task.frame, standardise=candidate.standardise)
    center, scale, truth = _standardised(task)
    alone = task.target.kind == "ordered_class" and np.unique(truth).size == 1
    estimator = DummyClassifier() if alone else candidate.make(task.seed, task.frame.height)
    told = {} if alone else candidate.tell(task.frame, encoding)
    estimator.fit(encode_frame(encoding, task.frame), truth, **told)
    return Fitted(estimator, encoding, task.target, center, scale)


def _mean_of(parts: Sequence[Fitted]) -> Fitted:
    """The model that says the mean of what `parts` say, which were fitted to the same rows."""
    together = VotingRegressor([(str(number), part.estimator) for number, part in enumerate(parts)])
    together.estimators_ = [part.estimator for part in parts]  # fitted already
    return replace(parts[0], estimator=together)


def _standardised(task: Task) -> tuple[float, float, NDArray[Any]]:
    """(center, scale, what an estimator learns): (truth - center) / scale for values, level numbers for classes."""
    if task.target.kind == "ordered_class":
        return 0.0, 1.0, task.truth.astype(np.int64)
    center, scale = float(task.truth.mean()), float(task.truth.std()) or 1.0
    return center, scale, (task.truth - center) / scale


Judge = Callable[[Mapping[str, Floats], Rows, int], Collection[str]]
"""Names the candidates that need not go on, by the (n, outputs) of each, the rows tested so far and the folds."""


def answer_unseen(
    candidates: Sequence[Candidate | Mean],
    task: Task,
    folds: Sequence[tuple[Rows, Rows]],
    *,
    jobs: int,
    progress: Progress,
    judge: Judge | None = None,
) -> dict[str, Unseen]:
    """Candidate name to its answers, each row answered by a model that was fitted without its fold.

    judge: asked after each fold, the newest first; whom it names fits no further one. All go on where it is None.
    """
    width = 1 if task.target.kind == "value" else len(task.target.levels)
    outputs = {candidate.name: np.full((task.frame.height, width), np.nan) for candidate in candidates}
    last: dict[str, Fitted] = {}
    rounds = [[pair] for pair in reversed(folds)] if judge else [folds[::-1]]
    tested: list[Rows] = []
    leave_filters_alone()
    with ThreadPoolExecutor(jobs, initializer=_in_one_openmp_thread) as pool:
        for number, pairs in enumerate(rounds, start=1):
            for test, answered in _answer_folds(pool, candidates, pairs, task, progress):
                tested.append(test)
                for name, (fitted, answers) in answered.items():
                    outputs[name][test] = answers
                    last.setdefault(name, fitted)
            if judge and number < len(rounds):
                known = {candidate.name: outputs[candidate.name] for candidate in candidates}
                left = judge(known, np.sort(np.concatenate(tested)), number)
                candidates = [candidate for candidate in candidates if candidate.name not in left]
    return {name: Unseen(outputs[name], last[name]) for name in outputs}


def _in_one_openmp_thread() -> None:
    """Whatever this thread computes from now on, so that sums are added in one order everywhere, and so that as many
    threads as there are cores do not wait for each other at every tree, also where boosting only answers.

    The limit holds for the calling thread alone; that of BLAS holds for the process, and `training.train` sets it.
    """
    threadpool_limits(1, user_api="openmp")


Answered = Mapping[str, tuple[Fitted, Floats]]
"""Candidate name to the model that was fitted without a fold, and what it says of the fold's rows."""


def _answer_folds(
    pool: ThreadPoolExecutor,
    candidates: Sequence[Candidate | Mean],
    pairs: Sequence[tuple[Rows, Rows]],
    task: Task,
    progress: Progress,
) -> Iterator[tuple[Rows, Answered]]:
    """The test rows of each of `pairs`, and what candidates say of them."""
    fitting = [candidate for candidate in candidates if isinstance(candidate, Candidate)]
    means = [candidate for candidate in candidates if isinstance(candidate, Mean)]
    work = [(candidate, *pair) for pair in pairs for candidate in fitting]
    with closing(_answers(pool, work, task)) as results:
        for _, test in pairs:
            answered = {}
            for candidate in fitting:
                answered[candidate.name] = next(results)
                progress(candidate.name)
            for mean in means:
                fitted = _mean_of([answered[part.name][0] for part in mean.parts])
                answered[mean.name] = fitted, fitted.outputs(task.frame[test])
            yield test, answered


SETTING_FILTERS = frozenset({"1.7", "1.8", "1.9"})
"""Releases of scikit-learn that set the warning filters of the process around each piece of their own loops."""


def leave_filters_alone() -> None:
    """Have pieces of scikit-learn's loops (a tree of a forest) run without setting the warning filters of the process.

    Threads that fit at once would mix them up: the process loses its filters, and each further tree warns about that.
    A piece runs in the thread that asked for it, whose filters are the right ones as they are. Other releases than
    those that are known to need this stay as they are.
    """
    if ".".join(sklearn.__version__.split(".")[:2]) in SETTING_FILTERS:
        parallel._FuncWrapper.__call__ = _run_piece


def _run_piece(piece: Any, *args: Any, **kwargs: Any) -> Any:
    """A piece run under the configuration it came with."""
    with config_context(**getattr(piece, "config", {})):
        return piece.function(*args, **kwargs)


Work = Sequence[tuple[Candidate, Rows, Rows]]


def _answers(pool: ThreadPoolExecutor, work: Work, task: Task) -> Generator[tuple[Fitted, Floats], None, None]:
    """The model and the answers of each piece of work, in order; closed early, what has not begun never does.

    A model is let go of as soon as it is given: a forest of 20,000 rows takes some hundred megabytes.
    """
    futures = deque(pool.submit(_answer_fold, *piece, task) for piece in work)
    try:
        while futures:
            yield futures.popleft().result()
    finally:
        for future in futures:
            future.cancel()


def _answer_fold(candidate: Candidate, train: Rows, test: Rows, task: Task) -> tuple[Fitted, Floats]:
    fitted = fit(candidate, task.subset(train))
    return fitted, fitted.outputs(task.frame[test])

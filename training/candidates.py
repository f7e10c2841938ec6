"""The models that compete, each with the settings it competes with.

What else was tried, and earned no place, is in docs/decisions (0005 and later). None stops early, which would cut rows
of one group or a rare class in two. Nothing here looks at data.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression, RidgeCV

from preprocessing.encode import Encoding
from preprocessing.schema import Feature, Target

Estimator = Any
"""A scikit-learn estimator (the library ships no types)."""


def of_its_row(feature: Feature) -> bool:
    """Whether a column is of its own row, and not made of the weeks before."""
    return not feature.of


def nothing_more(_frame: pl.DataFrame, _encoding: Encoding) -> Mapping[str, Any]:
    """What most estimators are told beside rows and outcomes."""
    return {}


@dataclass(frozen=True)
class Candidate:
    """A model to try. make: builds it unfitted from a seed, for so many rows. standardise: its numeric inputs need one
    scale. sees: which inputs it takes. tell: what its `fit` is told of the typed rows and their encoding, beside the
    matrix and the outcomes."""

    name: str
    make: Callable[[int, int], Estimator]
    standardise: bool = False
    sees: Callable[[Feature], bool] = of_its_row
    tell: Callable[[pl.DataFrame, Encoding], Mapping[str, Any]] = nothing_more

    def inputs_of(self, inputs: Sequence[Feature]) -> tuple[Feature, ...]:
        """Those of `inputs` that it takes."""
        return tuple(feature for feature in inputs if self.sees(feature))


@dataclass(frozen=True)
class Mean:
    """The mean of the values that others answer. parts: candidates that compete too, with inputs as they are."""

    name: str
    parts: tuple[Candidate, ...]

    def inputs_of(self, inputs: Sequence[Feature]) -> tuple[Feature, ...]:
        """Those that its parts take."""
        return self.parts[0].inputs_of(inputs)


FOREST_ROWS = 5_000
"""Each tree of a forest learns from so many rows, drawn anew, where there are more, and half the trees do."""
FOREST_TREES = 200
FOREST_LEAVES = 50_000
"""Of all trees of a forest at most, if each row were drawn once; where rows are fewer than 750, it has what it had."""
BOOSTING_ROWS = 10_000
"""Each tree of exact gradient boosting learns from so many rows, drawn anew, where seven tenths are more."""


def tree_sizes(rows: int) -> tuple[int, int]:
    """How many trees a forest has that learns from `rows`, and the fewest rows in a leaf. A process that serves it
    holds its graph six to eight times over.

    >>> tree_sizes(649), tree_sizes(5_000), tree_sizes(20_000)
    ((200, 2), (200, 20), (100, 10))
    """
    trees = FOREST_TREES if rows <= FOREST_ROWS else FOREST_TREES // 2
    return trees, max(2, min(rows, FOREST_ROWS) * trees // FOREST_LEAVES)


def _forest(kind: type[Estimator], seed: int, rows: int) -> Estimator:
    trees, leaf = tree_sizes(rows)
    drawn = FOREST_ROWS if rows > FOREST_ROWS else None
    return kind(trees, min_samples_leaf=leaf, max_samples=drawn, max_features=0.5, random_state=seed)


def _boosting(kind: type[Estimator], seed: int, rows: int, **settings: Any) -> Estimator:
    drawn = min(0.7, BOOSTING_ROWS / rows)
    return kind(max_depth=3, subsample=drawn, max_features=0.5, random_state=seed, **settings)


def _histograms(kind: type[Estimator], seed: int, **settings: Any) -> Estimator:
    return kind(max_leaf_nodes=15, min_samples_leaf=10, early_stopping=False, random_state=seed, **settings)


VALUE_STEPS = {"n_estimators": 150, "learning_rate": 0.05}
CLASS_STEPS = {"n_estimators": 60, "learning_rate": 0.1}
VALUE_ROUNDS = {"max_iter": 120, "learning_rate": 0.05}
CLASS_ROUNDS = {"max_iter": 60, "learning_rate": 0.1}

FOREST = Candidate("random_forest", lambda seed, rows: _forest(RandomForestRegressor, seed, rows))
BOOSTING = Candidate(
    "gradient_boosting", lambda seed, rows: _boosting(GradientBoostingRegressor, seed, rows, **VALUE_STEPS)
)
HISTOGRAMS = Candidate(
    "hist_gradient_boosting",
    lambda seed, _: _histograms(HistGradientBoostingRegressor, seed, **VALUE_ROUNDS),
)
VALUE_CANDIDATES = (
    Candidate("ridge", lambda *_: RidgeCV(np.logspace(-1, 3, 13)), standardise=True),
    FOREST,
    BOOSTING,
    HISTOGRAMS,
    Mean("mean_of_trees", (FOREST, BOOSTING, HISTOGRAMS)),
)

ABSOLUTE = Candidate(
    "absolute_boosting",
    lambda seed, rows: _boosting(GradientBoostingRegressor, seed, rows, loss="absolute_error", **VALUE_STEPS),
)
"""Tried where the plain rule is nearer to the outcomes than the best of the others: it learns absolute errors, by which
promotions are judged. Its squared errors are large on students who fail, so that it is no choice elsewhere."""

CLASS_CANDIDATES = (
    Candidate("logistic", lambda *_: LogisticRegression(max_iter=2000), standardise=True),
    Candidate("random_forest", lambda seed, rows: _forest(RandomForestClassifier, seed, rows)),
    Candidate("gradient_boosting", lambda seed, rows: _boosting(GradientBoostingClassifier, seed, rows, **CLASS_STEPS)),
    Candidate(
        "hist_gradient_boosting",
        lambda seed, _: _histograms(HistGradientBoostingClassifier, seed, **CLASS_ROUNDS),
    ),
)


def candidates_for(kind: str) -> tuple[Candidate | Mean, ...]:
    """The candidates for a target of `kind` "value" or "ordered_class"."""
    return VALUE_CANDIDATES if kind == "value" else CLASS_CANDIDATES


FOUNDATION_ROWS = 2_000
"""Up to which a foundation model competes: its graph holds the rows, and looks at all of them for each question."""


def foundation_candidates(files: Sequence[Path], target: Target, rows: int) -> tuple[Candidate, ...]:
    """The first model among the user's checkpoints of TabICL that answers such a target, for so many rows at most."""
    if not files or rows > FOUNDATION_ROWS:
        return ()
    from training.foundation import make_estimator, suits

    file = next((file for file in files if suits(file, target)), None)
    return (Candidate("tabicl", lambda *_: make_estimator(file, target), standardise=True),) if file else ()

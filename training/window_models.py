"""The models that compete where columns look back on earlier weeks, and the two that stand beside them in tables.

All are candidates like any other: the same rows, folds by student and year, and chances that add up over horizons.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.dummy import DummyClassifier

from preprocessing.encode import Encoding
from preprocessing.schema import DomainSchema, Feature, Flag, Target
from preprocessing.split import students
from training.candidates import Candidate, candidates_for

BOOSTING_OF_SUMS = "hist_gradient_boosting"
"""The candidate that is tried on what is summed of the window as well."""

BASE_RATE = Candidate("base_rate", lambda *_: DummyClassifier(strategy="prior"))
"""The shares of levels, for everybody: what a model must be better than to tell anything."""


def rule_rates(target: Target) -> Candidate:
    """The plain rule of a target with flags as chances: the shares of levels among those who are flagged, and among all
    others."""
    return Candidate("plain_rule", lambda *_: _RuleRates(target.flags), tell=_columns)


def window_candidates(
    schema: DomainSchema,
    target: Target,
    inputs: Sequence[Feature],
    temporal: str = "",
    checkpoints: Path | None = None,
) -> tuple[Candidate, ...]:
    """Those that see more than the week's own of `inputs`; none where there is no more. temporal: the size of a
    recurrent network to try ("small", "large"), none ""."""
    found: tuple[Candidate, ...] = ()
    if any(feature.of and not feature.weeks_before for feature in inputs):
        known = [one for one in candidates_for(target.kind) if isinstance(one, Candidate)]
        boosting = next(one for one in known if one.name == BOOSTING_OF_SUMS)
        found += (replace(boosting, name="window_boosting", sees=lambda feature: not feature.weeks_before),)
    if temporal and target.kind == "ordered_class" and any(feature.weeks_before for feature in inputs):
        found += (network_candidate(schema, temporal, checkpoints),)
    return found


def network_candidate(schema: DomainSchema, size: str, checkpoints: Path | None = None) -> Candidate:
    """The recurrent network that reads the weekly columns of a panel, each week of the window, in branches by what they
    are about. checkpoints: the folder in which a killed training finds its place again."""
    from training.temporal import SIZES, Branches, TemporalClassifier

    panel = schema.panel
    assert panel is not None  # noqa: S101 (only a panel has weekly columns)

    def tell(frame: pl.DataFrame, encoding: Encoding) -> dict[str, Any]:
        made = {name: schema.feature_by_name[name] for name in encoding.columns}
        steps = {name: (one.of or name, one.weeks_before) for name, one in made.items()}
        branches = Branches.of(encoding.columns, steps, [*panel.weekly.values()], panel.window)
        return {"branches": branches, "students": students(frame)}

    return Candidate(
        f"gru_{size}",
        lambda seed, _: TemporalClassifier(SIZES[size], seed=seed, checkpoints=checkpoints),
        standardise=True,
        sees=lambda feature: not feature.of or feature.weeks_before > 0,
        tell=tell,
    )


def _columns(_frame: pl.DataFrame, encoding: Encoding) -> dict[str, Any]:
    return {"columns": encoding.columns}


class _RuleRates:
    """scikit-learn's way of a rule that flags rows."""

    classes_: NDArray[np.int64]

    def __init__(self, flags: Sequence[Flag]) -> None:
        self._flags = flags
        self._places: list[tuple[Flag, int, int | None]] = []
        self._rates: NDArray[np.float64] = np.zeros((2, 0))

    def fit(self, X: NDArray[np.float32], y: NDArray[np.int64], *, columns: Sequence[str]) -> Self:
        """columns: the input behind each of X, twice where its missing values are marked."""
        for flag in self._flags:
            place = columns.index(flag.column)
            marked = place + 1 if columns[place + 1 : place + 2] == (flag.column,) else None
            self._places.append((flag, place, marked))
        self.classes_, level = np.unique(y, return_inverse=True)
        flagged, count = self._flagged(X), len(self.classes_)
        everybody = np.bincount(level, minlength=count) / len(level)
        shares = [np.bincount(level[flagged == one], minlength=count) for one in (False, True)]
        self._rates = np.array([one / one.sum() if one.sum() else everybody for one in shares])
        return self

    def predict_proba(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.asarray(self._rates[self._flagged(X).astype(int)])

    def _flagged(self, X: NDArray[np.float32]) -> NDArray[np.bool_]:
        found = np.zeros(len(X), np.bool_)
        for flag, place, marked in self._places:
            values = X[:, place].astype(np.float64)
            holds = values < np.float32(flag.below) if flag.below is not None else values > (flag.above or 0.0)
            found |= holds & (X[:, marked] == 0 if marked is not None else True)
        return found

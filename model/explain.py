"""Which inputs moved an answer, and how far: each is replaced by what training rows held there, the rest left alone.

It says what a model does with a row, not what causes a result. It knows no store and no request.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from database.records import Cell, Factor
from model.bundle import Manifest, answered_levels
from preprocessing.encode import encode_rows

Floats = NDArray[np.float64]
Encoded = NDArray[np.float32]

MOST_FACTORS = 20
"""More are no explanation any more."""

COMMON_LEVELS = 8
"""The commonest levels of a column that stand for all of them."""

EXPLAINED_AT_ONCE = 20_000
"""Rows of the graph in one run: bounds the memory of explaining many answers."""

NO_EFFECT = 1e-6
"""Effects up to here are float32's, not the model's."""


class Explainer:
    """A model's occlusion effects (Zeiler and Fergus 2014; Covert et al. 2021: marginal feature removal).

    An input is a column of the schema: all its encoded columns are replaced together, and with it what is made of its
    earlier weeks, as if they had always been so. The effect is the answer minus
    the mean answer over the reference's values of that input, each weighted by its share. outputs: (n, width) encoded
    rows to (n, outputs).
    """

    def __init__(self, manifest: Manifest, outputs: Callable[[Encoded], Floats]) -> None:
        self._outputs = outputs
        self._banded = manifest.bands is not None
        self._ordered = np.arange(len(manifest.target.levels), dtype=np.float64)
        source = {one["name"]: one["of"] for one in manifest.learned.get("features", ()) if one.get("of")}
        behind = np.array([source.get(name, name) for name in manifest.encoding.columns])
        self.features = tuple(name for name in manifest.inputs if name in manifest.reference and name not in source)
        together = {name: [name, *(made for made, of in source.items() if of == name)] for name in self.features}
        parts = [_common(manifest.reference[name]) for name in self.features]
        self._starts = np.cumsum([0, *(len(part) for part in parts)])
        count = int(self._starts[-1])
        self._replaced = np.zeros((count, len(behind)), dtype=bool)
        self._values = np.zeros((count, len(behind)), dtype=np.float32)
        self._weights = np.array([share for part in parts for _, share in part], dtype=np.float64)
        for name, (start, end), part in zip(self.features, pairwise(self._starts), parts, strict=True):
            self._replaced[start:end] = behind == name
            rows = [dict.fromkeys(together[name], value) for value, _ in part]
            self._values[start:end] = encode_rows(manifest.encoding, rows)

    def explain(self, rows: Sequence[Mapping[str, Cell]], X: Encoded, *, most: int) -> list[tuple[Factor, ...]]:
        """The `most` strongest factors of each row's answer; `X`: the same rows, encoded. Inputs without effect are no
        factors."""
        found: list[tuple[Factor, ...]] = []
        at_once = max(1, EXPLAINED_AT_ONCE // (len(self._weights) + 1))
        for start in range(0, len(rows), at_once):
            part = rows[start : start + at_once]
            effects, directions = self.changes(X[start : start + at_once])
            found += [self._factors(*one, most) for one in zip(part, effects, directions, strict=True)]
        return found

    def changes(self, X: Encoded) -> tuple[Floats, Floats]:
        """(n, inputs) effects on the answer, and on the target's scale, of every input of encoded rows.

        For a value both are the same. For a class the first is the change of the answered level's probability, the
        second that of the expected level's number.
        """
        n, count = len(X), len(self._weights)
        if not count:
            return np.zeros((n, 0)), np.zeros((n, 0))
        variants = np.where(self._replaced, self._values, X[:, np.newaxis, :]).reshape(n * count, -1)
        outputs = self._outputs(np.concatenate([X, variants]))
        said, occluded = outputs[:n], outputs[n:].reshape(n, count, -1)
        means = np.add.reduceat(occluded * self._weights[:, np.newaxis], self._starts[:-1], axis=1)
        moved = said[:, np.newaxis, :] - means
        if not self._ordered.size:
            return moved[:, :, 0], moved[:, :, 0]
        answered = answered_levels(said, banded=self._banded)
        return np.take_along_axis(moved, answered[:, np.newaxis, np.newaxis], axis=2)[:, :, 0], moved @ self._ordered

    def _factors(self, row: Mapping[str, Cell], effects: Floats, directions: Floats, most: int) -> tuple[Factor, ...]:
        strongest = np.argsort(-np.abs(effects), kind="stable")[:most]
        return tuple(
            Factor(
                feature=self.features[place],
                value=row.get(self.features[place]),
                effect=float(effects[place]),
                direction="raises" if directions[place] > 0 else "lowers",
            )
            for place in strongest
            if abs(effects[place]) > NO_EFFECT
        )


def _common(part: Sequence[tuple[Cell, float]]) -> list[tuple[Cell, float]]:
    """The commonest values of a reference, with shares that sum to 1."""
    kept = sorted(part, key=lambda pair: -pair[1])[: COMMON_LEVELS + 1]
    total = sum(share for _, share in kept)
    return [(value, share / total) for value, share in kept]

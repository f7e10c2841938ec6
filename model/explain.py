"""Which inputs moved an answer, and how far: each is replaced by what training rows held there, the rest left alone.

It says what a model does with a row, not what causes a result. It knows no store and no request.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import msgspec
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

LEAST_CHANCE = 1e-6
"""Below it, and as near to 1, odds are not told apart."""

NO_EFFECT = 1e-6
"""Effects up to here are float32's, not the model's."""


class ThemeFactor(msgspec.Struct, frozen=True, kw_only=True):
    """What the columns of one theme did to a chance of ending below the pass mark: a statement about the model, not
    about causes. points: how far it moves when all of them are known instead of being usual; effect: the same of its
    logarithmic odds, by which themes are ranked. column: the one of them that did most by itself, with the row's value
    and the usual one."""

    theme: str
    points: float
    effect: float
    column: str
    value: Cell
    reference: Cell


class ThemeExplainer:
    """Occlusion of several columns at once, by the middle of what training rows held there: related columns that are
    replaced one by one hide behind each other. What is made of their earlier weeks goes with them. A row of usual
    values has no factors.

    themes: the columns of each. outputs: as `Explainer` takes them, probabilities of ordered classes.
    """

    def __init__(
        self, manifest: Manifest, outputs: Callable[[Encoded], Floats], themes: Mapping[str, Sequence[str]]
    ) -> None:
        self._outputs, self._encoding = outputs, manifest.encoding
        self._failing = int(manifest.target.pass_mark or 0)
        source = _made_of(manifest)
        self.middles = {name: _middle(part) for name, part in manifest.reference.items() if name not in source}
        usual = {**self.middles, **{name: self.middles.get(of) for name, of in source.items()}}
        known = {theme: [name for name in names if name in self.middles] for theme, names in themes.items()}
        self._themes = {theme: names for theme, names in known.items() if names}
        self._columns = [name for names in self._themes.values() for name in names]
        behind = np.array([source.get(name, name) for name in manifest.encoding.columns])
        masks = [np.isin(behind, names) for names in self._themes.values()]
        masks += [behind == name for name in self._columns]
        self._replaced = np.array(masks, dtype=np.bool_).reshape(len(masks), len(behind))
        self._values = encode_rows(manifest.encoding, [usual])[0]

    def explain(self, rows: Sequence[Mapping[str, Cell]], *, most: int) -> list[tuple[ThemeFactor, ...]]:
        """The `most` strongest themes of each row; those without effect are none."""
        X, count = encode_rows(self._encoding, rows), len(self._replaced)
        variants = np.where(self._replaced, self._values, X[:, np.newaxis, :]).reshape(len(X) * count, -1)
        outputs = self._outputs(np.concatenate([X, variants]))
        chances = np.clip(outputs[:, : self._failing].sum(axis=1), LEAST_CHANCE, 1 - LEAST_CHANCE)
        said, others = chances[: len(X), np.newaxis], chances[len(X) :].reshape(len(X), count)
        points, effects = said - others, _logit(said) - _logit(others)
        return [self._factors(*one, most) for one in zip(rows, points, effects, strict=True)]

    def _factors(self, row: Mapping[str, Cell], points: Floats, effects: Floats, most: int) -> tuple[ThemeFactor, ...]:
        single = dict(zip(self._columns, np.abs(effects[len(self._themes) :]).tolist(), strict=True))
        strongest = np.argsort(-np.abs(effects[: len(self._themes)]), kind="stable")[:most]
        named = list(self._themes.items())
        found = []
        for place in strongest.tolist():
            theme, names = named[place]
            column = max(names, key=single.__getitem__)
            if abs(effects[place]) > NO_EFFECT:
                found.append(
                    ThemeFactor(
                        theme=theme,
                        points=float(points[place]),
                        effect=float(effects[place]),
                        column=column,
                        value=row.get(column),
                        reference=self.middles[column],
                    )
                )
        return tuple(found)


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
        source = _made_of(manifest)
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


def _made_of(manifest: Manifest) -> dict[str, str]:
    """The columns that are made of earlier weeks of others, each with that other."""
    return {one["name"]: one["of"] for one in manifest.learned.get("features", ()) if one.get("of")}


def _middle(part: Sequence[tuple[Cell, float]]) -> Cell:
    """The median of a reference's numbers, or its commonest level; None where there is nothing known."""
    known = [(value, share) for value, share in part if value is not None]
    if not known:
        return None
    if any(isinstance(value, str) for value, _ in known):
        return max(known, key=lambda pair: pair[1])[0]
    ordered = sorted((float(value), share) for value, share in known)
    half, total = sum(share for _, share in ordered) / 2, 0.0
    for value, share in ordered:
        total += share
        if total >= half:
            return value
    return ordered[-1][0]


def _logit(chance: Floats) -> Floats:
    odds: Floats = np.log(chance) - np.log1p(-chance)
    return odds

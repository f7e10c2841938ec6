"""One loaded model answering rows. Knows its bundle and nothing of stores, champions or requests."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from database.records import Answer
from model.bundle import EXAMPLES, Bundle
from model.graph import open_graph, run_graph
from model.vector import RowEncoder
from preprocessing.encode import Cell, encode_rows

Row = Mapping[str, Cell]
Floats = NDArray[np.float64]


class Predictor:
    """A model in memory, safe to share between threads."""

    def __init__(self, bundle: Bundle, version: str) -> None:
        self.manifest = bundle.manifest
        self.profile = bundle.profile
        self.version = version
        self._session = open_graph(bundle.graph)
        self._encode_row = RowEncoder(bundle.manifest.encoding)
        target = bundle.manifest.target
        self._minimum = -math.inf if target.minimum is None else target.minimum
        self._maximum = math.inf if target.maximum is None else target.maximum
        self._ranges = tuple((name, low, high) for name, (low, high) in bundle.manifest.ranges.items())

    @property
    def from_examples(self) -> bool:
        """Whether it learned from generated examples, which stand for no student."""
        return self.manifest.lineage.source == EXAMPLES

    def outputs(self, X: NDArray[np.float32]) -> Floats:
        """(n, 1) values in target units, or (n, levels) calibrated probabilities, for encoded rows."""
        raw = run_graph(self._session, X).astype(np.float64)
        target = self.manifest.target
        if target.kind == "value":
            return clip(raw * self.manifest.scale + self.manifest.center, target.minimum, target.maximum)
        return calibrate(raw, self.manifest.temperature)

    def numbers(self, rows: Sequence[Row]) -> Floats:
        """(n,) answers as numbers: values in target units, or level numbers."""
        outputs = self.outputs(encode_rows(self.manifest.encoding, rows))
        return outputs[:, 0] if self.manifest.target.kind == "value" else outputs.argmax(axis=1).astype(np.float64)

    def naive_numbers(self, rows: Sequence[Row]) -> Floats:
        """(n,) answers of the naive rule, as `numbers`."""
        levels = self.manifest.target.levels
        answers = [self.manifest.naive.answer(row) for row in rows]
        return np.array([levels.index(a) if isinstance(a, str) else a for a in answers], dtype=np.float64)

    def answer(self, rows: Sequence[Row], *, generation: int) -> list[Answer]:
        """One complete answer per row, in order."""
        X = self._encode_row(rows[0]) if len(rows) == 1 else encode_rows(self.manifest.encoding, rows)
        outside = [self._out_of_range(rows[0])] if len(rows) == 1 else self._outside(rows)
        if self.manifest.target.kind == "value":
            values = zip(rows, self.outputs(X)[:, 0].tolist(), outside, strict=True)
            return [self._value(row, number, beyond, generation) for row, number, beyond in values]
        shares = zip(rows, self.outputs(X).tolist(), outside, strict=True)
        return [self._level(row, share, beyond, generation) for row, share, beyond in shares]

    def _value(self, row: Row, value: float, outside: tuple[str, ...], generation: int) -> Answer:
        manifest, width = self.manifest, self.manifest.half_width
        return Answer(
            target=manifest.target.name,
            value=value,
            naive=manifest.naive.answer(row),
            model=self.version,
            generation=generation,
            interval=None if width is None else (self._within(value - width), self._within(value + width)),
            coverage=manifest.coverage,
            out_of_range=outside,
        )

    def _level(self, row: Row, shares: Sequence[float], outside: tuple[str, ...], generation: int) -> Answer:
        manifest = self.manifest
        levels = manifest.target.levels
        return Answer(
            target=manifest.target.name,
            value=levels[shares.index(max(shares))],
            naive=manifest.naive.answer(row),
            model=self.version,
            generation=generation,
            probabilities=dict(zip(levels, shares, strict=True)),
            out_of_range=outside,
        )

    def _within(self, value: float) -> float:
        """`value` within the target's range; `clip` for one number."""
        return min(max(value, self._minimum), self._maximum)

    def _outside(self, rows: Sequence[Row]) -> list[tuple[str, ...]]:
        """`_out_of_range` of each row: columns are looked through at once, rows only where something was found."""
        found = np.zeros(len(rows), dtype=bool)
        for name, low, high in self._ranges:
            values = np.array([row.get(name) for row in rows], dtype=np.float64)  # None becomes NaN, inside every range
            found |= (values < low) | (values > high)
        return [self._out_of_range(row) if beyond else () for row, beyond in zip(rows, found.tolist(), strict=True)]

    def _out_of_range(self, row: Row) -> tuple[str, ...]:
        """The inputs whose value lies outside what the model was trained on."""
        return tuple(
            name
            for name, low, high in self._ranges
            if (value := row.get(name)) is not None and not isinstance(value, str) and not low <= value <= high
        )


def clip(values: Floats, minimum: float | None, maximum: float | None) -> Floats:
    """`values` within the target's range, where it has one."""
    if minimum is None and maximum is None:
        return values
    return np.asarray(np.clip(values, minimum, maximum))


def calibrate(probabilities: Floats, temperature: float) -> Floats:
    """(n, k) probabilities with their logarithms divided by `temperature` (above 1 makes them less sure)."""
    if temperature == 1.0:
        return np.asarray(probabilities / probabilities.sum(axis=1, keepdims=True))
    powered = np.maximum(probabilities, 1e-12) ** (1.0 / temperature)
    return np.asarray(powered / powered.sum(axis=1, keepdims=True))

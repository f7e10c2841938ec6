"""One loaded model answering rows. Knows its bundle and nothing of stores, champions or requests."""

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from database.records import Answer
from model.bundle import Bundle
from model.graph import open_graph, run_graph
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

    def outputs(self, X: NDArray[np.float32]) -> Floats:
        """(n, 1) values in target units, or (n, levels) calibrated probabilities, for encoded rows."""
        raw = run_graph(self._session, X).astype(np.float64)
        target = self.manifest.target
        if target.kind == "value":
            return clip(raw, target.minimum, target.maximum)
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
        outputs = self.outputs(encode_rows(self.manifest.encoding, rows))
        return [self._answer(row, output, generation) for row, output in zip(rows, outputs, strict=True)]

    def _answer(self, row: Row, output: Floats, generation: int) -> Answer:
        manifest, target = self.manifest, self.manifest.target
        answer = Answer(
            target=target.name,
            value=float(output[0]),
            naive=manifest.naive.answer(row),
            model=self.version,
            generation=generation,
            out_of_range=self._out_of_range(row),
        )
        if target.kind == "ordered_class":
            shares = {level: float(p) for level, p in zip(target.levels, output, strict=True)}
            return msgspec.structs.replace(answer, value=target.levels[int(output.argmax())], probabilities=shares)
        return msgspec.structs.replace(answer, interval=self._interval(float(output[0])), coverage=manifest.coverage)

    def _interval(self, value: float) -> tuple[float, float] | None:
        if self.manifest.half_width is None:
            return None
        target, ends = self.manifest.target, np.array([-1.0, 1.0]) * self.manifest.half_width + value
        low, high = clip(ends, target.minimum, target.maximum)
        return float(low), float(high)

    def _out_of_range(self, row: Row) -> tuple[str, ...]:
        """The inputs whose value lies outside what the model was trained on."""
        outside = []
        for name, (low, high) in self.manifest.ranges.items():
            value = row.get(name)
            if isinstance(value, (int, float)) and not low <= value <= high:
                outside.append(name)
        return tuple(outside)


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

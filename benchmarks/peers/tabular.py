"""What the peers over tables share: a pydantic type of a row, and rows to the graph's vectors, made from a domain.

As a careful engineer would write them by hand for that table: ranges, levels, a column at a time. BENCH_MODEL names a
folder with the graph and the pipeline, called as the domain is.
"""

import json
import os
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, create_model

from preprocessing.schema import Feature, load_domains

FOLDER = Path(os.environ["BENCH_MODEL"])


def _kind(feature: Feature) -> Any:
    if feature.kind == "categorical":
        return Literal[feature.levels]
    return Annotated[int if feature.integer else float, Field(ge=feature.minimum, le=feature.maximum)]


Row: Any = create_model("Row", **{one.name: (_kind(one), ...) for one in load_domains()[FOLDER.name].features})


class Vectors:
    """Rows to dense vectors: numbers as they are, a 0/1 column per level."""

    def __init__(self) -> None:
        parts = json.loads((FOLDER / "encoding.json").read_text())
        self._numbers = [part["name"] for part in parts["numeric"]]
        self._levels = {part["name"]: part["levels"] for part in parts["categorical"]}
        self._width = len(self._numbers) + sum(len(levels) for levels in self._levels.values())

    def __call__(self, rows: list[Any]) -> NDArray[np.float32]:
        X = np.zeros((len(rows), self._width), dtype=np.float32)
        for place, name in enumerate(self._numbers):
            X[:, place] = [getattr(row, name) for row in rows]
        every, place = np.arange(len(rows)), len(self._numbers)
        for name, levels in self._levels.items():
            columns = {level: place + number for number, level in enumerate(levels)}
            X[every, [columns[getattr(row, name)] for row in rows]] = 1.0
            place += len(levels)
        return X

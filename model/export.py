"""A fitted scikit-learn model to an ONNX graph, and the proof that both say the same.

The graph takes the dense float32 matrix of `preprocessing.encode`; it contains no preprocessing.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.graph import open_graph, run_graph
from preprocessing.encode import Encoding, encode_rows
from preprocessing.schema import Feature

TOLERANCE = 1e-4
NASTY_ROWS = 20_000
OPSET = 18
Matrix = NDArray[np.float32]


class ParityError(RuntimeError):
    """The exported graph and the fitted model disagree; the bundle is not saved."""


def export_graph(estimator: Any, width: int) -> bytes:
    """The ONNX graph of a fitted regressor or classifier over (n, `width`) float32; the same bytes every time."""
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import FloatTensorType

    options = {id(estimator): {"zipmap": False}} if hasattr(estimator, "predict_proba") else None
    with _plain_integers():
        graph = convert_sklearn(
            estimator,
            name="gradewatch",
            initial_types=[("X", FloatTensorType([None, width]))],
            options=options,
            target_opset={"": OPSET, "ai.onnx.ml": 3},
        )
    return bytes(graph.SerializeToString(deterministic=True))


@contextmanager
def _plain_integers() -> Iterator[None]:
    """skl2onnx 1.20 gives bool and numpy integers of histogram models to onnx, which takes Python's int only."""
    import onnx.helper

    original = onnx.helper.make_attribute

    def make_attribute(key: str, value: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(value, list):
            value = [int(item) if isinstance(item, (bool, np.integer)) else item for item in value]
        return original(key, value, *args, **kwargs)

    onnx.helper.make_attribute = make_attribute
    try:
        yield
    finally:
        onnx.helper.make_attribute = original


def check_parity(estimator: Any, graph: bytes, X: Matrix) -> float:
    """The largest difference between the model and its graph over the rows of `X`.

    Values are compared in target units, classes by every probability. Raises ParityError above 1e-4.
    """
    answered = run_graph(open_graph(graph), X).astype(np.float64)
    if hasattr(estimator, "predict_proba"):
        expected = estimator.predict_proba(X)
    else:
        expected = estimator.predict(X).reshape(-1, 1)
    difference = np.abs(answered - expected)
    worst = float(difference.max())
    if not worst <= TOLERANCE:
        rows = int((~(difference.max(axis=1) <= TOLERANCE)).sum())
        raise ParityError(
            f"the exported graph differs from the fitted {type(estimator).__name__} by {worst:.2g} at worst, by more "
            f"than {TOLERANCE:g} on {rows} of {len(X)} rows; the model is not saved"
        )
    return worst


def nasty_rows(
    features: tuple[Feature, ...], encoding: Encoding, seen: Mapping[str, NDArray[np.float64]], *, seed: int
) -> Matrix:
    """(20,000, width) encoded rows that find disagreement: whole numbers, bounds, the very values that splits were
    made from and their midpoints (`seen`: numeric column to training values), unknown levels, missing values."""
    generator = np.random.default_rng(seed)
    columns: dict[str, list[Any]] = {}
    for feature in features:
        if feature.kind == "categorical":
            levels = next(part.levels for part in encoding.categorical if part.name == feature.name)
            pool: list[Any] = [*levels, "never seen before"] + ([None] if feature.optional else [])
        else:
            pool = _numeric_pool(feature, seen[feature.name])
        columns[feature.name] = [pool[i] for i in generator.integers(0, len(pool), NASTY_ROWS)]
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    return encode_rows(encoding, rows)


def _numeric_pool(feature: Feature, seen: NDArray[np.float64]) -> list[float | None]:
    values = np.unique(seen[~np.isnan(seen)])
    low = feature.minimum if feature.minimum is not None else float(values.min(initial=0.0))
    high = feature.maximum if feature.maximum is not None else float(values.max(initial=1.0))
    midpoints = (values[1:] + values[:-1]) / 2
    grid = np.linspace(low, high, 41)
    whole = np.round(grid)
    pool = np.unique(np.concatenate([values, midpoints, grid, whole, [low, high, np.nextafter(low, high)]]))
    plain: list[float | None] = [float(value) for value in pool]
    return [*plain, None] if feature.optional else plain

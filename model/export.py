"""A fitted scikit-learn model to an ONNX graph, and the proof that both say the same.

The graph takes the dense float32 matrix of `preprocessing.encode`; it contains no preprocessing.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from errors import GradewatchError
from model.graph import open_graph, run_graph
from preprocessing.encode import MISSING_LEVEL, Encoding, encode_columns
from preprocessing.schema import Feature

TOLERANCE = 1e-4
NASTY_ROWS = 20_000
OPSET = 18
Matrix = NDArray[np.float32]


class ParityError(GradewatchError):
    """The exported graph and the fitted model disagree; the bundle is not saved."""


def export_graph(estimator: Any, width: int, *, levels: int = 0) -> bytes:
    """The ONNX graph of a fitted regressor or classifier over (n, `width`) float32; the same bytes every time.

    levels: of a classifier's target; its graph gives a probability for each, 0 for those it was not fitted on.
    """
    if hasattr(estimator, "to_graph"):  # what scikit-learn does not know makes its own
        return _of_all_levels(estimator.to_graph(width), estimator, levels)
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import FloatTensorType

    options = {id(estimator): {"zipmap": False}} if hasattr(estimator, "predict_proba") else None
    _round_thresholds(estimator)
    with _plain_integers():
        graph = convert_sklearn(
            estimator,
            name="gradewatch",
            initial_types=[("X", FloatTensorType([None, width]))],
            options=options,
            target_opset={"": OPSET, "ai.onnx.ml": 3},
        )
    return _of_all_levels(graph, estimator, levels)


def _of_all_levels(graph: Any, estimator: Any, levels: int) -> bytes:
    """The bytes of a graph that says something of each level."""
    if levels and len(estimator.classes_) < levels:
        _widen(graph, estimator.classes_.astype(int), levels)
    return bytes(graph.SerializeToString(deterministic=True))


def _widen(graph: Any, classes: NDArray[np.int64], levels: int) -> None:
    """Put the probabilities of the fitted `classes` in their places among all levels."""
    from onnx import TensorProto, helper, numpy_helper

    places = np.eye(levels, dtype=np.float32)[classes]
    inner, last = graph.graph, graph.graph.output[-1].name
    inner.initializer.append(numpy_helper.from_array(places, "places"))
    inner.node.append(helper.make_node("MatMul", [last, "places"], ["levels"]))
    del inner.output[:]
    inner.output.append(helper.make_tensor_value_info("levels", TensorProto.FLOAT, [None, levels]))


def _round_thresholds(estimator: Any) -> None:
    """Take the split thresholds of a histogram model down to the next float32, which parts float32 rows the same way.

    The graph holds float32 thresholds, and skl2onnx 1.20 rounds them up as well as down: a row that lies on one then
    goes the other way. (It does take those of other trees down.)
    """
    for part in getattr(estimator, "estimators_", ()):  # of a mean
        _round_thresholds(part)
    for trees in getattr(estimator, "_predictors", ()):
        for tree in trees:
            exact = tree.nodes["num_threshold"]
            single = exact.astype(np.float32)
            tree.nodes["num_threshold"] = np.where(single > exact, np.nextafter(single, np.float32(-np.inf)), single)


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


def check_parity(estimator: Any, graph: bytes, X: Matrix, *, scale: float = 1.0) -> float:
    """The largest difference between the model and its graph over the rows of `X`.

    Values are compared in target units, of which `scale` make one of the estimator's; classes by every probability.
    Raises ParityError above 1e-4.
    """
    answered = run_graph(open_graph(graph), X).astype(np.float64)
    expected = _expected(estimator, X, answered.shape[1])
    difference = np.abs(answered - expected) * scale
    worst = float(difference.max())
    if not worst <= TOLERANCE:
        rows = int((~(difference.max(axis=1) <= TOLERANCE)).sum())
        raise ParityError(
            f"the exported graph differs from the fitted {type(estimator).__name__} by {worst:.2g} at worst, by more "
            f"than {TOLERANCE:g} on {rows} of {len(X)} rows; the model is not saved"
        )
    return worst


def _expected(estimator: Any, X: Matrix, width: int) -> NDArray[np.float64]:
    """What scikit-learn says: (n, 1) values, or (n, width) probabilities in the places of their levels."""
    if not hasattr(estimator, "predict_proba"):
        return np.asarray(estimator.predict(X), dtype=np.float64).reshape(-1, 1)
    expected = np.zeros((len(X), width))
    expected[:, estimator.classes_.astype(int)] = estimator.predict_proba(X)
    return expected


def nasty_rows(
    features: tuple[Feature, ...], encoding: Encoding, seen: Mapping[str, NDArray[np.float64]], *, seed: int
) -> Matrix:
    """(20,000, width) encoded rows that find disagreement: whole numbers, bounds, the very values that splits were
    made from and their midpoints (`seen`: numeric column to training values), unknown levels, missing values."""
    generator = np.random.default_rng(seed)
    levels = {part.name: len(part.levels) for part in encoding.categorical}
    numeric, codes = {}, {}
    for feature in features:
        if feature.kind == "categorical":
            codes[feature.name] = generator.integers(MISSING_LEVEL, levels[feature.name], NASTY_ROWS).astype(np.int32)
        else:
            numeric[feature.name] = generator.choice(_numeric_pool(feature, seen[feature.name]), NASTY_ROWS)
    return encode_columns(encoding, NASTY_ROWS, numeric, codes)


def _numeric_pool(feature: Feature, seen: NDArray[np.float64]) -> NDArray[np.float64]:
    values = np.unique(seen[~np.isnan(seen)])
    low = feature.minimum if feature.minimum is not None else float(values.min(initial=0.0))
    high = feature.maximum if feature.maximum is not None else float(values.max(initial=1.0))
    midpoints = (values[1:] + values[:-1]) / 2
    grid = np.linspace(low, high, 41)
    edges = [low, high, np.nextafter(low, high), np.nextafter(high, low)]
    pool = np.unique(np.concatenate([values, midpoints, grid, np.round(grid), edges]))
    return np.append(pool, np.nan) if feature.optional else pool

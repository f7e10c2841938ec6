"""A tabular foundation model from the user's own file as a candidate: PyTorch's and tabicl's one door.

TabICL (Qu et al. 2025) learns nothing from rows: it reads them each time, beside those it is asked about. Nothing loads
this module before such a file is named, and nothing that serves does: a model that is chosen leaves as an ONNX graph
that holds the rows, and its size is judged like any other's (docs/decisions/0129).
"""

import io
import warnings
from pathlib import Path
from types import MethodType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from errors import GradewatchError, MissingExtra
from preprocessing.schema import Target

ASKED_AT_ONCE = 256
OPSET = 18
Matrix = NDArray[np.float32]


class UnusableFoundation(GradewatchError):
    """A file that is no checkpoint of TabICL; the message says what was looked for."""


def suits(path: Path, target: Target) -> bool:
    """Whether the model in a file answers such a target: values, or so many levels. Raises UnusableFoundation."""
    classes: int = _read(path)["config"].get("max_classes", 10)
    return classes == 0 if target.kind == "value" else len(target.levels) <= classes


def make_estimator(path: Path, target: Target) -> "InContextRegressor":
    """The unfitted model in a file."""
    return InContextRegressor(path) if target.kind == "value" else InContextClassifier(path)


class InContextRegressor:
    """scikit-learn's way of a model that answers (n, width) rows in the light of those it was fitted to."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._context: Any = None

    def fit(self, X: Matrix, y: NDArray[Any]) -> Self:
        """Keep the rows."""
        self._context = _context_of(self._path, X, np.asarray(y, dtype=np.float32))
        return self

    def predict(self, X: Matrix) -> NDArray[np.float64]:
        return self._outputs(X)[:, 0]

    def _outputs(self, X: Matrix) -> NDArray[np.float64]:
        import torch

        with torch.no_grad():
            parts = [
                self._context(torch.from_numpy(X[at : at + ASKED_AT_ONCE])) for at in range(0, len(X), ASKED_AT_ONCE)
            ]
        return np.asarray(torch.cat(parts).numpy(), dtype=np.float64)

    def to_graph(self, width: int) -> Any:
        """The model and its rows as an ONNX graph over (n, `width`) float32."""
        import onnx
        import torch

        graph, asked = io.BytesIO(), torch.zeros(2, width)
        with warnings.catch_warnings(action="ignore"):  # it warns of branches, all of which go by shapes that are fixed
            torch.onnx.export(
                self._context,
                (asked,),
                graph,
                input_names=["X"],
                output_names=["said"],
                dynamic_axes={"X": {0: "rows"}, "said": {0: "rows"}},
                opset_version=OPSET,
                training=torch.onnx.TrainingMode.PRESERVE,
                dynamo=False,  # the newer one needs a package more
            )
        return onnx.load_model_from_string(graph.getvalue())


class InContextClassifier(InContextRegressor):
    """As `InContextRegressor`, for classes."""

    classes_: NDArray[np.int64]

    def fit(self, X: Matrix, y: NDArray[Any]) -> Self:
        self.classes_, numbers = np.unique(y, return_inverse=True)
        self._context = _context_of(self._path, X, numbers.astype(np.float32), classes=len(self.classes_))
        return self

    def predict(self, X: Matrix) -> NDArray[np.float64]:
        return np.asarray(self.classes_[self._outputs(X).argmax(axis=1)])

    def predict_proba(self, X: Matrix) -> NDArray[np.float64]:
        return self._outputs(X)


def _read(path: Path) -> dict[str, Any]:
    """A checkpoint: weights and plain values alone, never a pickle of anything else."""
    try:
        import torch
    except ImportError:
        raise MissingExtra(f"the candidate {path.name}", "tabicl") from None
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
        return {"config": dict(found["config"]), "state_dict": found["state_dict"]}
    except Exception as error:  # its errors share no base but this, and any of them means: not such a file
        said = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise UnusableFoundation(f"{path} is no checkpoint of TabICL (config and state_dict): {said}") from None


def _context_of(path: Path, X: Matrix, y: NDArray[np.float32], *, classes: int = 0) -> Any:
    """The module that answers rows beside these. It computes as in training, without drop-out: the package's own way of
    inference cuts tables into pieces by the memory that is free, and rounds to 16 bits."""
    import torch
    from tabicl._model.layers import SkippableLinear
    from tabicl._model.tabicl import TabICL

    checkpoint = _read(path)
    try:
        model = TabICL(**checkpoint["config"] | {"dropout": 0.0, "recompute": False})
        model.load_state_dict(checkpoint["state_dict"])
    except (TypeError, RuntimeError) as error:
        raise UnusableFoundation(f"{path} is of another TabICL: {str(error).splitlines()[0][:200]}") from None
    for layer in model.modules():
        if isinstance(layer, SkippableLinear):
            layer.forward = MethodType(_linear, layer)

    class Context(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model
            self.register_buffer("X", torch.from_numpy(X.copy()))
            self.register_buffer("y", torch.from_numpy(y.copy()))

        def forward(self, asked: Any) -> Any:
            said = self.model._train_forward(torch.cat([self.X, asked])[None], self.y[None])[0]
            return said[:, :classes].softmax(-1) if classes else said.mean(-1, keepdim=True)

    torch.set_num_threads(1)  # the same sums on every machine
    return Context().train().requires_grad_(requires_grad=False)


def _linear(layer: Any, X: Any) -> Any:
    """What a `SkippableLinear` says, without a choice of rows, which no graph of any number of rows can make."""
    import torch

    said = torch.nn.functional.linear(X, layer.weight, layer.bias)
    return torch.where((layer.skip_value == X).all(-1, keepdim=True), torch.full_like(said, layer.skip_value), said)

"""The ONNX session: opening a graph and running rows through it. The one door to ONNX Runtime."""

from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

Session = Any
"""An onnxruntime.InferenceSession (the library ships no types)."""


def open_graph(graph: bytes) -> Session:
    """A session for `graph`, safe to share between threads. One thread per call: small models gain none from more."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def run_graph(session: Session, X: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n, 1) values, or (n, classes) probabilities, for (n, width) rows: the graph's last output."""
    output = session.run([session.get_outputs()[-1].name], {"X": X})[0]
    return np.asarray(output, dtype=np.float32).reshape(len(X), -1)

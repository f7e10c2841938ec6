"""The ONNX session: opening a graph and running rows through it. The one door to ONNX Runtime."""

from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from model.bundle import BrokenBundle

Session = Any
"""An onnxruntime.InferenceSession (the library ships no types)."""


def open_graph(graph: bytes) -> Session:
    """A session for `graph`, safe to share between threads. One thread per call: small models gain none from more.

    Raises BrokenBundle for bytes that this ONNX Runtime cannot run.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors share no base but this, and any of them means: not this graph, not here
        raise BrokenBundle(f"the graph cannot be run: {str(error)[:200]}") from None


def run_graph(session: Session, X: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n, 1) values, or (n, classes) probabilities, for (n, width) rows: the graph's last output."""
    output = session.run([session.get_outputs()[-1].name], {"X": X})[0]
    return np.asarray(output, dtype=np.float32).reshape(len(X), -1)

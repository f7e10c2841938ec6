"""The ONNX session: opening a graph and running rows through it. The one door to ONNX Runtime."""

import os
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.bundle import BrokenBundle

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # or, from 1.29 on, it tells its makers over HTTPS what it runs, and where

TREES_OPERATOR = b"TreeEnsemble"  # the operator's name, as it stands in a graph's bytes


class Graph(NamedTuple):
    """A graph ready to run, safe to share between threads. session: of ONNX Runtime, which ships no types. output: the
    name of its last output. alone: whether a row by itself is computed as it is among others, to the last bit. options:
    of a run; made once, since making them costs as much as scoring a row."""

    session: Any
    output: str
    alone: bool
    options: Any


def open_graph(graph: bytes) -> Graph:
    """One thread per call: small models gain none from more.

    Raises BrokenBundle for bytes that this ONNX Runtime cannot run.
    """
    import onnxruntime  # takes 14 MB, which nobody needs who only looks at figures

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors share no base but this, and any of them means: not this graph, not here
        raise BrokenBundle(f"the graph cannot be run: {str(error)[:200]}") from None
    return Graph(session, session.get_outputs()[-1].name, TREES_OPERATOR in graph, onnxruntime.RunOptions())


def run_graph(graph: Graph, X: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n, 1) values, or (n, classes) probabilities, for (n, width) rows: the graph's last output.

    A row's answer depends on no other row. A linear model's product of one row is summed in another order than that of
    many, and was off by 5e-6 points of 100: there a single row is asked twice.
    """
    twice = len(X) == 1 and not graph.alone
    output = graph.session.run([graph.output], {"X": X.repeat(2, axis=0) if twice else X}, graph.options)[0]
    return np.asarray(output[: len(X)], dtype=np.float32).reshape(len(X), -1)

"""A graph that the runtime refuses is a broken bundle; what ONNX Runtime does beside running graphs is nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from model.bundle import BrokenBundle
from model.graph import open_graph

SCRIPT = """
from model.graph import open_graph, run_graph
from onnx import TensorProto, helper
import numpy as np

X, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 1]) for name in "Xy")
graph = helper.make_graph([helper.make_node("Identity", ["X"], ["y"])], "g", [X], [y])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
print(run_graph(open_graph(model.SerializeToString()), np.ones((2, 1), dtype=np.float32)).tolist())
"""


def test_onnx_runtime_keeps_no_record_for_its_makers(tmp_path: Path) -> None:
    silent = {"CI", "GITHUB_ACTIONS", "TF_BUILD", "ORT_DISABLE_TELEMETRY", "XDG_CACHE_HOME", "PYTHONHOME"}
    kept = {name: value for name, value in os.environ.items() if name not in silent}
    command = [sys.executable, "-c", SCRIPT]
    done = subprocess.run(command, env={**kept, "HOME": str(tmp_path)}, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[[1.0], [1.0]]", done.stderr
    assert list(tmp_path.rglob("*")) == []


@pytest.mark.parametrize("graph", [b"", b"no graph at all", b"\x08\xff\xff"])
def test_bytes_that_are_no_graph_are_a_broken_bundle(graph: bytes) -> None:
    with pytest.raises(BrokenBundle, match="cannot be run"):
        open_graph(graph)

"""LitServe with ONNX Runtime, after its own examples. Logs nothing."""

import os
import sys
from pathlib import Path

import litserve
import numpy as np
import onnxruntime

NAMES = ("comprehension", "attention", "focus", "retention", "engagement_time")


class Model(litserve.LitAPI):
    def setup(self, device):  # noqa: ARG002 (LitServe's name)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        path = Path(os.environ["BENCH_MODEL"], "graph.onnx")
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def decode_request(self, request):
        return np.array([[request[name] for name in NAMES]], dtype=np.float32)

    def predict(self, X):
        return self.session.run([self.session.get_outputs()[-1].name], {"X": X})[0]

    def encode_response(self, output):
        return {"value": float(output.ravel()[0])}


if __name__ == "__main__":
    server = litserve.LitServer(Model(), accelerator="cpu", workers_per_device=1)
    server.run(host="127.0.0.1", port=int(sys.argv[1]), generate_client_file=False, log_level="warning")

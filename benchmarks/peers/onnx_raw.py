"""The least that predicts: raw ASGI, JSON to a vector to ONNX Runtime. Checks nothing, logs nothing."""

import os
from pathlib import Path

import msgspec
import numpy as np
import onnxruntime

NAMES = ("comprehension", "attention", "focus", "retention", "engagement_time")
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(
    Path(os.environ["BENCH_MODEL"], "graph.onnx"), options, providers=["CPUExecutionProvider"]
)
output = session.get_outputs()[-1].name


async def app(scope, receive, send):  # type: ignore[no-untyped-def]
    if scope["type"] == "lifespan":
        return
    row = msgspec.json.decode((await receive())["body"] or b"{}")
    X = np.array([[row.get(name, 0.0) for name in NAMES]], dtype=np.float32)
    body = msgspec.json.encode({"value": float(session.run([output], {"X": X})[0].ravel()[0])})
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})

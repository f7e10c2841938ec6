"""The usual fast way: FastAPI, a pydantic type with ranges, ONNX Runtime. Logs nothing."""

import os
from pathlib import Path
from typing import Annotated

import numpy as np
import onnxruntime
from fastapi import FastAPI
from pydantic import BaseModel, Field

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(
    Path(os.environ["BENCH_MODEL"], "graph.onnx"), options, providers=["CPUExecutionProvider"]
)
output = session.get_outputs()[-1].name
app = FastAPI()
Score = Annotated[float, Field(ge=0, le=100)]


class Row(BaseModel):
    comprehension: Score
    attention: Score
    focus: Score
    retention: Score
    engagement_time: Annotated[float, Field(ge=0, le=300)]


class Answer(BaseModel):
    value: float


def score(rows: list[Row]) -> list[Answer]:
    fields = [(r.comprehension, r.attention, r.focus, r.retention, r.engagement_time) for r in rows]
    values = session.run([output], {"X": np.array(fields, dtype=np.float32)})[0].ravel().tolist()
    return [Answer(value=value) for value in values]


@app.get("/ready")
async def ready() -> dict[str, bool]:
    return {"ready": True}


@app.post("/predict")
async def predict(row: Row) -> Answer:
    return score([row])[0]


@app.post("/predict/batch")
async def predict_batch(rows: list[Row]) -> list[Answer]:
    return score(rows)

"""The usual fast way: FastAPI, a pydantic type with ranges, ONNX Runtime. Logs batches where BENCH_LOG names a file."""

import os
import sqlite3
import uuid

import onnxruntime
from fastapi import FastAPI
from pydantic import BaseModel

from benchmarks.peers.tabular import FOLDER, Row, Vectors

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(FOLDER / "graph.onnx", options, providers=["CPUExecutionProvider"])
output = session.get_outputs()[-1].name
vectors = Vectors()
app = FastAPI()


class Answer(BaseModel):
    value: float


log = None
if "BENCH_LOG" in os.environ:
    log = sqlite3.connect(os.environ["BENCH_LOG"], check_same_thread=False)
    log.execute("PRAGMA journal_mode=WAL")
    log.execute("CREATE TABLE IF NOT EXISTS predictions (id TEXT PRIMARY KEY, inputs TEXT, value REAL)")


def score(rows: list[Row]) -> list[Answer]:
    values = session.run([output], {"X": vectors(rows)})[0].ravel().tolist()
    return [Answer(value=value) for value in values]


@app.get("/ready")
async def ready() -> dict[str, bool]:
    return {"ready": True}


@app.post("/predict")
async def predict(row: Row) -> Answer:
    return score([row])[0]


@app.post("/predict/batch")
async def predict_batch(rows: list[Row]) -> list[Answer]:
    answers = score(rows)
    if log is not None:
        kept = [(uuid.uuid4().hex, row.model_dump_json(), a.value) for row, a in zip(rows, answers, strict=True)]
        with log:
            log.executemany("INSERT INTO predictions VALUES (?, ?, ?)", kept)
    return answers

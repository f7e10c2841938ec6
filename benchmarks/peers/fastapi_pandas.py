"""What most tutorials show: FastAPI, a pydantic type, a DataFrame of one row, pipeline.predict. Logs nothing.

`/predict` is a plain `def`, as FastAPI's documentation advises for work that blocks, and runs in its threads;
`/predict/in-loop` is an `async def`: it holds all other requests up and saves the threads' quarrel for the interpreter.
"""

from typing import Any

import joblib
import pandas as pd
from fastapi import FastAPI

from benchmarks.peers.tabular import FOLDER, Row

pipeline: Any = joblib.load(FOLDER / "pipeline.joblib")
app = FastAPI()


@app.get("/ready")
async def ready() -> dict[str, bool]:
    return {"ready": True}


@app.post("/predict")
def predict(row: Row) -> dict[str, float]:
    return {"value": float(pipeline.predict(pd.DataFrame([row.model_dump()]))[0])}


@app.post("/predict/in-loop")
async def predict_in_loop(row: Row) -> dict[str, float]:
    return predict(row)

"""What most tutorials show: FastAPI, a pydantic type, a DataFrame of one row, pipeline.predict. Logs nothing."""

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
async def predict(row: Row) -> dict[str, float]:
    return {"value": float(pipeline.predict(pd.DataFrame([row.model_dump()]))[0])}

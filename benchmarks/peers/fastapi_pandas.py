"""What most tutorials show: FastAPI, a pydantic type, a DataFrame of one row, pipeline.predict. Logs nothing."""

import os
from pathlib import Path
from typing import Annotated, Any

import joblib
import pandas as pd
from fastapi import FastAPI
from pydantic import BaseModel, Field

pipeline: Any = joblib.load(Path(os.environ["BENCH_MODEL"], "pipeline.joblib"))
app = FastAPI()
Score = Annotated[float, Field(ge=0, le=100)]


class Row(BaseModel):
    comprehension: Score
    attention: Score
    focus: Score
    retention: Score
    engagement_time: Annotated[float, Field(ge=0, le=300)]


@app.get("/ready")
async def ready() -> dict[str, bool]:
    return {"ready": True}


@app.post("/predict")
async def predict(row: Row) -> dict[str, float]:
    return {"value": float(pipeline.predict(pd.DataFrame([row.model_dump()]))[0])}

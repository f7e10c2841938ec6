"""BentoML with a scikit-learn pipeline, after its own examples. Logs nothing."""

import os
from pathlib import Path

import bentoml
import joblib
import pandas as pd


@bentoml.service(workers=1)
class Model:
    def __init__(self) -> None:
        self.pipeline = joblib.load(Path(os.environ["BENCH_MODEL"], "pipeline.joblib"))

    @bentoml.api
    def predict(self, rows: list[dict[str, float]]) -> list[float]:
        return self.pipeline.predict(pd.DataFrame(rows)).tolist()

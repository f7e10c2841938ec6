"""Saves the pipeline as MLflow has it: `mlflow models serve` starts it from there."""

import os
import sys
from pathlib import Path

import joblib
import mlflow.sklearn

pipeline = joblib.load(Path(os.environ["BENCH_MODEL"], "pipeline.joblib"))
mlflow.sklearn.save_model(pipeline, sys.argv[1], serialization_format="cloudpickle")

"""Ten-fold RMSE on the UCI Student Performance files beside the table published with them.

P. Cortez and A. Silva, Using Data Mining to Predict Secondary School Student Performance, 2008, table 5: 20 runs of
ten-fold cross-validation. A: all inputs; B: without G2; C: without G1 and G2. Protected columns are inputs here, as
they were in the paper. Needs student-mat.csv and student-por.csv: in ../shared/data/uci_student, or in the folder that
GRADEWATCH_UCI_DIR names.
"""

import os
from pathlib import Path

import numpy as np
import polars as pl
from sklearn.model_selection import KFold

from benchmarks.result import Figure, write_results
from database.ingest import labeled, read_batch
from preprocessing.schema import DomainSchema, load_domains
from preprocessing.split import Rows
from preprocessing.validation.validate import frame_of
from training.candidates import VALUE_CANDIDATES
from training.fit import Task, answer_unseen

RUNS, FOLDS = 5, 10
BEST_PUBLISHED = {
    ("mat", "G2"): 1.75,
    ("mat", "G1"): 2.46,
    ("mat", "start"): 3.90,
    ("por", "G2"): 1.32,
    ("por", "G1"): 1.78,
    ("por", "start"): 2.67,
}
SETUP = {"G2": "A", "G1": "B", "start": "C"}


def main() -> None:
    folder = Path(os.environ.get("GRADEWATCH_UCI_DIR", Path(__file__).parents[2] / "shared" / "data" / "uci_student"))
    schema = load_domains()["school"]
    figures = []
    for subject in ("mat", "por"):
        frame = load(folder / f"student-{subject}.csv", schema)
        for moment in reversed(schema.moments):
            figures += measure(subject, moment, frame, schema)
    write_results("cortez", figures)


def load(path: Path, schema: DomainSchema) -> pl.DataFrame:
    intake = read_batch(path, schema, "labeled", secret=b"a benchmark has no students")
    return frame_of(labeled(schema.name, intake.rows), schema)


def measure(subject: str, moment: str, frame: pl.DataFrame, schema: DomainSchema) -> list[Figure]:
    """The RMSE of every candidate and the naive rule, the best of them against the best published."""
    inputs = schema.inputs_at(moment, with_protected=True)
    truth = frame["G3"].to_numpy()
    runs: dict[str, list[float]] = {candidate.name: [] for candidate in VALUE_CANDIDATES}
    for seed in range(RUNS):
        task = Task(schema.targets[0], inputs, frame, truth, seed)
        answers = answer_unseen(VALUE_CANDIDATES, task, rows(frame.height, seed), jobs=2, progress=lambda _: None)
        for name, unseen in answers.items():
            runs[name].append(float(np.sqrt(np.mean((unseen.outputs[:, 0] - truth) ** 2))))
    means = {name: float(np.mean(values)) for name, values in runs.items()}
    best = min(means, key=lambda name: means[name])
    published, setup = BEST_PUBLISHED[subject, moment], SETUP[moment]
    limit = published if setup in "AB" else published + 0.03
    others = ", ".join(f"{name} {value:.3f}" for name, value in means.items())
    naive = naive_rmse(frame, schema, moment, truth)
    spread = float(np.std(runs[best], ddof=1))
    return [
        Figure(
            figure=f"{subject} {setup}: RMSE of G3",
            value=round(means[best], 3),
            unit="points",
            goal=f"{'<' if setup in 'AB' else '≤'} {limit:.2f} (best published {published:.2f})",
            holds=means[best] < limit if setup in "AB" else means[best] <= limit,
            how=f"{best}, n = {len(truth)}, {RUNS} runs × {FOLDS} folds, sd between runs {spread:.3f}; "
            f"naive {naive:.3f}, {others}",
        )
    ]


def rows(n: int, seed: int) -> list[tuple[Rows, Rows]]:
    return list(KFold(FOLDS, shuffle=True, random_state=seed).split(np.arange(n)))


def naive_rmse(frame: pl.DataFrame, schema: DomainSchema, moment: str, truth: Rows) -> float:
    column = schema.naive_column(schema.targets[0], moment)
    answer = frame[column].to_numpy() if column else truth.mean()
    return float(np.sqrt(np.mean((answer - truth) ** 2)))


if __name__ == "__main__":
    main()

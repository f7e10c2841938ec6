"""A report on a class of 500: `gradewatch reports make` as a page, and as PDF; the second one says what changed.

`python -m benchmarks.cohort_reports` from the project's root. Whole commands are measured, start included.
"""

import statistics
import tempfile
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import polars as pl

from benchmarks.commands import GRADEWATCH, measured, open_installation, settings_of
from benchmarks.result import Figure, write_results
from database.ingest import add_batch, batch_rows
from database.records import ChampionKey
from model.workspace import Workspace
from preprocessing.schema import DomainSchema
from preprocessing.synthetic import generate
from retraining.examples import example_frame
from retraining.first_champions import train_domain

KEY = ChampionKey("course", "final_grade", "now")
CLASS_ROWS, LEARNED_ROWS, ROUNDS = 500, 3_000, 3
COURSE, TERM, FIRST_DUE = "benchmark", "2026-2", date(2026, 2, 2)
WEEKS = timedelta(days=21)


def main(_: Sequence[str] = ()) -> None:
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        make_class(folder)
        write_results("cohort_reports", list(figures(folder)))


def figures(folder: Path) -> list[Figure]:
    """Of the second report on: these compare with the one before."""
    ask = (GRADEWATCH, "reports", "make", "-d", KEY.domain, "-g", COURSE, "-p", TERM)
    measured(settings_of(folder), *ask, "--due", str(FIRST_DUE))
    page, paper = ("-o", str(folder / "class.html")), ("-o", str(folder / "class.pdf"))
    made, papers, held = [], [], 0.0
    for number in range(1, ROUNDS + 1):
        upload(folder, number)
        due = ("--due", str(FIRST_DUE + number * WEEKS))
        runs = [measured(settings_of(folder), *ask, *due, *page) for _ in range(2)]  # the second one finds it made
        runs.append(measured(settings_of(folder), *ask, *due, *page, *paper))
        made.append(runs[0][0])
        papers.append(runs[2][0] - runs[1][0])
        held = max(held, *(memory for _, memory in runs))
    once, more = statistics.median(made), statistics.median(papers)
    how = f"{CLASS_ROWS} students asked about, explained, compared with the last report, kept, and written as a page"
    return [
        Figure("report of 500 students: gradewatch reports make", once, "CPU s", "≤ 3", once <= 3, how),
        Figure("the same as PDF, beside the page", more, "CPU s", "≤ 3", more <= 3, "with the extra pdf"),
        Figure("report of 500 students: peak memory", held, "MB", "≤ 400", held <= 400, "of page and PDF"),
    ]


def make_class(folder: Path) -> None:
    """An installation with a champion, and the first rows of a class."""
    workspace = open_installation(folder)
    try:
        schema = workspace.schemas[KEY.domain]
        frame = generated(workspace, schema, folder, LEARNED_ROWS, seed=1)
        add_batch(workspace.store, schema.name, batch_rows(frame, schema, "labeled"), "labeled", name="taught")
        (trained,) = train_domain(workspace, schema, frame, [KEY], actor="benchmark")
        if trained.model is None:
            raise RuntimeError(trained.reason)
    finally:
        workspace.close()
    upload(folder, 0)


def upload(folder: Path, number: int) -> None:
    """New rows of all students of the class."""
    workspace = open_installation(folder)
    try:
        schema = workspace.schemas[KEY.domain]
        frame = generated(workspace, schema, folder, CLASS_ROWS, seed=10 + number, course=COURSE)
        rows = batch_rows(frame, schema, "unlabeled")
        add_batch(workspace.store, schema.name, rows, "unlabeled", name=f"week {3 * number}")
    finally:
        workspace.close()


def generated(
    workspace: Workspace, schema: DomainSchema, folder: Path, rows: int, *, seed: int, course: str = ""
) -> pl.DataFrame:
    """Typed rows of invented students, all of them of one course where it is named."""
    path, made = folder / "made.csv", generate(schema, rows=rows, seed=seed)
    if course:
        made = made.with_columns(pl.lit(course).alias("course_id"), pl.lit(TERM).alias("period"))
    made.write_csv(path)
    return example_frame(path, schema, workspace.secret)


if __name__ == "__main__":
    main()

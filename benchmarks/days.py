"""Drift of a month: `gradewatch drift --since` over a store of many labelled records, by predictions and by batches.

`python -m benchmarks.days [--keep FOLDER]` from the project's root. What is compared was stored as an institution
stores it: a labelled batch and some thousand single predictions a day, whose outcomes came. Whole commands are
measured, the second of each kind, which finds the profiles of past days.
"""

import argparse
import statistics
import tempfile
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path

from msgspec.structs import replace

from benchmarks.commands import GRADEWATCH, measured, open_installation, settings_of
from benchmarks.result import Figure, write_results
from clock import new_ids, now
from database.ingest import batch_of, batch_rows
from database.records import ChampionKey, Outcome
from model.workspace import Workspace
from monitoring.days import DAY
from preprocessing.schema import DomainSchema
from preprocessing.synthetic import generate
from preprocessing.validation.json_rows import ValidRow
from preprocessing.validation.validate import rows_of
from retraining.examples import example_frame
from retraining.first_champions import train_domain

CHAMPION = ChampionKey("school", "G3", "G2")
MONTH_DAYS, STORED_ROWS, TAUGHT = 30, 100_000, 5_000


def main(given: Sequence[str] = ()) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--keep", type=Path, help="make the store here, or use the one that is there")
    kept = parser.parse_args(given).keep
    with tempfile.TemporaryDirectory() as made:
        folder = kept or Path(made)
        if not (folder / "gradewatch.db").exists():
            make_store(folder)
        write_results("days", [figure for source in ("predictions", "labeled") for figure in month(folder, source)])


def month(folder: Path, source: str) -> list[Figure]:
    since = (now().date() - MONTH_DAYS * DAY).isoformat()
    ask = (GRADEWATCH, "drift", "-d", CHAMPION.domain, "--since", since, "--source", source, "--against", "champion")
    first, *runs = [measured(settings_of(folder), *ask) for _ in range(4)]
    spent, held = statistics.median(run[0] for run in runs), max(run[1] for run in runs)
    what = f"30 days of {'predictions' if source == 'predictions' else 'labelled batches'}"
    how = f"{STORED_ROWS:,} rows of 32 columns in batches and as many predictions with outcomes; the first look, which "
    how += f"makes the profiles, {first[0]:.2f} CPU s and {first[1]:.0f} MB"
    return [
        Figure(f"{what}: gradewatch drift", spent, "CPU s", "≤ 1.5", spent <= 1.5, how),
        Figure(f"{what}: peak memory", held, "MB", "≤ 250", held <= 250, how),
    ]


def make_store(folder: Path) -> None:
    """An installation with a champion, and what came on each of the last thirty days."""
    folder.mkdir(parents=True, exist_ok=True)
    workspace = open_installation(folder)
    try:
        schema = workspace.schemas[CHAMPION.domain]
        _teach(workspace, schema, folder / "taught.csv")
        for number in range(MONTH_DAYS):
            day = now().date() - DAY * (MONTH_DAYS - number)
            _add_batch(workspace, schema, _rows(workspace, schema, folder, number), day)
            _add_predictions(workspace, schema, _rows(workspace, schema, folder, MONTH_DAYS + number), day)
            print(f"  {day}: stored", flush=True)
    finally:
        workspace.close()


def _teach(workspace: Workspace, schema: DomainSchema, path: Path) -> None:
    generate(schema, rows=TAUGHT, seed=1).write_csv(path)
    frame = example_frame(path, schema, workspace.secret)
    rows = batch_rows(frame, schema, "labeled")
    batch = replace(batch_of(schema.name, rows, "labeled", name="taught"), at=now() - 2 * MONTH_DAYS * DAY)
    workspace.store.add_batch(batch, rows)
    (trained,) = train_domain(workspace, schema, frame, [CHAMPION], actor="benchmark")
    if trained.model is None:
        raise RuntimeError(trained.reason)
    workspace.champions.refresh()


def _rows(workspace: Workspace, schema: DomainSchema, folder: Path, number: int) -> list[ValidRow]:
    """A day's rows, of other students than those of all other days."""
    from polars import col

    path, prefix = folder / "day.csv", f"D{number}-"
    made = generate(schema, rows=STORED_ROWS // MONTH_DAYS + 1, seed=number + 2)
    if schema.student is not None:
        made = made.with_columns((prefix + col(schema.student.name)).alias(schema.student.name))
    made.write_csv(path)
    return rows_of(example_frame(path, schema, workspace.secret), schema)


def _add_batch(workspace: Workspace, schema: DomainSchema, rows: Sequence[ValidRow], day: date) -> None:
    from database.records import BatchRow, record_id

    kept = [
        BatchRow(
            record=record_id(schema.name, row.student, row.group, row.period, row.inputs),
            number=number,
            inputs=row.inputs,
            targets=row.targets,
            student=row.student,
            group=row.group,
            period=row.period,
        )
        for number, row in enumerate(rows, start=1)
    ]
    batch = replace(batch_of(schema.name, kept, "labeled", name=f"{day}.csv"), at=_noon(day))
    workspace.store.add_batch(batch, kept)


def _add_predictions(workspace: Workspace, schema: DomainSchema, rows: Sequence[ValidRow], day: date) -> None:
    """One by one through the day, as a form or another system asks for them, and each with its outcome."""
    known = {feature.name for feature in schema.features_at(CHAMPION.moment)}
    asked = [
        ValidRow(
            row=row.row,
            inputs={name: value for name, value in row.inputs.items() if name in known},
            moment=CHAMPION.moment,
            student=row.student,
            group=row.group,
            period=row.period,
        )
        for row in rows
    ]
    step, ids = DAY / (len(asked) + 1), new_ids(len(asked))
    start = _noon(day) - DAY / 2
    said = list(workspace.service.score(schema, asked, source="api"))
    said = [replace(one, id=ids[place], at=start + step * place) for place, one in enumerate(said)]
    workspace.store.add_predictions(said)
    outcomes = [
        Outcome(
            domain=CHAMPION.domain,
            target=CHAMPION.target,
            value=row.targets[CHAMPION.target],
            at=one.at + DAY,
            prediction=one.id,
        )
        for row, one in zip(rows, said, strict=True)
    ]
    workspace.store.add_outcomes(outcomes)


def _noon(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 12, tzinfo=UTC)


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])

"""A small invented district in a store, with a champion of its weeks: what answers by week are tested on."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import msgspec
import numpy as np
import polars as pl

from clock import now
from database.observed import store_events
from database.records import ModelVersion
from drift.profile import build_profile
from model.bundle import Bundle, Lineage, Manifest
from model.export import export_graph
from model.naive import NaiveRule
from model.registry import install
from model.scores import Estimate, ValueScores
from model.workspace import Workspace, open_workspace
from preprocessing.panel.example import write_district
from preprocessing.panel.folder import read_folder
from preprocessing.panel.kinds import DAY_OF, SAYS_OF
from preprocessing.panel.live import GivenEvent
from preprocessing.panel.observations import Observations
from preprocessing.schema import load_domains
from preprocessing.schema_changes import document_of
from training import evaluate
from training.candidates import CLASS_CANDIDATES
from training.chance_ranges import chance_ranges
from training.fit import Task, fit

SECRET = b"a secret of the institution"
K12 = load_domains()["k12"]
STUDENTS = 120


def open_at(folder: Path) -> Workspace:
    return open_workspace(
        database_url=f"sqlite:///{folder / 'gradewatch.db'}", artifacts_dir=folder / "models", domains_dir=None,
        secret=SECRET,
    )  # fmt: skip


def events_in(observations: Observations) -> Iterator[GivenEvent]:
    """Every row as an event of its own."""
    for kind, frame in observations.frames():
        for number, row in enumerate(frame.iter_rows(named=True)):
            said = {name: one.isoformat() if isinstance(one, date) else one for name, one in row.items()}
            body = tuple(float(one) if type(one) is int else one for one in map(said.get, SAYS_OF[kind]))
            student = "" if kind == "calendar" else str(said["student"])
            day = (row[DAY_OF[kind]] - date(1970, 1, 1)).days
            yield GivenEvent(kind, student, f"{kind} {number}", 1, day, body, "sis")


def leaving(folder: Path, student: str, day: date) -> GivenEvent:
    """The student's enrolment again, as one that ended on that day."""
    events = [one for one in events_in(read_folder(folder / "district")) if one.student == student]
    [spell] = [one for one in events if one.kind == "enrolment"]
    assert spell.body is not None
    return spell._replace(version=2, body=(*spell.body[:2], day.isoformat()))


def logistic_model(rows: pl.DataFrame) -> Bundle:
    """A logistic regression on all of these rows, without the judgement that a training makes: of so few students it
    would refuse to serve any."""
    target = K12.targets[0]
    levels = {level: place for place, level in enumerate(target.levels)}
    truth = rows[target.name].replace_strict(levels, return_dtype=pl.Int64).to_numpy()
    task = Task(target, K12.inputs_at("now"), rows, truth.astype(np.float64), 0)
    fitted = fit(next(one for one in CLASS_CANDIDATES if one.name == "logistic"), task)
    estimate = Estimate(1.0, 0.5, 1.5)
    scores = ValueScores(n=60, clusters=60, mae=estimate, rmse=estimate, r2=estimate)
    naive = NaiveRule(column=None, constant=target.levels[-1], flags=target.flags, flagged=target.levels[-2])
    said = fitted.outputs(rows)
    students = rows["student_id"].rank("dense").to_numpy().astype(np.int64)
    manifest = Manifest(
        domain=K12.name, target=target, moment="now", schema=K12.fingerprint,
        inputs=tuple(one.name for one in K12.inputs_at("now")), encoding=fitted.encoding, candidate="logistic",
        naive=naive, ranges={}, reference=evaluate.reference(task), importance={},
        scores={"naive": scores, "logistic": scores}, beats_naive=True, parity=0.0, learned=document_of(K12),
        chance_ranges=chance_ranges(task, said, students),
        lineage=Lineage(
            data="d", training="run", source="records", rows=60, split="student", seed=0, code="0", libraries={}
        ),
    )  # fmt: skip
    graph = export_graph(fitted.estimator, fitted.encoding.width, levels=len(levels))
    return Bundle(manifest=manifest, graph=graph, profile=build_profile(rows, K12).to_bytes(), rows=frozenset())


def begin_weeks(folder: Path) -> None:
    """The district's files, its observations in the store, and a champion of its weeks."""
    write_district(folder / "district", K12, students=STUDENTS, seed=3)
    workspace = open_at(folder)
    try:
        events = list(events_in(read_folder(folder / "district")))
        store_events(workspace.store, K12.name, events, secret=SECRET, at=now())
        bundle = logistic_model(pl.read_parquet(folder / "district" / "labelled.parquet"))
        model = ModelVersion(
            version=workspace.artifacts.save(bundle.files()), domain=K12.name, target=K12.targets[0].name,
            moment="now", candidate="logistic", scores={}, lineage=msgspec.to_builtins(bundle.manifest.lineage),
            at=now(),
        )  # fmt: skip
        workspace.store.add_model(model)
        install(workspace.store, [model], action="promote", actor="test", reason="")
    finally:
        workspace.close()

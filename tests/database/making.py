"""Plain records for tests of the stores; each `make_*` takes what should differ."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import sqlalchemy as sa
from msgspec.structs import replace

from clock import new_id, new_ids
from database.answer_columns import AnswerColumn
from database.packed import Common, PackedPredictions
from database.records import (
    Access,
    Answer,
    Batch,
    BatchKind,
    BatchRow,
    BlobChunk,
    DecisionRecord,
    Document,
    DriftRecord,
    Event,
    Job,
    ModelVersion,
    Observation,
    Outcome,
    Prediction,
    Succession,
)
from database.store import RecordStore
from preprocessing.columns import Levels, Numbers

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def after(microseconds: int) -> datetime:
    return NOON + timedelta(microseconds=microseconds)


def make_answer(target: str = "G3", value: float | str = 12.5) -> Answer:
    return Answer(
        target=target, value=value, naive=11.0, model="a" * 64, generation=1, interval=(9.25, 15.75), coverage=0.9
    )


def make_prediction(at: datetime = NOON, *, target: str = "G3", **fields: Any) -> Prediction:
    plain: dict[str, Any] = {
        "id": new_id(),
        "domain": "school",
        "moment": "G2",
        "inputs": {"G1": 11.0, "G2": 12.0},
        "answers": (make_answer(target),),
        "source": "api",
        "at": at,
    }
    return Prediction(**(plain | fields))


def make_outcome(value: float | str = 13.0, at: datetime = NOON, **fields: Any) -> Outcome:
    return Outcome(**({"domain": "school", "target": "G3", "value": value, "at": at} | fields))


def make_row(number: int, *, targets: Mapping[str, float | str] | None = None, **fields: Any) -> BatchRow:
    plain = {"record": f"record {number}", "inputs": {"G1": float(number)}, "targets": targets or {"G3": float(number)}}
    return BatchRow(**(plain | {"number": number} | fields))


def make_batch(id: str, at: datetime = NOON, *, kind: BatchKind = "labeled", rows: int = 1, **fields: Any) -> Batch:
    return Batch(**({"id": id, "domain": "school", "kind": kind, "name": "marks.csv", "rows": rows, "at": at} | fields))


def make_succession(generation: int, *, target: str = "G3", moment: str = "G2", **fields: Any) -> Succession:
    plain: dict[str, Any] = {
        "domain": "school",
        "version": f"version {generation}",
        "action": "promote",
        "actor": "tester",
        "reason": "better by 0.02",
        "at": after(generation),
    }
    return Succession(target=target, moment=moment, generation=generation, **(plain | fields))


def make_model(version: str, at: datetime = NOON, **fields: Any) -> ModelVersion:
    plain: dict[str, Any] = {"domain": "school", "target": "G3", "moment": "G2", "candidate": "ridge"}
    plain |= {"scores": {"mae": {"value": 1.25, "n": 100}}, "lineage": {"seed": 7, "$where.from": ["por.csv", None]}}
    return ModelVersion(version=version, at=at, **(plain | fields))


def make_drift_report(at: datetime = NOON, **fields: Any) -> DriftRecord:
    plain: dict[str, Any] = {"id": new_id(), "domain": "school", "alarm": True, "reference": "por/GP", "current": "MS"}
    return DriftRecord(at=at, **(plain | {"document": {"features": [{"name": "a.b", "$p": 0.01}]}} | fields))


def make_decision(at: datetime = NOON, **fields: Any) -> DecisionRecord:
    plain: dict[str, Any] = {"id": new_id(), "domain": "school", "target": "G3", "moment": "G2", "verdict": "shadow"}
    plain |= {"champion": None, "challenger": "c" * 64, "document": {"n": 140, "interval": [-0.1, 0.2]}}
    return DecisionRecord(at=at, **(plain | fields))


def make_event(at: datetime = NOON, **fields: Any) -> Event:
    return Event(**({"id": new_id(), "kind": "broken_artifact", "at": at, "details": {"a.b": {"$c": None}}} | fields))


def make_document(name: str, revision: int = 1, at: datetime = NOON, **fields: Any) -> Document:
    plain: dict[str, Any] = {"kind": "profile", "body": {"a.b": {"$c": [None, 1.5]}}}
    return Document(name=name, revision=revision, at=at, **(plain | fields))


def make_access(at: datetime = NOON, **fields: Any) -> Access:
    plain: dict[str, Any] = {"id": new_id(), "actor": "ann", "action": "looked", "details": {"a.b": {"$c": None}}}
    return Access(at=at, **(plain | fields))


def make_job(at: datetime = NOON, **fields: Any) -> Job:
    plain: dict[str, Any] = {"id": new_id(), "kind": "drift", "domain": "school", "arguments": {"a.b": {"$c": None}}}
    return Job(at=at, due=at, **(plain | fields))


def make_chunk(blob: str = "file", number: int = 0, content: bytes = b"\x00\xff\n") -> BlobChunk:
    return BlobChunk(blob=blob, number=number, at=NOON, content=content)


def make_packed(n: int = 60, at: datetime = NOON, **fields: Any) -> PackedPredictions:
    """Predictions by column: numbers of every size, gaps, texts, an answer unlike the others, a challenger's level."""
    numbers = Numbers.of([None if place % 7 == 3 else float(place) for place in range(n)])
    value, naive = Numbers(np.linspace(0.1, 19.9, n)), Levels(("none",), np.zeros(n, dtype=np.uint8))
    interval = {"low": Numbers(value.values - 2.5), "high": Numbers(value.values + 2.5), "coverage": 0.9}
    interval |= {"below_pass": Numbers(np.linspace(1, 0, n))}
    marks = AnswerColumn("G3", "a" * 64, 3, value, numbers_without_gaps(n), **interval, others={1: make_answer()})
    shares = {"pass": Numbers(np.linspace(0, 1, n)), "fail": Numbers(1 - np.linspace(0, 1, n))}
    grades = AnswerColumn(
        "grade", "b" * 64, 1, Levels.of([("pass", "fail")[place % 2] for place in range(n)]), naive, shares=shares
    )
    plain: dict[str, Any] = {
        "common": Common("school", "G2", "api", at, "key:x"),
        "ids": new_ids(n),
        "inputs": {
            "G1": numbers,
            "zero": Numbers.of([-0.0] * n),
            "wide": Numbers.of([float(place * 300) for place in range(n)]),
            "school": Levels.of([None if place % 5 == 4 else f"s{place % 3}" for place in range(n)]),
            "town": Levels.of([f"town {place}" for place in range(n)]),
        },
        "answers": (marks, grades),
    }
    return PackedPredictions(**(plain | fields))


@contextmanager
def connected(url: str) -> Iterator[sa.Connection]:
    """A connection beside the store's own; what is done over it is committed in the end."""
    engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def ask(url: str, statement: str) -> Sequence[Any]:
    with connected(url) as connection:
        found = connection.execute(sa.text(statement))
        return found.all() if found.returns_rows else ()


def make_observation(student: str = "s1", at: datetime = NOON, **fields: Any) -> Observation:
    plain: dict[str, Any] = {
        "domain": "school", "student": student, "kind": "attendance", "event": "e1", "version": 1, "source": "sis",
        "day": 20_000, "body": ("present",), "at": at,
    }  # fmt: skip
    return Observation(**(plain | fields))


def fill(store: RecordStore, predictions: int = 7, of_each: int = 1) -> None:
    """Documents of every kind, `of_each` of those that are kept one by one."""
    beside: dict[str, Any] = {"actor": "ann", "shadow": (make_answer(value=9.0),)}
    asked = [make_prediction(after(n), student=f"s{n}", inputs={"a.b": n, "$c": None}) for n in range(predictions)]
    store.add_predictions([replace(one, **beside) if n % 2 else one for n, one in enumerate(asked)])
    store.add_outcomes([make_outcome(float(n), after(n), student=f"s{n}") for n in range(3)])
    for batch in ("b", "a!", "a", "c"):
        store.add_batch(make_batch(batch, rows=3), [make_row(n) for n in (1, 2, 10)])
    of_a = {"student": "s1", "group": "A", "period": "1"}
    store.add_batch(make_batch("inference", kind="unlabeled"), [make_row(1, targets={"a.b": "$"}, **of_a)])
    for n in range(1, of_each + 1):
        store.add_model(make_model(f"version {n}"))
        store.succeed([make_succession(n), make_succession(n, moment="G1")])
        store.add_drift_report(make_drift_report())
        store.add_decision(make_decision())
        store.add_event(make_event())
        store.put_document(make_document(f"{n}", kind="key", domain="school"))
        store.put_document(make_document("day", n))
        store.add_accesses([make_access()])
    store.succeed([make_succession(1, domain="k12")])
    store.add_job(make_job())
    store.add_observations([make_observation(f"s{n}", event=f"e{n}") for n in range(of_each)])
    store.add_chunk(make_chunk())


def matched(store: RecordStore, domain: str, target: str, **options: Any) -> list[tuple[Prediction, Outcome]]:
    """Predictions with their outcomes, whether or not they are evidence."""
    return [(pair.prediction, pair.outcome) for pair in store.pairs(domain, target, **options)]


def numbers_without_gaps(n: int) -> Numbers:
    return Numbers.of([place / 3 for place in range(n)])

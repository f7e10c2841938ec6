"""An invented school for tests of training and all that follows: its schema, and rows with as much signal as wanted."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import polars as pl
import pytest
from numpy.typing import ArrayLike
from scipy.stats import chi2

from database.ingest import labeled
from database.records import BatchRow, ChampionKey, record_id
from preprocessing.schema import DomainSchema, Target, read_schema
from preprocessing.validation.validate import frame_of
from training import candidates
from training.fit import Task

LEVELS = ("F", "D", "C", "B", "A")
SCHEMA_TEXT = """
name = "invented"
title = "An invented school"
moments = ["start", "half"]

[student]
name = "student"

[[features]]
name = "hours"
kind = "numeric"
minimum = 0
maximum = 40
optional = true

[[features]]
name = "before"
kind = "numeric"
minimum = 0
maximum = 20
integer = true

[[features]]
name = "support"
kind = "categorical"
levels = ["low", "mid", "high"]

[[features]]
name = "subject"
kind = "categorical"
levels = ["art"]
open = true
optional = true

[[features]]
name = "sex"
kind = "categorical"
levels = ["f", "m"]
protected = true

[[features]]
name = "midterm"
kind = "numeric"
minimum = 0
maximum = 20
known_at = "half"

[[targets]]
name = "mark"
minimum = 0
maximum = 20
naive = ["midterm", "before"]

[[targets]]
name = "grade"
kind = "ordered_class"
levels = ["F", "D", "C", "B", "A"]
"""
SCHEMA = read_schema(SCHEMA_TEXT)
MARK, GRADE = ChampionKey("invented", "mark", "start"), ChampionKey("invented", "grade", "start")


@contextmanager
def few_trees() -> Iterator[None]:
    """The same candidates with an eighth of their trees, which learn in larger steps: most of what a training costs are
    trees, and most of what is said about one holds for however many."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(candidates, "FOREST_TREES", 24)
        patch.setattr(candidates, "VALUE_STEPS", {"n_estimators": 20, "learning_rate": 0.25})
        patch.setattr(candidates, "VALUE_ROUNDS", {"max_iter": 15, "learning_rate": 0.25})
        patch.setattr(candidates, "CLASS_STEPS", {"n_estimators": 10, "learning_rate": 0.4})
        patch.setattr(candidates, "CLASS_ROUNDS", {"max_iter": 10, "learning_rate": 0.4})
        yield


def make_rows(
    n: int, *, seed: int, signal: float = 1.0, shift: float = 0.0, levels: Sequence[str] = LEVELS, first: int = 0
) -> list[BatchRow]:
    """`n` students; the outcome is `signal` times what the inputs say, and noise for the rest. shift: of the truth."""
    draw = np.random.default_rng(seed)
    rows = []
    for number in range(n):
        hours, before = float(draw.uniform(0, 40)), float(draw.integers(0, 21))
        support = str(draw.choice(["low", "mid", "high"]))
        said = 0.5 * before + 0.1 * hours + {"low": 0.0, "mid": 1.5, "high": 3.0}[support]
        mark = (
            10 + signal * (said - 8) + shift * (1 if before > 10 else -1) + float(draw.normal(0, 1 + 2 * (1 - signal)))
        )
        mark = float(np.clip(round(mark, 2), 0, 20))
        inputs = {
            "hours": None if draw.random() < 0.1 else round(hours, 1),
            "before": before,
            "support": support,
            "subject": None if draw.random() < 0.1 else str(draw.choice(["art", "biology", "chess"])),
            "sex": str(draw.choice(["f", "m"])),
            "midterm": float(np.clip(round(mark + draw.normal(0, 1), 1), 0, 20)),
        }
        grade = levels[min(len(levels) - 1, int(mark / 20.001 * len(levels)))]
        student = f"student {first + number}"
        rows.append(
            BatchRow(
                record=record_id("invented", student, None, None, inputs),
                number=number + 1,
                inputs=inputs,
                targets={"mark": mark, "grade": grade},
                student=student,
            )
        )
    return rows


def make_frame(n: int, *, seed: int = 0, signal: float = 1.0, levels: Sequence[str] = LEVELS) -> pl.DataFrame:
    """The typed frame of `make_rows`."""
    return typed(make_rows(n, seed=seed, signal=signal, levels=levels))


def typed(rows: Sequence[BatchRow], schema: DomainSchema = SCHEMA) -> pl.DataFrame:
    """Batch rows as training takes them."""
    return frame_of(labeled(schema.name, rows), schema)


def task_of(target: Target, truth: np.ndarray) -> Task:
    """A target of which only the outcomes are known."""
    return Task(target, (), pl.DataFrame({"row": np.arange(len(truth))}), truth, 0)


def honest(chances: ArrayLike, happened: ArrayLike, *, learned: int) -> bool:
    """Whether in each of eight parts, by (n,) `chances`, as many happened as these said, within sampling error: of the
    rows themselves, and of the `learned` ones that the chances are from."""
    said, came = np.asarray(chances), np.asarray(happened, dtype=float)
    parts = np.array_split(np.argsort(said, kind="stable"), 8)
    by_chance = [(said[part] * (1 - said[part])).sum() * (1 + len(said) / learned) + 0.5 for part in parts]
    gaps = [(said[part] - came[part]).sum() ** 2 / one for part, one in zip(parts, by_chance, strict=True)]
    return float(sum(gaps)) <= chi2.ppf(0.999, len(parts))

"""An invented course for tests of reports: its schema, and rows of its students at some week of a term."""

from collections.abc import Sequence
from datetime import UTC, date, datetime

import numpy as np

from database.records import BatchRow, ChampionKey, record_id
from preprocessing.schema import read_schema

COURSE = read_schema(
    """
name = "invented-course"
title = "An invented course"
moments = ["start", "half"]
group = ["course"]
period = "term"

[student]
name = "student"

[[context]]
name = "course"

[[context]]
name = "term"

[[features]]
name = "attendance_rate"
kind = "numeric"
minimum = 0
maximum = 100
unit = "percent"
optional = true
family = "attendance"
concern = 50

[[features]]
name = "before"
kind = "numeric"
minimum = 0
maximum = 100
unit = "points"

[[features]]
name = "support"
kind = "categorical"
levels = ["low", "high"]
optional = true

[features.labels]
low = "little support"

[[features]]
name = "midterm"
kind = "numeric"
minimum = 0
maximum = 100
unit = "points"
known_at = "half"
family = "result"

[[targets]]
name = "final"
minimum = 0
maximum = 100
unit = "points"
naive = ["before"]
cut_points = [50]
"""
)
START, HALF = (ChampionKey(COURSE.name, "final", moment) for moment in COURSE.moments)
WEEK_3, WEEK_6 = date(2026, 2, 23), date(2026, 3, 16)
MONDAY_3, MONDAY_6 = (datetime(day.year, day.month, day.day, 6, tzinfo=UTC) for day in (WEEK_3, WEEK_6))


def course_rows(
    students: Sequence[str],
    *,
    seed: int,
    course: str = "algebra",
    term: str = "2026-1",
    moment: str = "start",
    labelled: bool = False,
    shift: float = 0.0,
) -> list[BatchRow]:
    """A row of each student. shift: of the outcomes' level."""
    draw = np.random.default_rng(seed)
    rows = []
    for number, student in enumerate(students, 1):
        before, attendance = float(draw.integers(20, 100)), float(draw.integers(30, 101))
        final = float(np.clip(round(0.6 * before + 0.4 * attendance - 8 + shift + draw.normal(0, 6), 1), 0, 100))
        inputs = {
            "attendance_rate": None if draw.random() < 0.05 else attendance,
            "before": before,
            "support": str(draw.choice(["low", "high"])),
            **({"midterm": float(np.clip(round(final + draw.normal(0, 8)), 0, 100))} if moment == "half" else {}),
        }
        record = record_id(COURSE.name, student, course, term, inputs)
        placed = {"student": student, "group": course, "period": term}
        targets = {"final": final} if labelled else {}
        rows.append(BatchRow(record=record, number=number, inputs=inputs, targets=targets, **placed))  # type: ignore[arg-type]
    return rows

"""What a store knows of observed students as the five frames, in bounded memory, as of now or of any time before.

It computes no feature. Events in their newest version; several records of one day, and spells that touch, become one.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec
import polars as pl

from database.store import ObservationColumns, RecordStore
from preprocessing.panel.kinds import AUDITED_KIND, DAY_OF, OBSERVATION_KINDS, SAYS_OF, ObservationKind
from preprocessing.panel.observations import FRAMES, Observations, check, of_kinds

EPOCH_DAY = date(1970, 1, 1)
STUDENTS_IN_FRAMES = 500
"""Whole students of one part, about: some 150 MB with a year of daily records."""

ABSENT_FROM = 0.5
"""Share of a day's records in classes from which the day counts as absent."""


class ObservedPart(NamedTuple):
    """Whole students. traits: by student what is audited of it, by name."""

    observations: Observations
    traits: Mapping[str, Mapping[str, str]]


def observation_frames(
    store: RecordStore, domain: str, *, students: Sequence[str] | None = None, known_at: datetime | None = None
) -> Iterator[Observations]:
    """Parts of whole students, in order, each with the whole calendar; all or some of them (pseudonyms)."""
    return (part.observations for part in observed_parts(store, domain, students=students, known_at=known_at))


def observed_parts(
    store: RecordStore, domain: str, *, students: Sequence[str] | None = None, known_at: datetime | None = None
) -> Iterator[ObservedPart]:
    """As `observation_frames`, with what is audited."""
    calendar = _frame("calendar", _rows(store.observation_pages(domain, students=[""], known_at=known_at)))
    pages = store.observation_pages(domain, students=students, known_at=known_at)
    for rows in _whole_students(_rows(pages)):
        kinds = {k: calendar if k == "calendar" else _frame(k, rows) for k in OBSERVATION_KINDS}
        traits: dict[str, dict[str, str]] = {}
        for student, kind, _, _, body in rows:
            if kind == AUDITED_KIND and body != "null":
                name, value = msgspec.json.decode(body)
                traits.setdefault(student, {})[name] = value
        yield ObservedPart(check(of_kinds(kinds)), traits)


def write_observations(
    store: RecordStore, domain: str, folder: Path, *, known_at: datetime | None = None
) -> dict[ObservationKind, int]:
    """Write what is known to a folder that `preprocessing.panel.folder` reads, part by part; by kind how many rows."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = dict.fromkeys(OBSERVATION_KINDS, 0)
    with TemporaryDirectory(dir=folder) as aside:
        for number, part in enumerate(observation_frames(store, domain, known_at=known_at)):
            for kind, frame in part.frames():
                if frame.height and (kind != "calendar" or number == 0):
                    frame.write_parquet(Path(aside) / f"{kind}-{number:06d}.parquet")
                    rows[kind] += frame.height
        for kind, count in rows.items():
            if count:
                pl.scan_parquet(f"{aside}/{kind}-*.parquet").sink_parquet(folder / f"{kind}.parquet")
    return rows


def dirty_since(store: RecordStore, domain: str, receipt: int) -> tuple[int, dict[str, date]]:
    """The newest receipt, and whose features changed behind `receipt`, each from which day on ("": of all): the first
    day of what a changed event says now or said before."""
    since = store.observed_since(domain, receipt)
    found: dict[str, int] = {}
    pages = store.observation_pages(domain, students=list(since.students)) if since.students else iter(())
    for (student, *_), days, newest in _events(pages):
        if newest > receipt:
            found[student] = min(*days, found.get(student, days[0]))
    return since.newest, {student: EPOCH_DAY + timedelta(days=day) for student, day in found.items()}


def _events(pages: Iterator[ObservationColumns]) -> Iterator[tuple[tuple[str, str, str], list[int], int]]:
    """Each event with the days that its versions name, and its newest receipt."""
    rows = (row for page in pages for row in zip(*page, strict=True))
    for key, versions in groupby(rows, key=lambda row: (row[0], row[1], row[2])):
        told = [(int(row[5]), int(row[8])) for row in versions]
        yield key, [day for day, _ in told], max(number for _, number in told)


Row = tuple[Any, ...]


def _rows(pages: Iterator[ObservationColumns]) -> Iterator[Row]:
    """(student, kind, event, day, body) of each event in its newest version, in key order."""
    before: Row | None = None
    for page in pages:
        for student, kind, event, _, _, day, body, *_ in zip(*page, strict=True):
            if before is not None and before[:3] != (student, kind, event):
                yield before
            before = student, kind, event, day, body
    if before is not None:
        yield before


def _whole_students(rows: Iterator[Row]) -> Iterator[list[Row]]:
    part: list[Row] = []
    students, last = 0, None
    for row in rows:
        if row[0] != last and row[0]:
            students, last = students + 1, row[0]
            if students > STUDENTS_IN_FRAMES:
                yield part
                part, students = [], 1
        if row[0]:
            part.append(row)
    if part:
        yield part


def _frame(kind: ObservationKind, rows: Iterable[Row]) -> pl.DataFrame:
    kept = [row for row in rows if row[1] == kind and row[4] != "null"]
    bodies = msgspec.json.decode("[" + ",".join(row[4] for row in kept) + "]")
    columns: dict[str, Any] = {name: [body[place] for body in bodies] for place, name in enumerate(SAYS_OF[kind])}
    columns |= {"student": [row[0] for row in kept], "event_id": [row[2] for row in kept]}
    columns[DAY_OF[kind]] = pl.Series([row[3] for row in kept], dtype=pl.Int32).cast(pl.Date)
    schema = FRAMES[kind]
    days = [name for name in SAYS_OF[kind] if schema[name] == pl.Date]
    frame = pl.DataFrame(columns, schema_overrides=dict.fromkeys(days, pl.String), strict=False)
    frame = frame.with_columns(pl.col(name).str.to_date() for name in days)
    frame = frame.select(pl.col(name).cast(dtype) for name, dtype in schema.items())
    return ONE_OF_SEVERAL[kind](frame) if kind in ONE_OF_SEVERAL else frame


def _one_a_day(frame: pl.DataFrame) -> pl.DataFrame:
    """One status of each student and day: absent where half of the day's records say so, excused where all of these
    do; else tardy where any says tardy or absent."""
    if not frame.select(pl.struct("student", "day").is_duplicated().any()).item():
        return frame
    absent = pl.col("status").is_in(["excused", "unexcused"])
    status = (
        pl.when((absent.mean() >= ABSENT_FROM) & (pl.col("status") == "unexcused").any()).then(pl.lit("unexcused"))
        .when(absent.mean() >= ABSENT_FROM).then(pl.lit("excused"))
        .when((pl.col("status") != "present").any()).then(pl.lit("tardy"))
        .otherwise(pl.lit("present"))
    )  # fmt: skip
    return frame.group_by("student", "day", maintain_order=True).agg(status.alias("status"))


def _spells(frame: pl.DataFrame) -> pl.DataFrame:
    """Enrolments of a student in a grade of a school that overlap or touch as one spell: a source may tell them by
    class."""
    far = pl.lit(date.max)
    place = ["student", "school", "grade_level"]
    ordered = frame.sort(*place, "begin", pl.col("end").fill_null(far))
    until = pl.col("end").fill_null(far).cum_max().shift(1).over(place)
    starts = (pl.col("begin") > until).fill_null(value=True)
    numbered = ordered.with_columns(starts.cast(pl.Int32).cum_sum().over(place).alias("_spell"))
    merged = numbered.group_by(*place, "_spell", maintain_order=True).agg(
        pl.col("begin").min(), pl.col("end").fill_null(far).max()
    )
    merged = merged.with_columns(pl.when(pl.col("end") != far).then("end").alias("end"))
    return merged.select(frame.columns)


def _one_line(frame: pl.DataFrame) -> pl.DataFrame:
    """One line of each school and day, whichever sources tell of it: there is school where all of them say so, since a
    source that has no calendar takes every weekday for one."""
    return frame.group_by("school", "day", maintain_order=True).agg(pl.col("school_day").all())


ONE_OF_SEVERAL = MappingProxyType[ObservationKind, Callable[[pl.DataFrame], pl.DataFrame]](
    {"attendance": _one_a_day, "enrolment": _spells, "calendar": _one_line}
)
"""How what several events say becomes one row."""

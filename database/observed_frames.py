"""What a store knows of observed students as the five frames, in bounded memory, as of now or of any time before.

It computes no feature. Events in their newest version; several records of one day, and spells that touch, become one.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import chain, groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec
import numpy as np
import polars as pl

from database.layout import SEPARATOR
from database.store import ObservationColumns, ObservationTexts, RecordStore
from preprocessing.panel.gathered import EVENT, REMOVED, VERSION, WHOSE, Gathered
from preprocessing.panel.kinds import AUDITED_KIND, DAY_OF, OBSERVATION_KINDS, OF_A_DAY, SAYS_OF, ObservationKind
from preprocessing.panel.observations import FRAMES, Observations, check, of_kinds

EPOCH_DAY = date(1970, 1, 1)

LINES = pl.Schema({"event_id": pl.String, "_version": pl.Int64, "_day": pl.Int32, "_body": pl.String})
"""The cells of a line of `ObservationTexts`."""

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
    store: RecordStore,
    domain: str,
    *,
    students: Sequence[str] | None = None,
    known_at: datetime | None = None,
    days: tuple[date, date] | None = None,
) -> Iterator[ObservedPart]:
    """As `observation_frames`, with what is audited. days: attendance, marks and incidents from the first of these to
    the second alone."""
    of_all = chain.from_iterable(store.observation_texts(domain, students=[""], known_at=known_at))
    calendar = _frame("calendar", list(of_all))
    for page in store.observation_texts(domain, students=students, known_at=known_at):
        texts = [one for one in page if one.student]
        if not texts:
            continue
        kinds = {k: calendar if k == "calendar" else _frame(k, texts, days) for k in OBSERVATION_KINDS}
        traits: dict[str, dict[str, str]] = {}
        for student, body in _newest(AUDITED_KIND, texts).select("student", "_body").iter_rows():
            name, value = msgspec.json.decode(body)
            traits.setdefault(student, {})[name] = value
        yield ObservedPart(check(of_kinds(kinds)), traits)


def frames_of_export(gathered: Gathered) -> Observations:
    """What an export alone says as the five frames, students by its own keys. Raises BadObservations."""
    kinds = dict[ObservationKind, pl.DataFrame]()
    for kind in OBSERVATION_KINDS:
        if kind in gathered.events:
            told = gathered.events[kind].sort(VERSION, nulls_last=True, maintain_order=True)
            newest = told.unique([WHOSE, EVENT], keep="last", maintain_order=True).filter(~pl.col(REMOVED))
            columns = [pl.col(name).cast(dtype) for name, dtype in FRAMES[kind].items()]
            frame = newest.rename({EVENT: "event_id"}).select(columns)
            kinds[kind] = ONE_OF_SEVERAL[kind](frame) if kind in ONE_OF_SEVERAL else frame
    return check(of_kinds(kinds))


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


def _newest(kind: str, texts: Sequence[ObservationTexts], days: tuple[date, date] | None = None) -> pl.DataFrame:
    """The events of one kind in their newest versions, without those that were taken back, in key order: student,
    event_id, _day, _body. days: of these alone, where the kind is of a day."""
    mine = [one for one in texts if one.kind == kind]
    lines = "\n".join([one.told for one in mine]).encode()
    frame = pl.read_csv(
        lines, separator=SEPARATOR, has_header=False, quote_char=None, schema=LINES, raise_if_empty=False
    )
    of = np.repeat(np.arange(len(mine), dtype=np.uint32), [one.size for one in mine])
    event, same = frame["event_id"], of[1:] == of[:-1]
    student = pl.Series("student", [one.student for one in mine], dtype=pl.String).gather(of)
    frame = frame.insert_column(0, student)
    if not (~pl.Series(same) | (event[1:] > event[:-1])).all():  # several versions, or not in order
        frame = frame.sort("student", "event_id", "_version").unique(
            ["student", "event_id"], keep="last", maintain_order=True
        )
    days_wanted = () if days is None or kind not in OF_A_DAY else (pl.col("_day").cast(pl.Date).is_between(*days),)
    return frame.filter(pl.col("_body") != "null", *days_wanted)


def _frame(
    kind: ObservationKind, texts: Sequence[ObservationTexts], days: tuple[date, date] | None = None
) -> pl.DataFrame:
    told = _newest(kind, texts, days)
    distinct = told["_body"].unique()  # few days, and few marks, are unlike all others
    bodies = msgspec.json.decode("[" + ",".join(distinct) + "]")
    columns: dict[str, Any] = {name: [body[place] for body in bodies] for place, name in enumerate(SAYS_OF[kind])}
    schema = FRAMES[kind]
    said_days = [name for name in SAYS_OF[kind] if schema[name] == pl.Date]
    said = pl.DataFrame(columns, schema_overrides=dict.fromkeys(said_days, pl.String), strict=False)
    said = said.with_columns(pl.col(name).str.to_date() for name in said_days).with_columns(distinct.alias("_body"))
    frame = told.join(said, on="_body", how="left", maintain_order="left")
    frame = frame.with_columns(pl.col("_day").cast(pl.Date).alias(DAY_OF[kind]))
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

"""What an export says goes into the store: under pseudonyms, and only what is not known yet.

It reads no file; what came in is counted by kind. Given twice, the second time nothing is new.
"""

import hmac
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import polars as pl

from database.layout import encode, micros, parts
from database.records import Observation
from database.store import RecordStore
from preprocessing.panel.gathered import EVENT, REMOVED, VERSION, WHOSE, Gathered
from preprocessing.panel.kinds import DAY_OF, SAYS_OF
from preprocessing.validation.pii import names_somebody, pseudonym

STUDENTS_TOGETHER = 200
"""Whose present observations are looked at together."""

EVENT_DIGITS = 24
"""Hex digits of the digest of an event's key: among the events of one student none will ever meet."""

EVENT_PURPOSE = b"gradewatch/event/1\0"
FREE_WORDS = {"incidents": "category", "grades": "subject", "enrolment": "school", "calendar": "school"}
"""Values that a source writes as it likes, and that could name a person."""


class StoredCounts(NamedTuple):
    """Of one kind: events that are new, that correct or take back known ones, and that say what was known."""

    new: int
    corrected: int
    known: int


def event_key(secret: bytes, source: str, kind: str, student: str, event: str) -> str:
    """The digest of a source's key of an event, under the institution's secret: keys may tell who it is."""
    text = "\0".join((source, kind, student, event)).encode("utf-8", "surrogatepass")
    return hmac.digest(secret, EVENT_PURPOSE + text, "sha256").hex()[:EVENT_DIGITS]


def settle(gathered: Gathered) -> None:
    """Events whose free words name somebody are problems, and left out; of one that is told twice the last counts."""
    for kind, frame in gathered.events.items():
        once = frame.unique([WHOSE, EVENT, VERSION], keep="last", maintain_order=True)
        if again := frame.height - once.height:
            gathered.found.note(f"{kind}: {again:,} events are told twice; the last counts")
        gathered.events[kind] = once
    for kind, column in FREE_WORDS.items():
        if kind not in gathered.events:
            continue
        frame = gathered.events[kind]
        words = frame[column].drop_nulls().unique().to_list()
        naming = [word for word in words if names_somebody(word)]
        if naming:
            wrong = frame.filter(pl.col(column).is_in(naming)).height
            gathered.found.add(kind, f"{wrong:,} events have a {column} that names somebody", column)
            gathered.events[kind] = frame.filter(~pl.col(column).is_in(naming).fill_null(value=False))


def store_gathered(
    store: RecordStore,
    domain: str,
    gathered: Gathered,
    *,
    secret: bytes,
    at: datetime,
    progress: Callable[[float], None] = lambda _: None,
    dry: bool = False,
) -> dict[str, StoredCounts]:
    """Keep what is new, by kind how much. at: when it came in, which is also the version of what has none. dry: only
    count."""
    frames = {kind: _keyed(frame, kind, gathered.source, secret) for kind, frame in gathered.events.items()}
    students = sorted({*()}.union(*(frame[WHOSE].unique().to_list() for frame in frames.values())))
    counts = {kind: [0, 0, 0] for kind in frames}
    for number, part in enumerate(parts(students, STUDENTS_TOGETHER)):
        known = _newest(store, domain, part)
        given = [(kind, row) for kind, frame in frames.items() for row in _rows_of(frame, part)]
        fresh = list(_fresh(domain, gathered.source, given, known, at, counts))
        if not dry:
            for some in parts(fresh, 5_000):
                store.add_observations(some)
        progress((number + 1) * STUDENTS_TOGETHER / max(STUDENTS_TOGETHER, len(students)))
    return {kind: StoredCounts(*count) for kind, count in counts.items()}


def _keyed(frame: pl.DataFrame, kind: str, source: str, secret: bytes) -> pl.DataFrame:
    """By pseudonym, in order, with digests of the events' keys and values as they are stored."""
    keys = frame[WHOSE].unique()
    names = {key: "" if key is None else pseudonym(key, secret) for key in keys}
    digests = [
        event_key(secret, source, kind, student or "", event)
        for student, event in zip(frame[WHOSE].to_list(), frame[EVENT].to_list(), strict=True)
    ]
    known = pl.Series(WHOSE, [names[key] for key in frame[WHOSE].to_list()], dtype=pl.String)
    day = pl.col(DAY_OF[kind]).to_physical().alias("_day")
    kept = frame.with_columns(known, pl.Series(EVENT, digests, dtype=pl.String)).with_columns(day)
    kept = kept.with_columns(pl.col(name).cast(pl.String) for name in SAYS_OF[kind] if kept.schema[name] == pl.Date)
    kept = kept.with_columns(pl.col(name).cast(pl.Float64) for name in SAYS_OF[kind] if kept.schema[name].is_integer())
    return kept.select(WHOSE, EVENT, VERSION, REMOVED, "_day", *SAYS_OF[kind]).sort(WHOSE, maintain_order=True)


def _rows_of(frame: pl.DataFrame, students: Sequence[str]) -> Iterator[tuple[object, ...]]:
    column = frame[WHOSE]
    begin, end = column.search_sorted(students[0], "left"), column.search_sorted(students[-1], "right")
    return frame.slice(int(begin), int(end) - int(begin)).iter_rows()


def _newest(store: RecordStore, domain: str, students: Sequence[str]) -> dict[tuple[str, str, str], tuple[int, str]]:
    """The newest version of each event, and what it says as JSON with its day."""
    found: dict[tuple[str, str, str], tuple[int, str]] = {}
    for page in store.observation_pages(domain, students=students):
        for student, kind, event, version, _, day, body, *_ in zip(*page, strict=True):
            found[student, kind, event] = version, f"{day} {body}"
    return found


def _fresh(
    domain: str,
    source: str,
    given: Iterable[tuple[str, Sequence[object]]],
    known: dict[tuple[str, str, str], tuple[int, str]],
    at: datetime,
    counts: Mapping[str, list[int]],
) -> Iterator[Observation]:
    """The observations that say something else than the newest version that is known."""
    now = micros(at)
    for kind, (student, event, version, removed, day, *values) in given:
        body = None if removed else tuple(values)
        number = now if version is None else int(version)  # type: ignore[call-overload]  # a column of integers
        said = f"{day} {encode(body).decode()}"
        newest, before = known.get((str(student), kind, str(event)), (-1, ""))
        if said == before or (before == "" and removed):
            counts[kind][2] += 1
            continue
        counts[kind][0 if newest < 0 else 1] += 1
        if number > newest:
            known[str(student), kind, str(event)] = number, said
        yield Observation(
            domain=domain, student=str(student), kind=kind, event=str(event), version=number, source=source,
            day=int(day), body=body, at=at,  # type: ignore[call-overload, arg-type]  # columns of known types
        )  # fmt: skip

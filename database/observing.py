"""What an export says goes into the store: under pseudonyms, and only what is not known yet.

It reads no file; what came in is counted by kind. Given twice, the second time nothing is new.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime

import polars as pl

from database.layout import parts
from database.observed import StoredCounts, event_key, fresh_observations, newest_known
from database.store import RecordStore
from preprocessing.panel.gathered import EVENT, REMOVED, VERSION, WHOSE, Gathered
from preprocessing.panel.kinds import AUDITED_KIND, DAY_OF, HELP_KIND, SAYS_OF
from preprocessing.panel.live import GivenEvent, is_harmless_word
from preprocessing.panel.observations import FRAMES, row_rules
from preprocessing.panel.sheets import UnreadableExport
from preprocessing.validation.pii import pseudonym
from preprocessing.validation.rules import LONGEST_TEXT

STUDENTS_TOGETHER = 200
"""Whose present observations are looked at together."""

EVENTS_TOGETHER = 5_000
"""Of one transaction."""

FREE_WORDS: Mapping[str, Sequence[str]] = {
    "incidents": ("category",),
    "grades": ("subject",),
    "enrolment": ("school", "grade_level"),
    "calendar": ("school",),
    AUDITED_KIND: ("name", "value"),
    HELP_KIND: ("type_code", "state"),
}
"""Values that a source writes as it likes, and that could name a person."""


def settle(gathered: Gathered) -> None:
    """Events whose free words name somebody, or that no frame could hold, are problems, and left out; of one that is
    told twice the last counts. Raises UnreadableExport where the source is called by what names somebody."""
    if not is_harmless_word(gathered.source):
        raise UnreadableExport(f"the source's name must have 1 to {LONGEST_TEXT} letters and name nobody")
    for kind, frame in gathered.events.items():
        once = frame.unique([WHOSE, EVENT, VERSION], keep="last", maintain_order=True)
        if again := frame.height - once.height:
            gathered.found.note(f"{kind}: {again:,} events are told twice; the last counts")
        for column in FREE_WORDS.get(kind, ()):
            words = once[column].drop_nulls().unique().to_list()
            bad = pl.col(column).is_in([word for word in words if not is_harmless_word(word)])
            once = _without(gathered, kind, once, bad, f"have a {column} that names somebody or is too long")
        for rule, wrong in row_rules(kind).items() if kind in FRAMES else ():
            once = _without(gathered, kind, once, wrong & ~pl.col(REMOVED), f"are wrong: {rule}")
        gathered.events[kind] = once


def _without(gathered: Gathered, kind: str, frame: pl.DataFrame, wrong: pl.Expr, told: str) -> pl.DataFrame:
    bad = wrong.fill_null(value=False)
    if count := frame.filter(bad).height:
        gathered.found.add(kind, f"{count:,} events {told}")
    return frame.filter(~bad)


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
    frames = {kind: _by_pseudonym(frame, kind, secret) for kind, frame in gathered.events.items()}
    students = sorted(set[str]().union(*(frame[WHOSE].unique().to_list() for frame in frames.values())))
    source = gathered.source
    counts: dict[str, list[int]] = {kind: [0, 0, 0] for kind in frames}
    for number, part in enumerate(parts(students, STUDENTS_TOGETHER)):
        known = newest_known(store.observation_pages(domain, students=part))
        told = (event for kind, frame in frames.items() for event in _events_of(frame, part, kind, source))
        given = (one._replace(event=event_key(secret, source, one.kind, one.student, one.event)) for one in told)
        fresh = fresh_observations(domain, given, known, at, counts)
        for some in parts(fresh, EVENTS_TOGETHER):
            if not dry:
                store.add_observations(some)
        progress(min(1.0, (number + 1) * STUDENTS_TOGETHER / len(students)))
    return {kind: StoredCounts(*count) for kind, count in counts.items()}


def _by_pseudonym(frame: pl.DataFrame, kind: str, secret: bytes) -> pl.DataFrame:
    """By pseudonym, in order, with values as they are stored. No object of each event: there are millions."""
    keys = frame[WHOSE].unique()
    names = pl.Series(["" if key is None else pseudonym(key, secret) for key in keys], dtype=pl.String)
    known = pl.DataFrame({"_key": keys, "_name": names})
    named = frame.join(known, left_on=WHOSE, right_on="_key", how="left", nulls_equal=True, maintain_order="left")
    day = pl.col(DAY_OF[kind]).to_physical().alias("_day")
    kept = named.with_columns(pl.col("_name").alias(WHOSE), day)
    kept = kept.with_columns(pl.col(name).cast(pl.String) for name in SAYS_OF[kind] if kept.schema[name] == pl.Date)
    kept = kept.with_columns(pl.col(name).cast(pl.Float64) for name in SAYS_OF[kind] if kept.schema[name].is_integer())
    return kept.select(WHOSE, EVENT, VERSION, REMOVED, "_day", *SAYS_OF[kind]).sort(WHOSE, maintain_order=True)


def _events_of(frame: pl.DataFrame, students: Sequence[str], kind: str, source: str) -> Iterator[GivenEvent]:
    column = frame[WHOSE]
    begin, end = int(column.search_sorted(students[0], "left")), int(column.search_sorted(students[-1], "right"))
    for student, event, version, removed, day, *values in frame.slice(begin, end - begin).iter_rows():
        yield GivenEvent(kind, student, event, version, day, None if removed else tuple(values), source)

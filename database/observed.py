"""What is observed of students, as a store keeps it: read by student, and what is new told from what is known.

It loads no library for tables, so that a service can take single events; whole exports are `database.observing`'s.
"""

import hmac
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

from database.layout import LAYOUTS, encode
from database.records import Observation
from database.store import ObservationColumns, ObservedKey, RecordStore
from preprocessing.panel.live import GivenEvent, version_of
from preprocessing.validation.pii import pseudonym
from preprocessing.validation.rules import Problem

WEEKS_KIND = "weeks"
"""Documents of the week that was closed last in a domain, with the receipt up to which students were answered since."""

EVENT_DIGITS = 24
"""Hex digits of the digest of an event's key: among the events of one student none will ever meet."""

EVENT_PURPOSE = b"gradewatch/event/1\0"

DEAD_LETTERS = "dead letters"
"""The kind of document that says which messages could not be read, and why."""

_unpack = LAYOUTS["observations"].unpack

Known = dict[ObservedKey, tuple[int, str]]
"""By student, kind and event the newest version, and what it says with its day."""


class StoredCounts(NamedTuple):
    """Events that are new, that correct or take back known ones, and that change nothing: known, or older than what
    is."""

    new: int
    corrected: int
    known: int


class KindCounts(msgspec.Struct, frozen=True, kw_only=True):
    """`StoredCounts` of one kind of event."""

    new: int
    corrected: int
    known: int


class StoredExport(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an export, or with dry would become: by kind how many events; whether and from when it can be
    predicted with what it says (readiness); what to know that is not wrong (notes); rows that were left out (skipped),
    with the first problems."""

    dry: bool
    kinds: Mapping[str, KindCounts]
    readiness: tuple[str, ...]
    notes: tuple[str, ...] = ()
    skipped: int = 0
    problems: tuple[Problem, ...] = ()


def observations_of(store: RecordStore, domain: str, student: str) -> list[Observation]:
    """All versions of all that is observed of one student, in key order."""
    pages = store.observation_pages(domain, students=[student])
    return [_unpack((domain, *row[:-1])) for page in pages for row in zip(*page, strict=True)]


def event_key(secret: bytes, source: str, kind: str, student: str, event: str) -> str:
    """The digest of a source's key of an event, under the institution's secret: keys may tell who it is. student: the
    pseudonym, which is the same however a key is written."""
    text = "\0".join((source, kind, student, event)).encode("utf-8", "surrogatepass")
    return hmac.digest(secret, EVENT_PURPOSE + text, "sha256").hex()[:EVENT_DIGITS]


def under_pseudonym(event: GivenEvent, secret: bytes) -> GivenEvent:
    """The event with a pseudonym for its student and a digest for its key."""
    student = event.student and pseudonym(event.student, secret)
    key = event_key(secret, event.source, event.kind, student, event.event)
    return event._replace(student=student, event=key)


def newest_known(pages: Iterable[ObservationColumns]) -> Known:
    """What is known of the events of these pages."""
    found: Known = {}
    for page in pages:
        for student, kind, event, version, _, day, body, *_ in zip(*page, strict=True):
            found[student, kind, event] = version, f"{day} {body}"
    return found


def fresh_observations(
    domain: str, events: Iterable[GivenEvent], known: Known, at: datetime, counts: dict[str, list[int]]
) -> Iterator[Observation]:
    """The observations, of events under pseudonyms, that say something else than the newest version that is known.
    counts: by kind as in `StoredCounts`. known: goes on with each. at: when they came in; one without a version counts
    as of then, and in any case behind what came in before it, whatever clocks say."""
    now = version_of(at)
    for kind, student, event, version, day, body, source in events:
        newest, before = known.get((student, kind, event), (-1, ""))
        number, said = max(now, newest + 1) if version is None else version, f"{day} {encode(body).decode()}"
        counted = counts.setdefault(kind, [0, 0, 0])
        if said == before or (version is None and newest < 0 and body is None):
            counted[2] += 1
            continue
        counted[0 if newest < 0 else 1 if number > newest else 2] += 1
        if number > newest:
            known[student, kind, event] = number, said
        yield Observation(
            domain=domain, student=student, kind=kind, event=event, version=number, source=source, day=day, body=body,
            at=at,
        )  # fmt: skip


def store_events(
    store: RecordStore, domain: str, events: Sequence[GivenEvent], *, secret: bytes, at: datetime
) -> StoredCounts:
    """Keep what is new of single events; the same ones again change nothing."""
    told = [under_pseudonym(one, secret) for one in events]
    counts: dict[str, list[int]] = {}
    known = newest_known(store.observations_of_events(domain, [(one.student, one.kind, one.event) for one in told]))
    store.add_observations(list(fresh_observations(domain, told, known, at, counts)))
    return StoredCounts(*(sum(one[place] for one in counts.values()) for place in range(3)))

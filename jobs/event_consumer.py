"""Events from a stream into the store: taken some at a time, kept, and only then acknowledged.

A message is taken at least once; what it says is kept once, whatever dies between. One that cannot be read is set aside
with the reason and holds nobody up. It knows no broker: streams are opened by `jobs.event_streams`.
"""

import logging
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from clock import now
from database.errors import Conflict, StoreUnavailable
from database.observed import DEAD_LETTERS, store_events
from database.records import Document
from database.store import RecordStore
from database.streams import StreamGone, StreamMessage
from jobs.event_streams import EventSource, passed_over, place_name
from preprocessing.panel.live import LARGEST_VERSION, GivenEvent, ObservedEvent, given_event
from preprocessing.schema import PanelSchema

MESSAGES_AT_ONCE = 500
"""That are kept in one transaction. Most of the work is to look up what is known of these events: 0.2 ms of CPU each on
SQLite, whatever else is known of their students, measured with 500 of 500 students with 180 records each."""

PAUSE_SECONDS_AFTER_FAILURE = 2.0

log = logging.getLogger("gradewatch.events")


class Consumed(NamedTuple):
    """messages taken, of which so many changed something, and so many were set aside."""

    messages: int = 0
    changed: int = 0
    set_aside: int = 0


class EventsTo(NamedTuple):
    """Where events go."""

    store: RecordStore
    domain: str
    panel: PanelSchema
    secret: bytes


def consume(
    source: EventSource,
    to: EventsTo,
    *,
    once: bool = False,
    stop: Callable[[], bool] = lambda: False,
    pause: Callable[[float], None] = time.sleep,
) -> Consumed:
    """Take what comes until `stop` says so, or with `once` until nothing is left. A broker or a store that is gone is
    waited for; with `once` it is raised."""
    total, messages = Consumed(), list[StreamMessage]()
    while not stop():
        try:
            messages = messages or source.take(MESSAGES_AT_ONCE, 0.01 if once else 1.0)
            done = take_in(source.name, messages, to)
            source.acknowledge(messages)
        except (StreamGone, StoreUnavailable) as error:
            if once:
                raise
            if isinstance(error, StreamGone):
                messages = []  # they come again
            log.warning("events wait: %s", type(error).__name__)
            pause(PAUSE_SECONDS_AFTER_FAILURE)
            continue
        total = Consumed(*(one + other for one, other in zip(total, done, strict=True)))
        if once and not messages:
            break
        messages = []
    return total


def take_in(stream: str, messages: Sequence[StreamMessage], to: EventsTo) -> Consumed:
    """Keep what these say. Done twice it changes nothing more."""
    events, aside = list[GivenEvent](), 0
    nobody = passed_over(to.store, to.domain, stream, messages)
    for message in messages:
        if message.place in nobody:
            continue
        found = _event_of(message, to.panel)
        if isinstance(found, str):
            _set_aside(to, stream, message, found)
            aside += 1
        else:
            events.append(found)
    counts = store_events(to.store, to.domain, events, secret=to.secret, at=now())
    return Consumed(len(messages), counts.new + counts.corrected, aside)


def dead_letters(store: RecordStore, domain: str, limit: int = 100) -> list[Document]:
    """The newest messages that were set aside: where they stood, and why. No content is kept: it may name anybody."""
    found = store.documents(DEAD_LETTERS, domain=domain)
    return sorted(found, key=lambda one: (one.at, one.name), reverse=True)[:limit]


def _event_of(message: StreamMessage, panel: PanelSchema) -> GivenEvent | str:
    try:
        event = msgspec.json.decode(message.content, type=ObservedEvent)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        return _reason(error)
    found = given_event(event, panel)
    if isinstance(found, str) or found.version is not None:
        return found
    return found._replace(version=min(message.version, LARGEST_VERSION - 1))  # senders may say where a message stands


def _reason(error: Exception) -> str:
    """Where a message is no event; not what stands there, as the error has it: that may name anybody."""
    if not isinstance(error, msgspec.ValidationError):
        return "no event: not JSON"
    place = next((name for name in ObservedEvent.__struct_fields__ if f" - at `$.{name}" in str(error)), None)
    return f"no event: {place} is of another kind" if place else "no event: a field is missing, or one too many"


def _set_aside(to: EventsTo, stream: str, message: StreamMessage, reason: str) -> None:
    body = {"stream": stream, "place": message.place, "reason": reason, "bytes": len(message.content)}
    name = place_name(to.domain, stream, message.place)
    letter = Document(kind=DEAD_LETTERS, name=name, revision=1, at=now(), domain=to.domain, body=body)
    try:
        to.store.put_document(letter)
    except Conflict:  # it was set aside before
        return
    log.warning("a message of %s was set aside", stream)

"""The streams that events come by: opened by broker, remembered by domain, and searched for who is to be forgotten.

What messages say is `preprocessing.panel.live`'s, taking them in is `jobs.event_consumer`'s.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import Literal, Protocol

import msgspec

from clock import now
from database.errors import Conflict
from database.kafka import KafkaTopic
from database.records import Document
from database.store import RecordStore
from database.streams import RedisStream, StreamMessage
from errors import Category, GradewatchError
from preprocessing.validation.pii import pseudonym

BrokerKind = Literal["redis", "kafka"]
BrokerUrls = Mapping[BrokerKind, str]
"""Where the brokers are; may hold passwords."""

STREAMS = "event streams"
"""The kind of document that says by which streams events of a domain come."""

PASSED_OVER = "messages passed over"
"""The kind of document that says which messages nobody takes in any more, by where they stand."""


class NoBroker(GradewatchError):
    """Where a broker is, no setting says."""

    category = Category.MISUSED


class EventSource(Protocol):
    """A stream that a group of consumers reads together. Raises StreamGone."""

    @property
    def name(self) -> str:
        """What it is called in lists."""

    def take(self, limit: int, seconds: float) -> list[StreamMessage]:
        """The next ones, first those that were taken before this consumer died, or the stream was gone, and never
        acknowledged; waits about so long for one."""

    def acknowledge(self, messages: Sequence[StreamMessage]) -> None:
        """They are done, and need not lie in the stream any more."""

    def waiting(self) -> Iterator[StreamMessage]:
        """What lies there and is not acknowledged, without taking it."""

    def drop(self, messages: Sequence[StreamMessage]) -> bool:
        """Delete these, whoever took them; False where a broker deletes no single message."""

    def close(self) -> None:
        """Give the connections back."""


def open_stream(urls: BrokerUrls, broker: BrokerKind, name: str, *, consumer: str = "1") -> EventSource:
    """A stream of that broker. Raises NoBroker, MissingExtra."""
    if not (url := urls.get(broker, "")):
        where = "kafka://host:9092" if broker == "kafka" else "redis://host:6379/0"
        raise NoBroker(f"set GRADEWATCH_{broker.upper()}_URL to {where}")
    made = KafkaTopic if broker == "kafka" else RedisStream
    return made(url, name, consumer=consumer)


def note_stream(store: RecordStore, domain: str, broker: BrokerKind, name: str) -> None:
    """Remember by which stream events of a domain come, so that it is searched for who is to be forgotten."""
    body = {"broker": broker, "stream": name}
    _put(
        store, Document(kind=STREAMS, name=f"{domain}/{broker}/{name}", revision=1, at=now(), domain=domain, body=body)
    )


def streams_by(store: RecordStore, broker: BrokerKind) -> list[tuple[str, str]]:
    """Domains and the streams of that broker by which their events come."""
    known = [(one.domain or "", one.body) for one in store.documents(STREAMS)]
    return sorted((domain, body["stream"]) for domain, body in known if body["broker"] == broker)


def place_name(domain: str, stream: str, place: str) -> str:
    """What a message of a stream is known by, whatever it says."""
    return f"{domain}/{stream}/{place}"


def passed_over(store: RecordStore, domain: str, stream: str, messages: Sequence[StreamMessage]) -> set[str]:
    """Of these the places of those that are not to be taken in."""
    places = {place_name(domain, stream, one.place): one.place for one in messages}
    return {places[one.name] for one in store.documents_named(PASSED_OVER, list(places))}


def forget_waiting(store: RecordStore, domain: str, student: str, *, secret: bytes, urls: BrokerUrls) -> list[str]:
    """Messages about a student (a pseudonym) that wait in the streams of a domain are deleted, or passed over where a
    broker deletes none; in words that name nobody what became of them. Raises StreamGone, MissingExtra."""
    told = list[str]()
    for one in store.documents(STREAMS, domain=domain):
        broker, name = one.body["broker"], one.body["stream"]
        if broker not in urls:
            told.append(f"{broker} stream {name}: not looked through, since no setting says where it is")
            continue
        with closing(open_stream(urls, broker, name)) as source:
            found = [message for message in source.waiting() if _is_of(message, student, secret)]
            if not source.drop(found):
                for message in found:
                    place = place_name(domain, name, message.place)
                    _put(store, Document(kind=PASSED_OVER, name=place, revision=1, at=now(), domain=domain, body={}))
        if found:
            told.append(f"{broker} stream {name}: {len(found)} waiting events are taken in by nobody any more")
    return told


class _Whose(msgspec.Struct):
    student: str | None = None


def _is_of(message: StreamMessage, student: str, secret: bytes) -> bool:
    try:
        whose = msgspec.json.decode(message.content, type=_Whose).student
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return False
    return bool(whose and whose.strip()) and pseudonym(str(whose), secret) == student


def _put(store: RecordStore, document: Document) -> None:
    """Keep it, or leave it where it is known."""
    try:
        store.put_document(document)
    except Conflict:
        return

"""A Redis stream of messages that a group of consumers reads together; what is done is deleted from it.

It knows neither what messages say nor where they go.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from database.redis import connect
from errors import Category, GradewatchError

STREAM_FIELD = b"event"
"""The field of a message that holds it."""

STREAM_PATIENCE = 5.0
"""Seconds for an answer, beside those that the server is asked to wait."""

MESSAGES_READ_AT_ONCE = 5_000

LEFT_ALONE_MS = 60_000
"""After which a message that another consumer took and never acknowledged is taken from it."""

SEQUENCES = 1_000  # of one millisecond that versions tell apart


class StreamGone(GradewatchError):
    """The broker does not answer. Worth trying again."""

    category = Category.UNAVAILABLE
    retry_after = 5


class StreamMessage(NamedTuple):
    """One message. place: where it stands in its stream; version: of an event that says none, by that place."""

    place: str
    content: bytes
    version: int


class RedisStream:
    """One stream by URL and name, as one consumer of one group, which is made with the stream. Raises StreamGone."""

    def __init__(self, url: str, name: str, *, group: str = "gradewatch", consumer: str = "1") -> None:
        self._client = connect(url, STREAM_PATIENCE)
        self._name, self._group, self._consumer = name, group, consumer
        self._own: str | None = "0"  # first what this consumer took before it died
        self._made = False

    @property
    def name(self) -> str:
        """What it is called."""
        return self._name

    def take(self, limit: int, seconds: float) -> list[StreamMessage]:
        """The next ones, first those that this consumer took before and others took long ago."""
        with self._errors():
            self._make()
            if self._own is not None:
                found = self._read(self._own, limit, None)
                self._own = found[-1].place if found else None
                if found:
                    return found
            claim = self._client.xautoclaim
            found = _messages(claim(self._name, self._group, self._consumer, LEFT_ALONE_MS, "0", count=limit)[1])
            return found or self._read(">", limit, max(1, round(seconds * 1000)))

    def acknowledge(self, messages: Sequence[StreamMessage]) -> None:
        """They are done, and deleted: they may name students by their keys."""
        if messages:
            places = [one.place for one in messages]
            with self._errors(), self._client.pipeline(transaction=True) as both:  # what is done is never left there
                both.xack(self._name, self._group, *places)
                both.xdel(self._name, *places)
                both.execute()

    def waiting(self) -> Iterator[StreamMessage]:
        """What lies there, without taking it."""
        after = "-"
        while True:
            with self._errors():
                found = _messages(self._client.xrange(self._name, after, count=MESSAGES_READ_AT_ONCE))
            yield from found
            if not found:
                return
            after = f"({found[-1].place}"

    def drop(self, messages: Sequence[StreamMessage]) -> bool:
        """Delete these, whoever took them."""
        self.acknowledge(messages)
        return True

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()

    def _read(self, after: str, limit: int, wait: int | None) -> list[StreamMessage]:
        answer = self._client.xreadgroup(self._group, self._consumer, {self._name: after}, count=limit, block=wait)
        pairs = answer.items() if isinstance(answer, dict) else answer or ()
        return [message for _, entries in pairs for message in _messages(_flat(entries))]

    def _make(self) -> None:
        if not self._made:
            groups = self._client.xinfo_groups(self._name) if self._client.exists(self._name) else []
            if self._group not in {_text(one["name"]) for one in groups}:
                self._client.xgroup_create(self._name, self._group, "0", mkstream=True)
            self._made = True

    @contextmanager
    def _errors(self) -> Iterator[None]:
        import redis

        try:
            yield
        except redis.RedisError as error:
            self._made, self._own = False, "0"  # it may come back empty, and what was taken may come again
            raise StreamGone(f"the stream does not answer: {type(error).__name__}") from error


def _flat(entries: Any) -> Any:
    """Entries as a list of (id, fields): newer protocols wrap it once more."""
    wrapped = bool(entries) and isinstance(entries[0], list)
    return entries[0] if wrapped else entries


def _messages(entries: Any) -> list[StreamMessage]:
    found = []
    for place, fields in entries:
        millisecond, _, number = _text(place).partition("-")
        version = int(millisecond) * SEQUENCES + min(int(number), SEQUENCES - 1)
        found.append(StreamMessage(_text(place), (fields or {}).get(STREAM_FIELD, b""), version))
    return found


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value

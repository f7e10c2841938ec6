"""Answers that were given lately, so that the same row asked again is not scored again.

It is logged again all the same. It knows no model; whoever makes the key sees to it that a changed champion or schema
is another key.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Literal, Protocol

import msgspec

from database.records import Answer

CAPACITY = 20_000  # rows; about 1 KB each
CACHED_SECONDS = 3600.0

Answers = tuple[Answer, ...]


class CacheState(msgspec.Struct, frozen=True, kw_only=True):
    """The cache's numbers since the process started or it was cleared.

    backend: where answers are kept, in this process or in Redis. entries, capacity: None where others keep theirs in
    the same place. errors: failed questions to Redis. paused: whether it is not asked right now, after a failure.
    """

    backend: Literal["memory", "redis"]
    seconds: float
    hits: int
    misses: int
    hit_rate: float
    entries: int | None = None
    capacity: int | None = None
    evicted: int = 0
    errors: int = 0
    paused: bool = False


class AnswerCache(Protocol):
    """Where answers are kept for a time. Safe to share between threads; nothing that goes wrong in it is raised."""

    @property
    def waits(self) -> bool:
        """Whether asking waits for another machine, and so must not be done on an event loop."""

    def get(self, keys: Sequence[bytes]) -> list[Answers | None]:
        """What is kept under each key, in order, exactly as it was put; None where there is nothing any more."""

    def put(self, kept: Sequence[tuple[bytes, Answers]]) -> None:
        """Keep answers under their keys. A later one of the same key takes the earlier's place."""

    def clear(self) -> int:
        """Forget everything, numbers too; how many entries there were."""

    @property
    def state(self) -> CacheState:
        """Its numbers right now."""


class MemoryCache:
    """`AnswerCache` in this process: the answers used last, each for at most `seconds`."""

    waits = False

    def __init__(
        self, *, capacity: int = CAPACITY, seconds: float = CACHED_SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._capacity = capacity
        self._seconds = seconds
        self._clock = clock
        self._lock = Lock()
        self._kept: OrderedDict[bytes, tuple[float, Answers]] = OrderedDict()
        self._hits = self._misses = self._evicted = 0

    def get(self, keys: Sequence[bytes]) -> list[Answers | None]:
        """The answers kept under `keys`, unless they are too old."""
        with self._lock:
            return [self._get(key, self._clock()) for key in keys]

    def _get(self, key: bytes, at: float) -> Answers | None:
        found = self._kept.get(key)
        if found is None or found[0] < at:
            self._misses += 1
            return None
        self._kept.move_to_end(key)
        self._hits += 1
        return found[1]

    def put(self, kept: Sequence[tuple[bytes, Answers]]) -> None:
        """Keep answers; the ones unused longest make room."""
        with self._lock:
            until = self._clock() + self._seconds
            for key, answers in kept:
                self._kept[key] = (until, answers)
                self._kept.move_to_end(key)
            while len(self._kept) > self._capacity:
                self._kept.popitem(last=False)
                self._evicted += 1

    def clear(self) -> int:
        """Forget everything, numbers too. Returns how many entries there were."""
        with self._lock:
            entries = len(self._kept)
            self._kept.clear()
            self._hits = self._misses = self._evicted = 0
            return entries

    @property
    def state(self) -> CacheState:
        """Its numbers right now."""
        with self._lock:
            return CacheState(
                backend="memory",
                seconds=self._seconds,
                hits=self._hits,
                misses=self._misses,
                hit_rate=hit_rate(self._hits, self._misses),
                entries=len(self._kept),
                capacity=self._capacity,
                evicted=self._evicted,
            )


def hit_rate(hits: int, misses: int) -> float:
    """The share of questions that were answered, 0 to 1."""
    return hits / (hits + misses) if hits + misses else 0.0

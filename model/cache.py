"""Answers that were given lately, so that the same row asked again is not scored again.

It is logged again all the same. In the memory of one process: a shared cache costs more CPU per question than scoring
does. It knows no model; whoever makes the key sees to it that a changed champion or schema is another key.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

import msgspec

from database.records import Answer

CAPACITY = 20_000  # rows; about 1 KB each
SECONDS = 3600.0

Answers = tuple[Answer, ...]


class CacheState(msgspec.Struct, frozen=True, kw_only=True):
    """The cache's numbers since the process started or it was cleared. hit_rate: share of all questions, 0 to 1."""

    entries: int
    capacity: int
    seconds: float
    hits: int
    misses: int
    hit_rate: float
    evicted: int


class AnswerCache:
    """The answers used last, each for at most `seconds`. Safe to share between threads."""

    def __init__(
        self, *, capacity: int = CAPACITY, seconds: float = SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._capacity = capacity
        self._seconds = seconds
        self._clock = clock
        self._lock = Lock()
        self._kept: OrderedDict[bytes, tuple[float, Answers]] = OrderedDict()
        self._hits = self._misses = self._evicted = 0

    def get(self, key: bytes) -> Answers | None:
        """The answers kept under `key`, unless they are too old."""
        with self._lock:
            found = self._kept.get(key)
            if found is None or found[0] < self._clock():
                self._misses += 1
                return None
            self._kept.move_to_end(key)
            self._hits += 1
            return found[1]

    def put(self, key: bytes, answers: Answers) -> None:
        """Keep `answers`; the ones unused longest make room."""
        with self._lock:
            self._kept[key] = (self._clock() + self._seconds, answers)
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
            asked = self._hits + self._misses
            return CacheState(
                entries=len(self._kept),
                capacity=self._capacity,
                seconds=self._seconds,
                hits=self._hits,
                misses=self._misses,
                hit_rate=self._hits / asked if asked else 0.0,
                evicted=self._evicted,
            )

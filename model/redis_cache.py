"""The cache of answers in memory that workers share, for several workers or machines and for slow models.

Whatever is wrong with that memory, a row is scored again: an answer comes out only as this workspace put it in.
"""

from collections.abc import Iterator, Sequence
from threading import Lock
from typing import TypeVar

import msgspec

from database.redis import SharedMemory
from model.cache import CACHED_SECONDS, Answers, CacheState, hit_rate

CACHED_KIND = "answers"
ROWS_A_QUESTION = 500  # rows of one question; about 0.3 MB, so that it is answered within the memory's patience

T = TypeVar("T")

ENCODER = msgspec.msgpack.Encoder()
DECODER = msgspec.msgpack.Decoder(Answers)


class SharedCache:
    """`AnswerCache` over shared memory. It keeps names made from keys, so that nobody who reads it learns a row."""

    waits = True

    def __init__(self, memory: SharedMemory, *, seconds: int = int(CACHED_SECONDS)) -> None:
        self._memory = memory
        self._seconds = seconds
        self._lock = Lock()
        self._hits = self._misses = 0

    def get(self, keys: Sequence[bytes]) -> list[Answers | None]:
        """The answers kept under `keys`, in one question for every 500; misses where the memory does not answer."""
        names = [self._memory.name(CACHED_KIND, key) for key in keys]
        found = [answers for part in _parts(names) for answers in self._ask(part)]
        hits = sum(answers is not None for answers in found)
        with self._lock:
            self._hits += hits
            self._misses += len(found) - hits
        return found

    def _ask(self, names: Sequence[bytes]) -> list[Answers | None]:
        answer = self._memory.ask([("MGET", *names)])
        values = answer[0] if answer else None
        if not isinstance(values, list) or len(values) != len(names):
            return [None] * len(names)
        return [None if value is None else self._read(name, value) for name, value in zip(names, values, strict=True)]

    def _read(self, name: bytes, value: object) -> Answers | None:
        content = self._memory.unseal(name, value)
        try:
            return None if content is None else DECODER.decode(content)
        except (msgspec.DecodeError, msgspec.ValidationError):  # written by another release
            return None

    def put(self, kept: Sequence[tuple[bytes, Answers]]) -> None:
        """Keep answers under their keys, sent together; nothing is kept where the memory does not answer."""
        for part in _parts(kept):
            commands = []
            for key, answers in part:
                name = self._memory.name(CACHED_KIND, key)
                commands.append(("SET", name, self._memory.seal(name, ENCODER.encode(answers)), "EX", self._seconds))
            if self._memory.ask(commands) is None:
                return

    def clear(self) -> int:
        """Forget every answer of this workspace, whichever worker kept it. Raises SharedMemoryGone."""
        cleared = self._memory.forget(CACHED_KIND)
        with self._lock:
            self._hits = self._misses = 0
        return cleared

    @property
    def state(self) -> CacheState:
        """Its numbers right now: hits, misses and errors are this worker's."""
        memory = self._memory.state
        return CacheState(
            backend="redis",
            seconds=self._seconds,
            hits=self._hits,
            misses=self._misses,
            hit_rate=hit_rate(self._hits, self._misses),
            errors=memory.errors,
            paused=memory.paused,
        )


def _parts(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), ROWS_A_QUESTION):
        yield items[start : start + ROWS_A_QUESTION]

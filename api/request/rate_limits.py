"""How many requests a caller may make in a window of time, counted in this process and, if wished, with its fellows.

It knows no caller and answers no request: whoever admits a request counts it here and says what came of it.
"""

import asyncio
import itertools
import secrets
import time
from collections.abc import Callable, Mapping

import msgspec

from access.rates import Limit
from database.redis import Command, SharedMemory

MOST_NAMES = 100_000  # counted apart in one window, about 10 MB; callers without a name of their own may be many
OTHER_NAMES = "\0rest"

HITS = "hits"
SHARING = 0.2  # seconds between two exchanges with the other workers
NAMES_AT_ONCE = 1000  # names in one exchange


class Spent(msgspec.Struct, frozen=True, gc=False):
    """What is left after a hit. remaining: requests in this window. reset_seconds: until the next window, above 0.
    allowed: whether this request was within the limit."""

    limit: Limit
    remaining: int
    reset_seconds: float
    allowed: bool


class _Window:
    """The counts of one window of time. number: how many windows of its length there were before it since 1970.

    counts: this process' hits by name; others: what the other workers had counted when they were last asked; unsent:
    names whose count the others do not know yet.
    """

    __slots__ = ("counts", "number", "others", "unsent")

    def __init__(self, number: int) -> None:
        self.number = number
        self.counts: dict[str, int] = {}
        self.others: dict[str, int] = {}
        self.unsent: set[str] = set()


class Limiter:
    """Counts hits by name. To be used from one event loop; a hit costs about a microsecond and waits for nothing.

    With shared memory, workers tell each other their counts every SHARING seconds, beside the requests: together they
    may let through what arrives at the others in that time, and each goes on alone while the memory does not answer.
    """

    def __init__(
        self,
        shared: SharedMemory | None = None,
        *,
        clock: Callable[[], float] = time.time,
        most_names: int = MOST_NAMES,
    ) -> None:
        self._shared = shared
        self._clock = clock
        self._most_names = most_names
        self._worker = secrets.token_hex(6)
        self._windows: dict[int, _Window] = {}

    def hit(self, name: str, limit: Limit, *, known: bool = False) -> Spent:
        """Count one request of `name`. Windows of one length share their counts, so a name has one limit per length.

        known: whether it is one of few; it is counted apart however many others crowd the window.
        """
        seconds = limit.seconds
        at = self._clock()
        number = int(at // seconds)
        window = self._windows.get(seconds)
        if window is None or window.number != number:
            window = self._windows[seconds] = _Window(number)
        counts = window.counts
        count = counts.get(name)
        if count is None:
            if len(counts) >= self._most_names and not known:
                name = OTHER_NAMES
            count = counts.get(name, 0)
        count = counts[name] = count + 1
        if self._shared is not None:
            window.unsent.add(name)
            count += window.others.get(name, 0)
        left = limit.amount - count
        return Spent(limit, left if left > 0 else 0, (number + 1) * seconds - at, left >= 0)

    async def share(self) -> None:
        """Exchange counts with the other workers for as long as the process lives; returns where none are shared."""
        while self._shared is not None:
            await asyncio.sleep(SHARING)
            await self.exchange(self._shared)

    async def exchange(self, shared: SharedMemory) -> None:
        """Tell the others what was counted here since the last time, and learn their counts of the same names."""
        for seconds, window in list(self._windows.items()):
            names = list(itertools.islice(window.unsent, NAMES_AT_ONCE))
            if not names:
                continue
            window.unsent.difference_update(names)
            sent = {name: window.counts[name] for name in names}
            answers = await asyncio.to_thread(shared.ask, self._commands(shared, seconds, window.number, sent))
            if answers is None:
                window.unsent.update(names)
                continue
            for name, counts in zip(names, answers[2::3], strict=True):
                window.others[name] = max(_total(counts) - sent[name], 0)

    def _commands(self, shared: SharedMemory, seconds: int, number: int, counts: Mapping[str, int]) -> list[Command]:
        """For each name: this worker's count (set, so that sent twice it stays right), its end, all workers' counts."""
        commands: list[Command] = []
        for name, count in counts.items():
            key = shared.name(HITS, f"{seconds}:{number}:{name}".encode(errors="backslashreplace"))
            commands += [("HSET", key, self._worker, count), ("EXPIRE", key, 2 * seconds), ("HVALS", key)]
        return commands


def _total(counts: object) -> int:
    """The sum of all workers' counts; 0 where the memory said something else."""
    values = counts if isinstance(counts, list) else []
    return sum(int(value) for value in values if isinstance(value, bytes) and value.isdigit())

"""How many requests a caller may make in a window of time, counted in this process.

It knows no caller and answers no request: whoever admits a request counts it here and says what came of it.
"""

import re
import time
from collections.abc import Callable

import msgspec

SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}
FORM = re.compile(r"\s*([1-9][0-9]{0,8})\s*(?:/|per\s)\s*(second|minute|hour|day)s?\s*")

MOST_NAMES = 100_000  # counted apart in one window, about 10 MB; callers without a name of their own may be many
REST = "\0rest"


class Limit(msgspec.Struct, frozen=True):
    """At most `amount` requests in each window of `seconds`. Windows begin at multiples of their length (UTC), so that
    every worker has the same ones; around such a moment a caller may make up to twice the amount."""

    amount: int
    seconds: int


class Spent(msgspec.Struct, frozen=True, gc=False):
    """What is left after a hit. remaining: requests in this window. reset_seconds: until the next window, above 0.
    allowed: whether this request was within the limit."""

    limit: Limit
    remaining: int
    reset_seconds: float
    allowed: bool


def parse_limit(text: str) -> Limit:
    """The limit in words: "100/minute", "5 per second", "10000/day". Raises ValueError."""
    found = FORM.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r:.40} is no limit; write a number and second, minute, hour or day: 600/minute")
    return Limit(int(found[1]), SECONDS[found[2]])


class _Window:
    """The counts of one window of time. number: how many windows of its length there were before it since 1970."""

    __slots__ = ("counts", "number")

    def __init__(self, number: int) -> None:
        self.number = number
        self.counts: dict[str, int] = {}


class Limiter:
    """Counts hits by name. To be used from one event loop; a hit costs about a microsecond and waits for nothing."""

    def __init__(self, *, clock: Callable[[], float] = time.time, most_names: int = MOST_NAMES) -> None:
        self._clock = clock
        self._most_names = most_names
        self._windows: dict[int, _Window] = {}

    def hit(self, name: str, limit: Limit) -> Spent:
        """Count one request of `name`. Windows of one length share their counts, so a name has one limit per length."""
        seconds = limit.seconds
        at = self._clock()
        number = int(at // seconds)
        window = self._windows.get(seconds)
        if window is None or window.number != number:
            window = self._windows[seconds] = _Window(number)
        counts = window.counts
        count = counts.get(name)
        if count is None:
            if len(counts) >= self._most_names:
                name = REST
            count = counts.get(name, 0)
        count = counts[name] = count + 1
        left = limit.amount - count
        return Spent(limit, left if left > 0 else 0, (number + 1) * seconds - at, left >= 0)

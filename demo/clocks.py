"""The two clocks of the demo: one that is set while its weeks are told, and one that goes on where they ended.

The last stored day stays "today" for as long as the demo is there.
"""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

TOLD_TICK = timedelta(milliseconds=1)


class ToldTime:
    """Stands where it was set, but for a tick with every look, so that what comes later is later."""

    def __init__(self, at: datetime) -> None:
        self._at, self._lock = at, threading.Lock()

    def __call__(self) -> datetime:
        with self._lock:
            self._at += TOLD_TICK
            return self._at

    def set(self, at: datetime) -> None:
        """Go on to `at`, never back."""
        with self._lock:
            self._at = max(self._at, at)


class LastDay:
    """Goes on from `begun` as the machine's clock does, until the last minute of that day."""

    def __init__(self, begun: datetime, seconds: Callable[[], float] = time.monotonic) -> None:
        self._begun, self._seconds, self._opened = begun, seconds, seconds()
        self._end = begun.astimezone(UTC).replace(hour=23, minute=59, second=0, microsecond=0)

    def __call__(self) -> datetime:
        return min(self._begun + timedelta(seconds=self._seconds() - self._opened), self._end)

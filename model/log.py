"""Logs predictions by group commit: a thread drains whatever is queued, commits it once, then tells everyone who waits.

There is no timer: one caller alone waits for one commit, a hundred callers share one. It keeps no prediction itself;
an acknowledged one is in the store. Callers are threads (`add_predictions`) or coroutines (`append`).
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from threading import Condition, Thread
from typing import NamedTuple, Protocol

import msgspec

from database.records import Prediction
from database.store import StoreUnavailable

CAPACITY = 100_000  # predictions waiting; at 2 KB each that is 200 MB of memory at worst
DRAIN = 5_000  # predictions of one commit; keeps a transaction, and the wait of those behind it, short


class LogFull(RuntimeError):
    """More predictions wait for the database than may: nothing of the call was kept. Worth trying again."""


class Log(Protocol):
    """Where answers are kept before they are given."""

    def add_predictions(self, predictions: Sequence[Prediction]) -> None:
        """Keep all or none, durably, before returning."""


class _Waiting(NamedTuple):
    """One caller's predictions and the future that tells it what became of them; loop: where it waits, if in one."""

    predictions: Sequence[Prediction]
    future: "asyncio.Future[None] | Future[None]"
    loop: asyncio.AbstractEventLoop | None


class LogState(msgspec.Struct, frozen=True, kw_only=True):
    """The log's numbers since it was opened. waiting: predictions queued right now."""

    waiting: int
    capacity: int
    commits: int
    logged: int
    failed: int


class GroupCommitLog:
    """A prediction log in front of a store, safe to share between threads and event loops. Close it to drain it."""

    def __init__(self, store: Log, *, capacity: int = CAPACITY) -> None:
        self._store = store
        self._capacity = capacity
        self._queue: deque[_Waiting] = deque()
        self._changed = Condition()
        self._waiting = 0
        self._waking = False
        self._closed = False
        self._commits = self._logged = self._failed = 0
        self._writer = Thread(target=self._write, name="prediction-log", daemon=True)
        self._writer.start()

    def add_predictions(self, predictions: Sequence[Prediction]) -> None:
        """Wait until `predictions` are kept. Raises LogFull, StoreUnavailable after `close`, or what the store raised:
        then none are. A call larger than the whole queue is taken when that is empty."""
        future: Future[None] = Future()
        with self._changed:
            self._queue_up(_Waiting(predictions, future, None))
            self._changed.notify()
        future.result()

    async def append(self, predictions: Sequence[Prediction]) -> None:
        """As `add_predictions`, for coroutines: the event loop stays free.

        The writer is woken when the loop has run everything that was ready, so that requests which arrived together
        are committed together.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        with self._changed:
            self._queue_up(_Waiting(predictions, future, loop))
            if not self._waking:
                self._waking = True
                loop.call_soon(self._wake)
        await future

    def _queue_up(self, one: _Waiting) -> None:
        rows = len(one.predictions)
        if self._closed:
            raise StoreUnavailable("the prediction log is closed")
        if self._waiting and self._waiting + rows > self._capacity:
            raise LogFull(f"{self._waiting:,} predictions wait for the database; at most {self._capacity:,} may")
        self._waiting += rows
        self._queue.append(one)

    def _wake(self) -> None:
        with self._changed:
            self._waking = False
            self._changed.notify()

    @property
    def state(self) -> LogState:
        """Its numbers right now."""
        with self._changed:
            return LogState(
                waiting=self._waiting,
                capacity=self._capacity,
                commits=self._commits,
                logged=self._logged,
                failed=self._failed,
            )

    def close(self) -> None:
        """Take nothing more, and return when everything queued is kept or refused."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._writer.join()

    def _write(self) -> None:
        while drained := self._drain():
            self._commit(drained)

    def _drain(self) -> list[_Waiting]:
        """What is queued, up to DRAIN predictions (one whole call at least); empty only when closed and done."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._closed)
            drained: list[_Waiting] = []
            rows = 0
            while self._queue and (not drained or rows + len(self._queue[0].predictions) <= DRAIN):
                drained.append(self._queue.popleft())
                rows += len(drained[-1].predictions)
            return drained

    def _commit(self, drained: list[_Waiting]) -> None:
        """One commit for all; where it fails for another reason than the database, each by itself, so that one
        caller's bad prediction is nobody else's trouble."""
        error = self._try([prediction for one in drained for prediction in one.predictions])
        if error is None or isinstance(error, StoreUnavailable) or len(drained) == 1:
            self._finish(drained, error)
            return
        for one in drained:
            self._finish([one], self._try(one.predictions))

    def _try(self, predictions: Sequence[Prediction]) -> Exception | None:
        try:
            self._store.add_predictions(predictions)
        except Exception as error:  # told to those who wait: the writer must outlive any single failure
            return error
        return None

    def _finish(self, done: list[_Waiting], error: Exception | None) -> None:
        rows = sum(len(one.predictions) for one in done)
        with self._changed:
            self._waiting -= rows
            self._commits += error is None
            self._logged += rows if error is None else 0
            self._failed += rows if error is not None else 0
        loops: dict[asyncio.AbstractEventLoop, list[_Waiting]] = defaultdict(list)
        for one in done:
            if one.loop is None:
                _settle([one], error)
            else:
                loops[one.loop].append(one)
        for loop, waiting in loops.items():
            with suppress(RuntimeError):  # the loop is gone, and with it those who waited
                loop.call_soon_threadsafe(_settle, waiting, error)


def _settle(waiting: Sequence[_Waiting], error: Exception | None) -> None:
    for one in waiting:
        if one.future.done():  # whoever waited has left
            continue
        if error is None:
            one.future.set_result(None)
        else:
            one.future.set_exception(error)

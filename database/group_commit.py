"""Logs predictions by group commit: whatever arrived together is committed once, then everyone who waits is told.

There is no timer: one caller alone waits for one commit, a hundred callers share one. It keeps no prediction itself;
an acknowledged one is in the store. Callers are threads (`add_predictions`) or coroutines (`append`).
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from threading import Condition, Lock, Thread
from typing import NamedTuple

import msgspec

from database.errors import StoreUnavailable
from database.packed import PackedPredictions
from database.records import Prediction
from database.store import InstantLog, Log
from errors import Category, GradewatchError

LOG_CAPACITY = 100_000  # predictions waiting; at 2 KB each that is 200 MB of memory at worst
ROWS_OF_COMMIT = 5_000  # predictions of one commit; keeps a transaction, and the wait of those behind it, short
ROWS_ON_LOOP_COMMIT = 100  # predictions that an event loop may commit itself: at 30 µs each it is held up for 3 ms
QUIET_TURNS = (
    2  # turns of a loop without a new prediction before it commits: a request read in one is scored in the next
)


class LogFull(GradewatchError):
    """More predictions wait for the database than may: nothing of the call was kept. Worth trying again."""

    category = Category.UNAVAILABLE
    retry_after = 1


class _Waiting(NamedTuple):
    """One caller's predictions and the future that tells it what became of them; loop: where it waits, if in one."""

    predictions: Sequence[Prediction]
    batches: Sequence[PackedPredictions]
    rows: int
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
    """A prediction log in front of a store, safe to share between threads and event loops. Close it to drain it.

    A thread drains what is queued. Where there is an `instant` log, an event loop commits what a few requests gave it
    in one of its turns by itself: handing them to a thread and back costs more than the commit.
    """

    def __init__(self, store: Log, *, instant: InstantLog | None = None, capacity: int = LOG_CAPACITY) -> None:
        self._store = store
        self._instant = instant
        self._capacity = capacity
        self._queue: deque[_Waiting] = deque()
        self._arrived: dict[asyncio.AbstractEventLoop, list[_Waiting]] = {}
        self._changed = Condition()
        self._at_once = Lock()
        self._waiting = 0
        self._write_back = False
        self._closed = False
        self._commits = self._logged = self._failed = 0
        self._writer = Thread(target=self._write, name="prediction-log", daemon=True)
        self._writer.start()

    def add_predictions(
        self, predictions: Sequence[Prediction] = (), batches: Sequence[PackedPredictions] = ()
    ) -> None:
        """Wait until `predictions` are kept. Raises LogFull, StoreUnavailable after `close`, or what the store raised:
        then none are. A call larger than the whole queue is taken when that is empty."""
        future: Future[None] = Future()
        rows = len(predictions) + sum(map(len, batches))
        with self._changed:
            self._admit(rows)
            self._queue.append(_Waiting(predictions, batches, rows, future, None))
            self._changed.notify()
        future.result()

    async def append(self, predictions: Sequence[Prediction] = (), batches: Sequence[PackedPredictions] = ()) -> None:
        """As `add_predictions`, for coroutines.

        They are committed when the loop has nothing else to do, or ROWS_ON_LOOP_COMMIT have come together, so that
        requests which arrived together are committed together: eight in one commit cost a third of eight commits.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        rows = len(predictions) + sum(map(len, batches))
        with self._changed:
            self._admit(rows)
            arrived = self._arrived.get(loop)
            if arrived is None:
                arrived = self._arrived[loop] = []
                loop.call_soon(self._end_turn, loop, 0, 0)
            arrived.append(_Waiting(predictions, batches, rows, future, loop))
        await future

    def _admit(self, rows: int) -> None:
        if self._closed:
            raise StoreUnavailable("the prediction log is closed")
        if self._waiting and self._waiting + rows > self._capacity:
            raise LogFull(f"{self._waiting:,} predictions wait for the database; at most {self._capacity:,} may")
        self._waiting += rows

    def _end_turn(self, loop: asyncio.AbstractEventLoop, known: int, idle: int) -> None:
        """Commit what arrived in the last turns of `loop`, or leave it to the thread.

        known: calls that had arrived a turn ago; idle: turns since then in which none did.
        """
        with self._changed:
            calls = len(self._arrived.get(loop, ()))
            idle = idle + 1 if calls == known else 0
            if calls and idle < QUIET_TURNS and calls < ROWS_ON_LOOP_COMMIT:
                loop.call_soon(self._end_turn, loop, calls, idle)
                return
            arrived = self._arrived.pop(loop, None)
        if arrived and not self._commit_at_once(arrived, loop):
            with self._changed:
                self._queue.extend(arrived)
                self._changed.notify()

    def _commit_at_once(self, arrived: Sequence[_Waiting], loop: asyncio.AbstractEventLoop) -> bool:
        """Whether those who wait were told what became of their predictions; else nothing was kept."""
        few = sum(one.rows for one in arrived) <= ROWS_ON_LOOP_COMMIT
        if self._instant is None or not few or not self._at_once.acquire(blocking=False):
            return False
        try:
            if not self._instant.add_at_once(*_together(arrived)):
                return False
            due = self._instant.wants_write_back
        except StoreUnavailable as error:
            self._finish(arrived, error, here=loop)
            return True
        except Exception:  # one caller's bad prediction: the thread finds out whose
            return False
        finally:
            self._at_once.release()
        self._finish(arrived, None, here=loop)
        if due:
            with self._changed:
                self._write_back = True
                self._changed.notify()
        return True

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
            for arrived in self._arrived.values():
                self._queue.extend(arrived)
            self._arrived.clear()
            self._changed.notify()
        self._writer.join()

    def _write(self) -> None:
        while self._wait():
            if drained := self._drain():
                self._commit(drained)
            if self._write_back and self._instant is not None:
                self._write_back = False
                with suppress(StoreUnavailable):  # tried again when more was written; it loses nothing
                    self._instant.write_back()

    def _wait(self) -> bool:
        """Wait for something to do. False when there never will be: closed, and nobody waits."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._write_back or (self._closed and not self._waiting))
            return bool(self._queue or self._waiting or not self._closed)

    def _drain(self) -> list[_Waiting]:
        """What is queued, up to ROWS_OF_COMMIT predictions (one whole call at least)."""
        with self._changed:
            drained: list[_Waiting] = []
            rows = 0
            while self._queue:
                rows += self._queue[0].rows
                if drained and rows > ROWS_OF_COMMIT:
                    break
                drained.append(self._queue.popleft())
            return drained

    def _commit(self, drained: list[_Waiting]) -> None:
        """One commit for all; where it fails for another reason than the database, each by itself, so that one
        caller's bad prediction is nobody else's trouble."""
        error = self._try(drained)
        if error is None or isinstance(error, StoreUnavailable) or len(drained) == 1:
            self._finish(drained, error)
            return
        for one in drained:
            self._finish([one], self._try([one]))

    def _try(self, waiting: Sequence[_Waiting]) -> Exception | None:
        try:
            self._store.add_predictions(*_together(waiting))
        except Exception as error:  # told to those who wait: the writer must outlive any single failure
            return error
        return None

    def _finish(
        self, done: Sequence[_Waiting], error: Exception | None, here: asyncio.AbstractEventLoop | None = None
    ) -> None:
        """Count, and tell those who wait. here: the loop that this runs in, if in one."""
        rows = sum(one.rows for one in done)
        with self._changed:
            self._waiting -= rows
            self._commits += error is None
            self._logged += rows if error is None else 0
            self._failed += rows if error is not None else 0
            if self._closed:
                self._changed.notify()
        if here is not None:
            _settle(done, error)
            return
        loops: dict[asyncio.AbstractEventLoop, list[_Waiting]] = defaultdict(list)
        for one in done:
            if one.loop is None:
                _settle([one], error)
            else:
                loops[one.loop].append(one)
        for loop, waiting in loops.items():
            with suppress(RuntimeError):  # the loop is gone, and with it those who waited
                loop.call_soon_threadsafe(_settle, waiting, error)


def _together(waiting: Sequence[_Waiting]) -> tuple[Sequence[Prediction], Sequence[PackedPredictions]]:
    """All that several calls gave, by record and by column."""
    if len(waiting) == 1:
        return waiting[0].predictions, waiting[0].batches
    records = [prediction for one in waiting for prediction in one.predictions]
    return records, [batch for one in waiting for batch in one.batches]


def _settle(waiting: Sequence[_Waiting], error: Exception | None) -> None:
    for one in waiting:
        if one.future.done():  # whoever waited has left
            continue
        if error is None:
            one.future.set_result(None)
        else:
            one.future.set_exception(error)

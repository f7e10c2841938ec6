"""The prediction log: whoever is told "kept" has its predictions in the store, and one caller's trouble is its own."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event

import msgspec
import pytest

from clock import new_id, now
from database import sqlite_log
from database.errors import StoreUnavailable
from database.group_commit import GroupCommitLog, LogFull
from database.open import open_store
from database.packed import PackedPredictions
from database.records import Answer, Prediction
from database.sqlite_log import SqliteAppender
from database.store import RecordStore
from tests.database.making import make_packed


def prediction(value: float = 1.0) -> Prediction:
    answer = Answer(target="t", value=value, naive=1.0, model="m", generation=1)
    return Prediction(id=new_id(), domain="d", moment="now", inputs={}, answers=(answer,), source="api", at=now())


class Gate:
    """A log that keeps nothing until it is opened, and remembers what it was given; before a store or none."""

    def __init__(self, store: RecordStore | None = None, *, refusing: bool = False) -> None:
        self.open, self.entered = Event(), Event()
        self.store = store
        self.refusing = refusing
        self.given: list[tuple[Sequence[Prediction], Sequence[PackedPredictions]]] = []

    def add_predictions(
        self, predictions: Sequence[Prediction] = (), batches: Sequence[PackedPredictions] = ()
    ) -> None:
        self.entered.set()
        self.open.wait(10)
        if self.refusing:
            raise StoreUnavailable("gone")
        if self.store:
            self.store.add_predictions(predictions, batches)
        self.given.append((predictions, batches))

    @property
    def commits(self) -> list[int]:
        return [len(predictions) + sum(map(len, batches)) for predictions, batches in self.given]


@contextmanager
def behind(gate: Gate, **options: int) -> Iterator[GroupCommitLog]:
    log = GroupCommitLog(gate, **options)
    try:
        yield log
    finally:
        gate.open.set()
        log.close()


def test_what_is_acknowledged_is_in_the_store_whoever_waits(store: RecordStore) -> None:
    with closing(GroupCommitLog(store)) as log, ThreadPoolExecutor(4) as pool:
        predictions = [prediction() for _ in range(40)]

        async def append_all() -> None:
            await asyncio.gather(*(log.append([one]) for one in predictions[20:]))

        list(pool.map(lambda one: log.add_predictions([one]), predictions[:20]))
        asyncio.run(append_all())
        assert [store.prediction(one.id) for one in predictions] == predictions
        assert (log.state.logged, log.state.waiting, log.state.failed) == (40, 0, 0)


def test_those_who_wait_together_share_one_commit() -> None:
    gate = Gate()
    with behind(gate) as log, ThreadPoolExecutor(11) as pool:
        first = pool.submit(log.add_predictions, [prediction()])
        gate.entered.wait(10)
        others = [pool.submit(log.add_predictions, [prediction(), prediction()]) for _ in range(10)]
        while log.state.waiting < 21:
            pass
        gate.open.set()
        for done in (first, *others):
            done.result(10)
        assert gate.commits == [1, 20]


def test_predictions_by_column_are_handed_on_as_they_came() -> None:
    gate, first, second = Gate(), make_packed(3), make_packed(4)
    with behind(gate) as log, ThreadPoolExecutor(4) as pool:
        calls = [pool.submit(log.add_predictions, [prediction()])]
        gate.entered.wait(10)
        for given in ({"predictions": [prediction()]}, {"batches": [first, second]}, {"predictions": [prediction()]}):
            before = log.state.waiting
            calls.append(pool.submit(log.add_predictions, **given))  # type: ignore[arg-type]
            while log.state.waiting == before:
                pass
        gate.open.set()
        for done in calls:
            done.result(10)
        assert gate.commits == [1, 9]
        assert gate.given[1][1] == [first, second]


def test_a_full_log_takes_no_more_until_it_has_room() -> None:
    gate = Gate()
    with behind(gate, capacity=2) as log, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(log.add_predictions, [prediction(), prediction()])
        gate.entered.wait(10)
        with pytest.raises(LogFull, match="at most 2"):
            log.add_predictions([prediction()])
        gate.open.set()
        waiting.result(10)
        log.add_predictions([prediction()] * 3)  # larger than the whole queue, which is empty
        assert gate.commits == [2, 3]


def test_everyone_is_told_when_the_database_is_gone_and_the_log_goes_on_when_it_is_back() -> None:
    gate = Gate(refusing=True)
    gate.open.set()
    with behind(gate) as log:
        with pytest.raises(StoreUnavailable):
            log.add_predictions([prediction()])
        gate.refusing = False
        log.add_predictions([prediction()])
        assert (log.state.failed, log.state.logged) == (1, 1)


def test_one_callers_bad_prediction_is_nobody_elses_trouble(store: RecordStore) -> None:
    good, bad = prediction(), prediction(float("nan"))
    gate = Gate(store)
    with behind(gate) as log, ThreadPoolExecutor(3) as pool:
        blocked = pool.submit(log.add_predictions, [prediction()])
        asked = [pool.submit(log.add_predictions, [one]) for one in (good, bad)]
        while log.state.waiting < 3:
            pass
        gate.open.set()
        blocked.result(10)
        asked[0].result(10)
        with pytest.raises(ValueError, match=bad.id):
            asked[1].result(10)
        assert store.prediction(good.id) == good


def test_closing_keeps_what_was_queued_and_takes_nothing_more() -> None:
    gate = Gate()
    with ThreadPoolExecutor(2) as pool:
        log = GroupCommitLog(gate)
        queued = pool.submit(log.add_predictions, [prediction()])
        gate.entered.wait(10)
        closing_log = pool.submit(log.close)
        gate.open.set()
        queued.result(10)
        closing_log.result(10)
    assert gate.commits == [1]
    with pytest.raises(StoreUnavailable):
        log.add_predictions([prediction()])


def test_an_appender_says_when_another_one_writes_and_goes_on(
    sqlite_url: str, opened: Callable[[str], RecordStore]
) -> None:
    store = opened(sqlite_url + "?busy_timeout=50")
    appender = store.open_appender()
    assert appender is not None
    with closing(appender):
        with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreUnavailable, match="locked"):
                appender.add_predictions([prediction()])
            other.execute("ROLLBACK")
        first, second = prediction(), prediction(2.0)
        appender.add_predictions([first])
        appender.add_predictions([msgspec.structs.replace(first, source="other"), second])
        assert [store.prediction(one.id) for one in (first, second)] == [first, second]


@contextmanager
def at_once(store: RecordStore) -> Iterator[tuple[GroupCommitLog, SqliteAppender]]:
    appender = store.open_appender()
    assert appender is not None
    with closing(appender), closing(GroupCommitLog(appender, instant=appender)) as log:
        yield log, appender


def together(log: GroupCommitLog, calls: Sequence[Sequence[Prediction]]) -> list[BaseException | None]:
    """What becomes of calls made in one turn of an event loop."""

    async def append_all() -> list[BaseException | None]:
        return await asyncio.gather(*(log.append(one) for one in calls), return_exceptions=True)

    return asyncio.run(append_all())


def test_requests_of_one_turn_are_one_commit_by_the_loop_itself(
    sqlite_url: str, opened: Callable[[str], RecordStore]
) -> None:
    store = opened(sqlite_url)
    with at_once(store) as (log, _):
        predictions = [prediction() for _ in range(20)]
        assert together(log, [[one] for one in predictions]) == [None] * 20
        assert [store.prediction(one.id) for one in predictions] == predictions
        assert (log.state.commits, log.state.logged, log.state.waiting) == (1, 20, 0)


def test_while_another_process_writes_the_loop_stays_free_and_nothing_is_lost(
    sqlite_url: str, opened: Callable[[str], RecordStore]
) -> None:
    store = opened(sqlite_url)
    with (
        at_once(store) as (log, appender),
        closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)) as other,
    ):
        one = prediction()

        async def append_while_locked() -> int:
            other.execute("BEGIN IMMEDIATE")
            assert not appender.add_at_once([one])
            waiting = asyncio.create_task(log.append([one]))
            turns = 0
            while turns < 100 or not log.state.waiting:
                await asyncio.sleep(0)
                turns += 1
            assert not waiting.done()
            other.execute("ROLLBACK")
            await waiting
            return turns

        assert asyncio.run(append_while_locked()) >= 100
        assert store.prediction(one.id) == one


def test_a_bad_prediction_of_a_turn_is_its_callers_trouble_only(
    sqlite_url: str, opened: Callable[[str], RecordStore]
) -> None:
    store = opened(sqlite_url)
    with at_once(store) as (log, _):
        good, bad = prediction(), prediction(float("inf"))
        kept, refused = together(log, [[good], [bad]])
        assert kept is None
        assert isinstance(refused, ValueError)
        assert (store.prediction(good.id), store.prediction(bad.id)) == (good, None)


def test_full_durability_never_syncs_on_the_event_loop(sqlite_url: str) -> None:
    with closing(open_store(sqlite_url, durability="full")) as store, at_once(store) as (log, appender):
        assert not appender.add_at_once([prediction()])
        assert together(log, [[prediction()]]) == [None]
        assert store.count_predictions() == 1


@pytest.mark.parametrize("starved", [False, True], ids=["beside commits", "no thread comes to it"])
def test_the_write_ahead_log_stays_within_four_times_its_limit_while_commits_go_on(
    sqlite_url: str, opened: Callable[[str], RecordStore], monkeypatch: pytest.MonkeyPatch, starved: bool
) -> None:
    monkeypatch.setattr(sqlite_log, "WAL_BYTES", 400_000)
    monkeypatch.setattr(sqlite_log, "LOG_LOOK_EVERY", 16)
    if starved:
        monkeypatch.setattr(SqliteAppender, "wants_write_back", False)
    store = opened(sqlite_url)
    wal = Path(sqlite_url.removeprefix("sqlite:///") + "-wal")
    with at_once(store) as (log, _):

        async def append_many() -> int:
            longest = 0
            for _ in range(600):
                await log.append([prediction()])
                longest = max(longest, wal.stat().st_size)
            return longest

        longest = asyncio.run(append_many())
        assert store.count_predictions() == 600
    assert longest <= 4 * 400_000

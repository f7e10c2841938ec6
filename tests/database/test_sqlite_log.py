"""Appending to SQLite beside the store: what is appended is what the store reads."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from database import sql, sqlite_log
from database.errors import StoreUnavailable
from database.records import Prediction
from database.sqlite_log import SqliteAppender
from database.store import RecordStore
from tests.database import strategies
from tests.database.making import after, make_answer, make_batch, make_outcome, make_prediction, make_row

Appending = tuple[SqliteAppender, RecordStore]


@pytest.fixture
def appending(sqlite_url: str, opened: Callable[[str], RecordStore]) -> Iterator[Appending]:
    store = opened(sqlite_url)
    appender = store.open_appender()
    assert appender is not None
    yield appender, store
    appender.close()


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(prediction=strategies.predictions)
def test_a_prediction_reads_as_it_was_appended(appending: Appending, prediction: Prediction) -> None:
    appender, store = appending
    appender.add_predictions([prediction])
    assert store.prediction(prediction.id) == prediction


@pytest.mark.parametrize("field", ["answers", "shadow"])
def test_a_call_with_an_answer_that_is_no_number_is_refused_whole(appending: Appending, field: str) -> None:
    appender, store = appending
    fields: dict[str, Any] = {field: (make_answer(value=float("nan")),)}
    with pytest.raises(ValueError, match="G3"):
        appender.add_predictions([make_prediction(), make_prediction(**fields)])
    assert store.count_predictions() == 0


@pytest.mark.parametrize("at", [0, 149, 249])
def test_a_call_that_the_database_refuses_in_its_midst_leaves_nothing(appending: Appending, at: int) -> None:
    appender, store = appending
    records = [make_prediction(domain=f"domain-{place}") for place in range(250)]
    records[at] = make_prediction(domain=None)
    with pytest.raises(StoreUnavailable, match="NOT NULL"):
        appender.add_predictions(records)
    assert store.count_predictions() == 0
    appender.add_predictions(records[:at] + records[at + 1 :])
    assert store.count_predictions() == 249


def test_the_log_is_bounded_while_readers_read_all_there_is(
    appending: Appending, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Appends slow down instead; and no reader holds a snapshot for long."""
    monkeypatch.setattr(sqlite_log, "WAL_BYTES", 400_000)
    monkeypatch.setattr(sql, "SNAPSHOT_SECONDS", 0.02)
    monkeypatch.setattr(sql, "ROWS_AT_ONCE", 200)
    appender, store = appending
    store.add_batch(make_batch("b", rows=4_000), [make_row(n) for n in range(4_000)])
    store.add_predictions([make_prediction(student=f"s{n}") for n in range(4_000)])
    store.add_outcomes([make_outcome(1.0, student=f"s{n}") for n in range(2_000)])
    log, ended, sizes = Path(f"{sqlite_url.removeprefix('sqlite:///')}-wal"), Event(), list[int]()

    def read() -> None:
        while not ended.is_set():
            assert len(store.labeled_records("school")) >= 4_000
            assert len(store.batch_rows("b")) == 4_000
            assert len(store.predictions("school")) >= 4_000
            store.pairs("school", "G3")

    with ThreadPoolExecutor(2) as pool:
        readers = [pool.submit(read) for _ in range(2)]
        for _ in range(150):
            appender.add_predictions([make_prediction() for _ in range(50)])
            sizes.append(log.stat().st_size)
        ended.set()
        for reader in readers:
            reader.result()
    assert max(sizes) <= 4 * sqlite_log.WAL_BYTES
    assert sum(map(int.__lt__, sizes[1:], sizes)) > 3, "it was cut off, again and again"


def test_what_is_read_in_pages_is_what_is_there(
    sqlite_url: str, opened: Callable[[str], RecordStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = opened(sqlite_url)
    store.add_predictions([make_prediction(after(n // 3), student=f"s{n}") for n in range(50)])
    store.add_batch(make_batch("b", rows=20), [make_row(n) for n in range(20)])
    whole, rows = store.predictions("school"), store.batch_rows("b")
    for size in (1, 7, 20, 50, 51):
        monkeypatch.setattr(sql, "ROWS_AT_ONCE", size)
        assert store.predictions("school") == whole
        assert store.batch_rows("b") == rows
        assert store.predictions("school", limit=13) == whole[:13]
        assert store.predictions("school", limit=0) == []


def test_only_sqlite_has_an_appender(store_url: str, store: RecordStore) -> None:
    appender = store.open_appender()
    assert (appender is not None) == store_url.startswith("sqlite")
    if appender is not None:
        appender.close()

"""Appending to SQLite beside the store: what is appended is what the store reads."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from database.errors import StoreUnavailable
from database.records import Prediction
from database.sqlite_log import SqliteAppender
from database.store import RecordStore
from tests.database import strategies
from tests.database.making import make_answer, make_prediction

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


def test_only_sqlite_has_an_appender(store_url: str, store: RecordStore) -> None:
    appender = store.open_appender()
    assert (appender is not None) == store_url.startswith("sqlite")
    if appender is not None:
        appender.close()

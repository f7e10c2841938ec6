"""What was kept long enough goes, everything younger stays, on every store; and who looked is kept longest."""

from datetime import timedelta

import pytest
from pydantic import ValidationError

from database.store import RecordStore
from jobs.keeping import Periods, keep
from settings import Settings
from tests.database.making import (
    NOON,
    make_access,
    make_batch,
    make_drift_report,
    make_outcome,
    make_prediction,
    make_row,
)

OLD, YOUNG = NOON - timedelta(days=40), NOON - timedelta(days=10)


def fill(store: RecordStore) -> None:
    for at in (OLD, YOUNG):
        store.add_predictions([make_prediction(at, student=f"s{n}") for n in range(3)])
        store.add_outcomes([make_outcome(10.0 + n, at, student=f"{at:%d} {n}") for n in range(3)])
        store.add_batch(make_batch(f"of {at:%d}", at), [make_row(1)])
        store.add_drift_report(make_drift_report(at))
        store.add_accesses([make_access(at)])
    store.add_outcomes([make_outcome(19.0, YOUNG, student=f"{OLD:%d} 0")])  # said anew since: it stays as it is now


def test_what_is_older_goes_and_what_is_younger_stays(store: RecordStore) -> None:
    fill(store)
    thirty = Periods(predictions=30, outcomes=30, batches=30, reports=30, accesses=30)
    removed = keep(store, ["school", "k12"], thirty, NOON)
    assert removed == {"predictions": 3, "outcomes": 2, "batches": 1, "reports": 1, "accesses": 1}
    assert {one.at for one in store.predictions("school")} == {YOUNG}
    assert sorted(one.value for one in store.oldest_outcomes("school", 9)) == [10.0, 11.0, 12.0, 19.0]
    assert [one.at for one in (*store.batches(), *store.drift_reports(), *store.accesses())] == [YOUNG] * 3
    assert sum(one.details["count"] for one in store.events(kind="kept long enough")) == 6
    assert keep(store, ["school"], thirty, NOON) == dict.fromkeys(removed, 0)
    assert keep(store, ["school"], Periods(), NOON) == {}


def test_who_looked_is_kept_no_shorter_than_what_was_seen() -> None:
    assert Settings(keep_predictions=400, keep_accesses=800).periods().predictions == 400
    assert not Settings().periods()
    with pytest.raises(ValidationError, match="longer"):
        Settings(keep_predictions=400, keep_accesses=399)

"""An installation that only reads answers everything, keeps nothing but who looked, and says so."""

from collections.abc import Callable
from typing import Any

import pytest

from database.migrate import content_of
from database.read_only import ReadOnly, read_only
from database.store import KINDS, RecordStore
from tests.database import making
from tests.database.making import fill, make_access


def contents(store: RecordStore) -> dict[str, Any]:
    return {kind: (found.count, found.digest) for kind in KINDS for found in [content_of(store, kind)]}


WRITES: dict[str, Callable[[RecordStore], object]] = {
    "predictions": lambda store: store.add_predictions([making.make_prediction()]),
    "outcomes": lambda store: store.add_outcomes([making.make_outcome()]),
    "batches": lambda store: store.add_batch(making.make_batch("new", rows=1), [making.make_row(1)]),
    "models": lambda store: store.add_model(making.make_model("new")),
    "champions": lambda store: store.succeed([making.make_succession(9)]),
    "reports": lambda store: store.add_drift_report(making.make_drift_report()),
    "decisions": lambda store: store.add_decision(making.make_decision()),
    "events": lambda store: store.add_event(making.make_event()),
    "documents": lambda store: store.put_document(making.make_document("new")),
    "a document less": lambda store: store.remove_document("key", "1"),
    "jobs": lambda store: store.add_job(making.make_job()),
    "a claimed job": lambda store: store.claim_job(["scoring"], "worker", 30.0),
    "signs of life": lambda store: store.see_worker("worker", ["scoring"]),
    "leases": lambda store: store.try_lease("tick", "me", 30.0),
    "chunks": lambda store: store.add_chunk(making.make_chunk()),
    "a student less": lambda store: store.erase_student("school", "s1", making.make_event()),
    "what is old": lambda store: store.forget("accesses", making.NOON),
    "months that are over": lambda store: store.drop_predictions(
        ["school"], making.NOON, lambda *_: making.make_event()
    ),
    "documents as they are": lambda store: store.load("events", []),
    "a way past it": lambda store: store.fenced("job", 1),
}


def test_nothing_is_kept_but_who_looked(store_url: str, opened: Callable[[str], RecordStore]) -> None:
    store = opened(store_url)
    fill(store)
    before = contents(store)
    reading = read_only(opened(store_url))
    assert contents(reading) == before
    assert reading.open_appender() is None
    for write in WRITES.values():
        with pytest.raises(ReadOnly, match="GRADEWATCH_READ_ONLY"):
            write(reading)
    assert contents(store) == before
    reading.add_accesses([make_access()])
    assert len(store.accesses()) == 2

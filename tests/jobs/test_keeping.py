"""What was kept long enough goes, everything younger stays, on every store; and who looked is kept longest."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
from msgspec.structs import replace
from pydantic import ValidationError

from advice.cases import CASE_KIND
from database.observed import DEAD_LETTERS
from database.store import RecordStore
from jobs.keeping import Periods, keep
from reports.archive import keep_report, list_reports
from reports.schedule import ReportSchedule, due_reports, plan_reports, report_schedules
from settings import Settings
from tests.database.making import (
    NOON,
    make_access,
    make_batch,
    make_document,
    make_drift_report,
    make_observation,
    make_outcome,
    make_prediction,
    make_row,
)
from tests.reports.test_archive import made

WEEK = timedelta(weeks=1)
OLD, YOUNG = NOON - timedelta(days=40), NOON - timedelta(days=10)


def fill(store: RecordStore) -> None:
    for at in (OLD, YOUNG):
        store.add_predictions([make_prediction(at, student=f"s{n}") for n in range(3)])
        store.add_outcomes([make_outcome(10.0 + n, at, student=f"{at:%d} {n}") for n in range(3)])
        store.add_batch(make_batch(f"of {at:%d}", at), [make_row(1)])
        store.add_drift_report(make_drift_report(at))
        keep_report(store, replace(made((NOON - timedelta(days=at == OLD)).date(), "a" * 64, domain="school"), made=at))
        store.add_accesses([make_access(at)])
        store.add_observations([make_observation(at=at, event=f"{at:%d}")])
        for kind in (DEAD_LETTERS, CASE_KIND):
            store.put_document(make_document(f"{at:%d}", kind=kind, at=at, domain="school"))
    store.add_outcomes([make_outcome(19.0, YOUNG, student=f"{OLD:%d} 0")])  # said anew since: it stays as it is now


def test_what_is_older_goes_and_what_is_younger_stays(store: RecordStore) -> None:
    fill(store)
    kept = ("predictions", "outcomes", "batches", "reports", "cohort_reports", "observations", "cases", "accesses")
    thirty = Periods(**dict.fromkeys(kept, 30))
    removed = keep(store, ["school", "k12"], thirty, NOON)
    one_each = dict.fromkeys(kept[2:], 1)
    assert removed == {"predictions": 3, "outcomes": 2, **one_each}
    assert {one.at for one in store.predictions("school")} == {YOUNG}
    assert sorted(one.value for one in store.oldest_outcomes("school", 9)) == [10.0, 11.0, 12.0, 19.0]
    assert [one.at for one in (*store.batches(), *store.drift_reports(), *store.accesses())] == [YOUNG] * 3
    assert [page.event for page in store.observation_pages("school")] == [(f"{YOUNG:%d}",)]
    assert [one.at for kind in (DEAD_LETTERS, CASE_KIND) for one in store.documents(kind)] == [YOUNG] * 2
    [young] = list_reports(store, "school")
    assert (young.made, store.blobs()) == (YOUNG, [young.blob])
    assert sum(one.details["count"] for one in store.events(kind="kept long enough")) == 8
    assert keep(store, ["school"], thirty, NOON) == dict.fromkeys(removed, 0)
    assert keep(store, ["school"], Periods(), NOON) == {}


def test_no_report_is_made_anew_for_having_been_kept_long_enough(store: RecordStore) -> None:
    first, short = date(2026, 3, 2), Periods(cohort_reports=7)
    planned = ReportSchedule(domain="school", group="algebra", period="2026-1", begins=first, ends=first + 4 * WEEK)
    plan_reports(store, planned)
    there = list[int]()
    for day in range(0, 70, 5):
        at = datetime.combine(first, time(6), UTC) + timedelta(days=day)
        for _, occasion in due_reports(store, at.date()):
            keep_report(store, replace(made(occasion.due, "a" * 64, domain="school"), made=at))
        keep(store, ["school"], short, at)
        there.append(len(list_reports(store, "school")))
    assert there == [1] * 7 + [0] * 7, "one until the next is due, and in the end none"
    assert len(store.events(kind="kept long enough")) == 2
    assert report_schedules(store) == []


def test_who_looked_is_kept_no_shorter_than_what_was_seen() -> None:
    assert Settings(keep_predictions=400, keep_accesses=800).periods().predictions == 400
    assert not Settings().periods()
    with pytest.raises(ValidationError, match="longer"):
        Settings(keep_predictions=400, keep_accesses=399)

"""Reports are due every so many days from the first day on until the period ends; of what was missed, the newest."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from database.store import RecordStore
from reports.archive import NoReport, keep_report
from reports.records import Occasion
from reports.schedule import (
    BadReportSchedule,
    NoReportSchedule,
    ReportSchedule,
    due_reports,
    end_schedule,
    occasion_on,
    plan_reports,
    require_latest,
)
from tests.reports.making import COURSE
from tests.reports.test_archive import ANN, made

BEGINS = date(2026, 2, 2)
PLANNED = ReportSchedule(domain=COURSE.name, group="algebra", period="2026-1", begins=BEGINS, ends=date(2026, 6, 30))


@given(st.integers(14, 28), st.integers(0, 200), st.integers(-30, 400))
def test_the_days_follow_each_other_by_the_span_and_none_lies_outside(every: int, length: int, away: int) -> None:
    ends, day = BEGINS + timedelta(days=length), BEGINS + timedelta(days=away)
    one = ReportSchedule(domain="d", group="g", period="p", begins=BEGINS, ends=ends, every=every)
    due, following = one.due(day), one.following(day)
    assert (due is None) == (day < BEGINS)
    for slot in filter(None, (due, following)):
        assert BEGINS <= slot <= ends
        assert (slot - BEGINS).days % every == 0
    if due is not None:
        assert due <= day
        assert following is None or (following > day and (following - due).days == every)
        assert following is not None or (due + timedelta(days=every)) > ends
        assert one.due(due) == due


def test_what_is_due_is_made_once_and_of_what_was_missed_the_newest(store: RecordStore) -> None:
    plan_reports(store, PLANNED)
    where = (COURSE.name, "algebra", "2026-1")
    slots = [BEGINS + timedelta(days=21 * place) for place in range(4)]
    assert due_reports(store, BEGINS - timedelta(days=1)) == []
    with pytest.raises(NoReport, match=f"the next one is due on {BEGINS}"):
        require_latest(store, *where, BEGINS - timedelta(days=9))
    late = slots[2] + timedelta(days=3)
    assert due_reports(store, late) == [(PLANNED, Occasion("algebra", "2026-1", slots[2], 21))]
    assert occasion_on(store, *where, late).due == slots[2]
    keep_report(store, made(slots[2], ANN))
    assert due_reports(store, late) == []
    assert occasion_on(store, *where, late).due == late
    assert [one.due for _, one in due_reports(store, slots[3])] == [slots[3]]
    assert require_latest(store, *where, slots[3]).due == slots[2]
    end_schedule(store, *where)
    assert due_reports(store, slots[3]) == []
    with pytest.raises(NoReportSchedule):
        end_schedule(store, *where)


@pytest.mark.parametrize(
    ("change", "words"),
    [({"every": 13}, "every 14 to 28"), ({"ends": date(2026, 2, 1)}, "cannot end"), ({"mail": ("ann",)}, "no e-mail")],
)
def test_what_is_no_schedule_is_refused(store: RecordStore, change: dict[str, object], words: str) -> None:
    from msgspec.structs import replace

    with pytest.raises(BadReportSchedule, match=words):
        plan_reports(store, replace(PLANNED, **change))

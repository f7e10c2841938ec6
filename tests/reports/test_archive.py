"""Reports on their shelves, in every database: once for a day, and without a trace of a student who was erased."""

from datetime import UTC, date, datetime, timedelta

import pytest

from access.journal import note
from database.blobs import put_blob, read_blob
from database.records import Answer
from database.store import KINDS, RecordStore
from jobs.holdings import HOLDINGS
from reports.archive import (
    LostReport,
    keep_report,
    latest_report,
    list_reports,
    read_report,
    reports_with,
    sweep_reports,
    withdraw_student,
)
from reports.names import REPORT_BLOBS
from reports.records import CohortReport, ReportedStudent
from tests.jobs.test_kinds import Deadly, Killed
from tests.reports.making import COURSE, MONDAY_3, WEEK_3, WEEK_6

ANN, BEN = "a" * 64, "b" * 64


def made(
    due: date,
    *students: str,
    domain: str = COURSE.name,
    group: str = "algebra",
    period: str = "2026-1",
    left: tuple[str, ...] = (),
) -> CohortReport:
    answer = Answer(target="final", value=48.0, naive=50.0, model="m", generation=1, below_pass=0.6)
    return CohortReport(
        domain=domain,
        title=COURSE.title,
        group=group,
        period=period,
        due=due,
        every=21,
        made=datetime(2026, 2, 23, 6, tzinfo=UTC),
        targets=COURSE.targets,
        students=tuple(
            ReportedStudent(student=one, moment="start", row_at=MONDAY_3, answers=(answer,)) for one in students
        ),
        left=left,
    )


def everything(store: RecordStore) -> bytes:
    """All that a store holds."""
    return b"".join(content for kind in KINDS for _, content in store.export(kind)) + b"".join(
        piece for name in store.blobs() for piece in read_blob(store, name)
    )


def test_there_is_one_report_of_a_day_and_the_newest_comes_first(store: RecordStore) -> None:
    first, new = keep_report(store, made(WEEK_3, ANN))
    again, twice = keep_report(store, made(WEEK_3, ANN, BEN))
    later, _ = keep_report(store, made(WEEK_6, BEN))
    other, _ = keep_report(store, made(WEEK_6, BEN, group="logic"))
    assert (new, twice, again) == (True, False, first)
    assert latest_report(store, COURSE.name, "algebra", "2026-1") == later
    assert later.next - later.due == timedelta(days=21)
    assert [one.id for one in list_reports(store, COURSE.name, ["algebra"])] == [later.id, first.id]
    assert len(list_reports(store, COURSE.name)) == 3
    assert read_report(store, other) == made(WEEK_6, BEN, group="logic")
    assert len(store.blobs()) == 3


@pytest.mark.parametrize("killed", ["put_document", "remove_blobs", ""])
def test_a_student_who_is_erased_leaves_no_trace_and_the_report_says_so(store: RecordStore, killed: str) -> None:
    for report in (made(WEEK_3, ANN, BEN), made(WEEK_6, BEN, left=(ANN,)), made(WEEK_6, BEN, group="logic")):
        keep_report(store, report)
    found = reports_with(store, COURSE.name, ANN)
    assert [one.due for one in found] == [WEEK_6, WEEK_3]
    note(store, "a teacher", "report read", COURSE.name, report=found[0].id)
    files = HOLDINGS["reports"].files(store, COURSE.name, ANN)
    assert sorted(b"a teacher" in content for content in files.values()) == [False, True]
    assert not any(BEN.encode() in content for content in files.values())
    at = date(2026, 4, 1)
    for entry in found:
        if killed:
            with pytest.raises(Killed):
                withdraw_student(Deadly(store, killed, after=killed == "put_document"), entry, ANN, at)  # type: ignore[arg-type]
        withdraw_student(store, entry, ANN, at)
        assert withdraw_student(store, entry, ANN, at) is None
    assert ANN.encode() not in everything(store)
    assert reports_with(store, COURSE.name, ANN) == []
    newest = latest_report(store, COURSE.name, "algebra", "2026-1")
    assert (newest.edition, newest.withdrawn) == (2, 1)
    kept = read_report(store, newest)
    assert (kept.edition, kept.withdrawn, kept.left) == (2, (at,), ())
    assert [one.student for one in kept.students] == [BEN]
    assert latest_report(store, COURSE.name, "logic", "2026-1").edition == 1


def test_what_no_shelf_names_goes_after_an_hour_and_what_is_spoiled_is_said(store: RecordStore) -> None:
    entry, _ = keep_report(store, made(WEEK_3, ANN))
    put_blob(store, f"{REPORT_BLOBS}left/behind", b"half")
    put_blob(store, "model/of another kind", b"stays")
    soon = datetime.now(UTC) + timedelta(minutes=50)
    assert sweep_reports(store, at=soon) == []
    assert sweep_reports(store, at=soon + timedelta(hours=1)) == [f"{REPORT_BLOBS}left/behind"]
    assert set(store.blobs()) == {entry.blob, "model/of another kind"}
    store.remove_blobs([entry.blob])
    with pytest.raises(LostReport, match="restore it from a backup"):
        read_report(store, entry)

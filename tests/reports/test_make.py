"""A report says of every student what was logged, once; the next one says what changed and what that came from."""

from collections.abc import Callable
from typing import Any, cast

import pytest
from msgspec.structs import replace

from database.ingest import add_batch
from database.records import BatchRow
from database.store import RecordStore
from model.registry import install
from model.workspace import Workspace
from reports.archive import list_reports, read_report, reports_of
from reports.figures import change_of, moves_of, picture_of, ranked
from reports.make import EmptyCohort, make_report
from reports.records import REPORT_SOURCE, CohortReport, NoCohorts, Occasion
from reports.sentences import change_words
from retraining.first_champions import register
from tests.jobs.test_kinds import Deadly, Killed
from tests.reports.conftest import CLASS
from tests.reports.making import COURSE, HALF, MONDAY_3, MONDAY_6, START, WEEK_3, WEEK_6, course_rows
from tests.training.making import MARK, SCHEMA, typed

FIRST = Occasion("algebra", "2026-1", WEEK_3)
SECOND = Occasion("algebra", "2026-1", WEEK_6)


def make(workspace: Workspace, occasion: Occasion = FIRST) -> CohortReport:
    at = MONDAY_3 if occasion == FIRST else MONDAY_6
    entry, _ = make_report(workspace, COURSE.name, occasion, actor="test", at=at)
    return read_report(workspace.store, entry)


def test_a_report_says_of_each_student_what_is_logged_and_is_made_once(workspace: Workspace) -> None:
    report = make(workspace)
    logged = {one.student: one for one in workspace.store.predictions(COURSE.name)}
    assert [one.student for one in report.students] == sorted(CLASS)
    assert {one.student: one.answers for one in report.students} == {s: one.answers for s, one in logged.items()}
    assert {(one.source, one.at) for one in logged.values()} == {(REPORT_SOURCE, MONDAY_3)}
    assert all(one.reasons for one in report.students if one.answers[0].value is not None)
    for one in report.students:
        attended, advice = logged[one.student].inputs["attendance_rate"], one.advice
        assert advice is not None
        assert ("below 50" in " ".join(step.why for step in advice.steps)) == (attended is not None and attended < 50)
        assert bool(advice.steps) != bool(advice.nothing_because)
    risks = [one.answers[0].below_pass for one in ranked(report) if one.answers[0].below_pass is not None]
    assert risks == sorted(risks, reverse=True)
    assert sum(band.students for band in picture_of(report).bands) == picture_of(report).answered
    assert {one.version for one in report.models} == {one.answers[0].model for one in report.students}
    add_batch(workspace.store, COURSE.name, course_rows(CLASS, seed=10), "unlabeled", name="later.csv")
    entry, new = make_report(workspace, COURSE.name, FIRST, actor="other", at=MONDAY_6)
    assert (read_report(workspace.store, entry), new) == (report, False)


def test_what_has_no_cohort_is_refused_in_words(workspace: Workspace) -> None:
    with pytest.raises(EmptyCohort, match="upload one of each student first"):
        make(workspace, FIRST._replace(group="logic"))
    unplaced = {**workspace.schemas, SCHEMA.name: SCHEMA}
    workspace.service.schemas = unplaced
    with pytest.raises(NoCohorts, match="no group and no period"):
        make_report(workspace, MARK.domain, FIRST, actor="test")


def corrected(rows: list[BatchRow], change: Callable[[BatchRow], dict[str, Any]]) -> list[BatchRow]:
    return [replace(row, inputs={**row.inputs, **change(row)}) for row in rows]


def another_champion(workspace: Workspace) -> None:
    """One that learned that everybody ends 15 points lower."""
    from training.train import train

    rows = course_rows([f"other {n}" for n in range(200)], seed=20, labelled=True, shift=-15, term="2025-2")
    model = register(workspace.store, workspace.artifacts, train(COURSE, START, typed(rows, COURSE)).bundle)
    install(workspace.store, [model], action="promote", actor="test", reason="it knows this year")
    workspace.champions.refresh()


@pytest.mark.parametrize("another", [False, True], ids=["same model", "another model"])
def test_the_next_report_says_what_changed_and_whether_data_or_the_model_did_it(
    workspace: Workspace, another: bool
) -> None:
    before = make(workspace)
    stays, fewer, joined = CLASS[:20], CLASS[20:39], "f" * 64
    rows = course_rows(CLASS, seed=9)
    absent = corrected(rows[20:39], lambda row: {"attendance_rate": max(30.0, float(row.inputs["before"] or 0) - 60)})
    new = course_rows([joined], seed=12)
    add_batch(workspace.store, COURSE.name, [*absent, *new], "unlabeled", name="week 6.csv")
    if another:
        another_champion(workspace)
    report = make(workspace, SECOND)
    assert {one.student for one in report.students if one.before is None} == {joined}
    for one in report.students:
        if one.before is not None:
            told, change = one.before, change_of(one, report.target)
            assert [cell.feature for cell in told.cells] in ([], ["attendance_rate"])
            assert (told.value, told.below_pass) == next(
                (was.answers[0].value, was.answers[0].below_pass)
                for was in before.students
                if was.student == one.student
            )
            if change is not None:
                assert change == pytest.approx(cast(float, told.by_data) + cast(float, told.by_model))
            if one.student in stays:
                assert told.by_data in (None, 0.0)
            if not another:
                assert told.by_model in (None, 0.0)
    moves = moves_of(report)
    assert moves is not None
    assert (moves.both, len(moves.joined)) == (40, 1)
    assert {one.student for one in moves.moved} - {*fewer} == ({*stays, CLASS[39]} if another else set())
    said = " ".join(change_words(report))
    assert "1 joined, 0 left" in said
    assert ("it knows this year" in said) == another
    assert ("The same models answered." in said) != another


@pytest.mark.parametrize("method", ["add_predictions", "add_chunk", "put_document"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_report_whose_maker_was_killed_anywhere_is_there_once(workspace: Workspace, method: str, after: bool) -> None:
    from dataclasses import replace as with_

    deadly = cast(RecordStore, Deadly(workspace.store, method, after=after))
    with pytest.raises(Killed):
        make(with_(workspace, store=deadly))
    report = make(workspace)
    assert len(workspace.store.predictions(COURSE.name)) == len(report.students) == 40
    assert [one.id for one in list_reports(workspace.store, COURSE.name)] == [report.id]
    assert [read_report(workspace.store, one) for one in reports_of(workspace.store, COURSE.name, *FIRST[:2])] == [
        report
    ]
    assert HALF.moment not in {one.moment for one in report.students}

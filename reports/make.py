"""Makes a cohort report: reads the cohort's rows, has them answered, compares with the last report, and keeps it.

Everything that a report says is put together here once; how it looks is for whoever renders it.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from advice.catalogue import Catalogue, load_catalogue
from clock import now
from database.records import Prediction
from errors import Category, GradewatchError
from model.readable import said_about
from model.workspace import Workspace
from preprocessing.schema import DomainSchema, Feature, Target, beginning_of
from reports.advising import advise_cohort
from reports.archive import ReportEntry, keep_report, read_report, reports_of
from reports.asking import answers_now, ask_cohort
from reports.changes import between, compare_answers
from reports.cohort import CohortRow, cohort_rows
from reports.health import models_of, newest_drift, performance_of
from reports.records import (
    Before,
    CohortReport,
    LastReport,
    Occasion,
    ReportedAdvice,
    ReportedColumn,
    ReportedStudent,
    report_key,
    reported_targets,
    require_cohorts,
)
from reports.sentences import reasons_of


class Making(NamedTuple):
    """Who makes a report, when, and out of which catalogue students are advised."""

    actor: str
    at: datetime
    catalogue: Catalogue


class EmptyCohort(GradewatchError):
    """No row of any student of the group and period is stored."""

    category = Category.UNKNOWN


def make_report(
    workspace: Workspace,
    domain: str,
    occasion: Occasion,
    *,
    actor: str,
    catalogue: Catalogue | None = None,
    at: datetime | None = None,
) -> tuple[ReportEntry, bool]:
    """The report for an occasion, and whether it was made now: of each there is one. catalogue: of what students may be
    advised; the shipped one by default. at: now, by default.

    Raises UnknownDomain, NoCohorts, EmptyCohort, NoChampion, StoreUnavailable.
    """
    store, schema = workspace.store, workspace.service.schema(domain)
    require_cohorts(schema)
    known = reports_of(store, domain, occasion.group, occasion.period)
    there = next((one for one in known if one.due == occasion.due), None)
    if there is not None:
        return there, False
    found = cohort_rows(store, schema, occasion.group, occasion.period)
    rows = [one for one in found if one.student not in workspace.objections]
    if not rows:
        where = f"{occasion.group} in {occasion.period} is stored in {domain}"
        several = f" (groups are written as {' / '.join(schema.group)})" if len(schema.group) > 1 else ""
        raise EmptyCohort(f"no row of {where}: upload one of each student first{several}")
    last = next((one for one in known if one.due < occasion.due), None)
    before = read_report(store, last) if last else None
    making = Making(actor, at or now(), catalogue or load_catalogue())
    return keep_report(store, compose(workspace, schema, occasion, rows, before, making))


def compose(
    workspace: Workspace,
    schema: DomainSchema,
    occasion: Occasion,
    rows: Sequence[CohortRow],
    last: CohortReport | None,
    making: Making,
) -> CohortReport:
    """The report on these rows, whose answers are logged. last: the one that it is compared with."""
    store, service, targets = workspace.store, workspace.service, reported_targets(schema)
    key = report_key(schema.name, occasion.group, occasion.period, occasion.due)
    said = ask_cohort(service, store, schema, rows, report=key, actor=making.actor, at=making.at)
    columns = {one.name: _column(one) for one in schema.features}
    before = _compared(workspace, schema, said, last)
    advice = advise_cohort(schema, rows, _chances(said, targets[0]), making.catalogue)
    told = [(one, said.get(one.student), before.get(one.student), advice.get(one.student)) for one in rows]
    students = tuple(_student(*one, schema, columns) for one in told)
    answers = [(one.moment, answer) for one in said.values() for answer in one.answers]
    remarks = service.remarks(frozenset(answer.model for _, answer in answers))
    return CohortReport(
        domain=schema.name,
        title=schema.title,
        group=occasion.group,
        period=occasion.period,
        due=occasion.due,
        every=occasion.every,
        made=making.at,
        targets=targets,
        students=students,
        left=_left(rows, last),
        columns=columns,
        moments=schema.moment_titles,
        last=_named(last),
        models=models_of(store, workspace.champions, schema.name, answers),
        performance=performance_of(workspace, schema, occasion.group),
        drift=newest_drift(store, schema.name),
        notes=(remarks.warning,) if remarks.warning else (),
    )


def _column(one: Feature) -> ReportedColumn:
    return ReportedColumn(title=beginning_of(one), unit=one.unit, labels=one.labels)


def _student(
    row: CohortRow,
    said: Prediction | None,
    before: Before | None,
    advice: ReportedAdvice | None,
    schema: DomainSchema,
    columns: Mapping[str, ReportedColumn],
) -> ReportedStudent:
    target = reported_targets(schema)[0]
    inputs, moment = (said.inputs, said.moment) if said else (row.row.inputs, row.row.moment)
    answer = said_about(said, target) if said else None
    return ReportedStudent(
        student=row.student,
        moment=moment,
        row_at=row.at,
        prediction=said.id if said else None,
        answers=said.answers if said else (),
        reasons=reasons_of(answer, target, columns),
        missing=tuple(one.name for one in schema.inputs_at(moment) if inputs.get(one.name) is None),
        advice=advice,
        before=before,
    )


def _chances(said: Mapping[str, Prediction], target: Target) -> dict[str, float | None]:
    """Student to the chance of ending below the pass mark, of those who were answered."""
    answers = {student: said_about(one, target) for student, one in said.items()}
    return {student: answer.below_pass for student, answer in answers.items() if answer is not None}


def _compared(
    workspace: Workspace, schema: DomainSchema, said: Mapping[str, Prediction], last: CohortReport | None
) -> dict[str, Before]:
    """Student to what the last report said, of those that stand in it."""
    if last is None:
        return {}
    target = last.target if last.target.name in schema.target_by_name else reported_targets(schema)[0]
    kept = workspace.store.predictions_of([one.prediction for one in last.students if one.prediction])
    old = {one.student: one for one in kept if one.student is not None}
    pairs = {student: (old[student], said[student]) for student in old.keys() & said.keys()}
    asked = [then for then, now_said in pairs.values() if between(then, now_said, target)]
    middle = answers_now(workspace.service, schema, asked, target)
    found = {one.student: _bare(one, last) for one in last.students}
    compared = {student: compare_answers(*pair, target, middle.get(student)) for student, pair in pairs.items()}
    return found | compared


def _bare(one: ReportedStudent, last: CohortReport) -> Before:
    """What the last report said, where it cannot be compared with anything."""
    answer = one.answer(last.target.name)
    below = answer.below_pass if answer else None
    return Before(value=answer.value if answer else None, below_pass=below, moment=one.moment)


def _left(rows: Sequence[CohortRow], last: CohortReport | None) -> tuple[str, ...]:
    here = {one.student for one in rows}
    return tuple(one.student for one in last.students if one.student not in here) if last else ()


def _named(last: CohortReport | None) -> LastReport | None:
    if last is None:
        return None
    return LastReport(id=last.id, due=last.due, made=last.made, models=tuple(one.version for one in last.models))

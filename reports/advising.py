"""Advice to each student of a cohort, by the rules of `advice`: results beside those of the class, and a study plan.

Only the rows of this group and period are looked at: whoever reads a report may be confined to its group.
"""

from collections.abc import Mapping, Sequence

from advice.catalogue import Catalogue
from advice.plan import StudyPlan, make_plan
from advice.positions import CourseRow, Place, SubjectResult, subject_results
from advice.reasons import find_reasons
from preprocessing.schema import DomainSchema
from reports.cohort import CohortRow
from reports.records import PlannedStep, ReportedAdvice


def advise_cohort(
    schema: DomainSchema,
    rows: Sequence[CohortRow],
    chances: Mapping[str, float | None],
    catalogue: Catalogue,
) -> dict[str, ReportedAdvice]:
    """Student to advice, of those with an answer. chances: theirs of ending below the pass mark."""
    known = [CourseRow(one.student, Place(one.row.group, one.row.period), one.row.inputs) for one in rows]
    found = {}
    for row in known:
        if row.student in chances:
            subjects = subject_results(schema, [row], lambda _: known)
            reasons = find_reasons(schema, row, known, subjects)
            plan = make_plan(reasons, catalogue, below_pass=chances[row.student])
            found[row.student] = _told(subjects, plan)
    return found


def _told(subjects: Sequence[SubjectResult], plan: StudyPlan) -> ReportedAdvice:
    steps = [
        PlannedStep(id=one.entry.id, title=one.entry.title, how_long=one.entry.how_long, why=one.reason.words)
        for one in plan.recommendations
    ]
    weak = [_weak_words(one) for one in subjects if one.weak]
    return ReportedAdvice(weak=tuple(weak), steps=tuple(steps), nothing_because=plan.none_because or "")


def _weak_words(one: SubjectResult) -> str:
    better = f"{one.position.above:.0%} of {one.position.n} others do better" if one.position else ""
    return f"weak in {one.group} ({one.basis}): {better}"

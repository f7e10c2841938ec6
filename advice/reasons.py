"""Why a student is advised: what stands out in a row that somebody can do something about, each reason in words.

Which columns these are, the domain's file says (`family`); protected and unchangeable ones are never among them.
"""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from advice.catalogue import FAMILIES, ReasonFamily
from advice.positions import CourseRow, Position, SubjectResult, goodness, marks_so_far, share_reached, stand
from preprocessing.schema import ACTIONABLE, DomainSchema, Family, Feature, label_of, title_of

FAMILY_OF: Mapping[Family, ReasonFamily] = {
    "work": "missing_work",
    "attendance": "attendance",
    "study": "study_habits",
}
"""Of the columns that can be a reason by themselves."""

DROP_FROM = 0.25
"""By how much of the cohort a student must have come down: past a quarter of it, and to below its middle. Less is what
marks do from one time to the next."""

MIDDLE_RANK = 0.5


class StudyReason(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a student can be advised about. about: the column, or the subject. words: a sentence that says it.
    position: among the others, where that is known."""

    family: ReasonFamily
    about: str
    words: str
    position: Position | None = None


def find_reasons(
    schema: DomainSchema, row: CourseRow, cohort: Sequence[CourseRow], subjects: Sequence[SubjectResult] = ()
) -> tuple[StudyReason, ...]:
    """The reasons that a row gives, beside the newest rows of its place, and that its student's `subjects` give; in the
    order of the families, within one the worse position first."""
    others = [other for other in cohort if other.student != row.student]
    found = [*_of_columns(schema, row, others), *_of_subjects(subjects), *_of_a_drop(schema, row, others)]
    return tuple(sorted(found, key=_order))


def _order(reason: StudyReason) -> tuple[int, float, str]:
    rank = reason.position.rank if reason.position else 0.0
    return FAMILIES.index(reason.family), rank, reason.about


def _of_columns(schema: DomainSchema, row: CourseRow, others: Sequence[CourseRow]) -> Iterator[StudyReason]:
    for feature in schema.features:
        advised = feature.family in ACTIONABLE and not feature.protected
        if advised and (reason := _of_column(feature, row, others)):
            yield reason


def _of_column(feature: Feature, row: CourseRow, others: Sequence[CourseRow]) -> StudyReason | None:
    """Worse than the domain's file says is a concern; where it says nothing, in the lowest quarter; or work that nearly
    all others have handed in."""
    value = goodness(feature)
    own, theirs = value(row), [value(other) for other in others]
    family, what = FAMILY_OF[feature.family or "work"], title_of(feature)
    if own is None:
        position = stand(0, [None if other is None else 1 for other in theirs])
        missing = feature.family == "work" and position is not None and position.n >= len(theirs) * WORK_IS_THERE
        words = f"{what}: nothing is there; {position.n} of {len(theirs)} others have it" if position else ""
        return StudyReason(family=family, about=feature.name, words=words, position=position) if missing else None
    position, shown = stand(own, theirs), f"{what}: {_shown(feature, abs(own))}"
    if feature.concern is not None:
        sign = -1.0 if feature.better == "lower" else 1.0
        if own >= sign * feature.concern:
            return None
        side = "above" if feature.better == "lower" else "below"
        words = f"{shown}, {side} {feature.concern:g}{_beside(position)}"
        return StudyReason(family=family, about=feature.name, words=words, position=position)
    if position is None or not position.weak:
        return None
    return StudyReason(family=family, about=feature.name, words=shown + _beside(position), position=position)


WORK_IS_THERE = 0.75
"""The share of others that must have handed something in before its absence is a reason: else it is not due yet."""


def _shown(feature: Feature, value: float) -> str:
    said = label_of(value, feature.labels)
    return said if f"{value:g}" in feature.labels or not feature.unit else f"{said} {feature.unit}"


def _beside(position: Position | None) -> str:
    return f"; {position.above:.0%} of {position.n} others do better" if position else ""


def _of_subjects(subjects: Sequence[SubjectResult]) -> Iterator[StudyReason]:
    for one in subjects:
        if one.weak and one.position:
            where = " in ".join(part for part in (one.group, one.period) if part) or "the subject"
            words = f"result in {where} ({one.basis}){_beside(one.position)}"
            yield StudyReason(family="weak_subject", about=one.group or "", words=words, position=one.position)


def _of_a_drop(schema: DomainSchema, row: CourseRow, others: Sequence[CourseRow]) -> Iterator[StudyReason]:
    """From where results of before placed the student among the others to where the newest do.

    Places are compared, not marks: what was reached before has another scale.
    """
    before, present = _before_and_present(schema, row)
    own = share_reached(before, row), share_reached(present, row)
    if own[0] is None or own[1] is None:
        return
    both = [(share_reached(before, one), share_reached(present, one)) for one in others]
    known = [pair for pair in both if None not in pair]
    first, then = stand(own[0], [one for one, _ in known]), stand(own[1], [other for _, other in known])
    if first and then and first.rank - then.rank >= DROP_FROM and then.rank < MIDDLE_RANK:
        about = ", ".join(column.name for column in present)
        words = (
            f"better than {first.below:.0%} of {first.n} others before ({_names(before)}), "
            f"than {then.below:.0%} now ({_names(present)})"
        )
        yield StudyReason(family="drop", about=about, words=words, position=then)


def _before_and_present(schema: DomainSchema, row: CourseRow) -> tuple[Sequence[Feature], Sequence[Feature]]:
    """The columns of what was reached before, and of the newest marks; where the file names none of the first kind,
    the marks of earlier moments are."""
    marks = marks_so_far(schema, row)
    ranged = [one for one in schema.features if one.family == "before" and None not in (one.minimum, one.maximum)]
    if ranged:
        return ranged, marks
    moments = [schema.moments.index(one.known_at or schema.moments[0]) for one in marks]
    newest = max(moments, default=0)
    earlier = [one for one, moment in zip(marks, moments, strict=True) if moment < newest]
    return earlier, [one for one, moment in zip(marks, moments, strict=True) if moment == newest]


def _names(columns: Sequence[Feature]) -> str:
    return ", ".join(map(title_of, columns))

"""The rules of advice as laws: positions among others, reasons, and what is chosen for them."""

from collections import Counter
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from advice.catalogue import EVIDENCE, FAMILIES, Catalogue, ReasonFamily, load_catalogue
from advice.plan import MOST_ENTRIES, make_plan
from advice.positions import FEWEST_OTHERS, CourseRow, Place, stand, subject_results
from advice.reasons import StudyReason, find_reasons
from preprocessing.schema import DomainSchema, SchemaError, load_domains, read_schema

SHIPPED = load_catalogue()
DOMAINS = load_domains()
MARKS = st.floats(0, 100) | st.none()
PLACE = Place("3 / Algorithms", "2026-1")


@given(st.floats(0, 100), st.lists(MARKS, max_size=30))
def test_a_share_is_of_the_known_others_and_never_of_fewer_than_ten(own: float, others: list[float | None]) -> None:
    known = [other for other in others if other is not None]
    found = stand(own, others)
    assert (found is None) == (len(known) < FEWEST_OTHERS)
    if found:
        counts = Counter("below" if other < own else "above" if other > own else "same" for other in known)
        assert (found.n, round(found.below * found.n), round(found.above * found.n)) == (
            len(known), counts["below"], counts["above"],
        )  # fmt: skip


def university(student: str, place: Place = PLACE, outcomes: dict[str, Any] | None = None, **inputs: Any) -> CourseRow:
    plain = {"assignment_marks": 8.0, "quiz_marks": 8.0, "midterm_marks": 20.0, "attendance_percentage": 95.0}
    return CourseRow(student, place, {**plain, "previous_cgpa": 3.0, **inputs}, outcomes or {})


def found_in(row: CourseRow, cohort: list[CourseRow], schema: DomainSchema = DOMAINS["university"]) -> set[str]:
    results = subject_results(schema, [row], lambda _: cohort)
    return {reason.family for reason in find_reasons(schema, row, cohort, results)}


COHORT = [
    university(f"s{n}", assignment_marks=6 + n / 10, quiz_marks=5 + n / 10, midterm_marks=15 + n / 5,
               previous_cgpa=2 + n / 20)
    for n in range(20)
]  # fmt: skip


@pytest.mark.parametrize(
    ("inputs", "reasons"),
    [
        ({}, set()),
        ({"attendance_percentage": 89.9}, {"attendance"}),
        ({"attendance_percentage": 90}, set()),
        ({"assignment_marks": 3}, {"missing_work"}),
        ({"assignment_marks": None}, {"missing_work"}),
        ({"quiz_marks": 0, "midterm_marks": 5}, {"weak_subject", "drop"}),
        ({"quiz_marks": 0, "midterm_marks": 5, "previous_cgpa": 1}, {"weak_subject"}),
        ({"previous_cgpa": 0}, set()),
    ],
)
def test_what_stands_out_among_the_others_is_a_reason(inputs: dict[str, Any], reasons: set[str]) -> None:
    assert found_in(university("own", **inputs), COHORT) == reasons
    alone = found_in(university("own", **inputs), COHORT[: FEWEST_OTHERS - 1])
    assert alone == reasons & {"attendance"}, "what the domain's file says is a concern needs no others"


def test_a_drop_is_seen_from_one_moment_to_the_next_where_the_file_names_nothing_from_before() -> None:
    def row(student: str, first: float, second: float) -> CourseRow:
        return CourseRow(student, Place(None, None), {"G1": first, "G2": second})

    cohort = [row(f"s{n}", 5 + n / 2, 5 + n / 2) for n in range(20)]
    assert found_in(row("own", 14, 8), cohort, DOMAINS["school"]) == {"drop"}
    assert found_in(row("own", 8, 8), cohort, DOMAINS["school"]) == set()


def test_a_subject_is_judged_by_what_became_of_it_where_that_is_known_else_by_the_marks_so_far() -> None:
    old, new = Place("2 / Databases", "2025-2"), PLACE
    ended = [university(f"s{n}", old, {"final_marks": 40.0 + n, "final_grade": "C"}) for n in range(20)]
    own = [university("own", old, {"final_marks": 41.0}), university("own", new, quiz_marks=9, midterm_marks=29)]
    weak, fine = subject_results(DOMAINS["university"], own, {old: ended, new: COHORT}.__getitem__)
    assert (weak.group, weak.basis, weak.value, weak.weak) == ("2 / Databases", "final", 41.0, True)
    assert weak.position
    assert (weak.position.n, weak.position.below) == (20, 0.05)
    assert (fine.basis, fine.columns) == ("so far", ("assignment_marks", "quiz_marks", "midterm_marks"))
    assert (fine.value, fine.weak) == (46 / 50, False)
    [few] = subject_results(DOMAINS["university"], own[:1], lambda _: ended[:9])
    assert (few.others, few.position, few.weak) == (9, None, False)


@pytest.mark.parametrize("name", sorted(DOMAINS))
def test_nothing_protected_or_from_before_is_ever_a_reason(name: str) -> None:
    schema = DOMAINS[name]
    closed = {one.name for one in schema.features if one.protected or one.family in (None, "before")}
    place = Place("g" if schema.group else None, "p")

    def row(student: str, share: float) -> CourseRow:
        ranges = {one.name: (one.minimum or 0, one.maximum or 100, one.better) for one in schema.features}
        cells = {
            name: low + (high - low) * (share if better == "higher" else 1 - share)
            for name, (low, high, better) in ranges.items()
        }
        return CourseRow(student, place, cells)

    worst, others = row("own", 0.0), [row(f"s{n}", 0.5 + n / 100) for n in range(20)]
    results = subject_results(schema, [worst], lambda _: others)
    found = find_reasons(schema, worst, others, results)
    assert found
    assert not {reason.about for reason in found if reason.family != "weak_subject"} & closed
    assert not closed & {column for one in results for column in one.columns}


COLUMN = """
name = "own"
title = "Own"
[[features]]
name = "x"
kind = "{kind}"
levels = {levels}
{more}
[[targets]]
name = "y"
"""


@pytest.mark.parametrize(
    ("kind", "more", "problem"),
    [
        ("numeric", 'family = "attendance"\nprotected = true', "protected column"),
        ("categorical", 'family = "study"', "only a numeric column"),
        ("numeric", 'family = "result"', "give its range"),
        ("numeric", 'better = "lower"', "better"),
        ("numeric", 'family = "before"\nconcern = 3', "concern"),
    ],
)
def test_a_domain_file_says_only_of_what_can_be_changed_that_it_may_be_advised_on(
    kind: str, more: str, problem: str
) -> None:
    levels = '["a", "b"]' if kind == "categorical" else "[]"
    with pytest.raises(SchemaError, match=problem):
        read_schema(COLUMN.format(kind=kind, levels=levels, more=more))


A_REASON = st.builds(StudyReason, family=st.sampled_from(FAMILIES), about=st.text(), words=st.just(""))


@given(st.lists(A_REASON, max_size=6), st.sets(st.sampled_from(FAMILIES)), st.none() | st.floats(0, 1))
def test_a_plan_follows_from_its_reasons_by_rule(
    reasons: list[StudyReason], known: set[ReasonFamily], below_pass: float | None
) -> None:
    catalogue = Catalogue(tuple(
        msgspec.structs.replace(one, reasons=tuple(family for family in one.reasons if family in known))
        for one in SHIPPED.entries
    ))  # fmt: skip
    plan = make_plan(reasons, catalogue, below_pass=below_pass)
    chosen = [one.entry for one in plan.recommendations]
    assert (plan.none_because is None) == bool(chosen)
    assert len(chosen) == len({one.id for one in chosen}) <= MOST_ENTRIES
    assert all(one.reason.family in one.entry.reasons and one.reason in reasons for one in plan.recommendations)
    assert {*plan.unanswered} == {one.family for one in reasons} - known
    families = {one.family for one in reasons} & known
    assert len(chosen) >= min(len(families), MOST_ENTRIES)
    assert len({one.reason.family for one in plan.recommendations}) == min(len(families), MOST_ENTRIES)
    if below_pass is None or below_pass < 0.5:
        assert all(one.support == "student" for one in chosen)
    if chosen:
        first = plan.recommendations[0]
        rivals = [
            one
            for one in catalogue.entries
            if first.reason.family in one.reasons and one.support == first.entry.support
        ]
        assert EVIDENCE.index(first.entry.evidence) == min(EVIDENCE.index(one.evidence) for one in rivals)

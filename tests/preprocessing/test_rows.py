"""JSON rows are read strictly, by the rules and in the words that files are read by."""

import pytest

from preprocessing.validation.json_rows import ValidatedRows, ValidRow, validate_rows
from preprocessing.validation.pii import pseudonym
from preprocessing.validation.rules import BadData
from tests.preprocessing.making import SECRET, SUBJECT

GOOD = {"pupil_id": "7", "class": "7b", "term": "2026-1", "hours": 12.5, "support": "some", "P1": 6}


def read(*rows: dict[str, object], moment: str | None = None) -> ValidatedRows:
    return validate_rows(rows, SUBJECT, moment=moment, secret=SECRET)


def rules_of(row: dict[str, object]) -> list[tuple[str | None, str | None, str]]:
    return [(problem.column, problem.value, problem.rule) for problem in read(row).problems]


def test_a_good_row_has_every_input_known_at_its_moment_and_its_context() -> None:
    assert read(GOOD).require_clean().rows == (
        ValidRow(
            row=1,
            inputs={"hours": 12.5, "age": None, "support": "some", "topic": None, "P1": 6.0},
            moment="half",
            student=pseudonym("7", SECRET),
            group="7b",
            period="2026-1",
        ),
    )


def test_names_are_found_by_alias_and_targets_are_kept_apart() -> None:
    [row] = read({"Weekly Hours": 1, "SUPPORT": "some", "key": 7, "final": 5, "grade": "pass"}).require_clean().rows
    assert row.inputs["hours"] == 1.0
    assert row.student == pseudonym("7", SECRET)
    assert row.targets == {"final": 5.0, "grade": "pass"}


@pytest.mark.parametrize(
    ("value", "shown", "rule"),
    [
        ("12.5", "12.5", "must be a number from 0 to 40.5 (hours per week), not text"),
        (True, "true", "must be a number from 0 to 40.5 (hours per week), not true or false"),
        ([1], "[1]", "must be a number from 0 to 40.5 (hours per week), not a list"),
        (41, "41", "must be a number from 0 to 40.5 (hours per week)"),
        (float("nan"), "null", "must be a number from 0 to 40.5 (hours per week); NaN and infinity are no values: "),
        (None, None, "missing; it is required and must be a number from 0 to 40.5 (hours per week)"),
    ],
)
def test_a_number_is_a_number(value: object, shown: str | None, rule: str) -> None:
    [(column, value_shown, said)] = rules_of({**GOOD, "hours": value})
    assert (column, value_shown) == ("hours", shown)
    assert said.startswith(rule)


def test_a_number_too_large_for_any_machine_is_refused() -> None:
    [(column, _, rule)] = rules_of({**GOOD, "hours": 10**400})
    assert (column, rule) == ("hours", "must be a number from 0 to 40.5 (hours per week)")


def test_a_level_is_spelled_exactly_and_the_near_one_is_named() -> None:
    rule = "must be one of none, some, NA; did you mean 'some'?"
    assert rules_of({**GOOD, "support": "Some"}) == [("support", "Some", rule)]
    assert rules_of({**GOOD, "support": 3}) == [("support", "3", "must be one of none, some, NA, as text")]


def test_an_unknown_field_is_refused_with_what_it_may_have_meant() -> None:
    assert rules_of({**GOOD, "suport": "x"}) == [
        ("suport", None, "no such field in domain 'subject'; did you mean 'support'?")
    ]


def test_a_field_that_names_people_is_refused_as_that() -> None:
    assert rules_of({**GOOD, "first name": "Ana"}) == [
        ("first name", None, "it is called 'first name', which identifies people: leave it out")
    ]
    [(column, value, rule)] = rules_of({**GOOD, "topic": "ana@example.org"})
    assert (column, value) == ("topic", None)
    assert rule.endswith("it looks like an e-mail address")
    [(column, value, rule)] = rules_of({**GOOD, "pupil_id": "ana@example.org"})
    assert (column, value, rule) == ("pupil_id", None, "must be a short text; it looks like an e-mail address")


def test_every_problem_of_every_row_is_told_at_once() -> None:
    refused = read(GOOD, {**GOOD, "hours": -1, "support": "x"}, {"hours": 1})
    assert [(problem.row, problem.column) for problem in refused.problems] == [
        (2, "hours"),
        (2, "support"),
        (3, "support"),
    ]
    assert [row.row for row in refused.rows] == [1]
    with pytest.raises(BadData, match=r"3 problems:\n  request, row 2, column 'hours'"):
        refused.require_clean()


def test_a_given_moment_wants_what_is_known_at_it_and_leaves_out_the_later() -> None:
    [row] = read(GOOD, moment="start").require_clean().rows
    assert (row.moment, "P1" in row.inputs) == ("start", False)
    assert [problem.column for problem in read(GOOD, moment="late").problems] == ["P2"]
    with pytest.raises(ValueError, match="moment 'noon' is none of start, half, late"):
        read(GOOD, moment="noon")


def test_one_column_given_twice_is_refused() -> None:
    rule = "columns 'hours' and 'Hours' both mean 'hours'; keep one"
    assert rules_of({**GOOD, "Hours": 1}) == [("Hours", None, rule)]


def test_a_student_key_without_a_secret_is_refused() -> None:
    [problem] = validate_rows([GOOD], SUBJECT).problems
    assert problem.column == "pupil_id"
    assert "no secret is set" in problem.rule


def test_a_row_without_targets_is_no_row_to_learn_from() -> None:
    refused = validate_rows([GOOD], SUBJECT, secret=SECRET, with_targets="required")
    assert [problem.rule for problem in refused.problems] == [
        "no outcome; a labelled row needs a value for final or grade"
    ]

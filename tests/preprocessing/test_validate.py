"""Tables become typed frames, and every cell that breaks a rule is named at once."""

from datetime import date

import msgspec
import polars as pl
import pytest

from preprocessing.reading.files import read_table
from preprocessing.reading.raw_table import RawTable
from preprocessing.schema import DomainSchema, Feature, load_domains, read_schema
from preprocessing.validation.json_rows import validate_rows
from preprocessing.validation.pii import pseudonym
from preprocessing.validation.results import Validated
from preprocessing.validation.rules import BadData
from preprocessing.validation.validate import frame_of, rows_of, validate_outcomes, validate_table
from tests.preprocessing.making import SECRET, SUBJECT, as_json, as_parquet, checked, table, uci

HEADER = "pupil_id,class,term,hours,age,support,topic,P1,P2,final,grade\n"
GOOD = "7,7b,2026-1,12.5,15,some,Algebra,6,7,8,pass\n"


def told(validated: Validated) -> list[tuple[int | None, str | None, str | None, str]]:
    return [(problem.row, problem.column, problem.value, problem.rule) for problem in validated.problems]


def typed(frame: pl.DataFrame, schema: DomainSchema = SUBJECT) -> Validated:
    return validate_table(RawTable(frame, "frame", is_text=False, first_row=1), schema, secret=SECRET)


def test_a_good_row_becomes_a_typed_row_with_its_context() -> None:
    frame = checked(HEADER + GOOD).require_clean().frame
    assert frame.row(0, named=True) == {
        "hours": 12.5,
        "age": 15.0,
        "support": "some",
        "topic": "Algebra",
        "P1": 6.0,
        "P2": 7.0,
        "final": 8.0,
        "grade": "pass",
        "_student": pseudonym("7", SECRET),
        "_group": "7b",
        "_period": "2026-1",
        "_moment": "late",
        "_row": 2,
    }


def test_the_published_school_files_are_valid_and_keep_every_value() -> None:
    school = load_domains()["school"]
    for name, rows in (("mat", 395), ("por", 649)):
        raw = uci(name)
        frame = validate_table(raw, school, secret=SECRET, with_targets="required").require_clean().frame
        assert frame.height == rows
        numbers = [column for column in raw.frame.columns if frame.schema[column] == pl.Float64]
        assert raw.frame.select(numbers).cast(pl.Float64).equals(frame.select(numbers))
        levels = [column for column in raw.frame.columns if column not in numbers]
        assert raw.frame.select(levels).equals(frame.select(levels))
        assert frame["_moment"].unique().to_list() == ["G2"]


def test_every_bad_cell_is_told_at_once_with_row_column_value_and_rule() -> None:
    bad = ",,,41,15.5,much,Algebra,6,x,11,\n" + ",,,,15,some,,,,8,good\n"
    assert told(checked(HEADER + GOOD + bad)) == [
        (3, "hours", "41", "must be a number from 0 to 40.5 (hours per week)"),
        (3, "age", "15.5", "must be a whole number from 10 to 20"),
        (3, "support", "much", "must be one of none, some, NA"),
        (3, "P2", "x", "must be a number from 0 to 10"),
        (3, "final", "11", "must be a number from 0 to 10"),
        (4, "grade", "good", "must be one of fail, pass"),
        (4, "hours", None, "missing; it is required and must be a number from 0 to 40.5 (hours per week)"),
    ]


def test_good_rows_stay_when_others_are_skipped_and_clean_is_refused() -> None:
    validated = checked(HEADER + GOOD + ",,,41,,some,,,,,\n")
    assert validated.frame["_row"].to_list() == [2]
    assert (validated.rows, validated.skipped, validated.refused) == (2, 1, True)
    with pytest.raises(BadData, match=r"1 problem:\n  marks.csv, row 3, column 'hours': must be") as caught:
        validated.require_clean()
    assert caught.value.problems == validated.problems


@pytest.mark.parametrize("text", ["12.5", " 12.5 ", "+12.5", "12,5", "1.25e1", "12.50"])
def test_a_number_may_be_written_in_any_plain_way(text: str) -> None:
    assert checked(f'hours;support\n"{text}";some\n').require_clean().frame["hours"].to_list() == [12.5]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1,234.5", "written without thousands separators"),
        ("1 234", "written without thousands separators"),
        ("15%", "without the percent sign"),
        ("NaN", "NaN and infinity are no values"),
        ("-inf", "NaN and infinity are no values"),
        ("1_0", "must be a number from 0 to 40.5 (hours per week)"),
        ("0x10", "must be a number from 0 to 40.5 (hours per week)"),
        ("١٢", "must be a number from 0 to 40.5 (hours per week)"),
        ("1e400", "NaN and infinity are no values"),
    ],
)
def test_a_number_that_could_mean_something_else_is_refused_with_the_reason(text: str, reason: str) -> None:
    [(row, column, value, rule)] = told(checked(f'hours;support\n"{text}";some\n'))
    assert (row, column, value) == (2, "hours", text)
    assert reason in rule


WIDE = msgspec.structs.replace(SUBJECT, features=(Feature(name="steps", kind="numeric", minimum=0, maximum=9_999),))


def test_a_comma_that_may_group_thousands_is_refused() -> None:
    [(row, column, value, rule)] = told(checked("steps;x\n1,234;1\n", WIDE))
    assert (row, column, value) == (2, "steps", "1,234")
    assert rule.endswith("a comma before three digits may group thousands: write 1234 or 1.234")


def test_a_comma_is_decimal_where_the_column_or_its_range_leaves_no_doubt() -> None:
    assert checked("steps;x\n1,234;1\n1,5;1\n", WIDE).require_clean().frame["steps"].to_list() == [1.234, 1.5]
    assert checked("hours;support\n1,234;some\n").require_clean().frame["hours"].to_list() == [1.234]


def test_a_column_with_points_and_commas_refuses_the_rarer_kind() -> None:
    points = checked("hours;support\n1.5;some\n2.5;some\n3,5;some\n4;some\n")
    assert [(row, value) for row, _, value, _ in told(points)] == [(4, "3,5")]
    commas = checked("hours;support\n1,5;some\n2,5;some\n3.5;some\n4;some\n")
    assert [(row, value) for row, _, value, _ in told(commas)] == [(4, "3.5")]
    assert "both decimal points and decimal commas" in commas.problems[0].rule


@pytest.mark.parametrize("text", ["", "  ", "NA", "n/a", "NULL", "-"])
def test_what_stands_for_missing_is_missing_where_that_is_allowed(text: str) -> None:
    frame = checked(f'hours;support;age;topic\n1;some;"{text}";"{text}"\n').require_clean().frame
    assert frame.select("age", "topic").row(0) == (None, None)


def test_a_declared_level_that_looks_like_missing_is_a_level() -> None:
    assert checked("hours;support\n1;NA\n").require_clean().frame["support"].to_list() == ["NA"]


def test_levels_forgive_spaces_and_case_where_that_is_unambiguous() -> None:
    frame = checked("hours;support;topic\n1; SOME ;algebra\n1;none;Geometry\n").require_clean().frame
    assert frame["support"].to_list() == ["some", "none"]
    assert frame["topic"].to_list() == ["Algebra", "Geometry"]


def test_headers_are_found_by_alias_and_whatever_their_case_and_dashes() -> None:
    frame = checked("KEY,weekly_hours,Support ,p-1\n9,1,some,4\n").require_clean().frame
    assert frame.select("hours", "support", "P1").row(0) == (1.0, "some", 4.0)
    assert frame["_student"].to_list() == [pseudonym("9", SECRET)]


def test_a_missing_column_is_named_with_what_the_file_has() -> None:
    problems = told(checked("hours,supports,x\n1,some,1\n"))
    assert problems == [(None, "support", None, "column 'support' missing; the file has 'supports'")]
    [problem] = checked("support,x,y\nsome,1,1\n").problems
    assert problem.rule == "column 'hours' missing; the file has 'x' and 'y'"


def test_two_columns_for_one_are_refused() -> None:
    [problem] = checked("hours,Weekly Hours,support\n1,1,some\n").problems
    assert problem.rule == "columns 'hours' and 'Weekly Hours' both mean 'hours'; keep one"


def test_other_columns_are_ignored_and_listed() -> None:
    validated = checked("hours,support,shoe size\n1,some,43\n").require_clean()
    assert validated.ignored_columns == ("shoe size",)
    assert "shoe size" not in validated.frame.columns


def test_each_row_is_at_the_latest_moment_it_has_values_of() -> None:
    frame = checked("hours,support,P1,P2\n1,some,,\n1,some,5,\n1,some,5,6\n").require_clean().frame
    assert frame["_moment"].to_list() == ["start", "half", "late"]


def test_a_hole_before_a_later_value_is_told() -> None:
    [(row, column, _, rule)] = told(checked("hours,support,P1,P2\n1,some,,6\n1,some,5,6\n"))
    assert (row, column) == (2, "P1")
    assert rule == "missing, although 'P2' is given, which becomes known later; must be a number from 0 to 10"


def test_a_column_missing_before_a_later_one_is_told_once() -> None:
    [(row, column, _, rule)] = told(checked("hours,support,P2\n1,some,6\n1,some,7\n"))
    assert (row, column) == (None, "P1")
    assert rule.startswith("column 'P1' missing: missing, although 'P2' is given")


def test_a_given_moment_leaves_later_columns_out_and_wants_earlier_ones() -> None:
    validated = checked("hours,support,P1,P2\n1,some,5,6\n", moment="half").require_clean()
    assert "P2" not in validated.frame.columns
    assert validated.frame["_moment"].to_list() == ["half"]
    [problem] = checked("hours,support,P1\n1,some,\n", moment="half").problems
    assert problem.rule == "missing; it is required from moment 'half' on and must be a number from 0 to 10"
    with pytest.raises(ValueError, match="moment 'noon' is none of start, half, late"):
        checked("hours,support\n1,some\n", moment="noon")


def test_labelled_rows_need_one_target_at_least() -> None:
    validated = checked("hours,support,final,grade\n1,some,5,\n1,some,,pass\n1,some,,\n", with_targets="required")
    assert told(validated) == [(4, None, None, "no outcome; a labelled row needs a value for final or grade")]
    absent = checked("hours,support\n1,some\n", with_targets="required")
    assert [problem.column for problem in absent.problems] == ["final", "grade"]


def test_targets_can_be_left_out_unread() -> None:
    validated = checked("hours,support,final\n1,some,999\n", with_targets="ignored")
    assert "final" not in validated.require_clean().frame.columns
    assert validated.ignored_columns == ("final",)
    assert checked("hours,support,final\n1,some,9\n", with_targets="optional").ignored_columns == ()


def test_the_same_student_group_and_period_twice_is_told_of_both_rows() -> None:
    rows = "7,7b,2026-1,1,some\n8,7b,2026-1,1,some\n 7 ,7b,2026-1,2,some\n7,7b,2026-2,2,some\n"
    validated = checked("pupil_id,class,term,hours,support\n" + rows)
    rule = "rows 2 and 4 are the same student, group and period; a file says each thing once"
    assert told(validated) == [(2, None, None, rule), (4, None, None, rule)]
    assert validated.frame["_row"].to_list() == [3, 5]


def test_of_rows_that_say_the_same_the_first_is_kept_and_bad_ones_are_all_told() -> None:
    rows = ["7,7b,2026-1,1,some\n", "8,7b,2026-1,1,none\n", "9,7b,2026-1,99,some\n"]
    validated = checked("pupil_id,class,term,hours,support\n" + "".join([*rows, *rows]))
    assert (validated.frame["_row"].to_list(), validated.rows) == ([2, 3], 4)
    assert {problem.row for problem in validated.problems} == {4, 7}
    assert "rows 5, 6 say again what an earlier row says: one of each is kept" in validated.notes


def test_blank_rows_count_as_rows_of_the_file_and_as_nothing_else() -> None:
    validated = checked("hours,support\n1,some\n,\n\n99,some\n")
    assert validated.rows == 2
    assert [problem.row for problem in validated.problems] == [5]


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("hours,support,topic\n1,some,ana@example.org\n", "topic"),
        ("hours,support,topic\n1,some,Ana Sousa\n", "topic"),
        ("hours,support,pupil_id\n1,some,ana@example.org\n", "pupil_id"),
        ("hours,support,class\n1,some,+34 612 345 678\n", "class"),
    ],
)
def test_a_declared_column_that_identifies_people_refuses_the_whole_file_without_its_values(
    text: str, column: str
) -> None:
    validated = checked(text)
    [problem] = validated.problems
    assert (problem.row, problem.column, problem.value) == (None, column, None)
    assert "columns that identify people are refused" in problem.rule
    assert "ana" not in str(problem).casefold()
    assert "612" not in str(problem)
    assert validated.frame.is_empty()


@pytest.mark.parametrize(
    ("header", "cell"),
    [
        ("E-Mail", "-"),
        ("Nombre del alumno", "x"),
        ("Name der Mutter", "x"),
        ("Nome da mãe", "x"),
        ("remark", "write to ana@example.org"),
        ("code", "+34 612 345 678"),
        ("who", "Ana Sousa"),
    ],
)
def test_an_undeclared_column_that_identifies_people_is_dropped_with_a_word(header: str, cell: str) -> None:
    validated = checked(f"hours,support,{header}\n1,some,{cell}\n")
    assert validated.problems == ()
    assert validated.frame.height == 1
    assert header not in validated.frame.columns
    [note] = validated.notes
    assert note.startswith(f"column {header!r} identifies people (")
    assert note.endswith("): dropped, not stored")
    assert "ana" not in note.casefold().replace(header.casefold(), "")


def test_columns_that_a_domain_allows_may_look_like_names_and_never_like_addresses() -> None:
    text = """
name = "x"
title = "x"
allow = ["school", "quarter"]
[[context]]
name = "quarter"
[[features]]
name = "school"
kind = "categorical"
open = true
[[targets]]
name = "y"
"""
    schools = "school,quarter,y\n" + "Gabriel Pereira,Jan-Mar,1\nMaria Callas,Ana Maria,2\n"
    assert checked(schools, read_schema(text)).problems == ()
    assert validate_rows([{"school": "Gabriel Pereira", "quarter": "Ana Maria"}], read_schema(text)).problems == ()
    problems = checked(schools, read_schema(text.replace("allow", "# allow"))).problems
    assert {problem.column for problem in problems} == {"school", "quarter"}
    assert checked("school,y\nask ana@example.org,1\n", read_schema(text)).problems


def test_a_wrong_value_that_may_identify_a_person_is_not_shown() -> None:
    validated = checked("hours,support\n1,Ana Sousa\nana@example.org,some\n")
    assert [(problem.column, problem.value) for problem in validated.problems] == [("support", None), ("hours", None)]


@pytest.mark.parametrize("written", ["1001.0", "1001", " 1001.00 "])
def test_a_key_written_as_a_float_is_the_whole_number(written: str) -> None:
    frame = checked(f"pupil_id,term,hours,support\n{written},2024.0,1,some\n").frame
    assert frame["_student"].to_list() == [pseudonym("1001", SECRET)]
    assert frame["_period"].to_list() == ["2024"]
    [row] = validate_rows(
        [{"pupil_id": written, "term": "2024.0", "hours": 1, "support": "some"}], SUBJECT, secret=SECRET
    ).rows
    assert (row.student, row.period) == (pseudonym("1001", SECRET), "2024")


def test_a_wrong_student_key_is_not_shown() -> None:
    [problem] = checked(f"pupil_id,hours,support\n{'k' * 101},1,some\n").problems
    assert (problem.column, problem.value) == ("pupil_id", None)
    assert problem.rule == "must be a short text; it has 101 characters"


def test_long_values_are_shown_short() -> None:
    [problem] = checked(f"hours,support\n1,{'ab' * 500}\n").problems
    assert problem.value is not None
    assert len(problem.value) == 60


def test_ten_thousand_problems_are_kept_and_all_are_counted() -> None:
    validated = checked("hours,support\n" + "x,y\n" * 20_000)
    assert validated.problem_count == 40_000
    assert len(validated.problems) == 10_000
    assert validated.problems[-1].row == 5_001


def test_dates_and_truth_values_are_no_numbers_but_a_date_may_be_a_period() -> None:
    refused = typed(pl.DataFrame({"hours": [True], "support": ["some"], "age": [date(2026, 1, 2)]}))
    assert [problem.rule for problem in refused.problems] == [
        "must be a number from 0 to 40.5 (hours per week), not Boolean",
        "must be a whole number from 10 to 20, not Date",
    ]
    dated = typed(pl.DataFrame({"hours": [1], "support": ["some"], "term": [date(2026, 1, 2)]})).require_clean()
    assert dated.frame["_period"].to_list() == ["2026-01-02"]


def test_a_student_key_is_the_same_person_in_every_format() -> None:
    frame = pl.DataFrame({"pupil_id": [12.0], "hours": [1.0], "support": ["some"]})
    students = {typed(frame).frame["_student"][0], checked("pupil_id,hours,support\n12,1,some\n").frame["_student"][0]}
    students |= {
        validate_table(read_table(write(frame)), SUBJECT, secret=SECRET).frame["_student"][0]
        for write in (as_json, as_parquet)
    }
    assert students == {pseudonym("12", SECRET)}


def test_outcomes_need_a_student_and_a_target_and_nothing_else() -> None:
    raw = table("pupil_id,term,final,grade\n7,2026-1,8,\n8,2026-1,,\n,2026-1,5,pass\n9,2026-1,11,\n")
    validated = validate_outcomes(raw, SUBJECT, secret=SECRET)
    assert told(validated) == [
        (3, None, None, "no outcome; a labelled row needs a value for final or grade"),
        (4, "pupil_id", None, "missing; an outcome needs the student or the prediction it is of"),
        (5, "final", "11", "must be a number from 0 to 10"),
    ]
    assert validated.frame.select("final", "_student", "_period").rows() == [(8.0, pseudonym("7", SECRET), "2026-1")]


def test_outcomes_may_name_a_prediction_instead_of_a_student() -> None:
    validated = validate_outcomes(table("prediction,final\n0197,8\n"), SUBJECT, secret=SECRET).require_clean()
    assert validated.frame.select("_prediction", "final").rows() == [("0197", 8.0)]
    [problem] = validate_outcomes(table("final,pupil\n8,1\n"), SUBJECT, secret=SECRET).problems
    assert problem.rule == "column 'pupil_id' missing; the file has 'pupil'"


def test_a_typed_frame_becomes_rows_and_those_the_same_frame() -> None:
    rows = GOOD + "8,7b,2026-1,1,,none,,5,,,\n9,7b,2026-1,1,,none,,,,,fail\n"
    frame = checked(HEADER + rows).require_clean().frame
    made = rows_of(frame, SUBJECT)
    assert [row.moment for row in made] == ["late", "half", "start"]
    assert made[1].inputs == {"hours": 1.0, "age": None, "support": "none", "topic": None, "P1": 5.0}
    assert made[2].targets == {"grade": "fail"}
    again = frame_of(made, SUBJECT)
    assert again.drop("_row").equals(frame.drop("_row").select(again.drop("_row").columns))
    assert again["_row"].to_list() == [1, 2, 3]


def test_stored_records_keep_their_ids_beside_their_values() -> None:
    class Stored:
        id = "r1"
        inputs: dict[str, float | str | None] = {"hours": 1.0}  # noqa: RUF012 (a record by attributes)
        targets: dict[str, float | str] = {"final": 5.0}  # noqa: RUF012
        student = group = period = None

    frame = frame_of([Stored()], SUBJECT)
    assert frame.row(0, named=True) == {
        "hours": 1.0,
        "final": 5.0,
        "_student": None,
        "_group": None,
        "_period": None,
        "_moment": "start",
        "_record": "r1",
        "_row": 1,
    }

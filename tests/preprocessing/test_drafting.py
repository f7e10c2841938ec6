"""A draft of a domain from any file: it reads that file without a problem and says what it left out."""

import tomllib
from collections.abc import Sequence
from typing import Any

import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from preprocessing.drafting.domain_file import draft_domain, rounded_range
from preprocessing.drafting.draft import NoDraft, Wishes
from preprocessing.reading.files import read_table
from preprocessing.reading.raw_table import RawTable
from preprocessing.schema import DomainSchema, load_domains, read_schema
from preprocessing.synthetic import generate
from preprocessing.validation.validate import validate_table
from tests.preprocessing.grade_books import Book, grade_books
from tests.preprocessing.making import SECRET, as_csv, table, uci


def drafted(raw: RawTable, name: str = "my school", **wishes: Any) -> str:
    """The drafted domain file."""
    return draft_domain(raw, name=name, wishes=Wishes(**wishes))[0]


def draft(raw: RawTable, **wishes: Any) -> DomainSchema:
    """The drafted schema, after it has read its own file."""
    schema = read_schema(drafted(raw, **wishes))
    validated = validate_table(raw, schema, secret=SECRET)
    assert validated.problems == ()
    assert validated.frame.height == raw.frame.height
    return schema


def test_the_published_school_file_gives_the_shipped_schema_in_all_that_matters() -> None:
    schema, shipped = draft(uci("por")), load_domains()["school"]
    assert schema.moments == shipped.moments
    assert [feature.name for feature in schema.features] == [feature.name for feature in shipped.features]
    assert [feature.kind for feature in schema.features] == [feature.kind for feature in shipped.features]
    assert [feature.levels for feature in schema.features] == [feature.levels for feature in shipped.features]
    assert [feature.known_at for feature in schema.features if feature.known_at] == ["G1", "G2"]
    assert [feature.name for feature in schema.features if feature.protected] == ["sex"]
    [target] = schema.targets
    assert (target.name, target.minimum, target.maximum, target.integer) == ("G3", 0, 20, True)
    assert target.naive == ("G2", "G1")


@pytest.mark.parametrize("name", sorted(load_domains()))
def test_data_of_every_shipped_domain_gives_a_draft_with_its_targets(name: str) -> None:
    shipped = load_domains()[name]
    wishes = {"target": shipped.targets[0].name} if shipped.panel else {}  # any of so many columns might be it
    schema = draft(read_table(as_csv(generate(shipped, rows=200, seed=5))), **wishes)
    assert {target.name for target in schema.targets} == set(shipped.target_by_name)
    assert schema.student is not None
    assert shipped.student is not None
    assert schema.student.name == shipped.student.name


def test_columns_that_identify_people_are_left_out_and_named() -> None:
    raw = table("Name,mail,hours,score\nx,a@b.org,1,2\ny,c@d.org,2,3\n")
    text = drafted(raw)
    assert "# Left out: column \"Name\": identifies people: it is called 'Name'" in text
    assert "a@b.org" not in text
    assert [feature.name for feature in read_schema(text).features] == ["hours"]


def test_keys_constants_empties_and_free_text_are_left_out_with_the_reason() -> None:
    rows = "".join(f"k {i % 40}.,one,,note {i},{i % 7},{i}\n" for i in range(50))
    text = drafted(table("code,same,empty,note,hours,score\n" + rows))
    assert '# Left out: column "code": nearly every value is another one: a key or free text' in text
    assert '# Left out: column "same": it holds one value only' in text
    assert '# Left out: column "empty": it is empty' in text
    assert "note 7" not in text


def test_the_student_key_is_a_role_and_a_repeating_one_is_left_out() -> None:
    assert draft(table("student_id,hours,score\n1,1,2\n2,2,3\n")).student is not None
    text = drafted(table("student_id,hours,score\n1,1,2\n1,2,3\n"))
    assert "a student key that repeats" in text
    assert read_schema(text).student is None


def test_gaps_make_a_column_optional_unless_it_is_only_not_yet_known() -> None:
    schema = draft(table("hours,a,M1,M2,M3\n1,x,1,2,3\n2,x,1,3,4\n,y,2,,\n3,x,,,\n"), target="M3")
    assert schema.moments == ("start", "M1", "M2")
    assert [feature.name for feature in schema.features if feature.optional] == ["hours"]


def test_a_target_of_letters_is_ordered_worst_first() -> None:
    [target] = draft(table("hours,grade\n1,A\n2,B+\n3,B\n4,C-\n5,F\n"), target="grade").targets
    assert (target.kind, target.levels) == ("ordered_class", ("F", "C-", "B", "B+", "A"))


def test_decimal_commas_and_a_wrong_target_are_understood() -> None:
    assert draft(table("hours;score\n1,5;2\n2,5;3\n")).features[0].maximum == 3
    with pytest.raises(NoDraft, match="'scor' is no column; the file has 'score'"):
        drafted(table("hours,score\n1,2\n2,3\n"), target="scor")
    with pytest.raises(NoDraft, match="there is no column to predict 'score' from"):
        drafted(table("score\n1\n2\n"))
    with pytest.raises(NoDraft, match="no column is surely the outcome"):
        drafted(table("a,b\nx,y\nz,x\n"))


@given(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9))
def test_a_rounded_range_holds_what_was_seen_and_not_much_more(one: float, other: float) -> None:
    low, high = min(one, other), max(one, other)
    assume(high - low > 1e-6)
    start, end = rounded_range(low, high)
    assert start <= low
    assert high <= end
    assert (start, end) == (0, 100) or end - start <= 4.001 * (high - low)


def test_what_looks_like_percent_admits_next_years_students() -> None:
    assert rounded_range(71.5, 100) == (0, 100)
    assert rounded_range(22, 97) == (0, 100)
    assert rounded_range(15, 22) == (15, 22)


def test_a_column_of_three_classes_is_a_feature_and_no_group() -> None:
    rows = "".join(f"p{i},{'abc'[i % 3]},{i % 50},{i % 41}\n" for i in range(120))
    schema = read_schema(drafted(table("pupil,class,test,final\n" + rows)))
    assert schema.student is not None
    assert schema.student.name == "pupil"
    assert schema.group == ()
    assert "class" in schema.feature_by_name


CELL = st.text(st.characters(codec="utf-8", exclude_characters='"\r\n\0'), max_size=6) | st.integers(-5, 5).map(str)


@settings(max_examples=200, deadline=None)
@given(
    header=st.lists(
        st.sampled_from(
            ["G1", "G2", "a b", "é", "x\x7f", "student_id", "term", "class", "e-mail", "address", "_row", "#"]
        ),
        min_size=1,
        max_size=6,
        unique=True,
    ),
    data=st.data(),
)
def test_whatever_the_file_a_draft_reads_it_or_says_why_there_is_none(header: list[str], data: st.DataObject) -> None:
    height = data.draw(st.integers(1, 8))
    columns = {name: data.draw(st.lists(CELL, min_size=height, max_size=height)) for name in header}
    columns["score"] = data.draw(st.lists(st.integers(0, 9).map(str), min_size=height, max_size=height))
    raw = RawTable(pl.DataFrame(columns), "odd.csv", is_text=True, first_row=2)
    try:
        text = drafted(raw, 'odd "name"\n')
    except NoDraft:
        return
    schema = read_schema(text)
    declared = {column.name for column in schema.columns}
    assert declared <= set(raw.frame.columns)
    assert validate_table(raw, schema, secret=SECRET).problems == ()


# What is found -------------------------------------------------------------------------------------------------------


def faults_of(book: Book) -> list[str]:
    """What a draft has wrong; nothing where it asks."""
    try:
        text, findings = draft_domain(read_table(book.text.encode(), name=book.name), name="book")
    except NoDraft:
        return []
    domain = tomllib.loads(text)
    features = {feature["name"] for feature in domain["features"]}
    numbers = {feature["name"] for feature in domain["features"] if feature["kind"] == "numeric"}
    found = (domain.get("student", {}).get("name"), domain.get("period"), domain["targets"][0]["name"], numbers)
    wanted = (book.key, book.period, book.target, set(book.numbers))
    faults = [f"{book.name}: {one!r}, not {other!r}" for one, other in zip(found, wanted, strict=True) if one != other]
    faults += [f"{book.name}: {name!r} is an input" for name in features & book.never]
    return faults + [f"{book.name}: {said}" for said in findings if "does not take" in said]


def test_grade_books_of_eight_programs_in_ten_languages_are_drafted_right() -> None:
    books = list(grade_books())
    assert len(books) == 80
    assert [fault for book in books for fault in faults_of(book)] == []


@pytest.mark.parametrize(
    "header",
    ["SID", "person_number", "SIS User ID", "OrgDefinedId", "Roll No.", "Reg No", "Adm No", "NetID", "No", "zz"],
)
def test_a_unique_opaque_column_is_the_key_whatever_its_name(header: str) -> None:
    rows = "".join(f"{50_000_000 + 7_919 * i},{i % 9},{i % 41}\n" for i in range(60))
    schema = draft(table(f"{header},hours,final mark\n" + rows))
    assert schema.student is not None
    assert schema.student.name == header
    assert list(schema.feature_by_name) == ["hours"]


@pytest.mark.parametrize("header", ["No", "#", "S.No", "", "lfd. Nr.", "index", "zz"])
def test_a_running_row_number_is_neither_key_nor_input(header: str) -> None:
    rows = "".join(f"{i + 1},{i % 9},{i % 41}\n" for i in range(60))
    schema = draft(table(f"{header},hours,final mark\n" + rows))
    assert schema.student is None
    assert list(schema.feature_by_name) == ["hours"]


def test_odd_cells_of_numbers_are_named_and_become_words_for_missing() -> None:
    cells = ["AB", "disp.", *(f"{i % 20},5" for i in range(58))]
    text, findings = draft_domain(
        table("key;test;final\n" + "".join(f"k{i:03d};{cell};{i % 17}\n" for i, cell in enumerate(cells))), name="x"
    )
    assert tomllib.loads(text)["features"][0]["missing"] == ["AB", "disp."]
    assert "2 cells of 'test' are no numbers: AB ×1, disp. ×1; written as missing = …, check that" in findings
    cells[:6] = ["see note"] * 6
    text, findings = draft_domain(
        table("key;test;h;final\n" + "".join(f"k{i:03d};{cell};{i % 5};{i % 17}\n" for i, cell in enumerate(cells))),
        name="x",
    )
    assert [feature["name"] for feature in tomllib.loads(text)["features"]] == ["h"]
    assert any("6 of 60 cells are no numbers (see note ×6)" in said for said in findings)


def test_units_are_said_and_accepted() -> None:
    rows = "".join(f"{40 + i} %;{i % 20},5/20;1 {100 + i};{i % 17}\n" for i in range(40))
    schema = draft(table("presence;test;pages;final\n" + rows))
    accepts = [feature.accepts for feature in schema.features]
    assert accepts == [("%",), ("/20", ","), ("1 000",)]
    assert [feature.maximum for feature in schema.features] == [100, 20, 1140]


def test_cells_that_may_mean_two_things_are_settled_by_the_file_or_left_out() -> None:
    rows = "".join(f"k{i:03d};{f'{40 + i}%' if i % 2 else f'0.{40 + i}'};{i % 9};{i % 17}\n" for i in range(40))
    text, findings = draft_domain(table("key;presence;hours;final\n" + rows), name="x")
    assert [feature["name"] for feature in tomllib.loads(text)["features"]] == ["hours"]
    assert any("some of its cells are percent (85%), others shares (0.85)" in said for said in findings)
    rows = "".join(f"k{i:03d};{i % 11}/{20 if i % 2 else 10};{i % 9};{i % 17}\n" for i in range(40))
    _, findings = draft_domain(table("key;test;hours;final\n" + rows), name="x")
    assert any("its marks are out of /10 and /20: bring them to one scale" in said for said in findings)
    rows = "".join(f"2.0{i % 9}E+08;{i % 9};{i % 17}\n" for i in range(40))
    _, findings = draft_domain(table("Student ID;hours;final\n" + rows), name="x")
    assert any("keys such as 2.00E+08: a spreadsheet has rounded it" in said for said in findings)
    rows = "".join(f"k{i:03d};{f'1.{200 + i}' if i % 2 else 300 + i};{i % 17},5\n" for i in range(40))
    [minutes] = draft(table("key;minutes;final\n" + rows)).features
    assert (minutes.accepts, minutes.maximum, minutes.integer) == (("1.000",), 2000, True)


@pytest.mark.parametrize(
    "marks",
    [
        "Note 1. Hj;Note 2. Hj",
        "Note 1er trimestre;Note 2e trimestre",
        "1st term mark;2nd term mark",
        "Nota 1º;Nota 2do",
    ],
)
def test_marks_on_one_scale_have_one_range_and_stand_for_each_other(marks: str) -> None:
    rows = "".join(f"k{i:03d};{1 + i // 2 % 5};{1 + i // 3 % 5};{1 + i % 5},5\n" for i in range(60))
    schema = draft(table(f"key;{marks};Jahresnote\n" + rows))
    assert {(one.minimum, one.maximum) for one in (*schema.features, *schema.targets)} == {(0, 6)}
    assert schema.targets[0].naive == tuple(reversed(marks.split(";")))
    assert schema.moments[-2:] == tuple(marks.split(";"))


def test_an_exam_called_final_beside_a_later_mark_is_asked_about() -> None:
    rows = "".join(f"k{i:03d},{i % 19},{i % 13},{i % 11}\n" for i in range(60))
    with pytest.raises(NoDraft, match="'Final' or 'Grade' may as well be the outcome"):
        draft(table("key,Midterm,Final,Grade\n" + rows))


def test_seasons_are_the_period_in_their_order() -> None:
    terms = ["Fall 2024", "Spring 2024", "Fall 2023", "Spring 2025"]
    rows = "".join(f"{900_000 + i // 4},{terms[i % 4]},{i % 9},{i % 41}\n" for i in range(80))
    schema = draft(table("SID,When,hours,score\n" + rows))
    assert (schema.period, schema.student and schema.student.name) == ("When", "SID")
    assert schema.period_order == ("Fall 2023", "Spring 2024", "Fall 2024", "Spring 2025")


def test_a_key_may_take_two_columns_beside_it() -> None:
    rows = "".join(f"{900_000 + i // 4},{'ab'[i % 2]},2013{'BJ'[i // 2 % 2]},{i % 9},{i % 41}\n" for i in range(80))
    schema = draft(table("id_student,module,presentation,hours,score\n" + rows))
    assert schema.student is not None
    assert (schema.student.name, schema.period, schema.group) == ("id_student", "presentation", ("module",))


def test_a_key_is_a_pair_where_students_sit_in_several_courses() -> None:
    rows = "".join(f"{900_000 + i // 2},{'ab'[i % 2]},{i % 9},{i % 41}\n" for i in range(80))
    schema = draft(table("SID,subject,hours,score\n" + rows))
    assert (schema.student and schema.student.name, schema.group) == ("SID", ("subject",))


def layout(header: str, *columns: Sequence[object]) -> RawTable:
    """A table of these columns, each repeated to sixty rows."""
    rows = [[cell[i % len(cell)] for cell in columns] for i in range(60)]
    return table(header + "\n" + "".join(",".join(map(str, row)) + "\n" for row in rows))


NUMBERS, OTHERS, MORE = [(i * 37) % 61 for i in range(60)], [(i * 23) % 59 for i in range(60)], list(range(53))


@pytest.mark.parametrize(
    ("raw", "target"),
    [
        (layout("Grade,Math,Science", [9, 10, 11, 12], NUMBERS, OTHERS), None),
        (layout("GradeID,Topic,raisedhands,Discussion", ["G-01", "G-02"], ["IT", "Math"], NUMBERS, OTHERS), None),
        (layout("10th Marks,12th Marks,CGPA", NUMBERS, OTHERS, MORE), None),
        (layout("Hours Studied,Previous Scores,Performance Index", NUMBERS, OTHERS, MORE), None),
        (layout("Hours_Studied,Previous_Scores,Exam_Score", NUMBERS, OTHERS, MORE), "Exam_Score"),
        (layout("Attendance %,Midterm,Final Exam,Grade", NUMBERS, OTHERS, MORE, [1.0, 1.3, 2.7]), None),
        (layout("N1,N2,Média", [1, 5, 7], [2, 9], [1.5, 7.0, 4.5, 5.0, 4.5, 8.0]), "Média"),
        (layout("Semester 1 GPA,Semester 2 GPA,age", NUMBERS, OTHERS, MORE), "Semester 2 GPA"),
        (layout("region,credits,final_result", ["a", "b"], NUMBERS, ["Pass", "Fail", "Withdrawn"]), "final_result"),
    ],
)
def test_other_peoples_layouts_are_drafted_right_or_asked_about(raw: RawTable, target: str | None) -> None:
    if target is None:
        with pytest.raises(NoDraft, match="--target"):
            draft(raw)
    else:
        assert draft(raw).targets[0].name == target


def test_time_does_not_run_backwards() -> None:
    rows = "".join(f"k{i:03d},{i % 19},{i % 13},{i % 7}\n" for i in range(40))
    raw = table("key,Test 1,Test 2,Test 3\n" + rows)
    assert [t.name for t in draft(raw).targets] == ["Test 3"]
    assert list(draft(raw, target="Test 2").feature_by_name) == ["Test 1"]
    raw = table("key,Vorjahresnote,Endnote,Fehltage\n" + rows)
    assert [t.name for t in draft(raw).targets] == ["Endnote"]
    with pytest.raises(NoDraft, match="no column is surely the outcome"):
        draft(table("key,Vorjahresnote,x,Fehltage\n" + rows))


def test_where_several_columns_may_be_the_outcome_nobody_guesses() -> None:
    rows = "".join(f"{i % 19},{i % 13},{i % 7}\n" for i in range(40))
    raw = table("math score,reading score,writing score\n" + rows)
    with pytest.raises(NoDraft, match="'math score' or 'reading score' or 'writing score' may as well be the outcome"):
        draft(raw)
    assert list(draft(raw, target="writing score").feature_by_name) == ["math score", "reading score"]


def test_the_outcome_in_other_clothes_is_no_input() -> None:
    marks = [(i * 37) % 101 for i in range(60)]
    rows = "".join(f"{i % 9},{m},{m / 5},{'FDCBA'[min(4, m // 20)]},{m // 50}\n" for i, m in enumerate(marks))
    schema = draft(table("hours,final mark,final points,final grade,passed\n" + rows), target="final mark")
    assert [target.name for target in schema.targets] == ["final mark", "final grade"]
    assert schema.targets[1].levels == ("F", "D", "C", "B", "A")
    assert "final points" not in schema.feature_by_name


def test_what_a_total_is_made_of_is_known_one_after_the_other() -> None:
    rows = "".join(f"k{i:03d},{i % 19},{i % 13},{i % 7},{i % 19 + i % 13 + i % 7}\n" for i in range(60))
    text, findings = draft_domain(table("key,essay,lab,exam,total\n" + rows), name="x")
    assert read_schema(text).moments == ("essay", "lab", "exam")
    assert any(
        said.startswith("predicts 'total' (called final; put together from essay, lab, exam)") for said in findings
    )


def test_what_the_user_says_counts() -> None:
    rows = "".join(f"{i % 19},{i % 4},{i % 13},{i % 7}\n" for i in range(40))
    raw = table("a,b,c,d\n" + rows)
    schema = draft(raw, target="d", period="b", student="-", group=("-",))
    assert (schema.period, schema.student, schema.group) == ("b", None, ())
    with pytest.raises(NoDraft, match="'e' is no column"):
        draft(raw, target="d", student="e")

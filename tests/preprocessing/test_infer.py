"""A draft of a domain from any file: it reads that file without a problem and says what it left out."""

import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from preprocessing.infer import NoDraft, infer_schema, rounded_range
from preprocessing.reading.files import read_table
from preprocessing.reading.raw_table import RawTable
from preprocessing.schema import DomainSchema, load_domains, read_schema
from preprocessing.synthetic import generate
from preprocessing.validation.validate import validate_table
from tests.preprocessing.making import SECRET, as_csv, table, uci


def draft(raw: RawTable, target: str | None = None) -> DomainSchema:
    """The drafted schema, after it has read its own file."""
    schema = read_schema(infer_schema(raw, name="my school", target=target))
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
    schema = draft(read_table(as_csv(generate(shipped, rows=200, seed=5))))
    assert {target.name for target in schema.targets} == set(shipped.target_by_name)
    assert schema.student is not None
    assert shipped.student is not None
    assert schema.student.name == shipped.student.name


def test_columns_that_identify_people_are_left_out_and_named() -> None:
    raw = table("Name,mail,hours,score\nx,a@b.org,1,2\ny,c@d.org,2,3\n")
    text = infer_schema(raw, name="small")
    assert "# Left out: column \"Name\": identifies people: it is called 'Name'" in text
    assert "a@b.org" not in text
    assert [feature.name for feature in read_schema(text).features] == ["hours"]


def test_keys_constants_empties_and_free_text_are_left_out_with_the_reason() -> None:
    rows = "".join(f"k{i:03d},one,,note {i},{i % 7},{i}\n" for i in range(50))
    text = infer_schema(table("code,same,empty,note,hours,score\n" + rows), name="small")
    assert '# Left out: column "code": nearly every value is another one: a key or free text' in text
    assert '# Left out: column "same": it holds one value only' in text
    assert '# Left out: column "empty": it is empty' in text
    assert "note 7" not in text


def test_the_student_key_is_a_role_and_a_repeating_one_is_left_out() -> None:
    assert draft(table("student_id,hours,score\n1,1,2\n2,2,3\n")).student is not None
    text = infer_schema(table("student_id,hours,score\n1,1,2\n1,2,3\n"), name="small")
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
    with pytest.raises(NoDraft, match="target 'scor' is no column; the file has 'score'"):
        infer_schema(table("hours,score\n1,2\n2,3\n"), name="x", target="scor")
    with pytest.raises(NoDraft, match="there is no column to predict 'score' from"):
        infer_schema(table("score\n1\n2\n"), name="x")
    with pytest.raises(NoDraft, match="there is no column of numbers to predict"):
        infer_schema(table("a,b\nx,y\nz,x\n"), name="x")


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
    schema = read_schema(infer_schema(table("pupil,class,test,final\n" + rows), name="x"))
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
        text = infer_schema(raw, name='odd "name"\n')
    except NoDraft:
        return
    schema = read_schema(text)
    declared = {column.name for column in schema.columns}
    kept = RawTable(raw.frame.select(name for name in raw.frame.columns if name in declared), "", True, 2)
    assert validate_table(kept, schema, secret=SECRET).problems == ()

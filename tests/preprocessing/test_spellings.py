"""How files may write what a domain declares: units, missing words, other names of levels, periods."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preprocessing.schema import SchemaError, read_schema
from preprocessing.validation.results import Validated
from preprocessing.validation.validate import validate_table
from tests.preprocessing.making import SECRET, table

PLAIN = """
name = "x"
title = "x"
moments = ["start", "mark"]
{top}
[student]
name = "key"
[[context]]
name = "term"
[[features]]
name = "mark"
kind = "numeric"
minimum = 0
maximum = 5000
optional = true
{number}
[[features]]
name = "sex"
kind = "categorical"
levels = ["F", "M"]
optional = true
{level}
[[features]]
name = "subject"
kind = "categorical"
levels = ["Algebra"]
open = true
optional = true
[[targets]]
name = "y"
"""


def read(cells: str, *, number: str = "", level: str = "", top: str = "") -> Validated:
    schema = read_schema(PLAIN.format(number=number, level=level, top=top))
    return validate_table(table(cells), schema, secret=SECRET)


@pytest.mark.parametrize(
    ("accepts", "cells", "expected"),
    [
        (["%"], ["80.2%", "88 %", " 7% ", "5"], [80.2, 88, 7, 5]),
        (["%"], ["80,2%", "88 %"], [80.2, 88]),
        (["/20"], ["12,5/20", "7 / 20", "3"], [12.5, 7, 3]),
        ([","], ["12,5", "1.5", "1,234"], [12.5, 1.5, 1.234]),
        (["1 000"], ["1 234", "2\u202f345,5", "7"], [1234, 2345.5, 7]),
        (["1,000"], ["1,234", "1,234.5", "12"], [1234, 1234.5, 12]),
        (["1.000", ","], ["1.234", "1.234,5", "12,5", "3"], [1234, 1234.5, 12.5, 3]),
        (["1'000"], ["1'234", "1’234.5"], [1234, 1234.5]),
    ],
)
def test_numbers_are_read_as_the_column_accepts_them(
    accepts: list[str], cells: list[str], expected: list[float]
) -> None:
    found = read("mark;sex\n" + "".join(f"{cell};\n" for cell in cells), number=f"accepts = {accepts}")
    assert found.problems == ()
    assert found.frame["mark"].to_list() == expected


@pytest.mark.parametrize("cell", ["12/10", "12/20/20", "88 %", "x/20", "/20", "1 2/20"])
def test_what_the_column_does_not_accept_is_refused(cell: str) -> None:
    [problem] = read(f"mark;sex\n{cell};\n", number='accepts = ["/20"]').problems
    assert (problem.column, problem.value) == ("mark", cell)
    [problem] = read("mark;sex\n6000 %;\n", number='accepts = ["%"]').problems
    assert problem.rule == "must be a number from 0 to 5000"


def test_shares_among_percent_are_refused_and_percent_among_shares_alone_are_not() -> None:
    found = read("mark;sex\n85%;\n0.85;\n1;\n40 %;\n7;\n", number='accepts = ["%"]')
    assert [problem.row for problem in found.problems] == [3, 4]
    assert all("looks like a share" in problem.rule for problem in found.problems)
    assert read("mark;sex\n0.85;\n0.5%;\n1;\n", number='accepts = ["%"]').problems == ()


@given(st.lists(st.floats(0, 5000).map(lambda x: round(x, 2)), min_size=1, max_size=8))
def test_a_unit_changes_no_number(values: list[float]) -> None:
    found = read("mark;sex\n" + "".join(f"{value} %;\n" for value in values), number='accepts = ["%", "/20"]')
    assert found.frame["mark"].to_list() == values


def test_words_and_numbers_may_stand_for_a_missing_value_but_never_where_they_are_a_level() -> None:
    found = read(
        "mark;sex\n-1;F\n7;abs\n ABS ;M\n99;m\n", number='missing = ["Abs", "-1"]', level='missing = ["Abs", "F"]'
    )
    assert found.problems == ()
    assert found.frame["mark"].to_list() == [None, 7, None, 99]
    assert found.frame["sex"].to_list() == ["F", None, "M", "M"]


def test_other_spellings_of_a_level_are_that_level() -> None:
    aliases = 'level_aliases = { Fille = "F", "jeune  homme" = "M" }'
    found = read("sex;mark\nFILLE;\n fille;\nJeune homme;\nm;\n", level=aliases)
    assert found.frame["sex"].to_list() == ["F", "F", "M", "M"]
    [problem] = read("sex;mark\ngarçon;\n", level=aliases).problems
    assert problem.rule.startswith("must be one of F, M")


def test_the_share_of_unknown_levels_and_the_order_of_periods_are_told() -> None:
    notes = read("subject;mark\nAlgebra;1\nBotany;2\nBotany;3\nAlgebra;4\n").notes
    assert notes == ("column 'subject': levels that the domain does not list in 2 of 4 rows (50%): 'Botany'",)
    cells = "key;term;mark\n1;Spring 2024;1\n2;Fall 2023;2\n3;Fall 2024;3\n"
    [note] = read(cells, top='period = "term"').notes
    assert note.startswith("periods from the oldest on: Fall 2023, Spring 2024, Fall 2024; say period_order")
    [note] = read(cells, top='period = "term"\nperiod_order = ["Fall 2023", "Spring 2024"]').notes
    assert note == "'Fall 2024': not in period_order, taken as newer than all in it"


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"number": 'accepts = ["percent"]'}, "accepts 'percent' is none of"),
        ({"number": 'accepts = [",", "1,000"]'}, "a comma cannot be both decimal"),
        ({"level": 'accepts = ["%"]'}, "spellings of levels are level_aliases"),
        ({"level": 'level_aliases = { Fille = "W" }'}, "'W' is none of its levels"),
        ({"level": 'labels = { W = "girl" }'}, "'W' is none of its levels"),
        ({"number": 'labels = { "one" = "none" }'}, "labels name 'one', and its values are numbers"),
        ({"top": 'period_order = ["1"]'}, "period_order needs a period"),
        ({"top": 'period = "term"\nperiod_order = ["1", "1"]'}, "names a period twice"),
        ({"top": 'moment_titles = { end = "x" }'}, "'end' is none of the moments"),
        ({"top": 'allow = ["adress"]'}, "'adress' is named but no such column is declared"),
    ],
)
def test_spellings_that_cannot_be_meant_are_told(keys: dict[str, str], said: str) -> None:
    with pytest.raises(SchemaError, match=said):
        read_schema(PLAIN.format(**{"number": "", "level": "", "top": ""} | keys))


def test_none_of_it_changes_what_a_row_means() -> None:
    keys = {
        "number": 'accepts = ["%"]\nmissing = ["Abs"]',
        "level": 'level_aliases = { Fille = "F" }\nlabels = { F = "girl" }',
        "top": 'period = "term"\nperiod_order = ["1", "2"]\nallow = ["sex"]\nmoment_titles = { start = "in autumn" }',
    }
    plain = read_schema(PLAIN.format(number="", level="", top='period = "term"'))
    assert read_schema(PLAIN.format(**keys)).fingerprint == plain.fingerprint

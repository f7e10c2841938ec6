"""What is said of a bad file: few lines for many problems, none of them lost in the count."""

from hypothesis import given
from hypothesis import strategies as some

from preprocessing.validation.causes import MOST_CAUSES, causes, tell_causes
from preprocessing.validation.rules import DUPLICATE, Problem

PROBLEMS = some.lists(
    some.builds(
        Problem,
        file=some.just("marks.csv"),
        row=some.none() | some.integers(2, 40),
        column=some.none() | some.sampled_from([f"c{n}" for n in range(9)]),
        value=some.none() | some.sampled_from(["Abs", "disp.", "?"]),
        rule=some.sampled_from(["must be a number", "must be one of F, A", "must be one of F, A; did you mean 'A'?"]),
    ),
    min_size=1,
    max_size=300,
)


@given(PROBLEMS)
def test_every_problem_is_counted_once_in_at_most_twenty_lines(problems: list[Problem]) -> None:
    found = causes(problems)
    assert sum(cause.cells for cause in found) == len(problems)
    assert len({(cause.column, cause.rule) for cause in found}) == len(found)
    assert {row for cause in found for row in cause.rows} == {p.row for p in problems if p.row is not None}
    lines = tell_causes(problems, len(problems))
    assert len(lines) <= MOST_CAUSES
    assert all("\n" not in line for line in lines)


def test_a_cause_names_its_values_by_how_often_they_occur_and_its_first_rows() -> None:
    marks = ["Abs"] * 11 + ["disp."] * 8 + ["?", "n.n.", "x"]
    cells = [
        Problem(file="", row=n, column="Contrôle", value=v, rule="must be a number") for n, v in enumerate(marks, 2)
    ]
    assert tell_causes(cells, 22) == [
        "22 cells of 'Contrôle': must be a number, found 'Abs' ×11, 'disp.' ×8, '?', 'n.n.' and 1 more; "
        "rows 2, 3, 4, 5, 6 …"
    ]
    twice = [Problem(file="", row=n, column=None, value=None, rule=DUPLICATE.format(2, n)) for n in (2, 7)]
    assert tell_causes(twice, 2) == [
        "2 rows: the student, group and period of a row again; a file says each thing once; rows 2, 7"
    ]
    assert tell_causes(cells, 30_000)[-1].endswith("(counted among the first 22 problems of 30,000)")

"""What stands around a table is no part of it, and is named; what belongs to it stays."""

import io

import pytest
import xlsxwriter

from preprocessing.reading.files import read_table
from preprocessing.reading.raw_table import RawTable, UnreadableFile

STUDENTS = [[f"S{number:03d}", number % 10, number % 7, 40 + number] for number in range(30)]
HEADER = ["student_id", "test", "essay", "final"]
Rows = list[list[object]]


def both(rows: Rows) -> list[RawTable]:
    """The rows as a workbook and as a CSV file."""
    out = io.BytesIO()
    with xlsxwriter.Workbook(out) as book:
        sheet = book.add_worksheet("marks")
        for number, row in enumerate(rows):
            sheet.write_row(number, 0, row)
    width = max(map(len, rows))
    lines = (",".join(map(str, [*row, *[""] * (width - len(row))])) + "\n" for row in rows)
    return [read_table(out.getvalue()), read_table("".join(lines).encode())]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([HEADER, *STUDENTS, [], ["Total", 30]], ["row 33 ('Total') sums up others: left out"]),
        (
            [HEADER, *STUDENTS, ["Printed on 1/6"], ["Best", 9, 6, 69]],
            ["row 32 ('Printed on 1/6') is no row of the table: left out", "row 33 ('Best') sums up others: left out"],
        ),
        ([HEADER, ["", "points", "%", "(max 100)"], *STUDENTS], ["row 2 ('points') is no row of the table: left out"]),
        (
            [HEADER, *STUDENTS, [], ["group", "mean", "spread"], ["a", 4.5, 2.1]],
            ["row 33 begins another table: it and the rows below it were not read"],
        ),
        (
            [HEADER, *STUDENTS, [], ["By group"], ["group", "mean", "spread"], ["a", 4.5, 2.1]],
            ["row 33 begins another table: it and the rows below it were not read"],
        ),
        (
            [[*HEADER, "", "grade", "count"], [*STUDENTS[0], "", "A", 3], [*STUDENTS[1], "", "B", 9], *STUDENTS[2:]],
            ["what stands apart behind an empty column ('grade', 'count') is another table: not read"],
        ),
        ([["Marks of June, 2026"], [], HEADER, *STUDENTS], ["the header was found in row 3; above it stands no table"]),
    ],
)  # fmt: skip
def test_what_stands_around_a_table_is_left_out_with_a_word(rows: Rows, said: list[str]) -> None:
    for table in both(rows):
        assert sorted(table.notes) == sorted(said)
        assert table.frame.columns == HEADER
        assert [row for row in table.frame.rows() if any(row)] == [tuple(map(str, row)) for row in STUDENTS]


def test_names_in_two_rows_are_joined_and_a_header_of_numbers_is_none() -> None:
    header = [["student_id", "Exam", "", "Essay"], ["", "Part 1", "Part 2", ""]]
    raw = both([*header, *STUDENTS])[1]
    assert raw.frame.columns == ["student_id", "Exam Part 1", "Exam Part 2", "Essay"]
    assert (raw.notes, raw.frame.drop_nulls().height) == (("the header was read from rows 1 and 2",), 30)
    with pytest.raises(UnreadableFile, match="its first row holds numbers and no names") as refused:
        read_table(b"685343955,4,42\n685343956,5,43\n")
    assert "685343955" not in str(refused.value)
    assert read_table(b'"Student\nnumber",mark\n1,2\n').frame.columns == ["Student number", "mark"]


@pytest.mark.parametrize(
    "rows",
    [
        [HEADER, *STUDENTS, ["Ada", 1, 2, 3], *([[f"X{n}", 1, 2, 3] for n in range(3)])],  # within the table
        [HEADER, *STUDENTS, *([[name, 1, 2, 3] for name in ("Ada", "Bo", "Cy", "Di", "Ed", "Flo", "Gus")])],
        [HEADER, *(row for student in STUDENTS for row in (student, []))],
        [HEADER, *([f"name{'abc'[n % 3]}", *row[1:]] for n, row in enumerate(STUDENTS))],
        [[*HEADER, "", "group"], *([*row, "", "a"] for row in STUDENTS)],
        [["student_id", "test"], *([f"S{n}", "" if n else 3] for n in range(12))],
        [["test", "final"], *([n, n % 7] for n in range(40)), ["absent", 3]],
        [["term", "final"], *([f"2024-{n % 2}", n] for n in range(40)), ["Spring", 3]],
        [HEADER, *STUDENTS, [], ["S900", "absent", "ill", ""]],
        [HEADER, *STUDENTS, ["S800", "absent", 1, 2], [], ["Ada", "absent", "ill", ""], ["S801", 1, 2, 3]],
    ],
)
def test_rows_and_columns_of_the_table_stay(rows: Rows) -> None:
    for table in both(rows):
        assert table.notes == ()
        assert len([row for row in table.frame.rows() if any(row)]) == len([row for row in rows[1:] if row])
        assert table.frame.width >= len(rows[0]) - 1

"""Workbooks as people fill them in: what a cell shows is what is read, and what cannot be taken is named by its row."""

import io
from collections.abc import Callable
from datetime import date
from typing import Any

import polars as pl
import pytest
import xlsxwriter

from preprocessing.reading.files import read_table
from preprocessing.reading.raw_table import RawTable, UnreadableFile
from preprocessing.reading.workbook import header_row

Sheet = Any
Book = Any


def workbook(fill: Callable[[Book, Sheet], object]) -> bytes:
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True})
    fill(book, book.add_worksheet("marks"))
    book.close()
    return out.getvalue()


def write(sheet: Sheet, rows: list[list[Any]], top: int = 0, left: int = 0) -> None:
    for number, row in enumerate(rows, top):
        sheet.write_row(number, left, row)


def read(fill: Callable[[Book, Sheet], object], sheet: str = "") -> RawTable:
    return read_table(workbook(fill), name="marks.xlsx", sheet=sheet)


@pytest.mark.parametrize(
    ("code", "number", "shown"),
    [
        ("0%", 0.875, "87.5%"),
        ("0.00%", 0.8, "80%"),
        ('0.0" %"', 80.2, "80.2"),
        ("000000", 12, "000012"),
        ("00", 123, "123"),
        ("0.00", 3.14159, "3.14159"),
        ("#,##0", 1234, "1234"),
        ('[Red]0%;"none"', 0.5, "50%"),
    ],
)
def test_a_number_is_read_as_its_format_shows_it_where_that_changes_what_it_says(
    code: str, number: float, shown: str
) -> None:
    def fill(book: Book, sheet: Sheet) -> None:
        sheet.write_row(3, 2, ["key", "mark"])
        sheet.write_row(4, 2, ["S1", "x"])
        sheet.write(4, 3, number, book.add_format({"num_format": code}))

    assert read(fill).frame.row(0) == ("S1", shown)


def test_dates_errors_and_formulas_without_results_are_faults_of_their_cells() -> None:
    def fill(book: Book, sheet: Sheet) -> None:
        write(sheet, [["key", "term", "a", "b", "c"], ["S1", "x", 1, 2, 3], ["S2", "2026-1", 1, 2, 3]])
        sheet.write_datetime(1, 1, date(2026, 1, 1), book.add_format({"num_format": "yyyy-mm"}))
        sheet.write_formula(1, 2, "=1/0", None, "#DIV/0!")
        sheet.write_formula(1, 3, "=SUM(A1)", None, "")
        sheet.write_formula(1, 4, "=1+1", None, 2)

    table = read(fill)
    found = {fault.column: (fault.row, fault.value, fault.rule.split(";")[0]) for fault in table.faults}
    assert found["term"] == (2, "2026-01-01", "a date in the workbook, not what was typed")
    assert found["a"] == (2, "#DIV/0!", "the error of a formula")
    assert table.frame["c"].to_list() == ["2", "3"]
    assert {"term", "a"} <= found.keys() <= {"term", "a", "b"}


def test_the_first_visible_sheet_is_read_and_another_can_be_named() -> None:
    def fill(book: Book, first: Sheet) -> None:
        write(first, [["level"], ["A"]])
        second, third = book.add_worksheet("term 1"), book.add_worksheet("term 2")
        write(second, [["key", "mark"], ["S1", 3]])
        write(third, [["key", "mark"], ["S2", 4]])
        second.activate()
        first.hide()

    table = read(fill)
    assert table.frame["key"].to_list() == ["S1"]
    assert table.notes == ("sheet 'term 1' was read, of 3",)
    assert read(fill, "Term 2").frame["key"].to_list() == read(fill, "3").frame["key"].to_list() == ["S2"]
    assert "hidden" in read(fill, "marks").notes[0]
    with pytest.raises(UnreadableFile, match=r"there is no sheet 'term 9'; it has 'marks', 'term 1', 'term 2'"):
        read(fill, "term 9")
    with pytest.raises(UnreadableFile, match="it has no sheets"):
        read_table(b"a,b\n1,2\n", sheet="1")


def test_a_sheet_without_rows_names_those_beside_it() -> None:
    def fill(book: Book, first: Sheet) -> None:
        write(first, [["about"]])
        write(book.add_worksheet("term 1"), [["key", "mark"], ["S1", 3]])

    with pytest.raises(UnreadableFile, match=r"sheet 'marks' \(choose another as sheet: 'term 1'\) has a header"):
        read(fill)


def test_hidden_rows_are_read_and_told() -> None:
    def fill(_: Book, sheet: Sheet) -> None:
        write(sheet, [["key", "mark"], ["S1", 1], ["S2", 2]])
        sheet.set_row(1, None, None, {"hidden": True})

    table = read(fill)
    assert (table.frame.height, table.notes) == (
        2,
        ("1 of its rows are hidden (by a filter?): they were read all the same",),
    )


def test_titles_above_the_header_are_passed_over_and_rows_keep_their_numbers() -> None:
    def fill(_: Book, sheet: Sheet) -> None:
        write(sheet, [["Department of Computing"], ["Term:", "2026-1"], [], ["key", "term", "a", "b"]])
        write(sheet, [["S1", "2026-1", 1, 2]], top=4)

    table = read(fill)
    assert (table.frame.columns, table.first_row) == (["key", "term", "a", "b"], 5)
    assert table.notes == ("the header was found in row 4; above it stands no table",)


def test_a_header_of_two_rows_whose_cells_are_merged_is_joined() -> None:
    def fill(_: Book, sheet: Sheet) -> None:
        sheet.merge_range("A1:A2", "key")
        sheet.merge_range("B1:C1", "Exam")
        write(sheet, [["Part 1", "Part 2"]], top=1, left=1)
        write(sheet, [["S1", 3, 4]], top=2)

    table = read(fill)
    assert (table.frame.columns, table.first_row) == (["key", "Exam Part 1", "Exam Part 2"], 3)


def test_cells_merged_down_give_each_row_their_value_and_cells_merged_across_are_faults() -> None:
    def fill(_: Book, sheet: Sheet) -> None:
        write(sheet, [["key", "term", "a", "b"], ["S1", "", 1, 2], ["S2", "", 1, 2], ["S3", "2026-2", "", ""]])
        sheet.merge_range("B2:B3", "2026-1")
        sheet.merge_range("C4:D4", 7)

    table = read(fill)
    assert table.frame["term"].to_list() == ["2026-1", "2026-1", "2026-2"]
    assert [(fault.row, fault.column) for fault in table.faults] == [(4, "b")]
    assert "filled down" in table.notes[-1]


@pytest.mark.parametrize(
    "row",
    [
        ["    Points Possible", "", 100, 100],
        ["Average", "2026-1", 50.5, 60],
        ["TOTAL", "", 1010, 1200],
        ["Durchschnitt:", "", "2,3", "3,1"],
        ["Moyenne de la classe", "", "12,4", "11"],
        ["Promedio", "", 5, 6],
    ],
)
def test_rows_that_sum_up_others_are_left_out_with_a_word(row: list[Any]) -> None:
    people = [[f"S{number}", "2026-1", number, 2] for number in range(20)]

    def fill(_: Book, sheet: Sheet) -> None:
        write(sheet, [["student", "term", "a", "b"], row, *people])

    text = "\n".join(",".join(f'"{cell}"' for cell in line) for line in [["student", "term", "a", "b"], row, *people])
    for table in (read(fill), read_table(text.encode())):
        assert table.frame["student"].to_list()[0] in (None, "")
        assert table.frame["student"].drop_nulls().len() == 20
        assert table.notes == (f"row 2 ({str(row[0]).strip()!r}) sums up others: left out",)


def test_levels_that_are_called_like_summaries_stay() -> None:
    rows = [[level, "x", 1, 2] for level in ("total", "mean", "S", "T") * 5]
    frame = pl.DataFrame(rows, schema=["kind", "b", "c", "d"], orient="row")
    assert read_table(frame.write_csv().encode()).notes == ()


@pytest.mark.parametrize(
    ("rows", "top"),
    [([["a"], ["1"]], 0), ([["Title"], ["a", "b"], ["1", "2"]], 1), ([[""], [""]], None), ([["a", "b"], ["1", ""]], 0)],
)
def test_the_header_is_the_first_row_that_is_as_full_as_the_table(rows: list[list[str]], top: int | None) -> None:
    assert header_row(rows) == top

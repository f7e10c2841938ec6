"""A cohort report as tables: CSV for programs and spreadsheets, and an Excel workbook with all that the page says.

Numbers are rounded as they are read; no cell is taken for a formula.
"""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from database.records import Answer
from model.readable import rounded_value
from preprocessing.schema import Target
from reports.figures import change_of, picture_of, ranked
from reports.records import CohortReport, ReportedStudent
from reports.sentences import (
    about_words,
    change_words,
    class_words,
    completeness_words,
    edition_words,
    health_words,
    limits,
    model_words,
    silence_words,
    student_change_words,
)

if TYPE_CHECKING:
    from model.answer_files import Dialect

TableCell = str | float | int | None
CHANCE_DECIMALS = 3
FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")
"""With which a text begins that spreadsheets take for a formula when they open a CSV."""


class Sheet(NamedTuple):
    """A table. widths: of its columns, in characters."""

    name: str
    heads: Sequence[str]
    rows: Sequence[Sequence[TableCell]]
    widths: Sequence[int] = ()


Named = Mapping[str, str]
"""Pseudonym to the institution's own key, as a class list that is shown has it."""

NO_CLASS_LIST: Named = {}


def students_sheet(report: CohortReport, keys: Named = NO_CLASS_LIST) -> Sheet:
    """A row of each student, those first who are likeliest to end below the pass mark. keys: a column with these stands
    before the pseudonyms, where there are any."""
    columns = (
        _student_columns(report) if not keys else {"key": lambda one: keys.get(one.student), **_student_columns(report)}
    )
    rows = [[cell(one) for cell in columns.values()] for one in ranked(report)]
    return Sheet("students", tuple(columns), rows)


def _student_columns(report: CohortReport) -> dict[str, Callable[[ReportedStudent], TableCell]]:
    target = report.target
    columns: dict[str, Callable[[ReportedStudent], TableCell]] = {"student": lambda one: one.student}
    for each in report.targets:
        columns |= _target_columns(each)
    return columns | {
        "reasons": lambda one: "; ".join(reason.words for reason in one.reasons),
        "weak": lambda one: "; ".join(one.advice.weak) if one.advice else None,
        "study_plan": lambda one: "; ".join(step.title for step in one.advice.steps) if one.advice else None,
        "change": lambda one: _number(change_of(one, target), target),
        "change_why": lambda one: student_change_words(one, report),
        "remark": lambda one: silence_words(one, report),
        "moment": lambda one: one.moment,
        "row_from": lambda one: f"{one.row_at:%Y-%m-%d}",
        "prediction_id": lambda one: one.prediction,
    }


def _target_columns(target: Target) -> dict[str, Callable[[ReportedStudent], TableCell]]:
    """What is said about one target."""
    name = target.name

    def of(told: Callable[[Answer], TableCell]) -> Callable[[ReportedStudent], TableCell]:
        return lambda one: told(answer) if (answer := one.answer(name)) else None

    columns = {name: of(lambda answer: _value(answer.value, target))}
    if target.kind == "value":
        columns[f"{name}_low"] = of(lambda answer: answer.interval and _number(answer.interval[0], target))
        columns[f"{name}_high"] = of(lambda answer: answer.interval and _number(answer.interval[1], target))
    for level in target.levels:
        columns[f"{name}_p_{level}"] = of(lambda answer, level=level: _share((answer.probabilities or {}).get(level)))  # type: ignore[misc]
    if target.pass_mark is not None:
        columns[f"{name}_below_pass"] = of(lambda answer: _share(answer.below_pass))
    return columns


def _value(value: float | str | None, target: Target) -> TableCell:
    return value if value is None or isinstance(value, str) else rounded_value(value, target)


def _number(value: float | None, target: Target) -> float | None:
    return None if value is None else rounded_value(value, target, answered=False)


def _share(value: float | None) -> float | None:
    return None if value is None else round(value, CHANCE_DECIMALS)


def csv_of(report: CohortReport, keys: Named = NO_CLASS_LIST, dialect: "Dialect | None" = None) -> bytes:
    """The students as CSV, a row each. dialect: with commas and points, where none is given."""
    sheet, text = students_sheet(report, keys), io.StringIO(newline="")
    comma = dialect is not None and dialect.comma
    writer = csv.writer(text, delimiter=dialect.separator if dialect else ",", lineterminator="\n")
    writer.writerow(sheet.heads)
    writer.writerows([[_written(cell, comma=comma) for cell in row] for row in sheet.rows])
    return (b"\xef\xbb\xbf" if comma else b"") + text.getvalue().encode()


def _written(cell: TableCell, *, comma: bool) -> str:
    if cell is None:
        return ""
    if isinstance(cell, str):
        return f"'{cell}" if cell.startswith(FORMULA_SIGNS) else cell
    return str(cell).replace(".", ",") if comma else str(cell)


def sheets_of(report: CohortReport, keys: Named = NO_CLASS_LIST) -> list[Sheet]:
    """All that a report says: the students, the class, and what it is about."""
    bands = [(band.label, band.students, _failing(band.fails)) for band in picture_of(report).bands]
    return [
        students_sheet(report, keys),
        Sheet("class", ("predicted", "students", "pass mark"), bands, (24, 10, 12)),
        Sheet("about", ("about", "words"), list(_about(report)), (24, 120)),
    ]


def _failing(fails: bool | None) -> str:
    return "" if fails is None else "below" if fails else "reached"


def _about(report: CohortReport) -> list[tuple[str, str]]:
    """What else a report says, by its chapters."""
    head = f"{report.title}: {report.group}, {report.period}. {about_words(report)}"
    parts: list[tuple[str, Sequence[str]]] = [
        ("report", [head, *filter(None, [edition_words(report)]), *report.notes]),
        ("the class", class_words(report)),
        ("what changed", change_words(report)),
        ("completeness", completeness_words(report)),
        ("the model", [words for one in report.models for words in model_words(one, report)]),
        ("how it turned out", health_words(report)),
        ("what it is not for", limits()),
    ]
    return [(name, words) for name, sentences in parts for words in sentences]


def workbook_of(report: CohortReport, keys: Named = NO_CLASS_LIST) -> bytes:
    """The report as an Excel workbook."""
    import xlsxwriter  # type: ignore[import-untyped]

    target = io.BytesIO()
    plain = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(target, plain) as book:
        bold, wrapped = book.add_format({"bold": True}), book.add_format({"text_wrap": True, "valign": "top"})
        for sheet in sheets_of(report, keys):
            page = book.add_worksheet(sheet.name)
            page.freeze_panes(1, 0)
            page.write_row(0, 0, sheet.heads, bold)
            for number, row in enumerate(sheet.rows, 1):
                page.write_row(number, 0, row, wrapped if sheet.name == "about" else None)
            for place, head in enumerate(sheet.heads):
                page.set_column(place, place, sheet.widths[place] if sheet.widths else max(9, len(head) + 1))
    return target.getvalue()

"""The file to fill in: a domain's columns with two example rows, as CSV or as an Excel workbook that explains itself.

It describes what `preprocessing.validation.validate` accepts and adds nothing of its own.
"""

import csv
import io
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from preprocessing.schema import ContextColumn, DomainSchema, Feature, Target
from preprocessing.synthetic import generate_columns
from preprocessing.validation.rules import expected, is_required

EXAMPLE_ROWS = 2
HEADINGS = ("column", "what it is", "what it holds", "needed", "known at", "also accepted as")


def template(schema: DomainSchema, *, format: Literal["csv", "xlsx"]) -> bytes:
    """An upload template with two invented rows that validate; the workbook has a second sheet about the columns.

    The same schema gives the same CSV bytes. Delete the example rows before use: they are no real students.
    """
    examples = generate_columns(schema, rows=EXAMPLE_ROWS, seed=0)
    data = [list(examples), *map(list, zip(*examples.values(), strict=True))]
    if format == "csv":
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(data)
        return text.getvalue().encode()
    return _workbook(data, [HEADINGS, *describe(schema)])


def describe(schema: DomainSchema) -> list[tuple[str, ...]]:
    """One row per column, under `HEADINGS`, in plain words."""
    return [
        (
            column.name,
            column.description,
            _holds(column),
            _needed(schema, column),
            (column.known_at or schema.moments[0]) if isinstance(column, Feature) else "",
            ", ".join(column.aliases),
        )
        for column in schema.columns
    ]


def _holds(column: Feature | Target | ContextColumn) -> str:
    return "a short text" if isinstance(column, ContextColumn) else expected(column).removeprefix("must be ")


def _needed(schema: DomainSchema, column: Feature | Target | ContextColumn) -> str:
    if isinstance(column, Target):
        return "to learn from, not to predict"
    if isinstance(column, ContextColumn):
        return "if you have it"
    if column.optional:
        return "may be empty"
    return "yes" if is_required(schema, column, 0) else f"from moment {column.known_at} on"


def _workbook(data: Sequence[Sequence[Any]], columns: Sequence[Sequence[str]]) -> bytes:
    import xlsxwriter  # type: ignore[import-untyped]

    target = io.BytesIO()
    with xlsxwriter.Workbook(
        target, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    ) as book:
        book.set_properties({"created": datetime(2026, 1, 1, tzinfo=UTC)})
        bold = book.add_format({"bold": True, "text_wrap": True})
        wrapped = book.add_format({"text_wrap": True, "valign": "top"})
        for name, table in (("data", data), ("columns", columns)):
            sheet = book.add_worksheet(name)
            sheet.freeze_panes(1, 0)
            sheet.set_column(0, len(table[0]) - 1, 14 if name == "data" else 32)
            for place, row in enumerate(table):
                sheet.write_row(place, 0, row, bold if place == 0 else wrapped if name == "columns" else None)
    return target.getvalue()

"""The forms in which a cohort report is handed out, by the ending of a file."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from errors import Category, GradewatchError
from reports.page import page_of
from reports.pdf import pdf_of
from reports.records import CohortReport
from reports.tables import NO_CLASS_LIST, Named, csv_of, workbook_of

if TYPE_CHECKING:
    from model.answer_files import Dialect


class UnknownForm(GradewatchError):
    """A form that no report has; the message says which there are."""

    category = Category.INVALID


class ReportForm(NamedTuple):
    """media: its type. write: the report in this form, with the keys of a class list in the place of pseudonyms."""

    media: str
    write: Callable[[CohortReport, Named, "Dialect | None"], bytes]


FORMS: Mapping[str, ReportForm] = {
    "html": ReportForm("text/html; charset=utf-8", lambda report, keys, _: page_of(report, keys).encode()),
    "csv": ReportForm("text/csv; charset=utf-8", csv_of),
    "xlsx": ReportForm(
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        lambda report, keys, _: workbook_of(report, keys),
    ),
    "pdf": ReportForm("application/pdf", lambda report, keys, _: pdf_of(report, keys)),
    "json": ReportForm("application/json", lambda report, _, __: msgspec.json.encode(report)),
}
"""By ending."""


def write_report(
    report: CohortReport, form: str, keys: Named = NO_CLASS_LIST, dialect: "Dialect | None" = None
) -> bytes:
    """The report in a form. dialect: of a CSV file. Raises UnknownForm."""
    if form not in FORMS:
        raise UnknownForm(f"a report is written as {', '.join(FORMS)}; {form!r:.20} is none")
    return FORMS[form].write(report, keys, dialect)

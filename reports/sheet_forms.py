"""The sheet about one prediction as a page to read or print, or as PDF; what it says, `advice.person_sheet` knows."""

from collections.abc import Callable, Mapping
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

from advice.person_sheet import PersonSheet, SheetSource, person_sheet
from database.records import ChampionKey, Prediction
from language.paper import paper_style
from language.speech import current
from model.asked_again import factors_of
from model.purpose import IntendedPurpose
from model.workspace import Workspace
from monitoring.weekly_history import ranges_said
from preprocessing.schema import DomainSchema
from reports.pdf import typeset

SHEET_TEMPLATE = Path(__file__).parent / "sheet.typ"
REASONS_ASKED = 4
ONE_PAGE = """body{max-width:46rem}ul{margin:.25rem 0;padding-left:1.2rem}h2{margin:1.1rem 0 .25rem}
@media print{body{font-size:11.5px}@page{size:A4;margin:1.5cm}}"""


class SheetForm(NamedTuple):
    """A form of a sheet. write: raises MissingExtra where a library is not there."""

    media: str
    write: Callable[[PersonSheet], bytes]


def sheet_about(
    workspace: Workspace, schema: DomainSchema, said: Prediction, purpose: IntendedPurpose, contact: str
) -> PersonSheet:
    """The sheet about a prediction, in the language that is spoken. Its reasons are those that were told, or what the
    same model says of the row again."""
    answered = {one.target: one for one in said.answers}
    target = next((one for one in schema.targets if one.name in answered), schema.targets[0])
    version = answered[target.name].model if target.name in answered else ""
    key = ChampionKey(schema.name, target.name, said.moment)
    model = next((one for one in workspace.store.models(key) if one.version == version), None)
    told = factors_of(workspace.service, schema, [said], target.name, most=REASONS_ASKED).get(said.id, ())
    ranges = ranges_said(workspace, target, answered[target.name]) if target.name in answered else {}
    return person_sheet(SheetSource(schema, said, target, model, told, purpose, contact, ranges))


def sheet_page(sheet: PersonSheet) -> bytes:
    """A page that needs no server, and prints on one sheet."""
    parts = "".join(
        f"<h2>{escape(title)}</h2><ul>{''.join(f'<li>{escape(one)}</li>' for one in sentences)}</ul>"
        for title, sentences in sheet.parts
    )
    head = f'<!doctype html><html lang="{current().language}"><meta charset="utf-8">'
    head += f'<meta name="viewport" content="width=device-width"><title>{escape(sheet.title)}</title>'
    head += f"<style>{paper_style()}{ONE_PAGE}</style>"
    about = f'<h1>{escape(sheet.title)}</h1><p class="soft">{escape(sheet.about)}</p>'
    return f'{head}<main>{about}{parts}<p class="soft">{sheet.number}</p></main></html>\n'.encode()


def sheet_pdf(sheet: PersonSheet) -> bytes:
    """The same as PDF. Raises MissingExtra."""
    parts = [one._asdict() for one in sheet.parts]
    told: dict[str, Any] = {**sheet._asdict(), "parts": parts, "spoken": current().language}
    return typeset(SHEET_TEMPLATE, told)


SHEET_FORMS: Mapping[str, SheetForm] = {
    "html": SheetForm("text/html; charset=utf-8", sheet_page),
    "pdf": SheetForm("application/pdf", sheet_pdf),
}

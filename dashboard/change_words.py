"""How pages say what changed: whose answers moved, by how much, and by what. It draws and asks nothing."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from database.records import Cell
from language import _, ngettext, worded
from language.format import count, day, number
from model.readable import decimals_of, least_move
from monitoring.moves import Move, MovedBy
from monitoring.what_changed import ChangedStudent, WhatChanged
from preprocessing.schema import DomainSchema, Target, label_of, title_of

LETTERS_SHOWN = 6  # of a pseudonym
NAMED_TOGETHER = 3


def _amount(value: float, target: Target) -> str:
    return number(value, decimals_of(target), signed=True)


def would_change_sentences(found: WhatChanged, target: Target) -> Iterator[str]:
    """What a model would change for the students of now."""
    unit = f" {worded(target.unit)}" if target.unit and not target.levels else ""
    moved = ngettext(
        "The answer about {moved} of {n} student would move by {least}{unit} or more; on average by {by}.",
        "The answers about {moved} of {n} students would move by {least}{unit} or more; on average by {by}.",
        found.compared,
    )
    yield moved.format(
        moved=count(found.moved),
        n=count(found.compared),
        least=number(least_move(target), 1),
        unit=unit,
        by=_amount(found.by or 0.0, target),
    )
    if target.pass_mark is not None:
        come = ngettext(
            "{n} student would come onto the list of those to warn of, {left} would leave it.",
            "{n} students would come onto the list of those to warn of, {left} would leave it.",
            found.entering.model,
        )
        yield come.format(n=count(found.entering.model), left=count(found.leaving.model))


def move_rows(moved: Sequence[ChangedStudent], target: Target) -> list[Mapping[str, object]]:
    """The largest moves as a table; numbers are numbers."""
    digits = decimals_of(target)
    crossed = {(False, True): _("comes in"), (True, False): _("leaves"), (True, True): _("stays"), (False, False): ""}
    return [
        {
            _("student"): one.student[:LETTERS_SHOWN],
            _("group"): one.group or "",
            _("now"): round(one.move.before, digits),
            _("then"): round(one.move.after, digits),
            _("change"): round(one.move.by, digits),
            _("to warn of"): crossed[one.warned],
        }
        for one in moved
    ]


def move_sentence(move: Move, before: datetime, schema: DomainSchema, target: Target) -> str:
    """By what an answer about a student moved since another one: "since 23 Nov −1.2: G2 came in (−0.9), new model
    (−0.3)"."""
    unit = f" {worded(target.unit)}" if target.unit and not target.levels else ""
    said = _("since {day}: {by}{unit}").format(day=day(before), by=_amount(move.by, target), unit=unit)
    if move.by_data is None or move.by_model is None:
        return _("{said} (the model of then is gone, so that it is not known by what)").format(said=said)
    least = 0.5 * 10.0 ** -decimals_of(target)
    parts = [_part_words(part, schema, target) for part in move.parts if abs(part.by) >= least]
    rest = move.by_data - sum(part.by for part in move.parts)
    if abs(rest) >= least:
        parts.append(_("new data ({by})").format(by=_amount(rest, target)))
    if abs(move.by_model) >= least:
        parts.append(_("another model ({by})").format(by=_amount(move.by_model, target)))
    return f"{said}: {', '.join(parts)}" if parts else said


def _part_words(part: MovedBy, schema: DomainSchema, target: Target) -> str:
    by, known = _amount(part.by, target), schema.feature_by_name
    titles = [title_of(known[name]) if name in known else name for name in part.columns]
    if part.came_in:
        named = ", ".join(titles[:NAMED_TOGETHER]) + (" …" if len(titles) > NAMED_TOGETHER else "")
        return _("{column} came in ({by})").format(column=named, by=by)
    if len(part.columns) > 1:
        return _("{n} facts changed ({by})").format(n=count(len(part.columns)), by=by)
    cells = [_cell(cell, schema, part.columns[0]) for cell in (part.before[0], part.after[0])]
    return _("{column} {before} → {after} ({by})").format(column=titles[0], before=cells[0], after=cells[1], by=by)


def _cell(cell: Cell, schema: DomainSchema, name: str) -> str:
    feature = schema.feature_by_name.get(name)
    if cell is None:
        return _("not known")
    labels = feature.labels if feature else {}
    return label_of(cell, labels) if isinstance(cell, str) else number(cell, 2)

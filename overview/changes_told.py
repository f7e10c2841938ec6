"""What reports of changes say: in a sentence for the feed, and whole for pages. It finds nothing out."""

from collections.abc import Iterator

from language import _, ngettext, worded
from language.format import count, number
from model.readable import decimals_of, least_move
from monitoring.change_reports import ChangeReport
from preprocessing.schema import Target, title_of


def cause_words(report: ChangeReport) -> str:
    """What was the cause to look."""
    told = {"model": _("another model"), "policy": _("another warning policy"), "data": _("new data")}
    return ", ".join(told[cause] for cause in report.causes)


def report_sentence(report: ChangeReport, target: Target) -> str:
    """A report in a sentence."""
    found = report.found
    told = ngettext(
        "{what}, after {cause}: {moved} of {n} answer moved, {come} came onto the list, {left} left it",
        "{what}, after {cause}: {moved} of {n} answers moved, {come} came onto the list, {left} left it",
        found.compared,
    )
    come, left = (sum((by.data, by.model, by.policy)) for by in (found.entering, found.leaving))
    return told.format(
        what=title_of(target),
        cause=cause_words(report),
        moved=count(found.moved),
        n=count(found.compared),
        come=count(come),
        left=count(left),
    )


def report_lines(report: ChangeReport, target: Target) -> Iterator[str]:
    """A report whole: whose answers moved, by how much and by what, and who came onto the list of those to warn of."""
    found, digits = report.found, decimals_of(target)
    unit = f" {worded(target.unit)}" if target.unit and not target.levels else ""
    moved = ngettext(
        "The answer about {moved} of {n} student moved by {least}{unit} or more.",
        "The answers about {moved} of {n} students moved by {least}{unit} or more.",
        found.compared,
    )
    yield moved.format(
        moved=count(found.moved), n=count(found.compared), least=number(least_move(target), 1), unit=unit
    )
    if found.by is not None and found.by_data is not None and found.by_model is not None:
        whole, data, model = (number(by, digits, signed=True) for by in (found.by, found.by_data, found.by_model))
        yield _("On average by {by}{unit}: {data} by new data, {model} by another model.").format(
            by=whole, unit=unit, data=data, model=model
        )
    if found.new:
        new = ngettext("{n} student is new.", "{n} students are new.", found.new)
        yield new.format(n=count(found.new))
    if found.lost:
        lost = ngettext(
            "The model that answered about {n} of them before is gone: its move is not split.",
            "The models that answered about {n} of them before are gone: their moves are not split.",
            found.lost,
        )
        yield lost.format(n=count(found.lost))


def crossed_rows(report: ChangeReport) -> list[dict[str, object]]:
    """Who came onto the list of those to warn of and who left it, by what."""
    sides = ((_("came onto the list"), report.found.entering), (_("left it"), report.found.leaving))
    return [
        {
            _("to warn of"): name,
            _("by new data"): by.data,
            _("by another model"): by.model,
            _("by another policy"): by.policy,
        }
        for name, by in sides
    ]

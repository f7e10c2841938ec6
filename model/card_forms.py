"""A model's card as text and as one page that prints. Every sentence of both is made here, from the card alone."""

import math
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from errors import Category, GradewatchError
from language import _, ngettext, retold, worded
from language.ending_words import ending_words
from language.format import count, day, number, share
from language.speech import SOURCE_LANGUAGE, current
from model.bundle import EXAMPLES
from model.card import ModelCard
from model.scores import Estimate
from model.standing import VersionStanding


class UnknownCardForm(GradewatchError):
    """A form that no card has; the message says which there are."""

    category = Category.INVALID


class CardPart(NamedTuple):
    """A heading of the card with its sentences."""

    heading: str
    lines: tuple[str, ...]


def parts_of(card: ModelCard) -> tuple[CardPart, ...]:
    """The card in words; parts that have nothing to say are left out."""
    parts = (
        CardPart(_("What it is for"), (card.purpose,)),
        CardPart(_("What it is not for"), card.not_for),
        CardPart(_("What it learned from"), tuple(_learned(card))),
        CardPart(_("How good it was on rows that it had not seen"), tuple(_scores(card))),
        CardPart(_("Groups of students"), tuple(_groups(card))),
        CardPart(_("What it looks at"), tuple(_leaning(card))),
        CardPart(_("Where it ends"), (*card.limits, *_missing(card))),
        CardPart(_("What it has seen"), tuple(_seen(card))),
        CardPart(_("When it was the model in use"), tuple(_reigns(card))),
    )
    return tuple(part for part in parts if part.lines)


def card_title(card: ModelCard) -> str:
    """What the card is of."""
    return f"{worded(card.title)}: {card.what}, {card.name}"


def about(card: ModelCard) -> str:
    """Which model it is, in a line."""
    told = [f"{card.candidate.replace('_', ' ')} ({card.domain}/{card.target}@{card.moment})"]
    told.append(_("registered on {day}").format(day=_day(card.registered)))
    told.append(_("in use") if card.serves else _("not in use"))
    told.append(_("digest {digest}").format(digest=card.version))
    return ", ".join(told)


def _learned(card: ModelCard) -> list[str]:
    lineage = card.lineage
    if lineage.source == EXAMPLES:
        came = ngettext(
            "{n} row: generated examples, no real students.",
            "{n} rows: generated examples, no real students.",
            lineage.rows,
        )
    else:
        came = ngettext("{n} row: records of this institution.", "{n} rows: records of this institution.", lineage.rows)
    made = _("Seed {seed}, code {code}, hash of the rows {data}.")
    return [
        came.format(n=count(lineage.rows)),
        _("Rows to judge it by were set apart by {split}.").format(split=retold(lineage.split)),
        made.format(seed=lineage.seed, code=lineage.code, data=lineage.data),
    ]


def _scores(card: ModelCard) -> list[str]:
    told = [_("In training, {standing}.").format(standing=_standing(card.training))]
    if card.contest is not None:
        told.append(_("In its newest contest, {standing}.").format(standing=_standing(card.contest)))
    told.append(_("The plain rule: {rule}.").format(rule=_rule(card)))
    if card.half_width is not None and card.coverage is not None:
        width = _amount(card.half_width, "" if card.unit == "levels" else card.unit)
        said = _("{share} of unseen outcomes lay within {width} of the answer.")
        told.append(said.format(share=share(card.coverage), width=width))
    return told


def _rule(card: ModelCard) -> str:
    """The plain rule, with what its column is called."""
    column, comma, rest = card.rule.partition(", or ")
    return retold(f"{card.called.get(column, column)}{comma}{rest}")


def _standing(one: VersionStanding) -> str:
    """How far it missed, beside whom it was compared with on the same rows."""
    said = ngettext(
        "on {n} unseen row, it missed by {miss} on average", "on {n} unseen rows, it missed by {miss} on average", one.n
    )
    told = [said.format(n=count(one.n), miss=_estimate(one.own, one.unit))]
    if one.other is not None and one.others is not None:
        other = _("version {digest} by {miss}")
        told.append(other.format(digest=one.other[:12], miss=_estimate(one.others, one.unit)))
    if one.rule is not None:
        told.append(_("the plain rule by {miss}").format(miss=_estimate(one.rule, one.unit)))
    return ", ".join(told)


def _groups(card: ModelCard) -> list[str]:
    """The gain of each slice in the contest."""
    told = []
    for part in card.groups:
        column = part.column.lstrip("_")
        places = {
            "who": f"{card.called.get(column, worded(column))} {part.value}",
            "level": share(part.gain.level),
            "n": count(part.gain.n),
        }
        if part.about == "found":
            said = ending_words(event=card.event).in_contest
            mean, low = _signed_share(part.gain.mean), _signed_share(part.gain.lower)
        else:
            said = _("{who}: {mean} in favour of the challenger, at least {low} ({level} bound, {n} rows)")
            mean, low = _amount(part.gain.mean, card.unit, signed=True), _figure(part.gain.lower, signed=True)
        verdict = _(", credibly worse") if part.worse else ""
        told.append(f"{said.format(**places, mean=mean, low=low)}{verdict}.")
    return told


def _leaning(card: ModelCard) -> list[str]:
    said = _("{column}: its error rises by {rise} without it")
    told = [
        said.format(column=card.called.get(name, name), rise=_amount(rise, card.unit))
        for name, rise in card.leaning.leading.items()
    ]
    if card.leaning.others:
        more = ngettext("and {n} more, {sum}", "and {n} more, together {sum}", card.leaning.others)
        told.append(more.format(n=count(card.leaning.others), sum=_figure(card.leaning.together)))
    return told


def _missing(card: ModelCard) -> list[str]:
    said = _("without {columns} it missed by {miss}, the plain rule by {rule} ({n} rows)")
    return [
        said.format(
            columns=", ".join(card.called.get(name, name) for name in one.missing),
            miss=_figure(one.mae),
            rule=_figure(one.naive_mae),
            n=count(one.n),
        )
        for one in card.missing
    ]


def _seen(card: ModelCard) -> list[str]:
    span = _("{low} to {high}")
    return [
        f"{card.called.get(name, name)}: {span.format(low=number(low, 3), high=number(high, 3))}"
        for name, (low, high) in card.ranges.items()
    ]


def _reigns(card: ModelCard) -> list[str]:
    changes = {"promote": _("promoted"), "rollback": _("rolled back to"), "activate": _("activated")}
    said = _("{since} to {until}: {change} by {who}: {why}")
    return [
        said.format(
            since=_day(one.since),
            until=_day(one.until) if one.until else _("now"),
            change=changes[one.action],
            who=one.actor,
            why=retold(one.reason),
        )
        for one in card.reigns
    ]


def _estimate(found: Estimate, unit: str) -> str:
    said = _("{miss} (95 % interval {low} to {high})")
    return said.format(miss=_amount(found.value, unit), low=_figure(found.low), high=_figure(found.high))


def _amount(value: float, unit: str, *, signed: bool = False) -> str:
    return f"{_figure(value, signed=signed)} {worded(unit)}".rstrip()


def _figure(value: float, *, signed: bool = False) -> str:
    """Three digits that say something, whatever its size."""
    places = 2 - math.floor(math.log10(abs(value))) if value else 0
    return number(value, max(places, 0), signed=signed)


def _signed_share(value: float) -> str:
    return ("+" if value > 0 else "") + share(value)


def _day(at: datetime) -> str:
    """As files have days where English is spoken, as they are read elsewhere."""
    return f"{at:%Y-%m-%d}" if current().language == SOURCE_LANGUAGE else day(at.date())


def text_of(card: ModelCard) -> str:
    """As Markdown, which reads as plain text."""
    parts = [f"# {card_title(card)}", about(card)]
    for part in parts_of(card):
        parts.append(f"## {part.heading}")
        parts.append("\n".join(f"- {line}" for line in part.lines))
    return "\n\n".join(parts) + "\n"


def page_of_card(card: ModelCard) -> str:
    """As a page that needs nothing else: light, dark, and on paper."""
    page: str = _template().render(
        language=current().language, title=card_title(card), about=about(card), parts=parts_of(card)
    )
    return page


@cache
def _template() -> Any:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return environment.from_string((Path(__file__).parent / "card.html").read_text(encoding="utf-8"))


class CardForm(NamedTuple):
    """media: its type."""

    media: str
    write: Callable[[ModelCard], bytes]


CARD_FORMS: Mapping[str, CardForm] = {
    "text": CardForm("text/markdown; charset=utf-8", lambda card: text_of(card).encode()),
    "html": CardForm("text/html; charset=utf-8", lambda card: page_of_card(card).encode()),
    "json": CardForm("application/json", msgspec.json.encode),
}


CARD_ENDINGS = {".html": "html", ".md": "text", ".json": "json"}


def form_of_file(path: Path | None) -> str:
    """The form that a file's name asks for; text where there is none. Raises UnknownCardForm."""
    if path is None:
        return "text"
    if path.suffix not in CARD_ENDINGS:
        raise UnknownCardForm(f"a card is written to {', '.join(CARD_ENDINGS)}; {path.name} is none of them")
    return CARD_ENDINGS[path.suffix]


def write_card(card: ModelCard, form: str) -> bytes:
    """The card in a form. Raises UnknownCardForm."""
    if form not in CARD_FORMS:
        raise UnknownCardForm(f"a card is written as {', '.join(CARD_FORMS)}; {form!r:.20} is none")
    return CARD_FORMS[form].write(card)

"""A model's card as text and as one page that prints. Every sentence of both is made here, from the card alone."""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from errors import Category, GradewatchError
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
        CardPart("What it is for", (card.purpose,)),
        CardPart("What it is not for", card.not_for),
        CardPart("What it learned from", tuple(_learned(card))),
        CardPart("How good it was on rows that it had not seen", tuple(_scores(card))),
        CardPart("Groups of students", tuple(_groups(card))),
        CardPart("What it looks at", tuple(_leaning(card))),
        CardPart("Where it ends", (*card.limits, *_missing(card))),
        CardPart(
            "What it has seen", tuple(f"{name}: {low:g} to {high:g}" for name, (low, high) in card.ranges.items())
        ),
        CardPart("When it was the model in use", tuple(_reigns(card))),
    )
    return tuple(part for part in parts if part.lines)


def card_title(card: ModelCard) -> str:
    """What the card is of."""
    return f"{card.title}: {card.what}, {card.name}"


def about(card: ModelCard) -> str:
    """Which model it is, in a line."""
    serves = "in use" if card.serves else "not in use"
    return (
        f"{card.candidate.replace('_', ' ')}, {card.domain}/{card.target}@{card.moment}, registered "
        f"{_day(card.registered)}, {serves}; version {card.version}"
    )


def _learned(card: ModelCard) -> list[str]:
    lineage = card.lineage
    came = "generated examples, no real students" if lineage.source == EXAMPLES else "records of this institution"
    return [
        f"{lineage.rows:,} rows: {came}.",
        f"Rows to judge it by were set apart by {lineage.split}.",
        f"Seed {lineage.seed}, code {lineage.code}, hash of the rows {lineage.data}.",
    ]


def _scores(card: ModelCard) -> list[str]:
    told = [f"In training, {_standing(card.training)}."]
    if card.contest is not None:
        told.append(f"In its newest contest, {_standing(card.contest)}.")
    told.append(f"The plain rule: {card.rule}.")
    if card.half_width is not None and card.coverage is not None:
        width = _amount(card.half_width, "" if card.unit == "levels" else card.unit)
        told.append(f"{card.coverage:.0%} of unseen outcomes lay within {width} of the answer.")
    return told


def _standing(one: VersionStanding) -> str:
    """How far it missed, beside whom it was compared with on the same rows."""
    told = f"on {one.n:,} unseen rows, it missed by {_estimate(one.own, one.unit)} on average"
    if one.other is not None and one.others is not None:
        told += f", version {one.other[:12]} by {_estimate(one.others, one.unit)}"
    return told if one.rule is None else f"{told}, the plain rule by {_estimate(one.rule, one.unit)}"


def _groups(card: ModelCard) -> list[str]:
    """The gain of each slice in the contest."""
    told = []
    for part in card.groups:
        verdict, who = ", credibly worse" if part.worse else "", f"{part.column.lstrip('_')} {part.value}"
        rests = f"({part.gain.level:.0%} bound, {part.gain.n:,} rows){verdict}"
        if part.about == "found":
            told.append(
                f"{who}: of those who failed, {part.gain.mean:+.0%} warned of by the challenger, "
                f"at least {part.gain.lower:+.0%} {rests}."
            )
            continue
        told.append(
            f"{who}: {part.gain.mean:+.3g} {card.unit} in favour of the challenger, "
            f"at least {part.gain.lower:+.3g} {rests}."
        )
    return told


def _leaning(card: ModelCard) -> list[str]:
    told = [
        f"{name}: its error rises by {rise:.3g} {card.unit} without it".rstrip()
        for name, rise in card.leaning.leading.items()
    ]
    if card.leaning.others:
        told.append(f"and {card.leaning.others} more, together {card.leaning.together:.2g}")
    return told


def _missing(card: ModelCard) -> list[str]:
    return [
        f"without {', '.join(one.missing)} it missed by {one.mae:.3g}, the plain rule by {one.naive_mae:.3g} "
        f"({one.n:,} rows)"
        for one in card.missing
    ]


def _reigns(card: ModelCard) -> list[str]:
    return [
        f"{_day(one.since)} to {_day(one.until) if one.until else 'now'}: {one.action} by {one.actor}, {one.reason}"
        for one in card.reigns
    ]


def _estimate(found: Estimate, unit: str) -> str:
    return f"{_amount(found.value, unit)} (95 % interval {found.low:.3g} to {found.high:.3g})"


def _amount(value: float, unit: str) -> str:
    return f"{value:.3g} {unit}".rstrip()


def _day(at: datetime) -> str:
    return f"{at:%Y-%m-%d}"


def text_of(card: ModelCard) -> str:
    """As Markdown, which reads as plain text."""
    parts = [f"# {card_title(card)}", about(card)]
    for part in parts_of(card):
        parts.append(f"## {part.heading}")
        parts.append("\n".join(f"- {line}" for line in part.lines))
    return "\n\n".join(parts) + "\n"


def page_of_card(card: ModelCard) -> str:
    """As a page that needs nothing else: light, dark, and on paper."""
    page: str = _template().render(title=card_title(card), about=about(card), parts=parts_of(card))
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

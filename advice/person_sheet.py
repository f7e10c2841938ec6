"""A sheet about one prediction for the person whom it is about: what was predicted and how sure, why, what is unknown,
which data it rests on, what it may be used for, whom to ask, how to object.

It says it in the language that is spoken, in short sentences; how it is printed, `reports.sheet_forms` knows.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from advice.facts import column_words, name_words
from advice.own_view import own_answer
from advice.own_words import answer_words, contact_words, invented_words
from database.records import Factor, ModelVersion, Prediction
from language import _, ngettext, worded
from language.format import count, day, number
from model.bundle import EXAMPLES
from model.pauses import RULE_OF
from model.purpose import IntendedPurpose
from preprocessing.schema import DomainSchema, Target

REASONS_TOLD = 4


class SheetPart(NamedTuple):
    """A heading and its sentences."""

    title: str
    sentences: tuple[str, ...]


class PersonSheet(NamedTuple):
    """A sheet. about: of what it is, in a line. number: of the prediction, to name it by."""

    title: str
    about: str
    number: str
    parts: tuple[SheetPart, ...]


class SheetSource(NamedTuple):
    """What a sheet is made of. model: that answered, where it is still known. factors: that moved the answer about
    `target` most, the strongest first. purpose, contact: of the institution. ranges: by weeks of a horizon, where the
    chance lies of all who are answered so."""

    schema: DomainSchema
    said: Prediction
    target: Target
    model: ModelVersion | None
    factors: Sequence[Factor]
    purpose: IntendedPurpose
    contact: str
    ranges: Mapping[int, tuple[float, float]] = {}


def person_sheet(source: SheetSource) -> PersonSheet:
    """The sheet, in the language that is spoken."""
    said = source.said
    place = [part for part in (worded(source.schema.title), said.group, said.period) if part]
    parts = {
        _("What was predicted"): _predicted(source),
        _("The main reasons"): _reasons(source),
        _("What is not known"): _unknown(source),
        _("Which data it rests on"): _data(source),
        _("What it may be used for"): _use(source),
        _("Whom to ask"): iter([contact_words(source.contact)]),
        _("How to object"): _objecting(source.purpose),
    }
    return PersonSheet(
        title=_("About a prediction"),
        about=_("{place}, made on {day}").format(place=", ".join(place), day=day(said.at.date())),
        number=said.id,
        parts=tuple(SheetPart(title, tuple(sentences)) for title, sentences in parts.items()),
    )


def _predicted(source: SheetSource) -> Iterator[str]:
    targets = source.schema.target_by_name
    for answer in sorted(source.said.answers, key=lambda one: one.target != source.target.name):
        if answer.target in targets:
            yield answer_words(own_answer(source.schema, targets[answer.target], answer, None))
    for weeks, (low, high) in list(source.ranges.items())[-1:]:
        told = _("Of a hundred students with such a number, {low} to {high} come to it within {n} weeks.")
        yield told.format(low=number(low * 100, 0), high=number(high * 100, 0), n=number(weeks, 0))
    yield _("This is an estimate. It is no mark, and nothing is decided by it.")


def _reasons(source: SheetSource) -> Iterator[str]:
    for factor in source.factors[:REASONS_TOLD]:
        column = source.schema.feature_by_name.get(factor.feature)
        fact = column_words(column, factor.value) if column else factor.feature
        raised = factor.direction == "raises"
        if source.target.levels:
            told = (
                _("{fact}. It made this result likelier.") if raised else _("{fact}. It made this result less likely.")
            )
        else:
            told = _("{fact}. It made the number higher.") if raised else _("{fact}. It made the number lower.")
        yield told.format(fact=fact)
    if source.factors:
        yield _("These facts moved the number most. They need not be the cause of a result.")
    else:
        yield _("No reasons can be told for this one.")


def _unknown(source: SheetSource) -> Iterator[str]:
    schema, said = source.schema, source.said
    missing = [one.name for one in schema.inputs_at(said.moment) if said.inputs.get(one.name) is None]
    if missing:
        yield _("Not known at that time: {facts}.").format(facts=_listed(schema, missing))
    strange = sorted({name for answer in said.answers for name in answer.out_of_range})
    if strange:
        yield _("Nobody like this was seen before: {facts}. So it is a guess.").format(facts=_listed(schema, strange))
    yield _("It knows only what stands in the record. Whatever else matters, it does not know.")


def _listed(schema: DomainSchema, names: Sequence[str]) -> str:
    return ", ".join(name_words(schema, name) for name in names)


def _data(source: SheetSource) -> Iterator[str]:
    schema, said, model = source.schema, source.said, source.model
    seen = schema.inputs_at(said.moment)
    n = sum(said.inputs.get(one.name) is not None for one in seen)
    used = ngettext("It used {n} fact from the record.", "It used {n} facts from the record.", n)
    yield used.format(n=count(n))
    moment = worded(schema.moment_titles.get(said.moment, said.moment))
    yield _("They are from {day} or before: {moment}.").format(day=day(said.at.date()), moment=moment)
    if any(answer.model.startswith(RULE_OF) for answer in said.answers):
        yield _("A plain rule gave the number. No model did.")
    elif model is not None and model.lineage.get("source") == EXAMPLES:
        yield invented_words()
    elif model is not None:
        yield _learned(model.lineage.get("rows", 0), model.at)
    hidden = [one.name for one in schema.features if one.protected]
    if hidden:
        yield _("The model does not see: {facts}.").format(facts=_listed(schema, hidden))


def _learned(rows: int, at: datetime) -> str:
    told = ngettext(
        "The model learned from {n} record of other times, up to {day}.",
        "The model learned from {n} records of other times, up to {day}.",
        rows,
    )
    return told.format(n=count(rows), day=day(at.date()))


def _use(source: SheetSource) -> Iterator[str]:
    purpose = source.purpose
    usual = IntendedPurpose()
    if purpose.purpose == usual.purpose:
        yield _("It is there to find students who may need help, in time to help them.")
    else:
        yield purpose.purpose
    if purpose.users == usual.users:
        yield _("Teachers, advisors and analysts of this institution may use it.")
    else:
        yield _("Who may use it: {users}").format(users=purpose.users)
    yield _("It must not decide who is let in or placed where. It must not be used to punish, or to give marks.")
    if purpose.misuses:
        yield _("Here it must not be used for this either: {misuses}.").format(misuses="; ".join(purpose.misuses))
    yield _("People decide. They may not follow the number alone.")


def _objecting(purpose: IntendedPurpose) -> Iterator[str]:
    yield _("You may object. You need not say why.")
    yield purpose.objecting or _("Tell whoever is named above, or press the button on your page.")
    yield _("It holds at once: nothing is predicted about you any more. Marks and lessons stay as they are.")
    yield _("You may also ask what is kept about you, and have it put right or erased.")

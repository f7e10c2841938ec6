"""What a condition says to a person: one sentence with its figures, and what answers it. It decides nothing."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import NamedTuple

from database.records import ChampionKey
from language import _, ngettext, retold_reasons, worded
from language.format import count, day, moment, number, share
from overview.names import model_title
from overview.records import ConditionKind, Held, OpenCondition, ToldCondition
from preprocessing.schema import DomainSchema, title_of

SCHOOLS_NAMED = 3


def tell_condition(held: Held, schemas: Mapping[str, DomainSchema]) -> ToldCondition:
    """A condition with its sentence, and who has seen it."""
    one, seen = held.condition, held.seen
    names = ("id", "kind", "urgency", "domain", "since", "figures", "page", "choice")
    known = {name: getattr(one, name) for name in names}
    if seen is not None:
        known |= {"seen_by": seen.actor, "seen_at": seen.at, "note": seen.note}
    return ToldCondition(sentence=describe(one, schemas).sentence, **known)


class Told(NamedTuple):
    """sentence: what holds. action: the words of what answers it."""

    sentence: str
    action: str


def describe(condition: OpenCondition, schemas: Mapping[str, DomainSchema]) -> Told:
    """The condition in words."""
    schema = schemas.get(condition.domain) if condition.domain else None
    sentence, action = _TELLERS[condition.kind](condition, schema)
    if condition.kind == "examples":
        titles = [worded(schemas[name].title) if name in schemas else name for name in condition.figures["domains"]]
        sentence = sentence.format(domains=", ".join(titles))
    return Told(sentence, action)


def _what(condition: OpenCondition, schema: DomainSchema | None) -> str:
    key = ChampionKey(condition.domain, condition.figures["target"], condition.figures["moment"])
    return str(key) if schema is None else model_title(schema, key)


def _columns(names: Sequence[str], schema: DomainSchema | None) -> str:
    return ", ".join(_column(name, schema) for name in names)


def _column(name: str, schema: DomainSchema | None) -> str:
    plain = name.removeprefix("_prediction:").removeprefix("_error:")
    known = {one.name: one for one in schema.columns} if schema else {}
    title = title_of(known[plain]) if plain in known else plain
    return title if plain == name else _("predicted {column}").format(column=title)


def _broken(condition: OpenCondition, schema: DomainSchema | None) -> tuple[str, str]:
    known = condition.figures
    if known["serves"]:
        sentence = _("The newest model of {what} could not be loaded; the one before answers.")
    elif known["why"]:
        sentence = _("The model of {what} learned another form of the data and answers nobody: {why}.")
    else:
        sentence = _("The model of {what} could not be loaded: nobody is answered.")
    return sentence.format(what=_what(condition, schema), why=retold_reasons(str(known["why"]))), _("See models")


def _coverage(condition: OpenCondition, schema: DomainSchema | None) -> tuple[str, str]:
    known = condition.figures
    sentence = ngettext(
        "Ranges of {what} are too narrow: of {n} outcome of the model in use {found} fell inside, {promised} were "
        "promised.",
        "Ranges of {what} are too narrow: of {n} outcomes of the model in use {found} fell inside, {promised} were "
        "promised.",
        known["n"],
    )
    figures = {"found": share(known["share"]), "n": count(known["n"]), "promised": share(known["stated"])}
    return sentence.format(what=_what(condition, schema), **figures), _("See results")


def _plain_rule(condition: OpenCondition, schema: DomainSchema | None) -> tuple[str, str]:
    known = condition.figures
    if known["worse"]:
        sentence = _("The plain rule beat the model of {what} in {n} answers: it missed by {rule}, the model by {own}.")
    else:
        sentence = _(
            "In {n} answers the plain rule was as good as the model of {what}: off by {rule}, the model by {own}."
        )
    figures = {"n": count(known["n"]), "rule": number(known["naive_mae"], 2), "own": number(known["mae"], 2)}
    return sentence.format(what=_what(condition, schema), **figures), _("See results")


def _drift(condition: OpenCondition, schema: DomainSchema | None) -> tuple[str, str]:
    known = condition.figures
    if "new" in known:
        sentence = _("Students come with a {column} that the model never saw: {level}, {rows} of {n}.")
        figures = {"level": known["level"], "rows": count(known["rows"]), "n": count(known["n"])}
        sentence = sentence.format(column=_column(known["new"], schema), **figures)
    elif not known["columns"]:
        sentence = _("The students are different, though no single fact about them moved by itself.")
    else:
        numbers = {"n": count(known["flagged"]), "all": count(known["compared"])}
        sentence = _("The students are different: {n} of {all} facts moved: {columns}.")
        sentence = sentence.format(columns=_columns(known["columns"], schema), **numbers)
    return sentence, _("See what changed")


def _trial(condition: OpenCondition, schema: DomainSchema | None) -> tuple[str, str]:
    known, gain = condition.figures, condition.figures["gain"]["value"]
    if known["verdict"] == "challenger better":
        sentence = _("The challenger on trial for {what} is better by {by} after {n} students. Put it in use?")
    elif known["verdict"] == "champion better":
        sentence = _("The challenger on trial for {what} is worse by {by} after {n} students. End the trial?")
    else:
        sentence = _("The trial for {what} shows no difference after {n} students. End it?")
    unit = f" {worded(known['unit'])}" if known["unit"] else ""
    by = f"{number(abs(gain), 2)}{unit}"
    return sentence.format(what=_what(condition, schema), by=by, n=count(known["students"])), _("Decide")


def _guesses(condition: OpenCondition, schema: DomainSchema | None) -> tuple[str, str]:
    known = condition.figures
    exact = known["n"] == known["of"]
    if exact:
        sentence = ngettext(
            "{n} of {all} answers this week was a guess, outside what the model knows: {columns}.",
            "{n} of {all} answers this week were guesses, outside what the model knows: {columns}.",
            known["count"],
        )
    else:
        sentence = _("About {share} of {all} answers this week were guesses, outside what the model knows: {columns}.")
    figures = {"n": count(known["count"]), "all": count(known["of"]), "share": share(known["share"])}
    return sentence.format(columns=_columns(known["columns"], schema), **figures), _("See students")


def _strays(condition: OpenCondition, schema: DomainSchema | None) -> tuple[str, str]:
    known = condition.figures
    if known["n"] == known["of"]:
        sentence = ngettext(
            "{n} of {all} outcomes belongs to no prediction",
            "{n} of {all} outcomes belong to no prediction",
            known["count"],
        )
    else:
        sentence = _("About {share} of {all} outcomes belong to no prediction")
    figures = {"n": count(known["count"]), "all": count(known["of"]), "share": share(known["share"])}
    sentence = sentence.format(**figures)
    if known["lacking"]:
        whole = _("{sentence}: they do not say {columns}.")
        return whole.format(sentence=sentence, columns=_columns(known["lacking"], schema)), _("Send them again")
    return _("{sentence}: compare their keys.").format(sentence=sentence), _("Send them again")


def _helped(condition: OpenCondition, schema: DomainSchema | None) -> tuple[str, str]:
    known = condition.figures
    sentence = ngettext(
        "Of {n} record of {domain} to learn from, {share} is of helped students, more than before; {left_out} teaches "
        "nothing.",
        "Of {n} records of {domain} to learn from, {share} are of helped students, more than before; {left_out} teach "
        "nothing.",
        known["records"],
    )
    title = worded(schema.title) if schema else condition.domain
    told = {"share": share(known["share"]), "left_out": count(known["left_out"])}
    return sentence.format(n=count(known["records"]), domain=title, **told), _("See results")


def _silent(condition: OpenCondition, _schema: DomainSchema | None) -> tuple[str, str]:
    known = condition.figures
    named = ", ".join(known["schools"][:SCHOOLS_NAMED])
    if known["n"] > SCHOOLS_NAMED:
        named = _("{names} and {n} more").format(names=named, n=count(known["n"] - SCHOOLS_NAMED))
    since = "" if known["last"] is None else day(date.fromisoformat(known["last"]))
    if known["feed"] == "grades":
        sentence = _("No mark of {schools} has come since {day}: of its students less is known.")
    elif known["last"] is None:
        sentence = _("No attendance of {schools} has come this school year: nothing is said of its students.")
    else:
        sentence = _(
            "No attendance of {schools} has come since {day}: nothing is said of its students, which is no sign that "
            "they are well."
        )
    return sentence.format(schools=named, day=since), _("Send the records")


def _waiting(condition: OpenCondition, schema: DomainSchema | None) -> tuple[str, str]:
    if condition.figures["worker"]:
        sentence = _("Outcomes of {domain} are being counted; what they show is not known yet.")
    else:
        sentence = _("Outcomes of {domain} wait to be counted, and nobody is there to do it: start a worker.")
    return sentence.format(domain=schema.title if schema else condition.domain), _("See results")


def _job(condition: OpenCondition, schema: DomainSchema | None) -> tuple[str, str]:
    known = condition.figures
    if schema is None:
        sentence = _("Work in the background failed ({job}): {why}")
    else:
        sentence = _("Work in the background for {domain} failed ({job}): {why}")
    title = worded(schema.title) if schema else ""
    return sentence.format(domain=title, job=known["kind"], why=known["why"]), _("See jobs")


def _late(condition: OpenCondition, _schema: DomainSchema | None) -> tuple[str, str]:
    known, since = condition.figures, condition.since
    sentence = _("{name} was due {when} and nobody has begun it: does a worker run?")
    return sentence.format(name=known["schedule"], when="" if since is None else moment(since)), _("See schedules")


def _alert(condition: OpenCondition, _schema: DomainSchema | None) -> tuple[str, str]:
    known = condition.figures
    sentence = ngettext(
        "{n} alert by {channel} reached nobody: {why}",
        "{n} alerts by {channel} reached nobody: {why}",
        known["n"],
    )
    return sentence.format(n=count(known["n"]), channel=known["channel"], why=known["why"]), _("See settings")


def _examples(_condition: OpenCondition, _schema: DomainSchema | None) -> tuple[str, str]:
    return _("The models of {domains} learned from invented students: not for real ones."), _("Train on yours")


_TELLERS: Mapping[ConditionKind, Callable[[OpenCondition, DomainSchema | None], tuple[str, str]]] = {
    "broken champion": _broken,
    "coverage": _coverage,
    "plain rule": _plain_rule,
    "drift": _drift,
    "trial": _trial,
    "guesses": _guesses,
    "stray outcomes": _strays,
    "failed job": _job,
    "failed alert": _alert,
    "late schedule": _late,
    "uncounted": _waiting,
    "helped share": _helped,
    "silent feed": _silent,
    "examples": _examples,
}

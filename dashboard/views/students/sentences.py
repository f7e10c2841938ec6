"""How the page Students says things: chances, ranges, reasons, why there is no answer. It draws and asks nothing."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from advice.case_steps import CaseState, Done, HelpGiven, Stage
from advice.facts import cell_words, column_words
from database.newest import Reason
from database.records import Answer, Cell, Factor
from language import _, ngettext, worded
from language.format import count, day, moment, number, share
from language.format import interval as range_of
from model.pauses import Pause
from model.readable import decimals_of, rounded_value
from monitoring.student_list import ListCounts, ListedStudent
from preprocessing.schema import DomainSchema, Target, label_of, title_of

Names = Mapping[str, str]
"""Pseudonym to what a class list calls the student."""

LETTERS = 6  # of a pseudonym, where no class list says more
NAMED_COLUMNS = 3
CERTAIN, IN_TEN = 0.99, 10


def name_of(student: str | None, names: Names) -> str:
    """What a student is called: as the class list does, else by the beginning of the pseudonym."""
    if student is None:
        return _("no key")
    return names.get(student) or student[:LETTERS]


def mark_words(target: Target) -> str:
    """The pass mark, or the least grade that passes."""
    mark = target.pass_mark or 0
    return label_of(target.levels[int(mark)], target.labels) if target.levels else number(mark)


def chance_title(target: Target) -> str:
    """Of a column of chances: to end below the pass mark, or that the event comes within the furthest horizon."""
    if target.within:
        return _("chance within {n} weeks").format(n=count(max(target.within)))
    return _("chance below {mark}").format(mark=mark_words(target))


def unit_of(target: Target) -> str:
    """A unit behind a number."""
    return f" {worded(target.unit)}" if target.unit and not target.levels else ""


def value_words(value: float | str | None, target: Target) -> str:
    """An answer or an outcome in its unit, or as a grade."""
    if value is None:
        return _("no answer")
    if isinstance(value, str):
        return label_of(value, target.labels)
    return number(rounded_value(value, target), decimals_of(target)) + unit_of(target)


def likelier_words(answer: Answer, target: Target) -> str:
    """That another grade is likelier than the answered one, which is the band of a value; empty mostly."""
    if answer.likelier is None or not answer.probabilities or answer.value is None:
        return ""
    said, other = str(answer.value), answer.likelier
    return _("{grade} ({chance}) is the grade of the answered mark; {other} by itself is likelier ({its})").format(
        grade=label_of(said, target.labels),
        chance=share(answer.probabilities[said]),
        other=label_of(other, target.labels),
        its=share(answer.probabilities[other]),
    )


def range_words(answer: Answer, target: Target) -> str:
    """The range of an answer; empty where there is none."""
    return range_of(*answer.interval, decimals_of(target)) if answer.interval else ""


def chance_words(chance: float | None) -> str:
    """A chance as people say it: "about 7 in 10"; what is not sure is never called so."""
    if chance is None:
        return _("not known")
    if chance > CERTAIN:
        return _("over 99 in 100")
    if chance < 1 - CERTAIN:
        return _("under 1 in 100")
    if chance < 1 / IN_TEN or chance > 1 - 1 / IN_TEN:
        return _("about {n} in 100").format(n=count(round(chance * 100)))
    return _("about {n} in 10").format(n=count(round(chance * IN_TEN)))


def list_sentence(counts: ListCounts, new: int | None, target: Target, given_from: datetime | None) -> str:
    """How the students of a list stand. new: of those who are likely to fail, since last week; None where that cannot
    be told."""
    if not counts.students:
        if given_from is None:
            return _("Nobody has been answered about yet.")
        return _("Nobody has been answered about since {day}.").format(day=day(given_from.date()))
    if target.pass_mark is None:
        said = ngettext("{n} student has an answer.", "{n} students have an answer.", counts.students)
        return said.format(n=count(counts.students))
    if target.within:
        said = ngettext(
            "{likely} of {n} students is likely to come to an event within {weeks} weeks.",
            "{likely} of {n} students are likely to come to an event within {weeks} weeks.",
            counts.likely,
        ).format(likely=count(counts.likely), n=count(counts.students), weeks=count(max(target.within)))
    else:
        said = ngettext(
            "{likely} of {n} students is likely to end below {mark}.",
            "{likely} of {n} students are likely to end below {mark}.",
            counts.likely,
        ).format(likely=count(counts.likely), n=count(counts.students), mark=mark_words(target))
    if counts.warned != counts.likely:
        said = _("{said} The warning policy in use warns of {n}.").format(said=said, n=count(counts.warned))
    if not new:
        return said if new is None or not counts.warned else _("{said} None is new since last week.").format(said=said)
    fresh = ngettext("{said} {new} is new since last week.", "{said} {new} are new since last week.", new)
    return fresh.format(said=said, new=count(new))


def pause_words(paused: Pause) -> str:
    """That the plain rule, or nobody, answers."""
    rule = _("Paused since {when}: the plain rule says who is warned of.")
    none = _("Paused since {when}: nothing is answered, and nobody is warned of.")
    return (none if paused.answers == "none" else rule).format(when=moment(paused.at))


def factor_words(factor: Factor, schema: DomainSchema) -> str:
    """A column that moved an answer, with its value."""
    column = schema.feature_by_name.get(factor.feature)
    return factor.feature if column is None else column_words(column, factor.value)


def reason_words(factor: Factor, target: Target, schema: DomainSchema, usual: Mapping[str, Cell]) -> str:
    """A factor in a few words: its value beside what is usual in the class, and which way it moves the answer."""
    column, common = schema.feature_by_name.get(factor.feature), usual.get(factor.feature)
    said = factor_words(factor, schema)
    if column is not None and common is not None and common != factor.value:
        said = _("{said} (class: {usual})").format(said=said, usual=cell_words(column, common, unit=False))
    if factor.direction == "raises":
        by = "↑" if target.levels else number(max(abs(factor.effect), 0.1), signed=True)
    else:
        by = "↓" if target.levels else number(min(-abs(factor.effect), -0.1))
    return _("{said} {by}").format(said=said, by=by)


def columns_listed(names: Sequence[str], schema: DomainSchema, most: int = NAMED_COLUMNS) -> str:
    """Columns by what they are called, and how many more."""
    known = schema.feature_by_name
    said = ", ".join(title_of(known[name]) if name in known else name for name in names[:most])
    if len(names) <= most:
        return said
    return _("{columns} and {n} more").format(columns=said, n=count(len(names) - most))


def silent_words(one: ListedStudent, schema: DomainSchema) -> str:
    """Why there is no chance, or no answer; empty where there is one."""
    answer, why = one.answer, one.silent
    if answer.insufficient:
        return _("no answer, too little is known: {columns}").format(
            columns=columns_listed(answer.insufficient, schema)
        )
    if answer.out_of_range:
        known = schema.feature_by_name
        told = [column_words(known[name], one.said.inputs.get(name)) for name in answer.out_of_range if name in known]
        return _("a guess, never seen in training: {columns}").format(columns=", ".join(told[:NAMED_COLUMNS]))
    return "" if why is None else silence_words(why)


def silence_words(why: Reason) -> str:
    """A reason why no chance is told."""
    return {
        "insufficient": _("no answer: too little is known"),
        "out_of_range": _("a guess: something never seen in training"),
        "no_pass_mark": _("no chance: the model learned without a pass mark"),
    }[why]


def done_words(done: Done) -> str:
    """What somebody did."""
    return {
        "talked": _("talked to them"),
        "accepted": _("warning accepted"),
        "not_applicable": _("does not apply"),
        "wrong": _("warning is wrong"),
        "helped": _("help"),
        "reviewed": _("looked back"),
        "closed": _("closed"),
        "note": _("note"),
    }[done]


def stage_words(stage: Stage) -> str:
    """Where a case stands."""
    return {
        "noted": _("nothing is decided yet"),
        "accepted": _("the warning is accepted, and no help has begun"),
        "helping": _("help goes on"),
        "review_due": _("the help has ended, and nobody has looked back on it"),
        "reviewed": _("the help was looked back on; the case can be closed"),
        "closed": _("the case is closed"),
    }[stage]


def case_sentence(state: CaseState, titles: Mapping[str, str]) -> str:
    """Where a case stands, and which help it was. titles: of the kinds of help."""
    said = stage_words(state.stage)
    if state.help is not None:
        said = _("{stage} ({help})").format(stage=said, help=help_words(state.help, titles))
    return said[0].upper() + said[1:]


def help_words(given: HelpGiven, titles: Mapping[str, str]) -> str:
    """Help of a kind, with its days, how much and who sees to it."""
    kind = titles.get(given.kind, given.kind)
    if given.end is None:
        said = _("{kind}, from {start}").format(kind=kind, start=day(given.start))
    else:
        said = _("{kind}, {start} to {end}").format(kind=kind, start=day(given.start), end=day(given.end))
    return ", ".join(part for part in (said, given.dose, given.owner) if part)


def answer_sentence(name: str, answer: Answer, target: Target) -> str:
    """One student in a sentence."""
    if answer.value is None:
        return _("{name}: no answer").format(name=name)
    said = value_words(answer.value, target)
    if answer.below_pass is None:
        return _("{name}: {value}").format(name=name, value=said)
    if target.within:
        weeks = number(max(target.within), 0)
        told = _("{name}: {chance} to come to an event within {n} weeks")
        return told.format(name=name, chance=chance_words(answer.below_pass), n=weeks)
    return _("{name}: {value}; {chance} to end below {mark}").format(
        name=name, value=said, chance=chance_words(answer.below_pass), mark=mark_words(target)
    )


def coverage_words(answer: Answer, target: Target) -> str:
    """What the range of an answer promises; empty where there is none."""
    if answer.interval is None or answer.coverage is None:
        return ""
    return _("{share} of such answers end within {range}{unit}").format(
        share=share(answer.coverage), range=range_words(answer, target), unit=unit_of(target)
    )


def numeric(answer: Answer, target: Target) -> float | str | None:
    """An answer as a table has it: a number to its decimals, or the words of its grade."""
    if isinstance(answer.value, str):
        return label_of(answer.value, target.labels)
    return None if answer.value is None else rounded_value(answer.value, target)

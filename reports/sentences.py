"""A cohort report in the reader's words: reasons, changes, what is missing, how good the model is, what a report is not
for.

Every number comes from the record or from `reports.figures`; nothing is decided here. What the record keeps as a text
is in plain English, and is said again by `retold`.
"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from database.records import Answer, Cell, Factor
from language import _, ngettext, retold, worded
from language.ending_words import became_words, likelier_words
from language.format import count, interval, number, share
from language.format import day as day_of
from language.speech import SOURCE_LANGUAGE, current
from model.readable import decimals_of, least_move, rounded_value
from monitoring.performance import Verdict
from preprocessing.schema import Target, beginning_of, label_of
from reports.figures import (
    Completeness,
    Moves,
    Picture,
    change_of,
    completeness_of,
    moves_of,
    picture_of,
)
from reports.records import (
    Before,
    CohortReport,
    PlannedStep,
    ReportedColumn,
    ReportedModel,
    ReportedStudent,
    SpokenReason,
    columns_moved,
)

Columns = Mapping[str, ReportedColumn]

SHOWN_COLUMNS = 6
VERSION_SHOWN = 12
TELLING_SHARE = 0.1  # of the strongest reason, below which another one is not told
SUREST_CHANCE = 0.99  # no chance is told as surer


def limits() -> list[str]:
    """What a report is not for."""
    return [
        _(
            "It is no mark. Nothing in it may be used to grade, admit, place, punish or exclude a student: it is a "
            "reason to look at somebody and to offer help."
        ),
        _(
            "It is about likeness, not about causes: a reason says what moved this model's answer, and changing that "
            "column need not change the result."
        ),
        _(
            "It is no verdict on one student: each answer has an interval, and by design some results will lie outside "
            "it."
        ),
        _(
            "It does not know what no column holds: illness, work, family, a change of heart. Whoever knows the "
            "student knows more."
        ),
        _("A student without an answer, or one who is missing here, is not therefore safe."),
        _("It does not compare teachers, courses or groups: they differ in whom they teach."),
    ]


def column_words(name: str, columns: Columns) -> str:
    """A column as it is said: as the domain's file calls it, else by its name.

    >>> column_words("attendance_rate", {})
    'attendance rate'
    """
    known = columns.get(name)
    return worded(known.title) if known and known.title else name.replace("_", " ")


def target_words(target: Target) -> str:
    """A target in the same way."""
    return worded(beginning_of(target)) or target.name.replace("_", " ")


def moment_words(moment: str, report: CohortReport) -> str:
    """A moment as the domain's file calls it."""
    return worded(report.moments[moment]) if moment in report.moments else retold(moment.replace("_", " "))


def cell_words(value: Cell, column: ReportedColumn | None) -> str:
    """A cell with its unit, or the label of its level."""
    known = column or ReportedColumn()
    if value is None:
        return _("not known")
    if isinstance(value, str) or f"{value:g}" in known.labels:
        return label_of(value, known.labels)
    return number(value, 2) + unit_words(known.unit)


def unit_words(unit: str) -> str:
    """A unit as it stands behind a number."""
    return {"percent": "\u00a0%", "level": "", "": ""}.get(unit, f" {worded(unit)}")


def day_words(at: date) -> str:
    """A day, as its readers write it; in plain English as commands do."""
    return f"{at:%Y-%m-%d}" if current().locale == SOURCE_LANGUAGE else day_of(at)


def reasons_of(answer: Answer | None, target: Target, columns: Columns) -> tuple[SpokenReason, ...]:
    """What moved an answer, in words, without what hardly did."""
    factors = answer.factors if answer else ()
    least = TELLING_SHARE * max((abs(one.effect) for one in factors), default=0.0)
    told = [one for one in factors if abs(one.effect) >= least]
    return tuple(SpokenReason(feature=one.feature, words=reason_words(one, target, columns)) for one in told)


def reason_words(factor: Factor, target: Target, columns: Columns) -> str:
    """A factor in words: "attendance rate 62 % lowers it by 4.1 points"; of a class by how far its chance moves."""
    what = f"{column_words(factor.feature, columns)} {cell_words(factor.value, columns.get(factor.feature))}"
    raises = factor.direction == "raises"
    if target.levels:
        said = (
            _("{what} raises it (the chance of this answer by {by})")
            if raises
            else _("{what} lowers it (the chance of this answer by {by})")
        )
        return said.format(what=what, by=share(abs(factor.effect)))
    size = rounded_value(abs(factor.effect), target, answered=False)
    by = number(size, decimals_of(target)) if size else _("less than {least}").format(least=number(0.1))
    said = _("{what} raises it by {by}") if raises else _("{what} lowers it by {by}")
    return said.format(what=what, by=by + unit_words(target.unit))


def value_words(value: float | str | None, target: Target, *, answered: bool = True) -> str:
    """An answer without its unit."""
    if value is None:
        return _("no answer")
    if isinstance(value, str):
        return label_of(value, target.labels)
    return number(rounded_value(value, target, answered=answered), decimals_of(target))


def range_words(answer: Answer | None, target: Target) -> str:
    """Between which ends an answer's interval lies; empty where there is none."""
    if answer is None or answer.interval is None:
        return ""
    low, high = (rounded_value(end, target, answered=False) for end in answer.interval)
    return interval(low, high, decimals_of(target))


def chance_words(chance: float | None) -> str:
    """A chance, which is never certain; empty for none.

    >>> [told.replace("\u00a0", " ") for told in map(chance_words, (0.999, 0.42, 0.001, None))]
    ['>99 %', '42 %', '<1 %', '']
    """
    if chance is None:
        return ""
    if chance > SUREST_CHANCE:
        return f">{share(SUREST_CHANCE)}"
    return f"<{share(1 - SUREST_CHANCE)}" if chance < 1 - SUREST_CHANCE else share(chance)


def mark_words(target: Target) -> str:
    """The pass mark, or the least level that passes."""
    mark = target.pass_mark or 0
    return label_of(target.levels[int(mark)], target.labels) if target.levels else number(mark, 3)


def silence_words(one: ReportedStudent, report: CohortReport) -> str:
    """Why a student has no answer or no chance; empty where there is nothing to say."""
    answer, columns = one.answer(report.target.name), report.columns
    if answer is None:
        return _("no model answers at this moment ({moment})").format(moment=moment_words(one.moment, report))
    told = []
    if answer.insufficient:
        told.append(_("too little is known; missing: {columns}").format(columns=_listed(answer.insufficient, columns)))
    if answer.out_of_range:
        told.append(
            _("unlike any student in training: {columns}").format(columns=_listed(answer.out_of_range, columns))
        )
    return "; ".join(told)


def _listed(names: Sequence[str], columns: Columns) -> str:
    return _several([column_words(name, columns) for name in names])


def _several(told: Sequence[str]) -> str:
    """The first of several things, and how many more there are."""
    shown, more = ", ".join(told[:SHOWN_COLUMNS]), len(told) - SHOWN_COLUMNS
    return _("{columns} and {n} more").format(columns=shown, n=count(more)) if more > 0 else shown


def advice_words(one: ReportedStudent) -> list[str]:
    """What stands out and what may help; or that nothing is recommended, and why."""
    if one.advice is None:
        return []
    told = [*map(retold, one.advice.weak), *map(_step_words, one.advice.steps)]
    if nothing := one.advice.nothing_because:
        told.append(_("no recommendation: {why}").format(why=retold(nothing)))
    return told


def _step_words(step: PlannedStep) -> str:
    return _("{title} ({how_long}): {why}").format(
        title=worded(step.title), how_long=worded(step.how_long), why=retold(step.why)
    )


# The class ----------------------------------------------------------------------------------------------------------


def class_words(report: CohortReport) -> list[str]:
    """How the class stands, from the figure that matters most on."""
    picture, target = picture_of(report), report.target
    told = []
    if picture.chances:
        said = likelier_words(picture.likelier, event=target.is_event)
        told.append(
            said.format(
                likelier=count(picture.likelier),
                n=count(picture.chances),
                mark=mark_words(target),
                expected=number(picture.expected),
            )
        )
    elif target.pass_mark is None:
        said = _("There is no pass mark ({target}), so nobody is said to be likely to end below one.")
        told.append(said.format(target=target_words(target)))
    said = ngettext(
        "{answered} of {n} student has an answer.", "{answered} of {n} students have an answer.", picture.students
    )
    told.append(said.format(answered=count(picture.answered), n=count(picture.students)))
    return told


def picture_words(picture: Picture, target: Target) -> str:
    """The picture as a text, for whoever does not see it."""
    bars = [
        _("{column}: {value}").format(column=band.label, value=count(band.students))
        for band in picture.bands
        if band.students
    ]
    said = _("Students by what is predicted ({target}): {bars}.")
    return said.format(target=target_words(target), bars="; ".join(bars) or _("nobody has an answer"))


# What changed -------------------------------------------------------------------------------------------------------


def change_words(report: CohortReport) -> list[str]:
    """What changed since the last report, and why, in sentences about the class."""
    moves = moves_of(report)
    if moves is None or report.last is None:
        return [_("This is the first report of this group and period: there is nothing to compare it with.")]
    who = ngettext(
        "Since the report for {day}: {n} student is in both reports, {joined} joined, {left} left.",
        "Since the report for {day}: {n} students are in both reports, {joined} joined, {left} left.",
        moves.both,
    )
    numbers = {"n": count(moves.both), "joined": count(len(moves.joined)), "left": count(len(report.left))}
    who = who.format(day=day_words(report.last.due), **numbers)
    return [who, *_data_words(report, moves), *_model_words(report), *_moved_words(report, moves)]


def _data_words(report: CohortReport, moves: Moves) -> list[str]:
    changed = sum(bool(one.before and one.before.cells) for one in report.students)
    if not changed:
        return [_("No row of theirs has changed.")] if moves.both else []
    moved = columns_moved(report.students).items()
    columns = [f"{column_words(name, report.columns)} ({count(times)})" for name, times in moved]
    said = ngettext(
        "The row of {n} student changed: {columns}.", "The rows of {n} students changed: {columns}.", changed
    )
    return [said.format(n=count(changed), columns=_several(columns))]


def _model_words(report: CohortReport) -> list[str]:
    before = set(report.last.models) if report.last else set()
    new = [one for one in report.models if one.version not in before]
    if not new:
        return [_("The same models answered.")]
    said = _("Another model answers ({target}, {moment}): {version}.")
    named = [
        said.format(
            target=_target_named(one.target, report),
            moment=moment_words(one.moment, report),
            version=one.version[:VERSION_SHOWN],
        )
        for one in new
    ]
    return [f"{told} {_service_words(one)}".strip() for told, one in zip(named, new, strict=True)]


def _target_named(name: str, report: CohortReport) -> str:
    known = next((one for one in report.targets if one.name == name), None)
    return target_words(known) if known else name.replace("_", " ")


def _service_words(one: ReportedModel) -> str:
    """Since when a model is in use, and why."""
    if one.serves is None:
        return ""
    why = retold(one.why.rstrip(".")) or _("nobody said why")
    return _("In use since {day}: {why}.").format(day=day_words(one.serves), why=why)


def _moved_words(report: CohortReport, moves: Moves) -> list[str]:
    target, told = report.target, []
    if moves.moved:
        least = _("a level") if target.levels else number(least_move(target), 3) + unit_words(target.unit)
        said = ngettext(
            "{n} answer moved by {least} or more: {by_data} mainly by new data, {by_model} mainly by another model.",
            "{n} answers moved by {least} or more: {by_data} mainly by new data, {by_model} mainly by another model.",
            len(moves.moved),
        )
        by = {"by_data": count(moves.by_data), "by_model": count(moves.by_model)}
        told.append(said.format(n=count(len(moves.moved)), least=least, **by))
    elif moves.both:
        told.append(_("No answer moved by as much as is told here."))
    if target.pass_mark is not None and (moves.worse or moves.better):
        said = became_words(len(moves.worse), event=target.is_event)
        better = count(len(moves.better))
        told.append(said.format(n=count(len(moves.worse)), mark=mark_words(target), better=better))
    return told


def student_change_words(one: ReportedStudent, report: CohortReport) -> str:
    """What became of a student's answer since the last report, and why; empty where there was none."""
    if report.last is None:
        return ""
    if one.before is None:
        return _("new in this report")
    target, change = report.target, change_of(one, report.target)
    if change is None:
        answer = one.answer(target.name)
        if answer is not None and answer.value is not None:
            return _("has an answer now")
        return _("no answer now") if one.before.value is not None else _("no answer, as before")
    if abs(change) < least_move(target) - 1e-9:
        return _("about as before")
    was, why = value_words(one.before.value, target), _cause_words(one.before, target)
    return _("was {value}: {why}").format(value=was, why=why) + _cells_words(one.before, report.columns)


def _cause_words(before: Before, target: Target) -> str:
    if before.by_data is None or before.by_model is None:
        return _("new data and another model")

    def said(by: float) -> str:
        if not target.levels:
            return number(by, signed=True)
        return ngettext("{n} level", "{n} levels", abs(round(by))).format(n=number(by, 0, signed=True))

    parts = [(_("new data {by}"), before.by_data), (_("another model {by}"), before.by_model)]
    return ", ".join(what.format(by=said(by)) for what, by in parts if abs(by) >= 0.05)


def _cells_words(before: Before, columns: Columns) -> str:
    cells = [
        f"{column_words(one.feature, columns)} {cell_words(one.before, columns.get(one.feature))} → "
        f"{cell_words(one.now, columns.get(one.feature))}"
        for one in before.cells[:SHOWN_COLUMNS]
    ]
    return f" ({', '.join(cells)})" if cells else ""


# What is missing, how good the model is -----------------------------------------------------------------------------


def completeness_words(report: CohortReport) -> list[str]:
    """What is missing, and how old the rest is."""
    found, students, told = completeness_of(report), count(len(report.students)), []
    if found.oldest and found.newest:
        first, last = day_words(found.oldest), day_words(found.newest)
        said = _("The rows came in between {first} and {last}.") if first != last else _("The rows came in on {last}.")
        told.append(said.format(first=first, last=last))
    if found.stale:
        said = _("No new row since the last report: {n} of {all} students.")
        told.append(said.format(n=count(found.stale), all=students))
    if found.missing:
        missing = [
            _("{column} ({n} of {all})").format(column=column_words(name, report.columns), n=count(lost), all=students)
            for name, lost in found.missing.items()
        ]
        told.append(_("Not known of some: {columns}.").format(columns=_several(missing)))
    elif report.students:
        told.append(_("No column that is known by now is empty."))
    return [*told, *_unanswered_words(found)]


def _unanswered_words(found: Completeness) -> list[str]:
    told = []
    if found.unanswered:
        said = ngettext(
            "{n} student is without an answer: little known is itself a sign, look there, too.",
            "{n} students are without an answer: little known is itself a sign, look at them, too.",
            len(found.unanswered),
        )
        told.append(said.format(n=count(len(found.unanswered))))
    if found.unlike:
        said = ngettext(
            "{n} student has something unlike any student in training: no interval and no chance is promised there.",
            "{n} students have something unlike any student in training: no interval and no chance is promised there.",
            len(found.unlike),
        )
        told.append(said.format(n=count(len(found.unlike))))
    return told


def model_words(one: ReportedModel, report: CohortReport) -> list[str]:
    """A model, where it comes from and how good it was on rows that it had not seen."""
    said = (
        _(
            "{target}, {moment}: model {version} ({candidate}), trained {day} on {n} rows of generated examples, which "
            "stand for no student."
        )
        if one.examples
        else _("{target}, {moment}: model {version} ({candidate}), trained {day} on {n} rows of records.")
    )
    told = [
        said.format(
            target=_target_named(one.target, report),
            moment=moment_words(one.moment, report),
            version=one.version[:VERSION_SHOWN],
            candidate=one.candidate,
            day=day_words(one.trained),
            n=count(one.rows),
        )
    ]
    if one.mae and one.naive_mae:
        said = _(
            "On {n} rows that it had not seen it was off by {mean} on average ({low} to {high}); the plain rule by "
            "{naive}."
        )
        ends = {"low": number(one.mae.low, 2), "high": number(one.mae.high, 2), "naive": number(one.naive_mae.value, 2)}
        told.append(said.format(n=count(one.n), mean=number(one.mae.value, 2), **ends))
    return [*told, *filter(None, [_service_words(one)]), *map(retold, one.doubts)]


def health_words(report: CohortReport) -> list[str]:
    """How the model's answers about this group turned out so far, and whether data are still what they were."""
    told = []
    for one in report.performance:
        target, n = _target_named(one.target, report), count(one.students)
        if one.mae and one.naive_mae:
            said = _(
                "{target}: answers about {n} students of this group whose results are known were off by {mean} on "
                "average ({low} to {high}), the plain rule by {naive}: {verdict}."
            )
            ends = {"low": number(one.mae.low, 2), "high": number(one.mae.high, 2)}
            means = {"mean": number(one.mae.value, 2), "naive": number(one.naive_mae.value, 2)}
            told.append(said.format(target=target, n=n, verdict=verdict_words(one.verdict), **means, **ends))
        else:
            said = _(
                "{target}: the result of an earlier answer is known of {n} students of this group: too few to say how "
                "good answers about it are."
            )
            told.append(said.format(target=target, n=n))
    if report.drift is None:
        told.append(_("Nobody has asked yet whether the data are still what the models learned from."))
    else:
        said = (
            _("Looked at on {day}, the data of the whole domain had changed.")
            if report.drift.alarm
            else _("Looked at on {day}, the data of the whole domain were still what the models learned from.")
        )
        told.append(said.format(day=day_words(report.drift.at)))
    return told


def verdict_words(verdict: Verdict) -> str:
    """How answers did beside the plain rule's."""
    return {
        "better than the plain rule": _("better than the plain rule"),
        "no better than the plain rule": _("no better than the plain rule"),
        "worse than the plain rule": _("worse than the plain rule"),
        "not enough data": _("not enough data"),
    }[verdict]


def about_words(report: CohortReport) -> str:
    """For which day it is, when it was made, and when the next one is due."""
    said = _("Report for {day}, made {made}, {time} UTC. The next one is due on {next}.")
    days = {"day": day_words(report.due), "made": day_words(report.made.date()), "next": day_words(next_due(report))}
    return said.format(time=f"{report.made:%H:%M}", **days)


def edition_words(report: CohortReport) -> str:
    """Why there is another edition; empty for the first."""
    if report.edition == 1:
        return ""
    said = ngettext(
        "Edition {edition}: made again without {n} student who was erased ({days}).",
        "Edition {edition}: made again without {n} students who were erased ({days}).",
        len(report.withdrawn),
    )
    days = ", ".join(dict.fromkeys(map(day_words, report.withdrawn)))
    return said.format(edition=count(report.edition), n=count(len(report.withdrawn)), days=days)


def next_due(report: CohortReport) -> date:
    """When the next report is due."""
    return report.due + timedelta(days=report.every)

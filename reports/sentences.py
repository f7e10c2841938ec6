"""A cohort report in plain words: reasons, changes, what is missing, how good the model is, what a report is not for.

Every number comes from the record or from `reports.figures`; nothing is decided here.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta

from database.records import Answer, Cell, Factor
from model.readable import least_move, readable_value
from preprocessing.schema import Target, label_of
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

LIMITS = (
    "It is no mark. Nothing in it may be used to grade, admit, place, punish or exclude a student: it is a reason to "
    "look at somebody and to offer help.",
    "It is about likeness, not about causes: a reason says what moved this model's answer, and changing that column "
    "need not change the result.",
    "It is no verdict on one student: each answer has an interval, and by design some results will lie outside it.",
    "It does not know what no column holds: illness, work, family, a change of heart. Whoever knows the student knows "
    "more.",
    "A student without an answer, or one who is missing here, is not therefore safe.",
    "It does not compare teachers, courses or groups: they differ in whom they teach.",
)
"""What a report is not for."""


def column_words(name: str) -> str:
    """A column as it is said.

    >>> column_words("attendance_rate")
    'attendance rate'
    """
    return name.replace("_", " ")


def cell_words(value: Cell, column: ReportedColumn | None) -> str:
    """A cell with its unit, or the label of its level."""
    known = column or ReportedColumn()
    if value is None:
        return "not known"
    said = label_of(value, known.labels)
    return said if isinstance(value, str) or f"{value:g}" in known.labels else said + unit_words(known.unit)


def unit_words(unit: str) -> str:
    """A unit as it stands behind a number."""
    return {"percent": " %", "": ""}.get(unit, f" {unit}")


def reasons_of(answer: Answer, target: Target, columns: Columns) -> tuple[SpokenReason, ...]:
    """What moved an answer, in words, without what hardly did."""
    least = TELLING_SHARE * max((abs(one.effect) for one in answer.factors), default=0.0)
    told = [one for one in answer.factors if abs(one.effect) >= least]
    return tuple(SpokenReason(feature=one.feature, words=reason_words(one, target, columns)) for one in told)


def reason_words(factor: Factor, target: Target, columns: Columns) -> str:
    """A factor in words: "attendance rate 62 % lowers it by 4.1 points"; of a class by how far its chance moves."""
    what = f"{column_words(factor.feature)} {cell_words(factor.value, columns.get(factor.feature))}"
    if target.levels:
        return f"{what} {factor.direction} it (the chance of this answer by {abs(factor.effect):.0%})"
    by = readable_value(abs(factor.effect), target, answered=False)
    return f"{what} {factor.direction} it by {by if float(by) else 'less than 0.1'}{unit_words(target.unit)}"


def value_words(value: float | str | None, target: Target, *, answered: bool = True) -> str:
    """An answer without its unit."""
    if value is None:
        return "no answer"
    return (
        label_of(value, target.labels) if isinstance(value, str) else readable_value(value, target, answered=answered)
    )


def chance_words(chance: float | None) -> str:
    """A chance, which is never certain; empty for none.

    >>> chance_words(0.999), chance_words(0.42), chance_words(0.001)
    ('>99%', '42%', '<1%')
    """
    if chance is None:
        return ""
    return ">99%" if chance > 0.99 else "<1%" if chance < 0.01 else f"{chance:.0%}"


def mark_words(target: Target) -> str:
    """The pass mark, or the least level that passes."""
    mark = target.pass_mark or 0
    return label_of(target.levels[int(mark)], target.labels) if target.levels else f"{mark:g}"


def silence_words(one: ReportedStudent, target: Target) -> str:
    """Why a student has no answer or no chance; empty where there is nothing to say."""
    answer = one.answer(target.name)
    if answer is None:
        return f"no model answers at {column_words(one.moment)}"
    told = []
    if answer.insufficient:
        told.append(f"too little is known: {_listed(answer.insufficient)} {_is(len(answer.insufficient))} missing")
    if answer.out_of_range:
        told.append(f"unlike any student in training: {_listed(answer.out_of_range)}")
    return "; ".join(told)


def _listed(names: Sequence[str], most: int = SHOWN_COLUMNS) -> str:
    shown = [column_words(name) for name in names[:most]]
    return ", ".join(shown) + (f" and {len(names) - most} more" if len(names) > most else "")


def _is(count: int) -> str:
    return "is" if count == 1 else "are"


def _students(count: int) -> str:
    return f"{count:,} student{'' if count == 1 else 's'}"


def advice_words(one: ReportedStudent) -> list[str]:
    """What stands out and what may help; or that nothing is recommended, and why."""
    if one.advice is None:
        return []
    steps = [f"{step.title} ({step.how_long}): {step.why}" for step in one.advice.steps]
    nothing = one.advice.nothing_because
    return [*one.advice.weak, *steps, *([f"no recommendation: {nothing}"] if nothing else [])]


# The class ----------------------------------------------------------------------------------------------------------


def class_words(report: CohortReport) -> list[str]:
    """How the class stands, from the figure that matters most on."""
    picture, target = picture_of(report), report.target
    told = []
    if picture.chances:
        told.append(
            f"{picture.likelier:,} of {_students(picture.chances)} with a chance {_is(picture.likelier)} likelier than "
            f"not to end below {mark_words(target)}; the chances add up to {picture.expected:.1f}."
        )
    elif target.pass_mark is None:
        told.append(f"{column_words(target.name)} has no pass mark, so nobody is said to be likely to end below one.")
    have = "has" if picture.students == 1 else "have"
    told.append(f"{picture.answered:,} of {_students(picture.students)} {have} an answer.")
    return told


def picture_words(picture: Picture, target: Target) -> str:
    """The picture as a text, for whoever does not see it."""
    bars = "; ".join(f"{band.label}: {band.students}" for band in picture.bands if band.students)
    return f"Students by predicted {column_words(target.name)}: {bars or 'nobody has an answer'}."


# What changed -------------------------------------------------------------------------------------------------------


def change_words(report: CohortReport) -> list[str]:
    """What changed since the last report, and why, in sentences about the class."""
    moves = moves_of(report)
    if moves is None or report.last is None:
        return ["This is the first report of this group and period: there is nothing to compare it with."]
    told = [_who_came(report, moves), *_data_words(report, moves), *_model_words(report)]
    return [*told, *_moved_words(report, moves)]


def _who_came(report: CohortReport, moves: Moves) -> str:
    since = f"Since the report for {report.last.due:%Y-%m-%d}" if report.last else ""
    who = f"{_students(moves.both)} {_is(moves.both)} in both reports"
    return f"{since}: {who}, {len(moves.joined):,} joined, {len(report.left):,} left."


def _data_words(report: CohortReport, moves: Moves) -> list[str]:
    changed = sum(bool(one.before and one.before.cells) for one in report.students)
    if not changed:
        return ["No row of theirs has changed."] if moves.both else []
    columns = [f"{column_words(name)} ({count:,})" for name, count in columns_moved(report.students).items()]
    more = f" and {len(columns) - SHOWN_COLUMNS} more columns" if len(columns) > SHOWN_COLUMNS else ""
    return [f"The rows of {_students(changed)} changed: {', '.join(columns[:SHOWN_COLUMNS])}{more}."]


def _model_words(report: CohortReport) -> list[str]:
    before = set(report.last.models) if report.last else set()
    new = [one for one in report.models if one.version not in before]
    if not new:
        return ["The same models answered."]
    return [
        f"Another model answers about {column_words(one.target)} at {column_words(one.moment)}: "
        f"{one.version[:VERSION_SHOWN]}. {_service_words(one)}".strip()
        for one in new
    ]


def _service_words(one: ReportedModel) -> str:
    """Since when a model is in use, and why."""
    if one.serves is None:
        return ""
    return f"In use since {_day(one.serves)}: {one.why.rstrip('.') or 'nobody said why'}."


def _moved_words(report: CohortReport, moves: Moves) -> list[str]:
    target, told = report.target, []
    if moves.moved:
        least = f"{least_move(target):g}{unit_words(target.unit) if not target.levels else ' level'} or more"
        why = f"{moves.by_data:,} mainly by new data, {moves.by_model:,} mainly by another model"
        verb = "answer moved" if len(moves.moved) == 1 else "answers moved"
        told.append(f"{len(moves.moved):,} {verb} by {least}: {why}.")
    elif moves.both:
        told.append("No answer moved by as much as is told here.")
    if target.pass_mark is not None and (moves.worse or moves.better):
        told.append(
            f"{_students(len(moves.worse))} became likelier than not to end below {mark_words(target)}, "
            f"{len(moves.better):,} no longer {_is(len(moves.better))}."
        )
    return told


def student_change_words(one: ReportedStudent, report: CohortReport) -> str:
    """What became of a student's answer since the last report, and why; empty where there was none."""
    if report.last is None:
        return ""
    if one.before is None:
        return "new in this report"
    target, change = report.target, change_of(one, report.target)
    if change is None:
        answer = one.answer(target.name)
        now = answer is not None and answer.value is not None
        return (
            "has an answer now" if now else "no answer now" if one.before.value is not None else "no answer, as before"
        )
    if abs(change) < least_move(target) - 1e-9:
        return "about as before"
    was = f"was {value_words(one.before.value, target)}"
    return f"{was}: {_cause_words(one.before, target)}{_cells_words(one.before, report.columns)}"


def _cause_words(before: Before, target: Target) -> str:
    if before.by_data is None or before.by_model is None:
        return "new data and another model"

    def said(by: float) -> str:
        return f"{by:+.0f} level{'' if abs(by) == 1 else 's'}" if target.levels else f"{by:+.1f}"

    parts = [("new data", before.by_data), ("another model", before.by_model)]
    return ", ".join(f"{what} {said(by)}" for what, by in parts if abs(by) >= 0.05)


def _cells_words(before: Before, columns: Columns) -> str:
    cells = [
        f"{column_words(one.feature)} {cell_words(one.before, columns.get(one.feature))} → "
        f"{cell_words(one.now, columns.get(one.feature))}"
        for one in before.cells[:SHOWN_COLUMNS]
    ]
    return f" ({', '.join(cells)})" if cells else ""


# What is missing, how good the model is -----------------------------------------------------------------------------


def completeness_words(report: CohortReport) -> list[str]:
    """What is missing, and how old the rest is."""
    found, count, told = completeness_of(report), len(report.students), []
    if found.oldest and found.newest:
        span = (
            f"between {_day(found.oldest)} and {_day(found.newest)}"
            if _day(found.oldest) != _day(found.newest)
            else f"on {_day(found.newest)}"
        )
        told.append(f"The rows came in {span}.")
    if found.stale:
        told.append(f"{_students(found.stale)} of {count:,} had no new row since the last report.")
    if found.missing:
        columns = [f"{column_words(name)} ({lost:,} of {count:,})" for name, lost in found.missing.items()]
        more = f" and {len(columns) - SHOWN_COLUMNS} more columns" if len(columns) > SHOWN_COLUMNS else ""
        told.append(f"Not known of some: {', '.join(columns[:SHOWN_COLUMNS])}{more}.")
    elif count:
        told.append("No column that is known by now is empty.")
    return [*told, *_unanswered_words(found)]


def _unanswered_words(found: Completeness) -> list[str]:
    told = []
    if found.unanswered:
        told.append(
            f"{_students(len(found.unanswered))} without an answer: little known is itself a sign, look at them, too."
        )
    if found.unlike:
        told.append(
            f"{_students(len(found.unlike))} with something unlike any student in training: no interval and no chance "
            "is promised there."
        )
    return told


def _day(at: datetime) -> str:
    return f"{at:%Y-%m-%d}"


def model_words(one: ReportedModel) -> list[str]:
    """A model, where it comes from and how good it was on rows that it had not seen."""
    source = "generated examples, which stand for no student" if one.examples else "records"
    about = f"{column_words(one.target)} at {column_words(one.moment)}"
    what = f"{about}: model {one.version[:VERSION_SHOWN]} ({one.candidate})"
    told = [f"{what}, trained {_day(one.trained)} on {one.rows:,} rows of {source}."]
    if one.mae and one.naive_mae:
        told.append(
            f"On {one.n:,} rows that it had not seen it was off by {one.mae.value:.3g} on average "
            f"({one.mae.low:.3g} to {one.mae.high:.3g}); the plain rule by {one.naive_mae.value:.3g}."
        )
    return [*told, *filter(None, [_service_words(one)]), *one.doubts]


def health_words(report: CohortReport) -> list[str]:
    """How the model's answers about this group turned out so far, and whether data are still what they were."""
    told = []
    for one in report.performance:
        name = column_words(one.target)
        if one.mae and one.naive_mae:
            told.append(
                f"{name}: answers about {_students(one.students)} of this group whose results are known were off by "
                f"{one.mae.value:.3g} on average ({one.mae.low:.3g} to {one.mae.high:.3g}), the plain rule by "
                f"{one.naive_mae.value:.3g}: {one.verdict}."
            )
        else:
            told.append(
                f"{name}: of {_students(one.students)} of this group the result of an earlier answer is known: too few "
                "to say how good answers about it are."
            )
    if report.drift is None:
        told.append("Nobody has asked yet whether the data are still what the models learned from.")
    else:
        what = "had changed" if report.drift.alarm else "were still what the models learned from"
        told.append(f"Looked at on {_day(report.drift.at)}, the data of the whole domain {what}.")
    return told


def about_words(report: CohortReport) -> str:
    """For which day it is, when it was made, and when the next one is due."""
    made, following = f"{report.made:%Y-%m-%d %H:%M}", next_due(report)
    return f"Report for {report.due}, made {made} UTC. The next one is due on {following}."


def edition_words(report: CohortReport) -> str:
    """Why there is another edition; empty for the first."""
    if report.edition == 1:
        return ""
    count = len(report.withdrawn)
    days = ", ".join(dict.fromkeys(f"{day:%Y-%m-%d}" for day in report.withdrawn))
    were = "was" if count == 1 else "were"
    return f"Edition {report.edition}: made again without {_students(count)} who {were} erased ({days})."


def next_due(report: CohortReport) -> date:
    """When the next report is due."""
    return report.due + timedelta(days=report.every)

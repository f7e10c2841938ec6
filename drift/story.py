"""What a drift report comes to for whoever reads one sentence of it: the cause, its size, its cost, what to do next.

In the language that is spoken and in words of the domain; every number and verdict is the report's own. The exact
sentences, in plain English with intervals, are `drift.sentences`'.
"""

from __future__ import annotations

from collections.abc import Sequence

from drift.column import PREDICTION
from drift.impact import ExpectedError
from drift.policy import ALARMING
from drift.records import ColumnDrift, DriftReport, SegmentDrift
from drift.sentences import describe_refused
from language import _, ngettext, worded
from language.format import count, day, number, share
from language.palette import State
from preprocessing.validation.results import RefusedValues

NEW_FROM = 0.05  # of the rows; where fewer hold new levels, these are not what moved a column
NAMED_IN_STORY = 3  # levels or columns that a sentence names


def name_of(column: ColumnDrift) -> str:
    """What readers call a column: its words, with the code behind them where they differ."""
    told = column.column.removeprefix(PREDICTION)
    words = f"{column.title} ({told})" if column.title and column.title != told else told
    return _("Answers for {target}").format(target=words) if column.column.startswith(PREDICTION) else words


def state_of(report: DriftReport) -> State:
    """How it stands: sure of a change that matters, probably, too few rows to tell, or as before."""
    if report.alarm:
        sure = any("drift" in (one.verdict, one.missing.verdict) for one in report.flagged)
        return State.ACT if sure or (report.joint and report.joint.verdict == "drift") else State.LOOK
    return State.OPEN if _is_open(report) else State.GOOD


def _is_open(report: DriftReport) -> bool:
    empty = not report.n_current or not report.n_reference
    return empty or all(one.doubt in ("few rows", "untested") for one in report.columns)


def tell_story(report: DriftReport) -> tuple[str, ...]:
    """At most five sentences: cause, size, cost, what to do."""
    students = count(report.n_current)
    if not report.alarm and _is_open(report):
        few = ngettext("{n} student is too few", "{n} students are too few", report.n_current).format(n=students)
        return (
            _("It cannot be told whether anything changed: {few}.").format(few=few),
            _("Next: compare again when more are there."),
        )
    if not report.alarm:
        calm = _("The data is like before: none of {columns} facts moved enough to matter ({n} students).")
        return (calm.format(columns=count(len(report.columns)), n=students), *_costs(report, calm=True))
    told = _told(report)
    return (*_causes(report, told), *_costs(report, calm=False), _next_step(report, told))


def in_order(report: DriftReport) -> list[ColumnDrift]:
    """The columns that raise the alarm as they are told: those with new levels first, then what tells rows apart most,
    if it is a level, then by what they can cost; answers, which only follow, last."""
    first = [one.column for one in report.joint.classifier.columns[:1]] if report.joint else []

    def place(column: ColumnDrift) -> tuple[bool, bool, bool]:
        told_apart = column.column in first and column.kind == "categorical"
        return column.column.startswith(PREDICTION), not _is_new(column), not told_apart

    return sorted(report.flagged, key=place)


def _told(report: DriftReport) -> list[ColumnDrift]:
    """The same without answers, where anything else moved."""
    found = in_order(report)
    return [one for one in found if not one.column.startswith(PREDICTION)] or found


def _causes(report: DriftReport, told: Sequence[ColumnDrift]) -> tuple[str, ...]:
    """What is wrong with the file; what moved and by how much, new levels first; and of how many facts that is."""
    wrong = [describe_refused(_refused(report)[:1])] if _refused(report) else []
    if not told:
        return tuple(wrong or [_whole(report)])
    sentences = wrong + [change_of(one) for one in told[: 2 - len(wrong)]]
    if len(report.flagged) > len(sentences) - len(wrong):
        more = _("In all {moved} of {columns} facts moved.")
        sentences.append(more.format(moved=count(len(report.flagged)), columns=count(len(report.columns))))
    return tuple(sentences)


def _refused(report: DriftReport) -> list[RefusedValues]:
    """What prediction would refuse of so many rows more than before that it raises the alarm, most first."""
    allowed = report.policy.missing_threshold
    found = [one for one in report.refused if one.column and one.share - one.share_reference > allowed]
    return sorted(found, key=lambda one: (one.share_reference - one.share, one.column))


def _whole(report: DriftReport) -> str:
    """What raises the alarm where no single column does."""
    if report.joint and report.joint.verdict in ALARMING:
        names = ", ".join(one.column for one in report.joint.classifier.columns[:NAMED_IN_STORY])
        if not names:
            return _("No single fact moved, but these students can be told from the earlier ones.")
        return _(
            "No single fact moved, but together they did: these students can be told from the earlier ones by {names}."
        ).format(names=names)
    loud = [segment.segment for segment in report.segments if segment.alarm]
    return _("As a whole nothing moved, but it did in {names}.").format(names=", ".join(loud[:NAMED_IN_STORY]))


def change_of(column: ColumnDrift) -> str:
    """What moved in one column: what is new in it, else how far it moved."""
    return _new(column) if _is_new(column) else _size(column)


def calm_of(column: ColumnDrift) -> str:
    """Where one column that raises no alarm stands, before and now."""
    if column.verdict == "constant":
        return _("“{column}” has one value, the same before and now.").format(column=name_of(column))
    if column.doubt == "untested":
        return _("“{column}” was not tested.").format(column=name_of(column))
    return _size(column)


def segment_words(segment: SegmentDrift) -> str:
    """What one segment shows, in a few words."""
    if segment.alarm:
        return " ".join(map(change_of, segment.flagged[:NAMED_IN_STORY]))
    if segment.reason:
        return _("not compared: not enough data, or on one side only")
    few = sum(column.doubt in ("few rows", "untested") for column in segment.columns)
    if not few:
        return _("no drift found")
    words = {"few": count(few), "all": count(len(segment.columns))}
    if segment.too_small:
        return _("too few rows to tell of {few} of {all} facts").format(**words)
    return _("no drift found; too few rows to tell of {few} of {all} facts").format(**words)


def _is_new(column: ColumnDrift) -> bool:
    """Whether levels that were never there before are what moved it."""
    rows = sum(one.rows for one in column.new_levels)
    return rows >= NEW_FROM * column.n_current > 0


def _new(column: ColumnDrift) -> str:
    words = _words_of(column)
    names = ", ".join(words.get(one.level, one.level) for one in column.new_levels[:NAMED_IN_STORY])
    rows = sum(one.rows for one in column.new_levels)
    more = _("{names} and {n} more").format(names=names, n=count(column.new_level_count - NAMED_IN_STORY))
    return _("Never seen before under “{column}”: {names} ({n} of {all} students).").format(
        column=column.title or column.label,
        names=names if column.new_level_count <= NAMED_IN_STORY else more,
        n=count(rows),
        all=count(column.n_current),
    )


def _words_of(column: ColumnDrift) -> dict[str, str]:
    return dict(zip(column.curve.levels, column.curve.words, strict=True)) if column.curve else {}


def _size(column: ColumnDrift) -> str:
    """How far one column moved, in a sentence."""
    name = name_of(column)
    if column.verdict not in ALARMING and column.missing.verdict in ALARMING:
        lost = column.missing
        before, now = share(lost.rate_reference), share(lost.rate_current)
        return _("“{column}” is missing for {now} of the students, {before} before.").format(
            column=name, now=now, before=before
        )
    if moved := _mean(column, name):
        return moved
    before, now = share(column.share_reference or 0.0), share(column.share_current or 0.0)
    if column.kind == "categorical":
        level = str(column.where)
        return _("“{column}” is {level} for {now} of the students, {before} before.").format(
            column=name, level=_words_of(column).get(level, level), now=now, before=before
        )
    if not isinstance(column.where, float):
        return _("“{column}” moved.").format(column=name)
    return _("“{column}” is at most {value} for {now} of the students, {before} before.").format(
        column=name, value=number(column.where, 2), now=now, before=before
    )


def _mean(column: ColumnDrift, name: str) -> str:
    """How far its mean moved, where that is sure; else empty."""
    before, now, low, high = (
        column.mean_reference,
        column.mean_current,
        column.mean_change_low,
        column.mean_change_high,
    )
    if before is None or now is None or low is None or high is None or low <= 0 <= high:
        return ""
    digits = 1 if abs(now - before) >= 0.1 else 3
    words = {"column": name, "by": number(abs(now - before), digits), "unit": worded(column.unit)}
    words |= {"before": number(before, digits), "now": number(now, digits)}
    if column.unit:
        up = _("“{column}” is {by} {unit} higher than before on average: {now}, not {before}.")
        down = _("“{column}” is {by} {unit} lower than before on average: {now}, not {before}.")
    else:
        up = _("“{column}” is {by} higher than before on average: {now}, not {before}.")
        down = _("“{column}” is {by} lower than before on average: {now}, not {before}.")
    return (up if now > before else down).format(**words)


def _costs(report: DriftReport, *, calm: bool) -> tuple[str, ...]:
    """What it costs: errors that rose, else those to expect. calm: only what is sure."""
    if rose := [one for one in report.changes if one.rose and one.low > 0]:
        return tuple(
            _(
                "The average miss rose to {after} around {day}, from {before}: of {n} answers since then the outcome "
                "was known when this was looked at."
            ).format(
                after=number(one.after, 2), before=number(one.before, 2), day=day(one.at.date()), n=count(one.n_after)
            )
            for one in rose[:1]
        )
    return (_expected(report.expected, calm=calm),) if report.expected and _expected(report.expected, calm=calm) else ()


def _expected(found: ExpectedError, *, calm: bool) -> str:
    words = {"after": number(found.after, 2), "before": number(found.before, 2), "unit": worded(found.unit)}
    words |= {"low": number(found.change_low, 2, signed=True), "high": number(found.change_high, 2, signed=True)}
    if not found.change_low <= 0 <= found.change_high:
        return _("Expect an average miss of {after} {unit} instead of {before}.").format(**words)
    if calm:
        return ""
    return _("Expect an average miss of {after} {unit} instead of {before} (not sure: {low} to {high}).").format(
        **words
    )


def _next_step(report: DriftReport, told: Sequence[ColumnDrift]) -> str:
    if _refused(report):
        return _("Next: correct the file, or what the domain's file says of the column.")
    if any(map(_is_new, told)):
        return _("Next: retrain when the outcomes of these students are known.")
    lost = [one for one in told if one.verdict not in ALARMING and one.missing.verdict in ALARMING]
    if lost:
        return _("Next: find out why “{column}” is missing.").format(column=name_of(lost[0]))
    return _("Next: look at what moved, and retrain if results became worse.")

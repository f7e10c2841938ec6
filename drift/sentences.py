"""A drift report in exact sentences: what changed, by how much, and what that likely costs. They decide nothing.

In the language that is spoken, in plain English for commands and for the summary that a report keeps.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec

from drift.column import PREDICTION
from drift.impact import ClassChange, ErrorChange, ExpectedError
from drift.policy import ALARMING, FEWEST_ALARMING, Verdict
from drift.records import ColumnDrift, DriftReport, JointDrift, MissingDrift, SegmentDrift
from language import _, ngettext, retold, worded
from language.format import as_written, day
from language.speech import SOURCE_LANGUAGE, current, use
from preprocessing.schema import ContextColumn, DomainSchema, Feature, Target, title_in_file
from preprocessing.validation.results import RefusedValues

NO_UNIT = "level"  # of numbers on a scale that has no unit


def with_words(
    column: ColumnDrift,
    schema: DomainSchema | None,
    title: Callable[[Feature | Target | ContextColumn], str] = title_in_file,
    told: Callable[[str], str] = str,
) -> ColumnDrift:
    """The column with what readers call it, its numbers and its levels, by the domain's file as it is now. title, told:
    how a column and a label are said to them; by default as the file says it."""
    found = schema.column_by_name.get(column.column.removeprefix(PREDICTION)) if schema else None
    if found is None:
        return column
    labels, unit = ({}, "") if isinstance(found, ContextColumn) else (found.labels, found.unit)
    curve = column.curve
    if curve:
        curve = msgspec.structs.replace(curve, words=tuple(told(labels.get(level, level)) for level in curve.levels))
    return msgspec.structs.replace(column, title=title(found), unit="" if unit == NO_UNIT else unit, curve=curve)


def describe(column: ColumnDrift) -> str:
    """What one column shows, in a plain sentence."""
    sentences, values = [], _label(column)
    if column.missing.verdict in ALARMING:
        sentences.append(_loss(_label(column), column.missing))
        values = _("What there is of it")
    if column.verdict == "constant":
        sentences.append(_("{what} has one value, the same in both samples.").format(what=values))
    elif column.doubt == "untested":
        why = _again(column.untested) if column.untested else _("a sample has no values")
        sentences.append(_("{what} was not tested: {why}.").format(what=values, why=why))
    else:
        sentences.append(
            _finding(column).format(
                what=values,
                change=_change(column),
                most=_figure(f"{column.effect_high:.2f}"),
                by=effect_of(column),
                limit=_figure(f"{column.threshold:g}"),
                few=FEWEST_ALARMING,
                why=_too_few(column),
            )
        )
    if column.new_level_count:
        names = ", ".join(f"{item.level} ({item.rows})" for item in column.new_levels[:3])
        names = _("{names} and more").format(names=names) if column.new_level_count > 3 else names
        said = ngettext("{n} level is new: {names}.", "{n} levels are new: {names}.", column.new_level_count)
        sentences.append(said.format(n=column.new_level_count, names=names))
    return " ".join(sentences)


def _label(column: ColumnDrift) -> str:
    """The column by its code, or of whose answers it is."""
    if not column.column.startswith(PREDICTION):
        return column.label
    return _("prediction of {target}").format(target=column.column.removeprefix(PREDICTION))


def _finding(column: ColumnDrift) -> str:
    """What was found in a column, with its places."""
    if column.doubt == "no sign":
        return _("{what} shows no sign of change, at most {most}: {change}.")
    if column.doubt == "at the limit":
        return _("{what} changed beyond chance, by {by}, and {limit} would matter: {change}.")
    if column.doubt and column.significant:
        return _("{what} changed beyond chance, but fewer than {few} rows raise no alarm: {change}.")
    if column.doubt:
        return _("{what} may or may not have changed ({why}): {change}.")
    words: dict[Verdict, str] = {
        "drift": _("{what} changed clearly: {change}."),
        "warn": _("{what} probably changed: {change}."),
        "ok": _("{what} is still the same, within the limit: {change}."),
    }
    return words[column.verdict]


def _loss(what: str, missing: MissingDrift) -> str:
    ends = describe_interval(missing.effect_low, missing.effect_high, missing.threshold, changed=True)
    return _("{what} is missing in {now} of the rows, {before} before: a difference of {ends}.").format(
        what=what, now=_percent(missing.rate_current), before=_percent(missing.rate_reference), ends=ends
    )


def describe_interval(low: float, high: float, limit: float, *, changed: bool, digits: int = 2) -> str:
    """Where an effect lies, its ends on the side of the limit on which they are.

    The interval is corrected more strictly than the test: where this shows that something `changed`, an end that cannot
    be told from 0 is not said.

    >>> describe_interval(0.0, 0.0997, 0.1, changed=True)
    'at most 0.0997'
    """
    first, last = _on_its_side(low, limit, digits), _on_its_side(high, limit, digits)
    if changed and not float(first):
        return _("at most {most}").format(most=_figure(last))
    return _("{low} to {high}").format(low=_figure(first), high=_figure(last))


def effect_of(column: ColumnDrift, digits: int = 2) -> str:
    """The interval of the effect of a column's values."""
    low, high, limit = column.effect_low, column.effect_high, column.threshold
    return describe_interval(low, high, limit, changed=column.significant, digits=digits)


def _on_its_side(value: float, limit: float, digits: int) -> str:
    while digits < 6 and (value - limit) * (round(value, digits) - limit) <= 0 and value != limit:
        digits += 1
    return f"{value:.{digits}f}"


def _too_few(column: ColumnDrift) -> str:
    now, before = column.independent_current, column.independent_reference
    if now is None and before is None:
        return _("too few rows to tell")
    count = min(column.n_current if now is None else now, column.n_reference if before is None else before)
    return _("too few rows to tell: they count as {n}").format(n=_figure(f"{count:,.0f}"))


def _change(column: ColumnDrift) -> str:
    before, after = _percent(column.share_reference or 0.0), _percent(column.share_current or 0.0)
    whole = not (column.missing.rate_reference or column.missing.rate_current)
    rows = _("rows") if whole else _("rows with a value")
    if column.kind == "categorical":
        said = _("{now} of the {rows} are {level}, {before} before")
        return said.format(now=after, rows=rows, level=repr(column.where), before=before)
    if column.where is None:
        said = _("largest difference {share} of the {rows}")
        return said.format(share=_percent(column.statistic), rows=rows)
    said = _("{now} of the {rows} are at or below {value}, {before} before")
    return said.format(now=after, rows=rows, value=_figure(f"{column.where:.4g}"), before=before)


def _plain() -> bool:
    """Whether everything is left as it stands: plain English needs no other module."""
    return current().locale == SOURCE_LANGUAGE


def _figure(figure: str) -> str:
    return figure if _plain() else as_written(figure)


def _again(text: str) -> str:
    return text if _plain() else retold(text)


def _percent(share: float) -> str:
    return _figure(f"{share:.1%}" if 0 < share < 0.1 or 0.9 < share < 1 else f"{share:.0%}")


def describe_answers(column: ColumnDrift) -> str:
    """How the mean answer about a target moved, or its classes, in a plain sentence; empty where that is unknown."""
    low, high = column.mean_change_low, column.mean_change_high
    if column.classes:
        return describe_classes(column.column.removeprefix(PREDICTION), column.classes)
    if column.mean_reference is None or column.mean_current is None or low is None or high is None:
        return ""
    change = column.mean_current - column.mean_reference
    told = _("from {before} to {now} ({change}, interval {low} to {high}, {n} rows)").format(
        before=_figure(f"{column.mean_reference:.3g}"),
        now=_figure(f"{column.mean_current:.3g}"),
        change=_figure(f"{change:+.2g}"),
        low=_figure(f"{low:+.2g}"),
        high=_figure(f"{high:+.2g}"),
        n=_n(column.n_current),
    )
    said = (
        _("The mean answer for {target} rose {told}.") if change > 0 else _("The mean answer for {target} fell {told}.")
    )
    if low <= 0 <= high:
        said = _("Whether the mean answer for {target} moved is open: {told}.")
    return said.format(target=column.column.removeprefix(PREDICTION), told=told)


def _n(count: int) -> str:
    return _figure(f"{count:,}")


def _both(now: int, before: int) -> str:
    return _("{now} rows against {before}").format(now=_n(now), before=_n(before))


def describe_joint(joint: JointDrift) -> str:
    """What telling rows apart showed, in a plain sentence."""
    found = joint.classifier
    low, high = (_figure(f"{end:.0%}") for end in (found.auc_low, found.auc_high))
    ends = _("interval {low} to {high}").format(low=low, high=high)
    if joint.verdict in ALARMING and found.auc_low < 0.505:  # as in `describe_interval`
        ends = _("at most {most}").format(most=high)
    told = _("{share} of pairs ({ends}; 50% is guessing; {n})").format(
        share=_figure(f"{found.auc:.0%}"),
        ends=ends,
        n=_both(found.n_current, found.n_reference),
    )
    if joint.verdict in ALARMING:
        return _told_apart(joint, told)
    if joint.verdict == "ok":
        said = _("Rows of now can hardly be told from earlier ones, in {told}.")
    elif joint.calm:
        said = _("There is no sign that rows of now can be told from earlier ones: {told}.")
    else:
        said = _("Whether rows of now can be told from earlier ones is open: in {told}.")
    return said.format(told=told)


def _told_apart(joint: JointDrift, told: str) -> str:
    by = ", ".join(one.column for one in joint.classifier.columns)
    told = _("{told}, by {columns}").format(told=told, columns=by) if by else told
    if left_out := joint.classifier.left_out:
        told = _("{told}, even without {columns}").format(told=told, columns=", ".join(left_out))
    sentence = _("Rows of now can be told from earlier ones, in {told}.").format(told=told)
    if not joint.hidden:
        return sentence
    hidden = _("How {names} go together with the others changed, though not surely by themselves.")
    return f"{sentence} {hidden.format(names=', '.join(joint.hidden))}"


def costs_of(report: DriftReport) -> list[str]:
    """What the change costs, in sentences: when errors changed, how far the answers moved, the expected error."""
    predictions = [column for column in report.columns if column.column.startswith(PREDICTION)]
    sentences = [describe_change(change) for change in report.changes]
    sentences += [describe_answers(column) for column in sorted(predictions, key=lambda one: one.column)]
    sentences += [describe_expected(report.expected)] if report.expected else []
    return [sentence for sentence in sentences if sentence]


def summarise_report(report: DriftReport) -> str:
    """The report in a few sentences of plain English: what changed and by how much, then what that likely costs."""
    if _plain():
        return " ".join(sentences_of(report))
    with use(SOURCE_LANGUAGE):
        return " ".join(sentences_of(report))


def sentences_of(report: DriftReport) -> list[str]:
    """The parts of the summary, the finding first."""
    if not report.n_current or not report.n_reference:
        rows = _both(report.n_current, report.n_reference)
        return [_("No verdict: one of the samples is empty ({rows}).").format(rows=rows)]
    told = report.joint is not None and report.joint.verdict in ALARMING
    parts = [
        describe_finding(report, told=told),
        *(describe(column) for column in report.flagged[:3]),
        describe_joint(report.joint) if report.joint and told else "",
        describe_refused(report.refused),
        *costs_of(report),
        describe_doubts(report),
        describe_open(report),
        describe_segments(report),
        describe_repeats(report),
        _("Told apart and estimated by {sample}.").format(sample=_sample(report.sampled)) if report.sampled else "",
        _("Compared with {basis}.").format(basis=_again(report.basis)) if report.basis else "",
    ]
    return [part for part in parts if part]


def _sample(sampled: str) -> str:
    """Of which rows a part was read, each said again."""
    told, *others = map(_again, sampled.split(" and "))
    return _("{first} and {second}").format(first=told, second=", ".join(others)) if others else told


def describe_finding(report: DriftReport, *, told: bool = False) -> str:
    """What was found, in a sentence. told: rows are told apart."""
    places: dict[str, object] = {"rows": _both(report.n_current, report.n_reference)}
    loud = sum(segment.alarm for segment in report.segments)
    if not report.flagged and not told and report.alarm and report.refused:
        said = _("Prediction would refuse part of {rows}.")
    elif report.flagged:
        said = _("Drift in {n} of {all} columns ({rows}).")
        places |= {"n": len(report.flagged), "all": len(report.columns)}
    elif told:
        said = _("No drift found in single columns of {rows}.")
    elif loud:
        said = _("No drift found in {rows} as a whole, but in {n} of {all} segments.")
        places |= {"n": loud, "all": len(report.segments)}
    elif all(column.doubt in ("few rows", "untested") for column in report.columns):
        said = _("Too few rows to tell whether anything changed ({rows}).")
    else:
        said = _("No drift found in {rows}.")
    return said.format(**places)


def describe_refused(refused: Sequence[RefusedValues]) -> str:
    """What prediction would refuse, in plain sentences; empty where nothing."""
    ordered = sorted(refused, key=lambda one: (one.share_reference - one.share, one.column))
    told = [_refusal(one) for one in ordered[:5]]
    told += [_("{n} more kinds of values would be refused.").format(n=len(ordered) - 5)] if len(ordered) > 5 else []
    return " ".join(told)


def _refusal(one: RefusedValues) -> str:
    if one.kind == "no such column":
        return _("Column {column} is missing, which every row needs.").format(column=one.column)
    if one.kind == "repeated":
        said = _("{n} rows are of the same student, group and period as another; {rule}.")
        return said.format(n=_n(one.rows), rule=_again(one.rule))
    said = {
        "no number": _("{share} of {column} is no number"),
        "out of range": _("{share} of {column} is out of range"),
        "not whole": _("{share} of {column} is no whole number"),
        "unknown level": _("{share} of {column} has a level that is not declared"),
    }[one.kind].format(share=_percent(one.share), column=one.column)
    if one.examples:
        said += f" ({', '.join(one.examples)}{', …' if one.rows > len(one.examples) else ''})"
    if one.share_reference:
        said = _("{said}, {before} before").format(said=said, before=_percent(one.share_reference))
    return _("{said}: it {rule}.").format(said=said, rule=_again(one.rule))


def describe_doubts(report: DriftReport) -> str:
    """How many columns are undecided, and why; empty where none are, or all for want of rows."""
    total, doubts = len(report.columns), Counter(column.doubt for column in report.columns if not column.alarming)
    few, calm, near, untested = (doubts[doubt] for doubt in ("few rows", "no sign", "at the limit", "untested"))
    most = max((column.effect_high for column in report.columns if column.doubt == "no sign"), default=0.0)
    told = [_("too few rows to tell of {n}").format(n=few)] if few else []
    sign = _("no sign of change in {n}, at most {most}")
    told += [sign.format(n=calm, most=_figure(f"{most:.2f}"))] if calm else []
    told += [_("{n} changed beyond chance by about their limit").format(n=near)] if near else []
    told += [_("{n} not tested").format(n=untested)] if untested else []
    if not told or few == total:
        return ""
    said = _("{n} of {all} columns are undecided: {told}.")
    return said.format(n=few + calm + near + untested, all=total, told="; ".join(told))


def describe_open(report: DriftReport) -> str:
    """Which verdicts stored counts leave open that the rows would settle; empty where none."""
    names = [_label(column) for column in report.columns if column.read_rows_again]
    if not names:
        return ""
    named = ", ".join(names[:3])
    named = _("{names} and {n} more").format(names=named, n=len(names) - 3) if len(names) > 3 else named
    said = _("Counts alone leave the verdict on {names} open; reading the rows again (exact) settles it.")
    return said.format(names=named)


def describe_repeats(report: DriftReport) -> str:
    """How much rows are worth where students or groups have several; empty where each row counts."""
    repeated = [column for column in report.columns if column.independent_current or column.independent_reference]
    if not repeated:
        return ""
    column = min(repeated, key=lambda one: (one.independent_current or one.n_current) / max(1, one.n_current))
    now, before = column.independent_current or column.n_current, column.independent_reference or column.n_reference
    return _(
        "Some students or groups stand in several rows, which count by what they tell in {n} columns: of {column}, "
        "{rows} rows as {now} against {others} as {before}."
    ).format(
        n=len(repeated),
        column=_label(column),
        rows=_n(column.n_current),
        now=_figure(f"{now:,.0f}"),
        others=_n(column.n_reference),
        before=_figure(f"{before:,.0f}"),
    )


def describe_segments(report: DriftReport) -> str:
    """What the segments show, in a plain sentence; empty where there are none."""
    if report.by is None:
        return ""
    loud = [segment for segment in report.segments if segment.alarm]
    calm = [segment for segment in report.segments if not segment.alarm and not segment.reason]
    small = sum(segment.too_small for segment in calm)
    drifted = _("drift in {segment} ({rows}: {columns})")
    told = [
        drifted.format(
            segment=segment.segment,
            rows=_both(segment.n_current, segment.n_reference),
            columns=", ".join(_label(column) for column in segment.flagged[:3]),
        )
        for segment in loud[:5]
    ]
    told += [_("drift in {n} more").format(n=len(loud) - 5)] if len(loud) > 5 else []
    told += [_("none found in {n}").format(n=len(calm) - small)] if len(calm) > small else []
    told += [_("too few rows to tell in {n}").format(n=small)] if small else []
    left = len(report.segments) - len(loud) - len(calm)
    told += [_("{n} not compared (not enough data, or on one side only)").format(n=left)] if left else []
    return _("By {column}: {told}.").format(column=report.by, told="; ".join(told) or _("no segments"))


def describe_segment(segment: SegmentDrift) -> str:
    """What one segment shows, in a few words."""
    if segment.reason or segment.alarm:
        return _again(segment.reason) or " ".join(map(describe, segment.flagged[:3]))
    few = sum(column.doubt in ("few rows", "untested") for column in segment.columns)
    if segment.too_small:
        return _("too few rows to tell of {n} of {all} columns").format(n=few, all=len(segment.columns))
    return _("no drift found; too few rows to tell of {n} columns").format(n=few) if few else _("no drift found")


def describe_change(change: ErrorChange) -> str:
    """When the error changed, and from what to what, in a plain sentence."""
    told = _(
        "from {before} to {after}{unit} ({change}, 95% interval {low} to {high}; {first} predictions before, {last} "
        "after; noticed {noticed})"
    ).format(
        before=_figure(f"{change.before:.3g}"),
        after=_figure(f"{change.after:.3g}"),
        unit=_unit(change.unit),
        change=_figure(f"{change.after - change.before:+.2g}"),
        low=_figure(f"{change.low:+.2g}"),
        high=_figure(f"{change.high:+.2g}"),
        first=_n(change.n_before),
        last=_n(change.n_after),
        noticed=_day(change.noticed),
    )
    said = (
        _("The mean error for {target} rose at about {day}, {told}.")
        if change.rose
        else _("The mean error for {target} fell at about {day}, {told}.")
    )
    return said.format(target=change.target, day=_day(change.at), told=told)


def _day(at: datetime) -> str:
    return f"{at:%Y-%m-%d}" if _plain() else day(at.date())


def _unit(unit: str) -> str:
    return f" {worded(unit)}" if unit else ""


def describe_expected(expected: ExpectedError) -> str:
    """The expected error in plain sentences, its assumption among them."""
    told = _("{after}{unit} after {before} in training ({change}, 95% interval {low} to {high}, {n} rows)").format(
        after=_figure(f"{expected.after:.3g}"),
        unit=_unit(expected.unit),
        before=_figure(f"{expected.before:.3g}"),
        change=_figure(f"{expected.change:+.2g}"),
        low=_figure(f"{expected.change_low:+.2g}"),
        high=_figure(f"{expected.change_high:+.2g}"),
        n=_n(expected.n_current),
    )
    if expected.change_low <= 0 <= expected.change_high:
        said = _("Whether the mean error for {target} changes is open: {told}. This is {assumption}.")
    elif expected.change > 0:
        said = _("The mean error for {target} is expected to rise: {told}. This is {assumption}.")
    else:
        said = _("The mean error for {target} is expected to fall: {told}. This is {assumption}.")
    said = said.format(target=expected.target, told=told, assumption=_again(expected.assumption))
    if expected.outside < 0.01:
        return said
    beyond = _("{share} of the rows hold a value unlike any in training, where it knows little.")
    return f"{said} {beyond.format(share=_figure(f'{expected.outside:.0%}'))}"


def describe_classes(target: str, changes: Sequence[ClassChange]) -> str:
    """How the class answers moved, in a plain sentence about the class that moved most; empty without classes."""
    if not changes:
        return ""
    most = max(changes, key=lambda one: (abs(one.change), one.level))
    told = _("{now} after {before} ({change}, interval {low} to {high}, {rows})").format(
        now=_figure(f"{most.share_current:.0%}"),
        before=_figure(f"{most.share_reference:.0%}"),
        change=_figure(f"{most.change:+.0%}"),
        low=_figure(f"{most.low:+.0%}"),
        high=_figure(f"{most.high:+.0%}"),
        rows=_both(most.n_current, most.n_reference),
    )
    if most.probability_reference is not None and most.probability_current is not None:
        told = _(
            "{told}; its mean probability went from {before} to {now} (interval of the change {low} to {high})"
        ).format(
            told=told,
            before=_figure(f"{most.probability_reference:.2f}"),
            now=_figure(f"{most.probability_current:.2f}"),
            low=_figure(f"{most.probability_low:+.2f}"),
            high=_figure(f"{most.probability_high:+.2f}"),
        )
    said = _("Among the answers for {target}, {level} moved most: {told}.")
    if most.low <= 0 <= most.high:
        said = _("Whether the answers for {target} moved is open; most of all {level} did: {told}.")
    return said.format(target=target, level=repr(most.level), told=told)

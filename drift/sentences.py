"""A drift report in plain sentences: what changed, by how much, and what that likely costs. They decide nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import msgspec

from drift.column import PREDICTION
from drift.impact import ClassChange, ErrorChange, ExpectedError
from drift.policy import ALARMING, FEWEST_ALARMING, Verdict
from drift.records import ColumnDrift, DriftReport, JointDrift, MissingDrift, SegmentDrift
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
    sentences, values = [], column.label
    if column.missing.verdict in ALARMING:
        sentences.append(f"{column.label} {_loss(column.missing)}.")
        values = "What there is of it"
    if column.verdict == "constant":
        sentences.append(f"{values} has one value, the same in both samples.")
    elif column.doubt == "untested":
        sentences.append(f"{values} was not tested: {column.untested or 'a sample has no values'}.")
    else:
        sentences.append(f"{values} {_finding(column)}: {_change(column)}.")
    if column.new_level_count:
        names = ", ".join(f"{item.level} ({item.rows})" for item in column.new_levels[:3])
        more = " and more" if column.new_level_count > 3 else ""
        levels = "level is" if column.new_level_count == 1 else "levels are"
        sentences.append(f"{column.new_level_count} {levels} new: {names}{more}.")
    return " ".join(sentences)


WORDS: dict[Verdict, str] = {
    "drift": "changed clearly",
    "warn": "probably changed",
    "ok": "is still the same, within the limit",
}


def _finding(column: ColumnDrift) -> str:
    if column.doubt == "no sign":
        return f"shows no sign of change, at most {column.effect_high:.2f}"
    if column.doubt == "at the limit":
        return f"changed beyond chance, by {effect_of(column)}, and {column.threshold:g} would matter"
    if column.doubt and column.significant:
        return f"changed beyond chance, but fewer than {FEWEST_ALARMING} rows raise no alarm"
    if column.doubt:
        return f"may or may not have changed ({_too_few(column)})"
    return WORDS[column.verdict]


def _loss(missing: MissingDrift) -> str:
    before, after = _percent(missing.rate_reference), _percent(missing.rate_current)
    ends = describe_interval(missing.effect_low, missing.effect_high, missing.threshold, changed=True)
    return f"is missing in {after} of the rows, {before} before: a difference of {ends}"


def describe_interval(low: float, high: float, limit: float, *, changed: bool, digits: int = 2) -> str:
    """Where an effect lies, its ends on the side of the limit on which they are.

    The interval is corrected more strictly than the test: where this shows that something `changed`, an end that cannot
    be told from 0 is not said.

    >>> describe_interval(0.0, 0.0997, 0.1, changed=True)
    'at most 0.0997'
    """
    first, last = _on_its_side(low, limit, digits), _on_its_side(high, limit, digits)
    return f"at most {last}" if changed and not float(first) else f"{first} to {last}"


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
        return "too few rows to tell"
    count = min(column.n_current if now is None else now, column.n_reference if before is None else before)
    return f"too few rows to tell: they count as {count:,.0f}"


def _change(column: ColumnDrift) -> str:
    before, after = _percent(column.share_reference or 0.0), _percent(column.share_current or 0.0)
    rows = "rows" if not (column.missing.rate_reference or column.missing.rate_current) else "rows with a value"
    if column.kind == "categorical":
        return f"{after} of the {rows} are {column.where!r}, {before} before"
    if column.where is None:
        return f"largest difference {_percent(column.statistic)} of the {rows}"
    return f"{after} of the {rows} are at or below {column.where:.4g}, {before} before"


def _percent(share: float) -> str:
    return f"{share:.1%}" if 0 < share < 0.1 or 0.9 < share < 1 else f"{share:.0%}"


def describe_answers(column: ColumnDrift) -> str:
    """How the mean answer about a target moved, or its classes, in a plain sentence; empty where that is unknown."""
    low, high = column.mean_change_low, column.mean_change_high
    if column.classes:
        return describe_classes(column.column.removeprefix(PREDICTION), column.classes)
    if column.mean_reference is None or column.mean_current is None or low is None or high is None:
        return ""
    change = column.mean_current - column.mean_reference
    told = (
        f"from {column.mean_reference:.3g} to {column.mean_current:.3g} ({change:+.2g}, interval {low:+.2g} to "
        f"{high:+.2g}, {column.n_current:,} rows)"
    )
    target = column.column.removeprefix(PREDICTION)
    if low <= 0 <= high:
        return f"Whether the mean answer for {target} moved is open: {told}."
    return f"The mean answer for {target} {'rose' if change > 0 else 'fell'} {told}."


def describe_joint(joint: JointDrift) -> str:
    """What telling rows apart showed, in a plain sentence."""
    found = joint.classifier
    n = f"{found.n_current:,} rows against {found.n_reference:,}"
    ends = f"interval {found.auc_low:.0%} to {found.auc_high:.0%}"
    if joint.verdict in ALARMING and found.auc_low < 0.505:  # as in `describe_interval`
        ends = f"at most {found.auc_high:.0%}"
    told = f"{found.auc:.0%} of pairs ({ends}; 50% is guessing; {n})"
    by = ", ".join(one.column for one in found.columns)
    besides = f", even without {', '.join(found.left_out)}" if found.left_out else ""
    if joint.verdict in ALARMING:
        sentence = f"Rows of now can be told from earlier ones, in {told}{', by ' + by if by else ''}{besides}."
        if joint.hidden:
            names = ", ".join(joint.hidden)
            sentence += f" How {names} go together with the others changed, though not surely by themselves."
        return sentence
    if joint.verdict == "ok":
        return f"Rows of now can hardly be told from earlier ones, in {told}."
    if joint.calm:
        return f"There is no sign that rows of now can be told from earlier ones: {told}."
    return f"Whether rows of now can be told from earlier ones is open: in {told}."


def costs_of(report: DriftReport) -> list[str]:
    """What the change costs, in sentences: when errors changed, how far the answers moved, the expected error."""
    predictions = [column for column in report.columns if column.column.startswith(PREDICTION)]
    sentences = [describe_change(change) for change in report.changes]
    sentences += [describe_answers(column) for column in sorted(predictions, key=lambda one: one.column)]
    sentences += [describe_expected(report.expected)] if report.expected else []
    return [sentence for sentence in sentences if sentence]


def summarise_report(report: DriftReport) -> str:
    """The report in a few plain sentences: what changed and by how much, then what that likely costs."""
    return " ".join(sentences_of(report))


def sentences_of(report: DriftReport) -> list[str]:
    """The parts of the summary, the finding first."""
    rows = f"{report.n_current:,} rows against {report.n_reference:,}"
    if not report.n_current or not report.n_reference:
        return [f"No verdict: one of the samples is empty ({rows})."]
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
        f"Told apart and estimated by {report.sampled}." if report.sampled else "",
        f"Compared with {report.basis}." if report.basis else "",
    ]
    return [part for part in parts if part]


def describe_finding(report: DriftReport, *, told: bool = False) -> str:
    """What was found, in a sentence. told: rows are told apart."""
    rows = f"{report.n_current:,} rows against {report.n_reference:,}"
    if not report.flagged and not told and report.alarm and report.refused:
        return f"Prediction would refuse part of {rows}."
    if report.flagged:
        return f"Drift in {len(report.flagged)} of {len(report.columns)} columns ({rows})."
    if told:
        return f"No drift found in single columns of {rows}."
    if loud := sum(segment.alarm for segment in report.segments):
        return f"No drift found in {rows} as a whole, but in {loud} of {len(report.segments)} segments."
    if all(column.doubt in ("few rows", "untested") for column in report.columns):
        return f"Too few rows to tell whether anything changed ({rows})."
    return f"No drift found in {rows}."


def describe_refused(refused: Sequence[RefusedValues]) -> str:
    """What prediction would refuse, in plain sentences; empty where nothing."""
    ordered = sorted(refused, key=lambda one: (one.share_reference - one.share, one.column))
    told = [_refusal(one) for one in ordered[:5]]
    told += [f"{len(ordered) - 5} more kinds of values would be refused."] if len(ordered) > 5 else []
    return " ".join(told)


REFUSAL_WORDS = {
    "no number": "is no number",
    "out of range": "is out of range",
    "not whole": "is no whole number",
    "unknown level": "has a level that is not declared",
}


def _refusal(one: RefusedValues) -> str:
    if one.kind == "no such column":
        return f"Column {one.column} is missing, which every row needs."
    if one.kind == "repeated":
        return f"{one.rows:,} rows are of the same student, group and period as another; {one.rule}."
    before = f", {_percent(one.share_reference)} before" if one.share_reference else ""
    examples = f" ({', '.join(one.examples)}{', …' if one.rows > len(one.examples) else ''})" if one.examples else ""
    return f"{_percent(one.share)} of {one.column} {REFUSAL_WORDS[one.kind]}{examples}{before}: it {one.rule}."


def describe_doubts(report: DriftReport) -> str:
    """How many columns are undecided, and why; empty where none are, or all for want of rows."""
    total, doubts = len(report.columns), Counter(column.doubt for column in report.columns if not column.alarming)
    few, calm, near, untested = (doubts[doubt] for doubt in ("few rows", "no sign", "at the limit", "untested"))
    most = max((column.effect_high for column in report.columns if column.doubt == "no sign"), default=0.0)
    told = [f"too few rows to tell of {few}"] if few else []
    told += [f"no sign of change in {calm}, at most {most:.2f}"] if calm else []
    told += [f"{near} changed beyond chance by about their limit"] if near else []
    told += [f"{untested} not tested"] if untested else []
    if not told or few == total:
        return ""
    return f"{few + calm + near + untested} of {total} columns are undecided: {'; '.join(told)}."


def describe_open(report: DriftReport) -> str:
    """Which verdicts stored counts leave open that the rows would settle; empty where none."""
    names = [column.label for column in report.columns if column.read_rows_again]
    if not names:
        return ""
    named = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return f"Counts alone leave the verdict on {named} open; reading the rows again (exact) settles it."


def describe_repeats(report: DriftReport) -> str:
    """How much rows are worth where students or groups have several; empty where each row counts."""
    repeated = [column for column in report.columns if column.independent_current or column.independent_reference]
    if not repeated:
        return ""
    column = min(repeated, key=lambda one: (one.independent_current or one.n_current) / max(1, one.n_current))
    now, before = column.independent_current or column.n_current, column.independent_reference or column.n_reference
    return (
        f"Some students or groups stand in several rows, which count by what they tell in {len(repeated)} columns: of "
        f"{column.label}, {column.n_current:,} rows as {now:,.0f} against {column.n_reference:,} as {before:,.0f}."
    )


def describe_segments(report: DriftReport) -> str:
    """What the segments show, in a plain sentence; empty where there are none."""
    if report.by is None:
        return ""
    loud = [segment for segment in report.segments if segment.alarm]
    calm = [segment for segment in report.segments if not segment.alarm and not segment.reason]
    small = sum(segment.too_small for segment in calm)
    told = [
        f"drift in {segment.segment} ({segment.n_current:,} rows against {segment.n_reference:,}: "
        f"{', '.join(column.label for column in segment.flagged[:3])})"
        for segment in loud[:5]
    ]
    told += [f"drift in {len(loud) - 5} more"] if len(loud) > 5 else []
    told += [f"none found in {len(calm) - small}"] if len(calm) > small else []
    told += [f"too few rows to tell in {small}"] if small else []
    left = len(report.segments) - len(loud) - len(calm)
    told += [f"{left} not compared (not enough data, or on one side only)"] if left else []
    return f"By {report.by}: {'; '.join(told) or 'no segments'}."


def describe_segment(segment: SegmentDrift) -> str:
    """What one segment shows, in a few words."""
    if segment.reason or segment.alarm:
        return segment.reason or " ".join(map(describe, segment.flagged[:3]))
    few = sum(column.doubt in ("few rows", "untested") for column in segment.columns)
    if segment.too_small:
        return f"too few rows to tell of {few} of {len(segment.columns)} columns"
    return "no drift found" + (f"; too few rows to tell of {few} columns" if few else "")


def describe_change(change: ErrorChange) -> str:
    """When the error changed, and from what to what, in a plain sentence."""
    unit, way = f" {change.unit}" if change.unit else "", "rose" if change.rose else "fell"
    return (
        f"The mean error for {change.target} {way} at about {change.at:%Y-%m-%d}, from {change.before:.3g} to "
        f"{change.after:.3g}{unit} ({change.after - change.before:+.2g}, 95% interval {change.low:+.2g} to "
        f"{change.high:+.2g}; {change.n_before:,} predictions before, {change.n_after:,} after; noticed "
        f"{change.noticed:%Y-%m-%d})."
    )


def describe_expected(expected: ExpectedError) -> str:
    """The expected error in plain sentences, its assumption among them."""
    unit = f" {expected.unit}" if expected.unit else ""
    told = (
        f"{expected.after:.3g}{unit} after {expected.before:.3g} in training ({expected.change:+.2g}, 95% interval "
        f"{expected.change_low:+.2g} to {expected.change_high:+.2g}, {expected.n_current:,} rows)"
    )
    if not expected.change_low <= 0 <= expected.change_high:
        way = "rise" if expected.change > 0 else "fall"
        sentence = f"The mean error for {expected.target} is expected to {way}: {told}."
    else:
        sentence = f"Whether the mean error for {expected.target} changes is open: {told}."
    beyond = f" {expected.outside:.0%} of the rows hold a value unlike any in training, where it knows little."
    return f"{sentence} This is {expected.assumption}.{beyond if expected.outside >= 0.01 else ''}"


def describe_classes(target: str, changes: Sequence[ClassChange]) -> str:
    """How the class answers moved, in a plain sentence about the class that moved most; empty without classes."""
    if not changes:
        return ""
    most = max(changes, key=lambda one: (abs(one.change), one.level))
    rows = f"{most.n_current:,} rows against {most.n_reference:,}"
    told = f"{most.share_current:.0%} after {most.share_reference:.0%} ({most.change:+.0%}, interval {most.low:+.0%}"
    told += f" to {most.high:+.0%}, {rows})"
    if most.probability_reference is not None and most.probability_current is not None:
        told += (
            f"; its mean probability went from {most.probability_reference:.2f} to {most.probability_current:.2f} "
            f"(interval of the change {most.probability_low:+.2f} to {most.probability_high:+.2f})"
        )
    if most.low <= 0 <= most.high:
        return f"Whether the answers for {target} moved is open; most of all {most.level!r} did: {told}."
    return f"Among the answers for {target}, {most.level!r} moved most: {told}."

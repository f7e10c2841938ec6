"""A drift report as tables: for the terminal, and all its numbers as text. The page is `drift.page`'s.

Nothing is computed here; every number and sentence comes from the report.
"""

from __future__ import annotations

from rich import box
from rich.table import Table
from rich.text import Text

from drift.impact import ClassChange
from drift.policy import ALARMING
from drift.records import ColumnDrift, DriftReport
from drift.sentences import describe, describe_interval, describe_segment, effect_of
from drift.statistics import MEASURES

STYLES = {"drift": "bold red", "warn": "yellow", "ok": "green", "undecided": "dim", "constant": "dim"}
NAME_LENGTH = 60
LEVEL_LENGTH = 18


def render_table(report: DriftReport, *, limit: int | None = None) -> Table:
    """The report as a table for a terminal, the most telling columns first; `limit` of them, or all.

    The caption is the report's summary.
    """
    title = f"Drift of {report.domain}: {report.n_current:,} rows against {report.n_reference:,}"
    table = Table(box=box.SIMPLE, title=Text(title), caption=Text(report.summary), caption_justify="left")
    table.collapse_padding, table.pad_edge = True, False  # all of it has to stand in 80 characters
    table.add_column("column", overflow="fold", min_width=8)
    priced = any(column.severity is not None for column in report.columns)
    for head in ("verdict", "effect", *(("severity",) if priced else ()), "p adj."):
        table.add_column(head, no_wrap=True)
    table.add_column("what changed", min_width=14)
    for column in report.columns[:limit]:
        verdict = Text(shown_verdict(column), style=STYLES[shown_verdict(column)])
        effect, p = _effect(column)
        change = short(_told(column), 160) if column.alarming else ""
        severity = [] if not priced else [""] if _by_loss(column) else [_severity(column).partition(" ")[0]]
        table.add_row(Text(short(column.label)), verdict, effect, *severity, _p(p), Text(change))
    return table


def render_segments(report: DriftReport) -> Table:
    """The segments of a report as a table for a terminal, alarms first."""
    table = Table(box=box.SIMPLE, title=Text(f"Drift of {report.domain} by {report.by}"))
    table.add_column("segment", overflow="fold")
    table.add_column("rows now", justify="right")
    table.add_column("before", justify="right")
    table.add_column("what changed")
    for segment in report.segments:
        told = describe_segment(segment)
        name = Text(short(segment.segment), style=STYLES["drift"] if segment.alarm else "")
        table.add_row(name, f"{segment.n_current:,}", f"{segment.n_reference:,}", Text(told))
    return table


def _by_loss(column: ColumnDrift) -> bool:
    """Whether only the missing rate raises the alarm."""
    return column.alarming and column.verdict not in ALARMING


def shown_verdict(column: ColumnDrift) -> str:
    """The word that the column is shown under: its missing rate's when only that raises the alarm."""
    return column.missing.verdict if _by_loss(column) else column.verdict


def _effect(column: ColumnDrift) -> tuple[str, float | None]:
    """The effect of which the shown verdict is, with its interval, and its adjusted p."""
    if not _by_loss(column) and column.doubt == "untested":
        return "not tested", column.p_adjusted
    effect, ends, p = column.effect, effect_of(column), column.p_adjusted
    if _by_loss(column):
        lost = column.missing
        ends = describe_interval(lost.effect_low, lost.effect_high, lost.threshold, changed=True)
        effect, p = lost.effect, lost.p_adjusted
    return f"{effect:.2f} ({ends.replace('at most ', '≤').replace(' to ', '–')})", p


def _told(column: ColumnDrift) -> str:
    """What changed, beside the name and the verdict of the column."""
    told = describe(column)
    return told.removeprefix(f"{column.label} ") if column.missing.verdict in ALARMING else told.partition(": ")[2]


def _p(value: float | None) -> str:
    return "" if value is None else "<1e-99" if value < 1e-99 else f"{value:.2g}"  # what underflows is not 0


def _severity(column: ColumnDrift) -> str:
    if column.severity is None or column.severity_low is None or column.severity_high is None:
        return ""
    return f"{column.severity:.2g} ({column.severity_low:.2g}–{column.severity_high:.2g})"


def _mean(column: ColumnDrift) -> str:
    if column.mean_reference is None or column.mean_current is None:
        return ""
    moved = f"{column.mean_change_low:+.2g} to {column.mean_change_high:+.2g}"
    return f"{column.mean_reference:.3g} → {column.mean_current:.3g} ({moved})"


def _rows(rows: int, independent: float | None) -> str:
    """How many rows, and as how many independent ones they count where they are not."""
    return f"{rows:,}" if independent is None else f"{rows:,} (as {independent:,.0f})"


def _class(change: ClassChange) -> str:
    told = f"{short(change.level, LEVEL_LENGTH)} {change.share_reference:.0%} → {change.share_current:.0%} "
    told += f"({change.low:+.0%} to {change.high:+.0%})"
    if change.probability_reference is None or change.probability_current is None:
        return told
    moved = f"{change.probability_low:+.2f} to {change.probability_high:+.2f}"
    return f"{told}, mean probability {change.probability_reference:.2f} → {change.probability_current:.2f} ({moved})"


def _missing(column: ColumnDrift) -> str:
    return f"{column.missing.rate_reference:.1%} → {column.missing.rate_current:.1%}"


def short(text: str, length: int = NAME_LENGTH) -> str:
    """At most so many characters of a text."""
    return text if len(text) <= length else text[: length - 1] + "…"


NUMBER_HEADS = (
    *("column", "verdict", "severity", "effect", "range", "limit", "statistic", "p", "p adjusted", "rows"),
    *("rows before", "missing", "missing before", "mean", *(measure.name for measure in MEASURES), "W in sd"),
)


def number_row(column: ColumnDrift) -> tuple[str, ...]:
    """All numbers of a column, under `NUMBER_HEADS`."""
    measured = (measure.said(column) if column.kind in measure.of else "" for measure in MEASURES)
    deviations = column.wasserstein_deviations
    return (
        short(column.label),
        shown_verdict(column),
        _severity(column),
        f"{column.effect:.3f}",
        effect_of(column, 3),
        f"{column.threshold:g}",
        f"{column.statistic:.4g}",
        _p(column.p_value) + (" (exact)" if column.p_method == "exact" else ""),
        _p(column.p_adjusted),
        _rows(column.n_current, column.independent_current),
        _rows(column.n_reference, column.independent_reference),
        f"{column.missing.rate_current:.1%}",
        f"{column.missing.rate_reference:.1%}",
        _mean(column),
        *(short(words, LEVEL_LENGTH * 2) for words in measured),
        "" if deviations is None else f"{deviations:.3g}",
    )


def figures_of(column: ColumnDrift) -> str:
    """The figures behind a column's verdict, in small print."""
    told = f"effect {column.effect:.3f} ({effect_of(column, 3)}), limit {column.threshold:g}, p {_p(column.p_adjusted)}"
    told = "" if column.doubt == "untested" else told
    told += f", missing {_missing(column)}" if column.missing.statistic is not None else ""
    told += f", mean {_mean(column)}" if _mean(column) else ""
    told += f", severity {_severity(column)}" if _severity(column) else ""
    told += f", {_rows(column.n_current, column.independent_current)} rows against "
    told += _rows(column.n_reference, column.independent_reference)
    return told + "".join(f"; {_class(one)}" for one in column.classes)

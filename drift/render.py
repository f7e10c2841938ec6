"""A drift report for people: a table for the terminal and one self-contained page with plots.

Only drawing happens here; every number and sentence comes from the report, and the plots from the two profiles.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from rich import box
from rich.table import Table
from rich.text import Text

from drift.column import BinnedColumn, CategoricalColumn, Column, Floats, NumericColumn
from drift.impact import ClassChange
from drift.profile import Profile
from drift.records import ALARMING, ColumnDrift, Doubt, DriftReport, SegmentDrift
from drift.sentences import costs_of, describe, describe_interval, describe_segment, effect_of, sentences_of
from drift.statistics import MEASURES
from drift.univariate import aligned

STYLES = {"drift": "bold red", "warn": "yellow", "ok": "green", "undecided": "dim", "constant": "dim"}
NAME_LENGTH = 60
LEVEL_LENGTH = 18
LEVELS_DRAWN = 8
PLOTS_FOR_ALL = 120  # columns; in a longer report only the changed ones are drawn, to keep the page below 1 MB
PLOTS_AT_MOST = 250
WIDTH, HEIGHT = 300, 90  # of a plot, in its own units
STEPS = 60  # at which a cumulative curve is drawn


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
        verdict = Text(_verdict(column), style=STYLES[_verdict(column)])
        effect, p = _effect(column)
        change = _short(_told(column), 160) if column.alarming else ""
        severity = [] if not priced else [""] if _by_loss(column) else [_severity(column).partition(" ")[0]]
        table.add_row(Text(_short(column.label)), verdict, effect, *severity, _p(p), Text(change))
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
        name = Text(_short(segment.segment), style=STYLES["drift"] if segment.alarm else "")
        table.add_row(name, f"{segment.n_current:,}", f"{segment.n_reference:,}", Text(told))
    return table


def _by_loss(column: ColumnDrift) -> bool:
    """Whether only the missing rate raises the alarm."""
    return column.alarming and column.verdict not in ALARMING


def _verdict(column: ColumnDrift) -> str:
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
    told = f"{_short(change.level, LEVEL_LENGTH)} {change.share_reference:.0%} → {change.share_current:.0%} "
    told += f"({change.low:+.0%} to {change.high:+.0%})"
    if change.probability_reference is None or change.probability_current is None:
        return told
    moved = f"{change.probability_low:+.2f} to {change.probability_high:+.2f}"
    return f"{told}, mean probability {change.probability_reference:.2f} → {change.probability_current:.2f} ({moved})"


def _missing(column: ColumnDrift) -> str:
    return f"{column.missing.rate_reference:.1%} → {column.missing.rate_current:.1%}"


def _short(text: str, length: int = NAME_LENGTH) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


class _Card(NamedTuple):
    name: str
    verdict: str
    sentence: str
    plot: Any
    numbers: str


HEADS = ("column", "verdict", "severity", "effect", "range", "limit", "statistic", "p", "p adjusted", "rows")
MORE_HEADS = ("rows before", "missing", "missing before", "mean", *(measure.name for measure in MEASURES), "W in sd")


def render_html(report: DriftReport, reference: Profile, current: Profile) -> str:
    """The report as one HTML page that needs nothing else: sentences first, then plots, then all numbers.

    reference, current: the profiles that were compared; the plots are drawn from them.
    """
    drawn = report.columns if len(report.columns) <= PLOTS_FOR_ALL else report.flagged[:PLOTS_AT_MOST]
    names = {column.column for column in drawn}
    cards = [(column, _card(column, reference, current, column.column in names)) for column in report.columns]
    sections = [
        ("What changed", [card for column, card in cards if column.alarming]),
        ("Changed, perhaps too little to matter", _cards_of(cards, "at the limit")),
        ("Too few rows to tell", _cards_of(cards, "few rows")),
        ("Not tested", _cards_of(cards, "untested")),
        ("No sign of change", _cards_of(cards, "no sign")),
        ("Still the same", _cards_of(cards, "")),
    ]
    rows = [_row(column) for column in report.columns]
    costs = costs_of(report)
    finding, *changes = [sentence for sentence in sentences_of(report) if sentence not in costs]
    heads, segments = HEADS + MORE_HEADS, [_segment(segment) for segment in report.segments]
    page: str = _template().render(
        report=report,
        finding=finding,
        changes=changes,
        costs=costs,
        sections=sections,
        heads=heads,
        rows=rows,
        segments=segments,
        measures=MEASURES,
    )
    return page


@cache
def _template() -> Any:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return environment.from_string((Path(__file__).parent / "page.html").read_text(encoding="utf-8"))


def _segment(segment: SegmentDrift) -> tuple[str, str, str, str]:
    told = describe_segment(segment)
    return _short(segment.segment), f"{segment.n_current:,}", f"{segment.n_reference:,}", _short(told, 400)


def _cards_of(cards: list[tuple[ColumnDrift, _Card]], doubt: Doubt) -> list[_Card]:
    return [card for column, card in cards if not column.alarming and column.doubt == doubt]


def _card(column: ColumnDrift, reference: Profile, current: Profile, draw: bool) -> _Card:
    before, after = reference.columns.get(column.column), current.columns.get(column.column)
    plot = _plot(before, after) if draw and before and after else None
    numbers = f"effect {column.effect:.3f} ({effect_of(column, 3)}), limit {column.threshold:g}"
    numbers += f", p {_p(column.p_adjusted)}"
    numbers = "" if column.doubt == "untested" else numbers
    numbers += f", missing {_missing(column)}" if column.missing.statistic is not None else ""
    numbers += f", mean {_mean(column)}" if _mean(column) else ""
    numbers += f", severity {_severity(column)}" if _severity(column) else ""
    numbers += f", {_rows(column.n_current, column.independent_current)} rows against "
    numbers += _rows(column.n_reference, column.independent_reference)
    numbers += "".join(f"; {_class(one)}" for one in column.classes)
    return _Card(_short(column.label), _verdict(column), _short(describe(column), 400), plot, numbers)


def _row(column: ColumnDrift) -> tuple[str, ...]:
    measured = (measure.said(column) if column.kind in measure.of else "" for measure in MEASURES)
    deviations = column.wasserstein_deviations
    return (
        _short(column.label),
        _verdict(column),
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
        *(_short(words, LEVEL_LENGTH * 2) for words in measured),
        "" if deviations is None else f"{deviations:.3g}",
    )


def _plot(reference: Column, current: Column) -> Any:
    """An inline SVG: two cumulative curves, or pairs of bars; None when a sample has no values."""
    from markupsafe import Markup

    if not reference.present or not current.present:
        return None
    if isinstance(reference, CategoricalColumn) or isinstance(current, CategoricalColumn):
        body, height = _bars(reference, current)
    else:
        body, height = _curves(reference, current), HEIGHT + 12
    return Markup(f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="reference and current">{body}</svg>')  # noqa: S704 (escaped below)


def _curves(reference: NumericColumn | BinnedColumn, current: NumericColumn | BinnedColumn) -> str:
    """Shares of rows at or below each value, over the middle 99 % of the reference and the current sample."""
    columns = (reference, current)
    low, high = min(_at(c, 0.005) for c in columns), max(_at(c, 0.995) for c in columns)
    points = _points(columns, low, high)
    axis = f'<path class="a" d="M0 {HEIGHT}H{WIDTH}"/>'
    paths = "".join(
        f'<path class="{k}" d="{_path(points, c, low, high)}"/>' for k, c in zip("on", columns, strict=True)
    )
    ends = f'<text y="{HEIGHT + 10}">{low:.4g}</text><text x="{WIDTH}" y="{HEIGHT + 10}" text-anchor="end">{high:.4g}'
    return f"{axis}{paths}{ends}</text>"


LARGEST_ON_A_PLOT = 1e150  # beyond which a plot's axis would overflow


def _at(column: NumericColumn | BinnedColumn, share: float) -> float:
    if isinstance(column, NumericColumn):
        value = float(column.quantiles(np.array([share]))[0])
    else:
        value = float(column.edges[np.searchsorted(np.cumsum(column.counts), share * column.present)])
        value = min(value, column.high)
    return min(max(value, -LARGEST_ON_A_PLOT), LARGEST_ON_A_PLOT)


def _points(columns: tuple[NumericColumn | BinnedColumn, ...], low: float, high: float) -> Floats:
    """Values to draw a step at: all of them for marks, else equidistant ones."""
    few = all(isinstance(column, NumericColumn) and len(column.values) <= STEPS for column in columns)
    if not few:
        return np.linspace(low, high, STEPS)
    points: Floats = np.unique(
        np.concatenate([column.values for column in columns if isinstance(column, NumericColumn)])
    )
    inside = points[(points >= low) & (points <= high)]
    return inside if len(inside) else np.array([low])  # only infinite values are all outside


def _path(points: Floats, column: NumericColumn | BinnedColumn, low: float, high: float) -> str:
    if isinstance(column, NumericColumn):
        rows = column.rows_up_to(points)
    else:
        rows = np.append(0, np.cumsum(column.counts))[np.searchsorted(column.edges, points, side="right")]
    x = np.rint((points - low) / ((high - low) or 1.0) * WIDTH).astype(int).tolist()
    y = np.rint(HEIGHT - rows / column.present * HEIGHT).astype(int).tolist()
    return f"M{x[0]} {HEIGHT}" + "".join(f"H{a}V{b}" for a, b in zip(x, y, strict=True)) + f"H{WIDTH}"


def _bars(reference: Column, current: Column) -> tuple[str, int]:
    """Shares of the levels that occur most, a pair of bars each."""
    from markupsafe import escape

    assert isinstance(reference, CategoricalColumn)  # noqa: S101 (the report compares like with like)
    assert isinstance(current, CategoricalColumn)  # noqa: S101
    levels, table = aligned(reference, current)
    shares = table / table.sum(axis=1, keepdims=True)
    order = np.argsort(-shares.sum(axis=0), kind="stable")[:LEVELS_DRAWN]
    scale = (WIDTH - 110) / float(shares.max())
    texts = "".join(
        f'<text y="{16 * i + 10}">{escape(_short(levels[k], LEVEL_LENGTH))}</text>' for i, k in enumerate(order)
    )
    paths = "".join(f'<path class="{k}" d="{_bar_path(shares[i, order] * scale, 7 * i)}"/>' for i, k in enumerate("ON"))
    return texts + paths, 16 * len(order) + 2


def _bar_path(lengths: npt.NDArray[np.float64], offset: int) -> str:
    bars = (f"M110 {16 * i + offset + 1}h{length:.0f}v6h-{length:.0f}z" for i, length in enumerate(lengths.tolist()))
    return "".join(bars)

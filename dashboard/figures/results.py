"""Figures of the page Results."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import pairwise

import plotly.graph_objects as go

from dashboard.charts import Figure, day_pointed_at, in_lines, in_unit, mark_models, plain
from dashboard.palette import State, palette
from language import _
from language.format import count, day, number, share
from monitoring.calibration import Reliability
from monitoring.error_timeline import TimelineSpan, WaitingSpan
from monitoring.fairness import FigureName, GroupFigure, GroupTreatment
from monitoring.results import AnsweredCell
from monitoring.weekly_performance import RiskFigures
from preprocessing.schema import Target, label_of

WEEK = timedelta(days=7)
LEAST_LINE = 3  # weeks from which a line is drawn between them
MISS_DIGITS = 2  # decimals of a mean miss
FIRST_SHARE = 0.5  # where the scale of shares inside a range begins
GROUP_ROW = 30  # pixels
MOST_TICKS = 6  # dates on an axis, which a phone has room for
LARGEST_BUBBLE = 26  # pixels across
LETTERS_BESIDE, LETTERS_BELOW = 14, 8  # in a line of the name of a level, beside its tick and below

Week = tuple[date, TimelineSpan]
"""A week by its Monday."""


def chance_beside_rate(weeks: Sequence[RiskFigures]) -> Figure:
    """By school week the mean chance that was told as a line, and the share that came to an event as dots with their
    range; shares that were flagged as a thin line."""
    seen, figure = palette(), go.Figure()
    told = [one for one in weeks if one.rate is not None and one.risk is not None]
    years = {one.name[:-4] for one in told}
    names = [one.name[-3:] if len(years) == 1 else one.name for one in told]
    rates = [one.rate for one in told if one.rate is not None]
    figure.add_scatter(
        x=names, y=[one.value for one in rates], mode="markers", name=_("came to an event"),
        marker={"color": seen.text, "size": 8},
        error_y={"type": "data", "symmetric": False, "array": [one.high - one.value for one in rates],
                 "arrayminus": [one.value - one.low for one in rates], "width": 0, "thickness": 1.5},
        text=[share(one.value, 1) for one in rates], hovertemplate="%{x}: %{text}<extra>%{fullData.name}</extra>",
    )  # fmt: skip
    figure.add_scatter(
        x=names, y=[one.risk for one in told], mode="lines+markers", name=_("chance told"),
        line={"color": seen.model, "width": 3}, text=[share(one.risk or 0.0, 1) for one in told],
        hovertemplate="%{x}: %{text}<extra>%{fullData.name}</extra>",
    )  # fmt: skip
    flagged = [(name, one.flagged.value) for name, one in zip(names, told, strict=True) if one.flagged]
    figure.add_scatter(
        x=[name for name, _share in flagged], y=[value for _name, value in flagged], mode="lines", name=_("flagged"),
        line={"color": seen.act, "width": 1.5, "dash": "dot"}, text=[share(value, 1) for _name, value in flagged],
        hovertemplate="%{x}: %{text}<extra>%{fullData.name}</extra>",
    )  # fmt: skip
    figure.update_yaxes(tickformat=".0%", rangemode="tozero", title=_("share of students"))
    figure.update_xaxes(type="category", title=_("school week"))
    return plain(figure, 320, legend=True)


def misses(
    weeks: Sequence[Week],
    waits: Sequence[tuple[date, WaitingSpan]],
    expected: tuple[float, float] | None,
    promoted: Sequence[tuple[datetime, str]],
    unit: str,
) -> Figure:
    """The mean miss by week, model and plain rule; behind it what training leads to expect (low, high), and hollow what
    is to be expected of answers that wait. promoted: when which model came into use."""
    seen, figure = palette(), go.Figure()
    told = [(monday, week) for monday, week in weeks if week.mae]
    if expected is not None:
        figure.add_hrect(*expected, fillcolor=seen.model_pale, opacity=0.35, line_width=0, layer="below")
    lines = len(told) >= LEAST_LINE
    if lines:
        for run in _runs(told):
            _band(figure, run)
    _series(figure, _("plain rule"), [(m, w.naive_mae.value) for m, w in told if w.naive_mae], lines=lines, rule=True)
    _series(figure, _("model"), [(m, w.mae.value) for m, w in told if w.mae], lines=lines, bars=None if lines else told)
    _estimates(figure, waits)
    mark_models(figure, promoted, WEEK * len(weeks))
    _dates(figure, [*(monday for monday, _week in weeks), *(monday for monday, _one in waits)])
    figure.update_yaxes(rangemode="tozero", title=_("mean miss{unit}").format(unit=in_unit(unit)))
    return plain(figure, 340, legend=True)


def _runs(told: Sequence[Week]) -> Iterator[list[Week]]:
    """Weeks one after the other, without a gap."""
    run: list[Week] = list(told[:1])
    for (before, _week), this in pairwise(told):
        if this[0] - before > WEEK:
            yield run
            run = []
        run.append(this)
    if run:
        yield run


def _band(figure: Figure, run: Sequence[Week]) -> None:
    ends = [(monday, week.mae) for monday, week in run if week.mae]
    days = [monday for monday, _mae in ends]
    figure.add_scatter(
        x=[*days, *days[::-1]],
        y=[*(mae.high for _day, mae in ends), *(mae.low for _day, mae in ends[::-1])],
        fill="toself" if len(ends) > 1 else "none",
        mode="lines",
        line={"width": 0 if len(ends) > 1 else 2, "color": palette().model},
        fillcolor=_translucent(palette().model),
        hoverinfo="skip",
        showlegend=False,
    )


def _translucent(colour: str) -> str:
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.18)"


def _series(
    figure: Figure,
    name: str,
    points: Sequence[tuple[date, float]],
    *,
    lines: bool,
    rule: bool = False,
    bars: Sequence[Week] | None = None,
) -> None:
    """Dots by week, and a line between them that a gap breaks. bars: weeks whose intervals are drawn."""
    seen = palette()
    days: list[date | None] = []
    values: list[float | None] = []
    for place, (monday, value) in enumerate(points):
        if place and monday - points[place - 1][0] > WEEK:
            days.append(monday - WEEK)
            values.append(None)
        days.append(monday)
        values.append(value)
    figure.add_scatter(
        x=days,
        y=values,
        mode="lines+markers" if lines else "markers+text",
        text=None if lines else [number(value, MISS_DIGITS) for _day, value in points],
        textposition="middle right",
        connectgaps=False,
        line={"color": seen.rule if rule else seen.model, "dash": "dot" if rule else "solid"},
        marker={"size": 9, "symbol": "diamond" if rule else "circle"},
        error_y=_bars([(w.mae.value, w.mae.low, w.mae.high) for _day, w in bars if w.mae]) if bars else None,
        name=name,
        hovertemplate=f"{day_pointed_at()}: %{{y:.2f}}<extra>{name}</extra>",
    )


def _estimates(figure: Figure, waits: Sequence[tuple[date, WaitingSpan]]) -> None:
    """Hollow, with a dashed range each."""
    told = [(monday, one.expected) for monday, one in waits if one.expected]
    if not told:
        return
    seen, name = palette(), _("to be expected")
    for monday, one in told:
        ends = {"x0": monday, "x1": monday, "y0": one.after_low, "y1": one.after_high}
        figure.add_shape(type="line", **ends, line={"color": seen.model, "dash": "dash", "width": 2})
    figure.add_scatter(
        x=[monday for monday, _one in told],
        y=[one.after for _monday, one in told],
        mode="markers",
        marker={"size": 11, "symbol": "circle-open", "color": seen.model, "line": {"width": 2}},
        name=name,
        hovertemplate=f"{day_pointed_at()}: %{{y:.2f}}<extra>{name}</extra>",
    )


def _bars(ends: Sequence[tuple[float, float, float]]) -> dict[str, object]:
    """From values with their lower and upper end."""
    return {
        "type": "data",
        "symmetric": False,
        "array": [high - value for value, _low, high in ends],
        "arrayminus": [value - low for value, low, _high in ends],
        "thickness": 1.5,
    }


def _dates(figure: Figure, days: Sequence[date]) -> None:
    """A real axis of time whose ticks are some of these days, in the reader's words."""
    there = sorted({*days})
    ticks = there[:: -(-len(there) // MOST_TICKS)] if there else []
    figure.update_xaxes(type="date", tickvals=ticks, ticktext=[day(one, short=True) for one in ticks])


def inside(weeks: Sequence[Week]) -> Figure:
    """The share of outcomes inside the promised range by week, with its interval, beside the promise."""
    seen, figure = palette(), go.Figure()
    told = [(monday, week.covered) for monday, week in weeks if week.covered]
    lowest = min([FIRST_SHARE, *(held.low for _monday, held in told)])
    for stated in {held.stated for _monday, held in told}:
        figure.add_hline(
            y=stated,
            line={"color": seen.muted, "dash": "dash", "width": 1},
            annotation={"text": _("promised: {share}").format(share=share(stated)), "yanchor": "bottom"},
        )
    figure.add_scatter(
        x=[monday for monday, _held in told],
        y=[held.share for _monday, held in told],
        mode="markers",
        marker={
            "size": 10,
            "color": seen.model,
            "symbol": [(State.GOOD if held.kept else State.ACT).symbol for _monday, held in told],
        },
        error_y=_bars([(held.share, held.low, held.high) for _monday, held in told]),
        text=[count(held.n) for _monday, held in told],
        name=_("inside the range"),
        hovertemplate=f"{day_pointed_at()}: %{{y:.0%}} (n = %{{text}})<extra></extra>",
    )
    _dates(figure, [monday for monday, _held in told])
    figure.update_yaxes(range=[lowest - 0.02, 1.02], tickformat=".0%", title=_("inside the range"))
    return plain(figure, 260)


def groups(
    name: FigureName, told: Mapping[str, GroupTreatment], whole: GroupFigure | None, *, title: str, shares: bool
) -> Figure:
    """One figure of each group with its interval; grey, the one of all. told: by the words for a group."""
    seen, figure = palette(), go.Figure()
    rows = [(words, group, getattr(group, name)) for words, group in told.items() if getattr(group, name) is not None]
    if whole is not None:
        figure.add_vline(x=whole.value, line={"color": seen.rule, "width": 2})
    bars = _bars([(one.value, one.low, one.high) for _words, _group, one in rows])
    worse = [group.verdict == "credibly worse" for _words, group, _one in rows]
    figure.add_scatter(
        x=[one.value for _words, _group, one in rows],
        y=[words for words, _group, _one in rows],
        mode="markers",
        marker={
            "size": 11,
            "color": seen.model,
            "symbol": [(State.ACT if one else State.GOOD).symbol for one in worse],
        },
        error_x=bars,
        text=[count(one.n) for _words, _group, one in rows],
        hovertemplate="%{y}: " + ("%{x:.0%}" if shares else "%{x:.2f}") + " (n = %{text})<extra></extra>",
    )
    figure.update_xaxes(title=title, tickformat=".0%" if shares else None, range=[-0.02, 1.02] if shares else None)
    figure.update_yaxes(autorange="reversed", type="category")
    return plain(figure, 110 + GROUP_ROW * max(2, len(rows)))


def answers(cells: Sequence[AnsweredCell], target: Target, *, with_mark: bool) -> Figure:
    """Answers beside outcomes: on the diagonal they agree, and the pass mark cuts both into four. with_mark: whether
    answers below it are what is warned of."""
    seen, figure, digits = palette(), go.Figure(), "" if target.levels else ":.1f"
    most = max((cell.n for cell in cells), default=1)
    ends = [end for cell in cells for end in (cell.said, cell.happened)]
    low, high = min(ends, default=0.0), max(ends, default=1.0)
    figure.add_shape(
        type="line", x0=low, x1=high, y0=low, y1=high, line={"color": seen.rule, "dash": "dot"}, layer="below"
    )
    if target.pass_mark is not None:
        mark = target.pass_mark - (0.5 if target.levels else 0.0)
        figure.add_hline(y=mark, line={"color": seen.muted, "dash": "dash", "width": 1})
        if with_mark:
            figure.add_vline(x=mark, line={"color": seen.muted, "dash": "dash", "width": 1})
    figure.add_scatter(
        x=[cell.said for cell in cells],
        y=[cell.happened for cell in cells],
        mode="markers",
        marker={
            "size": [LARGEST_BUBBLE * (cell.n / most) ** 0.5 for cell in cells],
            "sizemin": 4,
            "color": seen.model,
            "opacity": 0.6,
        },
        text=[count(cell.n) for cell in cells],
        hovertemplate=f"%{{x{digits}}} → %{{y{digits}}}: %{{text}}<extra></extra>",
    )
    axis: dict[str, object] = {}
    across: dict[str, object] = {}
    if target.levels:
        named = [label_of(level, target.labels) for level in target.levels]
        axis = {
            "tickmode": "array",
            "tickvals": list(range(len(named))),
            "ticktext": [in_lines(name, LETTERS_BESIDE) for name in named],
        }
        across = {"ticktext": [in_lines(name, LETTERS_BELOW) for name in named], "tickangle": 0}
    figure.update_xaxes(title=_("what was said"), **{**axis, **across})
    figure.update_yaxes(title=_("what happened"), **axis)
    return plain(figure, 380)


def reliability(bins: Sequence[Reliability]) -> Figure:
    """Share of right answers by how sure they were said to be; on the line, promises are kept."""
    seen, figure = palette(), go.Figure()
    kept = {"color": seen.faint, "dash": "dot"}
    figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", line=kept, name=_("kept exactly"))
    figure.add_scatter(
        x=[one.said for one in bins],
        y=[one.right for one in bins],
        mode="markers",
        marker={"size": 9, "color": seen.model},
        error_y=_bars([(one.right, one.low, one.high) for one in bins]),
        text=[count(one.n) for one in bins],
        name=_("answers"),
        hovertemplate="%{x:.0%} → %{y:.0%} (n = %{text})<extra></extra>",
    )
    figure.update_xaxes(title=_("confidence said"), tickformat=".0%", range=[0, 1.02])
    figure.update_yaxes(title=_("share right"), tickformat=".0%", range=[0, 1.02])
    return plain(figure, 320, legend=True)

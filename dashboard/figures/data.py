"""Figures of the page Data: reports in time, what moved and what matters, a column before and now, groups."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from math import log10

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dashboard.charts import Figure, in_lines, in_unit, mark_models, plain, short
from dashboard.palette import State, palette
from drift.quadrants import PlacedColumn, Quadrant
from drift.records import Curve, SegmentDrift
from drift.story import name_of
from language import _, worded
from language.format import moment, number, share
from monitoring.drift_timeline import TimelinePoint

STATES_DRAWN = (State.GOOD, State.OPEN, State.LOOK, State.ACT)  # the gravest last, so that it lies on top
QUADRANT_STATES: dict[Quadrant, State] = {
    "moved and matters": State.ACT,
    "moved, hardly used": State.LOOK,
    "matters, steady": State.GOOD,
    "neither": State.OPEN,
}
TAP = 22  # pixels: with its ring a dot is a target for a thumb
NAMED_DOTS = 8
NAME_FITS = 0.55  # moved so far at most, a name has room at the right
SEGMENT_ROW = 30
LEAST_SHARE = 0.05  # at the top of its axis; of less, ticks would all be called nought
FEW_FACTS = 4  # have a tick each
LOG_ROOM = 0.5  # decades above the highest dot, where the limit is named
SHORT_AXIS = 16  # letters in a line beside one of two pictures in a column


def timeline(points: Sequence[TimelinePoint], came: Sequence[tuple[datetime, str]], chosen: str) -> Figure:
    """Above, how much lay outside what the model knows; below a dot a report, higher where more moved. came: when which
    models came into use, as people call them."""
    seen = palette()
    figure = make_subplots(rows=2, shared_xaxes=True, vertical_spacing=0.08, row_heights=[0.35, 0.65])
    known = [one for one in points if one.outside is not None]
    bars = go.Bar(
        x=[one.at for one in known],
        y=[one.outside for one in known],
        marker_color=seen.now,
        width=_span(points).total_seconds() * 1000 / 60,
        hovertemplate="%{y:.0%}<extra></extra>",
        showlegend=False,
    )
    figure.add_trace(bars, row=1, col=1)
    for state in STATES_DRAWN:
        if of := [one for one in points if one.state is state]:
            figure.add_trace(_dots(of, state, chosen), row=2, col=1)
    mark_models(figure, came, _span(points), row=1, col=1)
    mark_models(figure, [(at, "") for at, _name in came], _span(points), row=2, col=1)
    plain(figure, 360, legend=True)
    figure.update_layout(margin_t=56, legend={"y": 1.08})
    names = [in_lines(_("unknown"), SHORT_AXIS), in_lines(_("facts that moved"), SHORT_AXIS)]
    share_most = max([LEAST_SHARE, *(one.outside or 0.0 for one in known)])
    figure.update_yaxes(title_text=names[0], tickformat=".0%", range=[0, 1.1 * share_most], nticks=3, row=1, col=1)
    most = max(one.moved for one in points)
    figure.update_yaxes(title_text=names[1], range=[-0.15 * (most + 1), 1.2 * (most + 1)], row=2, col=1)
    whole: dict[str, object] = {"dtick": 1} if most < FEW_FACTS else {"nticks": 5}
    figure.update_yaxes(**whole, tickformat="d", row=2, col=1)
    margin = _span(points) / 20
    figure.update_xaxes(type="date", nticks=6, range=[points[0].at - margin, points[-1].at + margin])
    return figure


def _span(points: Sequence[TimelinePoint]) -> timedelta:
    """From the first report to the last; of a single one, a day."""
    return (points[-1].at - points[0].at) or timedelta(days=1)


def _dots(points: Sequence[TimelinePoint], state: State, chosen: str) -> Figure:
    most = max(one.rows for one in points) or 1
    return go.Scatter(
        x=[one.at for one in points],
        y=[one.moved for one in points],
        mode="markers",
        name=state.word,
        customdata=[[one.id, one.told, moment(one.at)] for one in points],
        marker={
            "size": [TAP * (0.55 + 0.45 * (one.rows / most) ** 0.5) for one in points],
            "color": palette().of(state),
            "symbol": state.symbol,
            "opacity": 1,
            "line": {"color": palette().text, "width": [3 if one.id == chosen else 0 for one in points]},
        },
        selected={"marker": {"opacity": 1}},
        unselected={"marker": {"opacity": 1}},
        hovertemplate="%{customdata[2]}<br>%{customdata[1]}<extra></extra>",
    )


def drift_map(placed: Sequence[PlacedColumn], *, limit: float, matters: float, unit: str) -> Figure:
    """Moved to the right, leaned on by the model upwards; names where both are much."""
    seen, figure = palette(), go.Figure()
    least = matters / 100 or 1e-6
    for quadrant, state in QUADRANT_STATES.items():
        of = [one for one in placed if one.quadrant == quadrant]
        if not of:
            continue
        both = quadrant == "moved and matters"
        named = [short(one.column.title or one.column.column) if both else "" for one in of[:NAMED_DOTS]]
        figure.add_scatter(
            x=[one.moved for one in of],
            y=[max(one.matters, least) for one in of],
            mode="markers+text",
            name=quadrant_word(quadrant),
            text=named + [""] * (len(of) - len(named)),
            textposition=["middle right" if one.moved < NAME_FITS else "middle left" for one in of],
            customdata=[[name_of(one.column), one.matters] for one in of],
            marker={"size": 13, "color": seen.of(state), "symbol": state.symbol},
            hovertemplate="%{customdata[0]}: %{x:.2f}, %{customdata[1]:.3g}<extra></extra>",
        )
    line = {"color": seen.muted, "dash": "dash", "width": 1}
    limits = _("counts from {limit}").format(limit=number(limit, 2))
    figure.add_vline(x=limit, line=line, annotation={"text": limits, "font": {"size": 12, "color": seen.muted}})
    figure.add_hline(y=matters, line=line)
    figure.update_xaxes(title=_("moved (0 the same, 1 entirely different)"), range=[-0.03, 1.12])
    most = max([matters, *(one.matters for one in placed)])
    figure.update_yaxes(
        title=_("matters: error added when it is unknown") + in_unit(unit),
        type="log",
        dtick=1,  # whole decades: Plotly names the steps between by a digit alone
        range=[log10(least) - LOG_ROOM / 2, log10(max(most, least)) + LOG_ROOM],
    )
    return plain(figure, 380, legend=True)


def quadrant_word(quadrant: Quadrant) -> str:
    """A quarter of the map in the visitor's language."""
    return {
        "moved and matters": _("moved and matters"),
        "moved, hardly used": _("moved, hardly used"),
        "matters, steady": _("matters, steady"),
        "neither": _("neither"),
    }[quadrant]


def before_and_now(curve: Curve, *, unit: str) -> Figure:
    """A column in pairs of bars: shares before and now, by bin or by level."""
    seen, (before, now) = palette(), curve.shares
    sides = ((_("before"), before, seen.before), (_("now"), now, seen.now))
    figure = go.Figure()
    if curve.edges:
        names = bin_names(curve)
        for name, shares, colour in sides:
            figure.add_bar(x=names, y=list(shares), name=name, marker_color=colour, hovertemplate=HOVER_BINS)
        figure.update_xaxes(title=worded(unit) or None, type="category", tickangle=0, nticks=7)
        figure.update_yaxes(tickformat=".0%", nticks=4, rangemode="tozero")
        height = 230
    else:
        names, rest = level_names(curve), bool(curve.other_before or curve.other_now)
        for name, shares, colour in sides:
            values = [*shares, 1 - sum(shares)] if rest else list(shares)
            texts = [share(value) for value in values]
            figure.add_bar(
                y=names,
                x=values,
                name=name,
                orientation="h",
                marker_color=colour,
                text=texts,
                textposition="outside",
                cliponaxis=False,
                hovertemplate=HOVER_LEVELS,
            )
        figure.update_yaxes(autorange="reversed", type="category")
        figure.update_xaxes(visible=False, range=[0, 1.18 * max(*before, *now, 0.01)])
        height = 70 + 40 * len(names)
    figure.update_layout(barmode="group", bargap=0.25, bargroupgap=0.05)
    return plain(figure, height, legend=True)


HOVER_BINS = "%{x}: %{y:.1%}<extra>%{fullData.name}</extra>"
HOVER_LEVELS = "%{y}: %{x:.1%}<extra>%{fullData.name}</extra>"


def bin_names(curve: Curve) -> list[str]:
    """The bins of numbers in words: a whole number by itself, others from edge to edge."""
    edges = curve.edges
    if curve.whole and edges[1] - edges[0] == 1:
        return [number(edge, 0) for edge in edges[:-1]]
    last = 1 if curve.whole else 0
    return [f"{number(low, 4)}–{number(high - last, 4)}" for low, high in pairwise(edges)]


def level_names(curve: Curve) -> list[str]:
    """The levels in words, and one name for all others where there are any."""
    others = [_("all others")] if curve.other_before or curve.other_now else []
    return [short(words) for words in curve.words] + others


def segments(found: Sequence[SegmentDrift], *, limit: float) -> Figure:
    """A row for each group: a dot for each fact, how far it moved; those that count are filled and stand out."""
    seen, figure = palette(), go.Figure()
    names = [short(one.segment) for one in found]
    for state, word, alarming in (
        (State.OPEN, _("other facts"), False),
        (State.ACT, _("moved"), True),
    ):
        pairs = [
            (name, column)
            for name, one in zip(names, found, strict=True)
            for column in one.columns
            if column.alarming is alarming and column.test != "none"
        ]
        figure.add_scatter(
            x=[column.effect for _name, column in pairs],
            y=[name for name, _column in pairs],
            mode="markers",
            name=word,
            customdata=[name_of(column) for _name, column in pairs],
            marker={"size": 11 if alarming else 7, "color": seen.of(state), "symbol": state.symbol},
            hovertemplate="%{y}: %{customdata} %{x:.2f}<extra></extra>",
        )
    figure.add_vline(x=limit, line={"color": seen.muted, "dash": "dash", "width": 1})
    figure.update_xaxes(title=_("moved (0 the same, 1 entirely different)"), range=[-0.03, 1.03])
    figure.update_yaxes(autorange="reversed", type="category", categoryorder="array", categoryarray=names)
    return plain(figure, 130 + SEGMENT_ROW * len(names), legend=True)

"""Plotly figures made from records: one function per question that a figure answers.

Nothing is computed beyond what a position on paper needs; every number comes from the record drawn.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import plotly.graph_objects as go

from dashboard.words import VERDICTS, candidate, column_name, number
from database.records import Answer
from drift.records import ColumnDrift
from model.readable import readable_value
from model.scores import ClassScores, Estimate
from monitoring.calibration import Reliability
from preprocessing.schema import Target

Figure = Any
"""A plotly Figure (the library ships no types)."""

MODEL, PLAIN_RULE_COLOUR, ALARM, WARN, CALM, FAINT = "#1f5f8b", "#8a94a0", "#b3261e", "#c77700", "#3b7d4f", "#d5dde5"
VERDICT_COLOURS = {"drift": ALARM, "warn": WARN, "undecided": PLAIN_RULE_COLOUR, "ok": CALM, "constant": FAINT}
SEVERAL = (MODEL, "#c77700", "#3b7d4f", "#7b4f9d", "#8a94a0")  # told apart without red and green side by side
CONFIG = {"displayModeBar": False, "responsive": True}
"""How Streamlit shows them: without a tool bar, and without catching the scrolling of a phone."""

ROW = 34  # pixels per row of a chart whose rows have names
COLUMNS_DRAWN = 20  # of a report, in one chart
AXIS_LETTERS = 26  # letters of a name on an axis; longer ones leave no room on a phone


def daily(days: Sequence[date], counts: Mapping[str, Sequence[int]]) -> Figure:
    """Predictions per day, one colour per domain."""
    bars = [
        go.Bar(name=name, x=list(days), y=list(numbers), marker_color=SEVERAL[place % len(SEVERAL)])
        for place, (name, numbers) in enumerate(counts.items())
    ]
    figure = go.Figure(bars)
    figure.update_layout(barmode="stack", bargap=0.25)
    figure.update_xaxes(tickformat="%d %b", nticks=6)
    figure.update_yaxes(rangemode="tozero", tickformat=",d", nticks=5, title="predictions")
    return _plain(figure, 240, legend=True)


def scores(found: Mapping[str, Estimate], *, chosen: str, axis: str) -> Figure:
    """Scores with their intervals, one row per candidate; the chosen one and the plain rule stand out."""
    names = [candidate(name) + (" (chosen)" if name == chosen else "") for name in found]
    colours = [MODEL if name == chosen else PLAIN_RULE_COLOUR if name == "naive" else "#8fb3cc" for name in found]
    figure = go.Figure(
        go.Scatter(
            x=[score.value for score in found.values()],
            y=names,
            mode="markers",
            marker={"size": 11, "color": colours, "symbol": ["diamond" if n == "naive" else "circle" for n in found]},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [score.high - score.value for score in found.values()],
                "arrayminus": [score.value - score.low for score in found.values()],
                "color": "#9aa7b3",
                "thickness": 2,
            },
            hovertemplate="%{y}: %{x:.3f}<extra></extra>",
        )
    )
    if "naive" in found:
        figure.add_vline(x=found["naive"].value, line={"color": PLAIN_RULE_COLOUR, "dash": "dot", "width": 1})
    figure.update_xaxes(title=axis)
    figure.update_yaxes(autorange="reversed")
    return _plain(figure, 90 + ROW * len(found))


def importance(found: Mapping[str, float], *, unit: str, most: int = 15) -> Figure:
    """How much worse answers get when one column's values are shuffled, the most telling columns first."""
    ranked = sorted(found.items(), key=lambda item: -item[1])[:most]
    figure = go.Figure(
        go.Bar(
            x=[value for _, value in ranked],
            y=[_short(name) for name, _ in ranked],
            orientation="h",
            marker_color=MODEL,
            hovertemplate="%{y}: %{x:.3f}<extra></extra>",
        )
    )
    figure.update_xaxes(title=f"error added{_in(unit)}")
    figure.update_yaxes(autorange="reversed")
    return _plain(figure, 90 + 26 * len(ranked))


def confusion(found: ClassScores) -> Figure:
    """True classes in rows, answers in columns; colour by share of the true class, numbers are students."""
    totals = [max(1, sum(row)) for row in found.confusion]
    shares = [[count / total for count in row] for row, total in zip(found.confusion, totals, strict=True)]
    figure = go.Figure(
        go.Heatmap(
            z=shares,
            x=list(found.levels),
            y=list(found.levels),
            text=[list(row) for row in found.confusion],
            texttemplate="%{text}",
            colorscale=[[0, "#ffffff"], [1, MODEL]],
            zmin=0,
            zmax=1,
            showscale=False,
            hovertemplate="truth %{y}, answer %{x}: %{text} students (%{z:.0%} of the row)<extra></extra>",
        )
    )
    figure.update_xaxes(title="what the model said", type="category")
    figure.update_yaxes(title="what was true", type="category", autorange="reversed")
    return _plain(figure, 140 + 44 * len(found.levels))


def probabilities(given: Answer) -> Figure:
    """The probability of every class, worst class first."""
    found = dict(given.probabilities or {})
    colours = [MODEL if level == given.value else "#b9c8d4" for level in found]
    figure = go.Figure(
        go.Bar(
            x=list(found.values()),
            y=list(found),
            orientation="h",
            marker_color=colours,
            text=[f"{share:.0%}" for share in found.values()],
            textposition="outside",
            cliponaxis=False,
            hovertemplate="%{y}: %{x:.1%}<extra></extra>",
        )
    )
    figure.update_xaxes(tickformat=".0%", range=[0, 1.08], title="probability")
    figure.update_yaxes(autorange="reversed", type="category")
    return _plain(figure, 90 + 30 * len(found))


def place(given: Answer, target: Target) -> Figure:
    """Where a value and its interval lie on the target's scale, with the plain rule's answer and the pass mark."""
    figure = go.Figure()
    if given.interval is not None:
        low, high = given.interval
        line = {"color": "#a9c6da", "width": 14}
        ends, name = (
            [readable_value(end, target, answered=False) for end in (low, high)],
            f"{given.coverage:.0%} interval",
        )
        figure.add_scatter(x=[low, high], y=[0, 0], mode="lines", line=line, name=name, text=ends)
    marks = [("model", given.value, MODEL, "circle"), ("plain rule", given.naive, PLAIN_RULE_COLOUR, "diamond")]
    for name, value, colour, symbol in marks:
        if value is None:
            continue
        marker = {"size": 15, "color": colour, "symbol": symbol, "line": {"color": "#ffffff", "width": 1.5}}
        text = [readable_value(float(value), target)]
        figure.add_scatter(x=[value], y=[0], mode="markers", marker=marker, name=name, text=text)
    for cut in target.cut_points[:1]:
        figure.add_vline(
            x=cut,
            line={"color": ALARM, "dash": "dash", "width": 1},
            annotation={"text": f"pass mark {number(cut)}", "font": {"size": 11, "color": ALARM}},
        )
    figure.update_traces(hovertemplate="%{fullData.name}: %{text}<extra></extra>")
    if target.minimum is not None and target.maximum is not None:
        margin = (target.maximum - target.minimum) * 0.02
        figure.update_xaxes(range=[target.minimum - margin, target.maximum + margin])
    figure.update_xaxes(title=target.unit)
    figure.update_yaxes(visible=False, range=[-1, 1])
    return _plain(figure, 170, legend=True)


def effects(columns: Sequence[ColumnDrift], *, most: int = COLUMNS_DRAWN) -> Figure:
    """How far each column has moved, with its interval and its limit, the most telling first."""
    shown = columns[:most]
    names = [_short(column_name(column.column)) for column in shown]
    figure = go.Figure()
    for verdict, words in VERDICTS.items():
        of = [i for i, column in enumerate(shown) if column.verdict == verdict]
        if of:
            figure.add_trace(_effects_of([shown[i] for i in of], [names[i] for i in of], verdict, words))
    figure.add_scatter(
        x=[column.threshold for column in shown],
        y=names,
        mode="markers",
        marker={"symbol": "line-ns-open", "size": 16, "color": "#1d2733"},
        name="limit",
        hovertemplate="%{y}: limit %{x:.2f}<extra></extra>",
    )
    figure.update_xaxes(title="effect (0 same, 1 entirely different)", rangemode="tozero")
    figure.update_yaxes(autorange="reversed", categoryorder="array", categoryarray=names)
    return _plain(figure, 130 + 24 * len(shown), legend=True)


def _effects_of(columns: Sequence[ColumnDrift], names: Sequence[str], verdict: str, words: str) -> Any:
    return go.Scatter(
        x=[column.effect for column in columns],
        y=list(names),
        mode="markers",
        marker={"size": 10, "color": VERDICT_COLOURS[verdict]},
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [max(0.0, column.effect_high - column.effect) for column in columns],
            "arrayminus": [max(0.0, column.effect - column.effect_low) for column in columns],
            "thickness": 1.5,
        },
        name=words,
        hovertemplate="%{y}: %{x:.3f}<extra></extra>",
    )


def errors(labels: Sequence[str], model: Sequence[Estimate], naive: Sequence[Estimate], *, unit: str) -> Figure:
    """The mean absolute error over time, model and plain rule, each with its interval."""
    figure = go.Figure()
    for name, found, colour, dash in (
        ("model", model, MODEL, "solid"),
        ("plain rule", naive, PLAIN_RULE_COLOUR, "dot"),
    ):
        figure.add_scatter(
            x=list(labels),
            y=[estimate.value for estimate in found],
            mode="lines+markers",
            line={"color": colour, "dash": dash},
            marker={"size": 8},
            error_y={
                "type": "data",
                "symmetric": False,
                "array": [estimate.high - estimate.value for estimate in found],
                "arrayminus": [estimate.value - estimate.low for estimate in found],
                "thickness": 1,
            },
            name=name,
            hovertemplate=f"%{{x}}: {name} %{{y:.3f}}<extra></extra>",
        )
    figure.update_xaxes(type="category")
    figure.update_yaxes(rangemode="tozero", title=f"mean absolute error{_in(unit)}")
    return _plain(figure, 320, legend=True)


def reliability(bins: Sequence[Reliability]) -> Figure:
    """Share of right answers by how sure they were said to be; on the line, promises are kept."""
    figure = go.Figure()
    figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", line={"color": FAINT, "dash": "dot"}, name="kept exactly")
    figure.add_scatter(
        x=[one.said for one in bins],
        y=[one.right for one in bins],
        mode="markers",
        marker={"size": 9, "color": MODEL},
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [one.high - one.right for one in bins],
            "arrayminus": [one.right - one.low for one in bins],
            "thickness": 1,
        },
        text=[f"{one.n:,} answers" for one in bins],
        name="answers",
        hovertemplate="said %{x:.0%}, right %{y:.0%}, %{text}<extra></extra>",
    )
    figure.update_xaxes(title="confidence said", tickformat=".0%", range=[0, 1.02])
    figure.update_yaxes(title="share right", tickformat=".0%", range=[0, 1.02])
    return _plain(figure, 320, legend=True)


def _in(unit: str) -> str:
    return f" ({unit})" if unit else ""


def _short(name: str) -> str:
    return name if len(name) <= AXIS_LETTERS else name[: AXIS_LETTERS - 1] + "…"


def _plain(figure: Figure, height: int, *, legend: bool = False) -> Figure:
    """The look that all figures share."""
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 16, "t": 32 if legend else 12, "b": 8},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"size": 13, "color": "#1d2733", "family": "Source Sans, sans-serif"},
        showlegend=legend,
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "title": None},
        dragmode=False,
    )
    figure.update_xaxes(
        automargin=True, fixedrange=True, gridcolor="#e6ebf0", zerolinecolor=FAINT, title_standoff=8, title_font_size=13
    )
    figure.update_yaxes(
        automargin=True, fixedrange=True, gridcolor="#e6ebf0", zerolinecolor=FAINT, title_standoff=8, title_font_size=13
    )
    return figure

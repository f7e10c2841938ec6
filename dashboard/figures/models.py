"""Figures of the page Models."""

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from dashboard.charts import Figure, in_unit, plain, short
from dashboard.palette import palette
from dashboard.words import candidate
from language import _
from model.card import LEADING
from model.scores import ClassScores, Estimate
from monitoring.model_comparison import ModelComparison

ROW = 34  # pixels per row of a chart whose rows have names


def scores(found: Mapping[str, Estimate], *, chosen: str, axis: str) -> Figure:
    """Scores with their intervals, one row per candidate; the chosen one and the plain rule stand out."""
    seen = palette()
    names = [_("{name} (chosen)").format(name=candidate(name)) if name == chosen else candidate(name) for name in found]
    colours = [seen.model if name == chosen else seen.rule if name == "naive" else seen.model_pale for name in found]
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
                "color": seen.rule,
                "thickness": 2,
            },
            hovertemplate="%{y}: %{x:.3f}<extra></extra>",
        )
    )
    if "naive" in found:
        figure.add_vline(x=found["naive"].value, line={"color": seen.rule, "dash": "dot", "width": 1})
    figure.update_xaxes(title=axis)
    figure.update_yaxes(autorange="reversed")
    return plain(figure, 90 + ROW * len(found))


def importance(found: Mapping[str, float], told: Mapping[str, str], *, unit: str) -> Figure:
    """How much worse answers get when one column's values are shuffled, in order. told: what columns are called."""
    figure = go.Figure(
        go.Bar(
            x=list(found.values()),
            y=[short(told.get(name, name)) for name in found],
            orientation="h",
            marker_color=palette().model,
            hovertemplate="%{y}: %{x:.3f}<extra></extra>",
        )
    )
    figure.update_xaxes(title=_("error rises by{unit}").format(unit=in_unit(unit)))
    figure.update_yaxes(autorange="reversed")
    return plain(figure, 90 + 26 * len(found))


def importance_rows(found: ModelComparison, told: Mapping[str, str]) -> list[dict[str, object]]:
    """What two versions look at, column by column."""
    first, second = found.names
    return [
        {_("column"): told.get(name, name), first: rises[0], second: rises[1]}
        for name, rises in found.importance.items()
    ]


def importance_of_two(found: ModelComparison, told: Mapping[str, str]) -> Figure:
    """The columns that matter most to either, each with both versions' bars."""
    seen, figure = palette(), go.Figure()
    shown = list(found.importance.items())[:LEADING]
    for place, (name, colour) in enumerate(zip(found.names, (seen.before, seen.now), strict=True)):
        figure.add_bar(
            name=name,
            x=[rises[place] or 0.0 for _column, rises in shown],
            y=[short(told.get(column, column)) for column, _rises in shown],
            orientation="h",
            marker_color=colour,
            hovertemplate="%{y}: %{x:.3f}<extra>%{fullData.name}</extra>",
        )
    figure.update_layout(barmode="group")
    figure.update_xaxes(title=_("error rises by"))
    figure.update_yaxes(autorange="reversed")
    return plain(figure, 110 + 40 * len(shown), legend=True)


def confusion(found: ClassScores, called: Sequence[str]) -> Figure:
    """True classes in rows, answers in columns; colour by share of the true class, numbers are students."""
    seen = palette()
    totals = [max(1, sum(row)) for row in found.confusion]
    shares = [[count / total for count in row] for row, total in zip(found.confusion, totals, strict=True)]
    figure = go.Figure(
        go.Heatmap(
            z=shares,
            x=list(called),
            y=list(called),
            text=[list(row) for row in found.confusion],
            texttemplate="%{text}",
            colorscale=[[0, seen.surface], [1, seen.model]],
            zmin=0,
            zmax=1,
            showscale=False,
            hovertemplate="%{y} → %{x}: %{text} (%{z:.0%})<extra></extra>",
        )
    )
    figure.update_xaxes(title=_("what the model said"), type="category")
    figure.update_yaxes(title=_("what was true"), type="category", autorange="reversed")
    return plain(figure, 140 + 44 * len(found.levels))

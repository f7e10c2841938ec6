"""Figures of the page Models."""

from collections.abc import Mapping

import plotly.graph_objects as go

from dashboard.charts import Figure, in_unit, plain, short
from dashboard.palette import palette
from dashboard.words import candidate
from model.scores import ClassScores, Estimate

ROW = 34  # pixels per row of a chart whose rows have names


def scores(found: Mapping[str, Estimate], *, chosen: str, axis: str) -> Figure:
    """Scores with their intervals, one row per candidate; the chosen one and the plain rule stand out."""
    seen = palette()
    names = [candidate(name) + (" (chosen)" if name == chosen else "") for name in found]
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


def importance(found: Mapping[str, float], *, unit: str, most: int = 15) -> Figure:
    """How much worse answers get when one column's values are shuffled, the most telling columns first."""
    ranked = sorted(found.items(), key=lambda item: -item[1])[:most]
    figure = go.Figure(
        go.Bar(
            x=[value for _, value in ranked],
            y=[short(name) for name, _ in ranked],
            orientation="h",
            marker_color=palette().model,
            hovertemplate="%{y}: %{x:.3f}<extra></extra>",
        )
    )
    figure.update_xaxes(title=f"error added{in_unit(unit)}")
    figure.update_yaxes(autorange="reversed")
    return plain(figure, 90 + 26 * len(ranked))


def confusion(found: ClassScores) -> Figure:
    """True classes in rows, answers in columns; colour by share of the true class, numbers are students."""
    seen = palette()
    totals = [max(1, sum(row)) for row in found.confusion]
    shares = [[count / total for count in row] for row, total in zip(found.confusion, totals, strict=True)]
    figure = go.Figure(
        go.Heatmap(
            z=shares,
            x=list(found.levels),
            y=list(found.levels),
            text=[list(row) for row in found.confusion],
            texttemplate="%{text}",
            colorscale=[[0, seen.surface], [1, seen.model]],
            zmin=0,
            zmax=1,
            showscale=False,
            hovertemplate="truth %{y}, answer %{x}: %{text} students (%{z:.0%} of the row)<extra></extra>",
        )
    )
    figure.update_xaxes(title="what the model said", type="category")
    figure.update_yaxes(title="what was true", type="category", autorange="reversed")
    return plain(figure, 140 + 44 * len(found.levels))

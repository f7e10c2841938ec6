"""Figures of the page Results."""

from collections.abc import Sequence

import plotly.graph_objects as go

from dashboard.charts import Figure, in_unit, plain
from dashboard.palette import palette
from model.scores import Estimate
from monitoring.calibration import Reliability


def errors(labels: Sequence[str], model: Sequence[Estimate], naive: Sequence[Estimate], *, unit: str) -> Figure:
    """The mean absolute error over time, model and plain rule, each with its interval."""
    figure = go.Figure()
    for name, found, colour, dash in (
        ("model", model, palette().model, "solid"),
        ("plain rule", naive, palette().rule, "dot"),
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
    figure.update_yaxes(rangemode="tozero", title=f"mean absolute error{in_unit(unit)}")
    return plain(figure, 320, legend=True)


def reliability(bins: Sequence[Reliability]) -> Figure:
    """Share of right answers by how sure they were said to be; on the line, promises are kept."""
    figure = go.Figure()
    figure.add_scatter(
        x=[0, 1], y=[0, 1], mode="lines", line={"color": palette().faint, "dash": "dot"}, name="kept exactly"
    )
    figure.add_scatter(
        x=[one.said for one in bins],
        y=[one.right for one in bins],
        mode="markers",
        marker={"size": 9, "color": palette().model},
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
    return plain(figure, 320, legend=True)

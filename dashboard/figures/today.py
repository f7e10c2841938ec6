"""Figures of the page Today."""

from collections.abc import Mapping, Sequence
from datetime import date

import plotly.graph_objects as go

from dashboard.charts import Figure, plain
from dashboard.palette import palette


def daily(days: Sequence[date], counts: Mapping[str, Sequence[int]]) -> Figure:
    """Predictions per day, one colour per domain."""
    colours = palette().several
    bars = [
        go.Bar(name=name, x=list(days), y=list(numbers), marker_color=colours[place % len(colours)])
        for place, (name, numbers) in enumerate(counts.items())
    ]
    figure = go.Figure(bars)
    figure.update_layout(barmode="stack", bargap=0.25)
    figure.update_xaxes(tickformat="%d %b", nticks=6)
    figure.update_yaxes(rangemode="tozero", tickformat=",d", nticks=5, title="predictions")
    return plain(figure, 240, legend=True)

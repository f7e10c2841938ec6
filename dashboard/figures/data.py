"""Figures of the page Data."""

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from dashboard.charts import Figure, plain, short
from dashboard.palette import palette
from dashboard.words import VERDICTS, column_name
from drift.records import ColumnDrift

COLUMNS_DRAWN = 20  # of a report, in one chart
VERDICT_COLOURS = {"drift": "act", "warn": "look", "undecided": "open", "ok": "good", "constant": "faint"}
"""What a drift verdict is drawn in, as a palette names it."""


def effects(columns: Sequence[ColumnDrift], *, most: int = COLUMNS_DRAWN) -> Figure:
    """How far each column has moved, with its interval and its limit, the most telling first."""
    shown = columns[:most]
    names = [short(column_name(column.column)) for column in shown]
    figure = go.Figure()
    for verdict, words in VERDICTS.items():
        of = [i for i, column in enumerate(shown) if column.verdict == verdict]
        if of:
            figure.add_trace(_effects_of([shown[i] for i in of], [names[i] for i in of], verdict, words))
    figure.add_scatter(
        x=[column.threshold for column in shown],
        y=names,
        mode="markers",
        marker={"symbol": "line-ns-open", "size": 16, "color": palette().text},
        name="limit",
        hovertemplate="%{y}: limit %{x:.2f}<extra></extra>",
    )
    figure.update_xaxes(title="effect (0 same, 1 entirely different)", rangemode="tozero")
    figure.update_yaxes(autorange="reversed", categoryorder="array", categoryarray=names)
    return plain(figure, 130 + 24 * len(shown), legend=True)


def _effects_of(columns: Sequence[ColumnDrift], names: Sequence[str], verdict: str, words: str) -> Any:
    return go.Scatter(
        x=[column.effect for column in columns],
        y=list(names),
        mode="markers",
        marker={"size": 10, "color": getattr(palette(), VERDICT_COLOURS[verdict])},
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

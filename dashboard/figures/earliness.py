"""Figures of from when on answers can be trusted."""

from collections.abc import Sequence

import plotly.graph_objects as go

from dashboard.charts import Figure, in_unit, plain
from dashboard.figures.results import MISS_DIGITS, MOST_TICKS
from dashboard.palette import palette
from language import _
from language.ending_words import ending_words
from language.format import count
from monitoring.earliness import EarlyStage

Bar = tuple[float, float, float]
"""A figure and the ends of its interval."""


def early_misses(stages: Sequence[tuple[str, EarlyStage]], unit: str) -> Figure:
    """The mean miss of the model and of the plain rule at each stage, with intervals. stages: with their names."""
    figure = go.Figure()
    for rule in (True, False):
        told = [one.naive_mae if rule else one.mae for _name, one in stages]
        _series(figure, stages, [(one.value, one.low, one.high) for one in told], f".{MISS_DIGITS}f", rule=rule)
    figure.update_yaxes(rangemode="tozero", title=_("mean miss{unit}").format(unit=in_unit(unit)))
    return _staged(figure, stages)


def early_hits(stages: Sequence[tuple[str, EarlyStage]], *, event: bool) -> Figure:
    """Of those who are put first, the share that ended so: of the model, of the plain rule, and of all."""
    figure, seen = go.Figure(), palette()
    for rule in (True, False):
        told = [one.naive_precision if rule else one.precision for _name, one in stages]
        _series(figure, stages, [one or (0.0, 0.0, 0.0) for one in told], ".0%", rule=rule)
    figure.add_scatter(
        x=[name for name, _one in stages],
        y=[one.base for _name, one in stages],
        mode="lines+markers",
        line={"color": seen.muted, "dash": "dash", "width": 1},
        marker={"size": 5, "color": seen.muted},
        name=_("of all students"),
        hovertemplate="%{x}: %{y:.0%}<extra>%{fullData.name}</extra>",
    )
    figure.update_yaxes(range=[-0.02, 1.02], tickformat=".0%", title=ending_words(event=event).its_axis)
    return _staged(figure, stages)


def _series(
    figure: Figure, stages: Sequence[tuple[str, EarlyStage]], told: Sequence[Bar], form: str, *, rule: bool
) -> None:
    seen = palette()
    figure.add_scatter(
        x=[name for name, _one in stages],
        y=[value for value, _low, _high in told],
        mode="lines+markers",
        line={"color": seen.rule if rule else seen.model, "dash": "dot" if rule else "solid"},
        marker={"size": 9, "symbol": "diamond" if rule else "circle"},
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [high - value for value, _low, high in told],
            "arrayminus": [value - low for value, low, _high in told],
            "thickness": 1.2,
        },
        text=[count(one.n) for _name, one in stages],
        name=_("plain rule") if rule else _("model"),
        hovertemplate=f"%{{x}}: %{{y:{form}}} (n = %{{text}})<extra>%{{fullData.name}}</extra>",
    )


def _staged(figure: Figure, stages: Sequence[tuple[str, EarlyStage]]) -> Figure:
    names = [name for name, _one in stages]
    figure.update_xaxes(type="category", tickvals=names[:: -(-len(names) // MOST_TICKS)])
    return plain(figure, 320, legend=True)

"""Figures of the page Students."""

import plotly.graph_objects as go

from dashboard.charts import Figure, plain
from dashboard.palette import palette
from dashboard.words import number
from database.records import Answer
from model.readable import readable_value
from preprocessing.schema import Target


def probabilities(given: Answer) -> Figure:
    """The probability of every class, worst class first."""
    seen = palette()
    found = dict(given.probabilities or {})
    colours = [seen.model if level == given.value else seen.model_pale for level in found]
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
    return plain(figure, 90 + 30 * len(found))


def place(given: Answer, target: Target) -> Figure:
    """Where a value and its interval lie on the target's scale, with the plain rule's answer and the pass mark."""
    seen = palette()
    figure = go.Figure()
    if given.interval is not None:
        low, high = given.interval
        line = {"color": seen.model_pale, "width": 14}
        ends, name = (
            [readable_value(end, target, answered=False) for end in (low, high)],
            f"{given.coverage:.0%} interval",
        )
        figure.add_scatter(x=[low, high], y=[0, 0], mode="lines", line=line, name=name, text=ends)
    marks = [("model", given.value, seen.model, "circle"), ("plain rule", given.naive, seen.rule, "diamond")]
    for name, value, colour, symbol in marks:
        if value is None:
            continue
        marker = {"size": 15, "color": colour, "symbol": symbol, "line": {"color": seen.surface, "width": 1.5}}
        text = [readable_value(float(value), target)]
        figure.add_scatter(x=[value], y=[0], mode="markers", marker=marker, name=name, text=text)
    for cut in target.cut_points[:1]:
        figure.add_vline(
            x=cut,
            line={"color": seen.act, "dash": "dash", "width": 1},
            annotation={"text": f"pass mark {number(cut)}", "font": {"size": 12, "color": seen.act}},
        )
    figure.update_traces(hovertemplate="%{fullData.name}: %{text}<extra></extra>")
    if target.minimum is not None and target.maximum is not None:
        margin = (target.maximum - target.minimum) * 0.02
        figure.update_xaxes(range=[target.minimum - margin, target.maximum + margin])
    figure.update_xaxes(title=target.unit)
    figure.update_yaxes(visible=False, range=[-1, 1])
    return plain(figure, 170, legend=True)

"""Figures of the page of one's own."""

import plotly.graph_objects as go

from advice.own_view import OwnAnswer
from dashboard.charts import Figure, plain
from dashboard.palette import palette
from language import _
from language.format import interval, number


def expected(answer: OwnAnswer) -> Figure:
    """Where the likely result and its range lie on the whole scale."""
    seen, figure = palette(), go.Figure()
    if answer.low is not None and answer.high is not None:
        line, said = {"color": seen.model_pale, "width": 16}, interval(answer.low, answer.high)
        name, ends = _("{n} of 10").format(n=number(answer.of_ten or 0, 0)), [answer.low, answer.high]
        figure.add_scatter(x=ends, y=[0, 0], mode="lines", line=line, name=name, text=[said, said])
    marker = {"size": 16, "color": seen.model, "line": {"color": seen.surface, "width": 1.5}}
    value = float(answer.value or 0)
    figure.add_scatter(x=[value], y=[0], mode="markers", marker=marker, name=_("most likely"), text=[number(value)])
    figure.update_traces(cliponaxis=False, hovertemplate="%{fullData.name}: %{text}<extra></extra>")
    if answer.minimum is not None and answer.maximum is not None:
        figure.update_xaxes(range=[answer.minimum, answer.maximum])
    figure.update_xaxes(title=answer.unit)
    figure.update_yaxes(visible=False, range=[-1, 1])
    return plain(figure, 150, legend=True)


def grades(answer: OwnAnswer) -> Figure:
    """How many of ten students got each grade, the worst first."""
    seen = palette()
    counts = {one.grade: one.of_ten for one in answer.grades}
    colours = [seen.model if grade == answer.value else seen.model_pale for grade in counts]
    of_ten = list(counts.values())
    figure = go.Figure(go.Bar(x=of_ten, y=list(counts), orientation="h", marker_color=colours, text=of_ten))
    figure.update_traces(textposition="outside", cliponaxis=False, hovertemplate="%{y}: %{x}<extra></extra>")
    figure.update_xaxes(title=_("of 10 students"), range=[0, max(5, *of_ten) + 1], tickvals=[0, 5, 10])
    figure.update_yaxes(type="category", autorange="reversed")
    return plain(figure, 80 + 26 * len(counts))

"""Figures of the page Students: one answer on its scale, a class as a ladder, what moved an answer, how it went, weeks
of a student."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import plotly.graph_objects as go

from dashboard.charts import Figure, day_pointed_at, plain, short
from dashboard.palette import State, palette
from database.observed_weeks import WeekOfEvents
from database.records import Answer, Factor, Outcome
from language import _, worded
from language.format import number, share
from model.explain import ThemeFactor
from model.readable import number_of, readable_value
from monitoring.answer_history import PastAnswer
from monitoring.weekly_history import AnsweredWeek
from preprocessing.schema import Target, label_of

NEAR_FROM = 0.2
"""The chance of ending below the pass mark from which an answer is near it; from one half on it is below."""

RUNG = 26  # pixels of a student in a ladder
WEEKS_NAMED = 6  # of an axis of weeks, which a phone has room for


class Rung(NamedTuple):
    """A student in a ladder. below: the chance of ending below the pass mark, None for a guess or no answer."""

    name: str
    answer: Answer
    below: float | None

    @property
    def state(self) -> State:
        """How the student stands."""
        if self.below is None:
            return State.OPEN
        return State.ACT if self.below >= 1 / 2 else State.LOOK if self.below >= NEAR_FROM else State.INFO


def state_words(state: State) -> str:
    """What a dot of the ladder says."""
    words = {State.ACT: _("likely below"), State.LOOK: _("near it"), State.INFO: _("likely to pass")}
    return words.get(state, _("a guess, or no answer"))


# One answer ---------------------------------------------------------------------------------------------------------


def probabilities(given: Answer, target: Target) -> Figure:
    """The chance of every grade, worst first; those that fail in the colour of what needs somebody."""
    seen = palette()
    found = dict(given.probabilities or {})
    levels = [level for level in target.levels if level in found] or list(found)
    colours = [seen.model if level == given.value else seen.model_pale for level in levels]
    bars = go.Bar(
        x=[found[level] for level in levels],
        y=[label_of(level, target.labels) for level in levels],
        orientation="h",
        marker_color=colours,
        text=[share(found[level]) for level in levels],
        textposition="outside",
        cliponaxis=False,
        hovertemplate="%{y}: %{text}<extra></extra>",
    )
    figure = go.Figure(bars)
    figure.update_xaxes(tickformat=".0%", range=[0, 1.12], title=_("chance"))
    figure.update_yaxes(autorange="reversed", type="category")
    if (mark := target.pass_mark) is not None and target.levels:
        figure.add_hline(y=mark - 0.5, line={"color": seen.act, "dash": "dash", "width": 1})
    return plain(figure, 80 + 26 * len(levels))


def place(given: Answer, target: Target) -> Figure:
    """Where a value and its range lie on the target's scale, with the plain rule's answer and the pass mark."""
    seen, figure = palette(), go.Figure()
    if given.interval is not None:
        low, high = given.interval
        line = {"color": seen.model_pale, "width": 14}
        ends = [readable_value(end, target, answered=False) for end in (low, high)]
        name = _("{share} of such answers").format(share=share(given.coverage or 0))
        figure.add_scatter(x=[low, high], y=[0, 0], mode="lines", line=line, name=name, text=ends)
    said = [(_("likely"), given.value, seen.model, "circle"), (_("plain rule"), given.naive, seen.rule, "diamond")]
    for name, value, colour, symbol in said:
        if value is None:
            continue
        marker = {"size": 15, "color": colour, "symbol": symbol, "line": {"color": seen.surface, "width": 1.5}}
        text = [readable_value(float(value), target)]
        figure.add_scatter(x=[value], y=[0], mode="markers", marker=marker, name=name, text=text)
    _mark(figure, target, seen.act)
    figure.update_traces(hovertemplate="%{fullData.name}: %{text}<extra></extra>")
    _scale(figure, target)
    figure.update_yaxes(visible=False, range=[-1, 1])
    return plain(figure, 160, legend=True)


def _mark(figure: Figure, target: Target, colour: str) -> None:
    """The pass mark of a value."""
    if target.pass_mark is not None and not target.levels:
        figure.add_vline(x=target.pass_mark, line={"color": colour, "dash": "dash", "width": 1.5})
        said = _("pass mark {mark}").format(mark=number(target.pass_mark))
        figure.add_annotation(x=target.pass_mark, y=1, yref="paper", text=said, showarrow=False, yshift=9, font_size=12)


def _scale(figure: Figure, target: Target) -> None:
    if target.minimum is not None and target.maximum is not None:
        margin = (target.maximum - target.minimum) * 0.02
        figure.update_xaxes(range=[target.minimum - margin, target.maximum + margin])
    figure.update_xaxes(title=worded(target.unit))


# A class ------------------------------------------------------------------------------------------------------------


def ladder(rungs: Sequence[Rung], target: Target) -> Figure:
    """Students one below the other, those at most risk on top: a value's range, answer and plain rule, or the chances
    of grades to both sides of the one that passes."""
    figure = _grades(rungs, target) if target.levels else _values(rungs, target)
    figure.update_yaxes(
        tickvals=list(range(len(rungs))),
        ticktext=[short(one.name) for one in rungs],
        range=[len(rungs) - 0.4, -0.6],
        showgrid=False,
    )
    return plain(figure, 110 + RUNG * len(rungs), legend=True)


def _values(rungs: Sequence[Rung], target: Target) -> Figure:
    seen, figure = palette(), go.Figure()
    if target.pass_mark is not None:
        low = target.minimum if target.minimum is not None else min(0.0, target.pass_mark)
        figure.add_vrect(x0=low, x1=target.pass_mark, fillcolor=seen.act, opacity=0.07, line_width=0, layer="below")
    ends: list[float | None] = []
    at: list[float | None] = []
    for place_, one in enumerate(rungs):
        if one.answer.interval is not None:
            ends += [*one.answer.interval, None]
            at += [place_, place_, None]
    line = {"color": seen.model_pale, "width": 7}
    figure.add_scatter(x=ends, y=at, mode="lines", line=line, name=_("range"), hoverinfo="skip")
    rules = [(one.answer.naive, place_) for place_, one in enumerate(rungs) if one.answer.naive is not None]
    marker: dict[str, Any] = {"symbol": "diamond-open", "size": 9, "color": seen.rule, "line": {"width": 1.5}}
    figure.add_scatter(
        x=[value for value, _place in rules], y=[place_ for _value, place_ in rules], mode="markers",
        marker=marker, name=_("plain rule"), hovertemplate="%{x:.1f}<extra>%{fullData.name}</extra>",
    )  # fmt: skip
    colours = {State.ACT: seen.act, State.LOOK: seen.look, State.INFO: seen.model, State.OPEN: seen.open}
    symbols = {State.ACT: "square", State.LOOK: "circle-dot", State.INFO: "circle", State.OPEN: "circle-open"}
    for state, colour in colours.items():
        there = [
            (one, place_) for place_, one in enumerate(rungs) if one.state == state and one.answer.value is not None
        ]
        if not there:
            continue
        figure.add_scatter(
            x=[one.answer.value for one, _place in there],
            y=[place_ for _one, place_ in there],
            mode="markers",
            marker={"symbol": symbols[state], "size": 11, "color": colour, "line": {"color": colour, "width": 1.5}},
            name=state_words(state),
            text=[f"{one.name}: {readable_value(float(one.answer.value or 0), target)}" for one, _place in there],
            customdata=[place_ for _one, place_ in there],
            hovertemplate="%{text}<extra>%{fullData.name}</extra>",
        )
    _mark(figure, target, seen.act)
    _scale(figure, target)
    return figure


def _grades(rungs: Sequence[Rung], target: Target) -> Figure:
    """Chances of grades that fail to the left of nought, of those that pass to the right, the nearest ones inside."""
    seen, figure = palette(), go.Figure()
    mark = int(target.pass_mark or 0)
    failing, passing = list(reversed(target.levels[:mark])), list(target.levels[mark:])
    sides = ((failing, -1, seen.act), (passing, 1, seen.model))
    for levels, side, colour in sides:
        for step, level in enumerate(levels):
            chances = [(one.answer.probabilities or {}).get(level, 0.0) for one in rungs]
            figure.add_bar(
                x=[side * one for one in chances],
                y=list(range(len(rungs))),
                orientation="h",
                name=label_of(level, target.labels),
                legendrank=target.levels.index(level),
                marker_color=seen.faded(colour, 0.35 + 0.65 * (step + 1) / len(levels)),  # a legend shows no opacity
                text=[one.name for one in rungs],
                customdata=list(range(len(rungs))),
                hovertext=[
                    f"{one.name}: {label_of(level, target.labels)} {share(p)}"
                    for one, p in zip(rungs, chances, strict=True)
                ],
                hoverinfo="text",
                textposition="none",
            )
    figure.update_layout(barmode="relative", bargap=0.25)
    ticks = [-1, -0.5, 0, 0.5, 1]
    figure.update_xaxes(range=[-1.02, 1.02], tickvals=ticks, ticktext=[share(abs(one)) for one in ticks])
    event = _("chance of the event, and of none")
    grade = _("chance of a grade that fails, and of one that passes")
    figure.update_xaxes(title=event if target.within else grade)
    figure.add_vline(x=0, line={"color": seen.text, "width": 1})
    return figure


# Why, and how it went -----------------------------------------------------------------------------------------------


def factor_bars(factors: Sequence[Factor], words: Mapping[str, str]) -> Figure:
    """What moved an answer: to the left what lowers it, to the right what raises it, the strongest on top. words: of
    each factor's column and value."""
    seen = palette()
    signed = [abs(one.effect) * (1 if one.direction == "raises" else -1) for one in factors]
    bars = go.Bar(
        x=signed,
        y=[words[one.feature] for one in factors],
        orientation="h",
        marker_color=[seen.model if one > 0 else seen.now for one in signed],
        hovertemplate="%{y}: %{x:+.2f}<extra></extra>",
    )
    figure = go.Figure(bars)
    figure.update_yaxes(autorange="reversed", type="category")
    figure.update_xaxes(title=_("lowers it · raises it"), zeroline=True, zerolinewidth=1)
    return plain(figure, 80 + 34 * len(factors))


def history(past: Sequence[PastAnswer], outcome: Outcome | None, target: Target) -> Figure:
    """Answers over time with their ranges, a line where another model began to answer, and what became of it."""
    seen, figure = palette(), go.Figure()
    told = [(one, value) for one in past if (value := number_of(one.answer, target)) is not None]
    for one, _value in told:
        if one.answer.interval is not None:
            line = {"color": seen.model_pale, "width": 8}
            figure.add_scatter(
                x=[one.at, one.at], y=list(one.answer.interval), mode="lines", line=line, showlegend=False,
                hoverinfo="skip",
            )  # fmt: skip
    figure.add_scatter(
        x=[one.at for one, _value in told], y=[value for _one, value in told], mode="lines+markers",
        line={"color": seen.model, "width": 2}, marker={"size": 10}, name=_("likely"),
        hovertemplate=f"{day_pointed_at()}: %{{y:.1f}}<extra></extra>",
    )  # fmt: skip
    for one in past:
        if one.another_model:
            figure.add_vline(x=one.at, line={"color": seen.challenger, "dash": "dot", "width": 2})
    if any(one.another_model for one in past):
        line = {"color": seen.challenger, "dash": "dot", "width": 2}
        figure.add_scatter(x=[None], y=[None], mode="lines", line=line, name=_("another model answers"))
    if outcome is not None:
        became = number_of(Answer(target=target.name, value=outcome.value, naive=None, model="", generation=0), target)
        marker = {"symbol": "star", "size": 14, "color": seen.text}
        when = [outcome.happened_at or outcome.at]
        figure.add_scatter(x=when, y=[became], mode="markers", marker=marker, name=_("what became of it"))
    if target.levels:
        figure.update_yaxes(
            tickvals=list(range(len(target.levels))),
            ticktext=[label_of(level, target.labels) for level in target.levels],
            range=[-0.5, len(target.levels) - 0.5],
        )
    elif target.minimum is not None and target.maximum is not None:
        figure.update_yaxes(range=[target.minimum, target.maximum], title=worded(target.unit))
    if target.pass_mark is not None:
        at = target.pass_mark - 0.5 if target.levels else target.pass_mark
        figure.add_hline(y=at, line={"color": seen.act, "dash": "dash", "width": 1})
    return plain(figure, 300, legend=True)


# Weeks --------------------------------------------------------------------------------------------------------------


def risk_by_week(weeks: Sequence[AnsweredWeek], threshold: float) -> Figure:
    """The chance within each horizon week by week, the longest one strong and with its range, and from where on is
    warned."""
    seen, figure = palette(), go.Figure()
    names = [short_week(one.week) for one in weeks]
    horizons = sorted({horizon for one in weeks for horizon in one.risks})
    ranged = [one.ranges.get(horizons[-1]) for one in weeks]
    if any(ranged):
        for place_, words in ((0, ""), (1, _("range of it"))):
            figure.add_scatter(
                x=names, y=[None if one is None else one[place_] for one in ranged], mode="lines", hoverinfo="skip",
                line={"width": 0}, fill="tonexty" if place_ else None, fillcolor=seen.model_pale, name=words,
                showlegend=bool(place_),
            )  # fmt: skip
        if len(weeks) == 1 and ranged[0] is not None:
            line = {"color": seen.model_pale, "width": 10}
            figure.add_scatter(
                x=names * 2, y=list(ranged[0]), mode="lines", line=line, showlegend=False, hoverinfo="skip"
            )
    dashes = ("dot", "dash", "solid")
    for place_, horizon in enumerate(horizons):
        longest = horizon == horizons[-1]
        values = [one.risks.get(horizon) for one in weeks]
        words = _("within {n} weeks").format(n=number(horizon))
        figure.add_scatter(
            x=names, y=values, mode="lines+markers", name=words,
            line={"color": seen.model if longest else seen.now, "width": 3 if longest else 1.5,
                  "dash": dashes[place_ - len(horizons)] if len(horizons) <= len(dashes) else "solid"},
            marker={"size": 9 if longest else 5}, text=[None if value is None else share(value) for value in values],
            hovertemplate="%{x}: %{text}<extra>%{fullData.name}</extra>",
        )  # fmt: skip
    figure.add_hline(y=threshold, line={"color": seen.act, "dash": "dash", "width": 1.5})
    said = _("warned from {share} on").format(share=share(threshold))
    figure.add_annotation(
        x=0, xref="paper", y=threshold, text=said, showarrow=False, yshift=9, xanchor="left", font_size=12
    )
    figure.update_yaxes(tickformat=".0%", range=[0, 1.03], title=_("chance of an event"))
    figure.update_xaxes(type="category", title=_("school week"), nticks=WEEKS_NAMED, tickangle=0)
    return plain(figure, 320, legend=True)


def events_by_week(events: Sequence[WeekOfEvents]) -> Figure:
    """Days absent and tardy of each week as bars, incidents above them."""
    seen, figure = palette(), go.Figure()
    names = [short_week(one.name) for one in events]
    for words, values, colour in (
        (_("unexcused"), [one.unexcused for one in events], seen.act),
        (_("excused"), [one.excused for one in events], seen.look),
        (_("tardy"), [one.tardy for one in events], seen.model_pale),
    ):
        figure.add_bar(
            x=names,
            y=values,
            name=words,
            marker_color=colour,
            hovertemplate="%{x}: %{y}<extra>%{fullData.name}</extra>",
        )
    told = [(name, one) for name, one in zip(names, events, strict=True) if one.incidents]
    figure.add_scatter(
        x=[name for name, _one in told],
        y=[one.excused + one.unexcused + one.tardy + 0.4 for _name, one in told],
        mode="markers",
        name=_("incident"),
        marker={"symbol": "x", "size": 10, "color": seen.text},
        text=[number(one.incidents) for _name, one in told],
        hovertemplate="%{x}: %{text}<extra>%{fullData.name}</extra>",
    )
    figure.update_layout(barmode="stack", bargap=0.25)
    figure.update_yaxes(title=_("days"), range=[0, 6])
    figure.update_xaxes(type="category", title=_("school week"), nticks=WEEKS_NAMED, tickangle=0)
    return plain(figure, 240, legend=True)


def theme_bars(factors: Sequence[ThemeFactor]) -> Figure:
    """What moves a chance, theme by theme, in points of it."""
    seen = palette()
    bars = go.Bar(
        x=[one.points for one in factors],
        y=[worded(one.theme) for one in factors],
        orientation="h",
        marker_color=[seen.now if one.points > 0 else seen.model for one in factors],
        text=[share(one.points, 2) for one in factors],
        hovertemplate="%{y}: %{text}<extra></extra>",
        textposition="none",
    )
    figure = go.Figure(bars)
    figure.update_yaxes(autorange="reversed", type="category")
    furthest = max((abs(one.points) for one in factors), default=1.0)
    digits = next(digits for digits in range(4) if furthest >= 0.05 / 10**digits or digits == 3)
    figure.update_xaxes(
        tickformat=f"+.{digits}%", title=_("lowers the chance · raises it"), zeroline=True, zerolinewidth=1
    )
    return plain(figure, 80 + 34 * len(factors))


def short_week(name: str) -> str:
    """What a week is called on an axis of one year."""
    return name.rpartition(" ")[2]

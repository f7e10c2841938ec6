"""Figures of a decision on a challenger, and of its trial: drawn from the record, each with the rows that it draws."""

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from dashboard.charts import Figure, day_pointed_at, in_unit, plain, short
from dashboard.palette import Palette, State, palette
from language import _
from language.format import count, number
from model.decision import AnswerShift, PromotionDecision, SliceGain
from model.scores import PairedGain
from monitoring.trial_report import TrialReport
from overview.decision_words import told_unit
from preprocessing.schema import Target

ROW_PIXELS = 38  # of a row that has a name
THICK = 12  # pixels of a bar that is an interval


def error_rows(decision: PromotionDecision, names: Sequence[str]) -> list[dict[str, Any]]:
    """The three errors on the same rows. names: of the champion, the challenger and the plain rule."""
    found = (decision.champion_mae, decision.challenger_mae, decision.naive_mae)
    return [
        {
            _("who"): name,
            _("missed by"): one.value,
            _("95 % from"): one.low,
            _("95 % to"): one.high,
            _("students"): decision.n,
        }
        for name, one in zip(names, found, strict=True)
        if one is not None
    ]


def three_errors(decision: PromotionDecision, names: Sequence[str]) -> Figure:
    """How far champion, challenger and plain rule missed, a dot and its 95 % interval each."""
    seen, figure = palette(), go.Figure()
    found = (decision.champion_mae, decision.challenger_mae, decision.naive_mae)
    looks = ((seen.model, "circle"), (seen.challenger, "circle"), (seen.rule, "diamond"))
    for name, one, (colour, symbol) in zip(names, found, looks, strict=True):
        if one is not None:
            figure.add_trace(_dot(name, one.value, one.low, one.high, colour, symbol))
    figure.update_xaxes(title=_("missed by on average{unit}").format(unit=in_unit(told_unit(decision.unit))))
    figure.update_yaxes(autorange="reversed", type="category")
    return plain(figure, 90 + ROW_PIXELS * len(found))


def _dot(name: str, value: float, low: float, high: float, colour: str, symbol: str = "circle") -> Any:
    return go.Scatter(
        x=[value],
        y=[name],
        mode="markers",
        marker={"size": 13, "color": colour, "symbol": symbol},
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [high - value],
            "arrayminus": [value - low],
            "color": colour,
            "thickness": 2.5,
        },
        hovertemplate="%{y}: %{x:.2f}<extra></extra>",
    )


def ends_of(gain: PairedGain) -> tuple[float, float]:
    """The bounds of a gain: the lower one as it is recorded, and the upper one as far on the other side."""
    return gain.lower, 2 * gain.mean - gain.lower


def state_of_gain(gain: PairedGain, asked: float) -> State:
    """Good only where all of the bar is right of 0 and of what is asked; bad where all is left of 0."""
    low, high = ends_of(gain)
    if low > max(0.0, asked):
        return State.GOOD
    return State.LOOK if high < 0 else State.OPEN


def gain_rows(decision: PromotionDecision, gain: PairedGain) -> list[dict[str, Any]]:
    """The gain with its bounds beside what is asked of it."""
    low, high = ends_of(gain)
    row = {
        _("gain"): gain.mean,
        _("at least"): low,
        _("at most"): high,
        _("sure by"): gain.level,
        _("students"): gain.n,
    }
    return [row if decision.min_gain is None else row | {_("asked"): decision.min_gain}]


def gain_axis(decision: PromotionDecision, gain: PairedGain, who: str) -> Figure:
    """The gain from its lower to its upper bound, on an axis with ticks at 0 and at what is asked. who: gains it."""
    seen, (low, high), asked = palette(), ends_of(gain), decision.min_gain
    colour = seen.of(state_of_gain(gain, asked or 0.0))
    line = {"color": colour, "width": THICK}
    figure = go.Figure(go.Scatter(x=[low, high], y=[0, 0], mode="lines", line=line, hoverinfo="skip"))
    figure.add_scatter(
        x=[gain.mean],
        y=[0],
        mode="markers",
        marker={"size": 15, "color": seen.surface, "line": {"color": colour, "width": 3}},
        hovertemplate="%{x:.3f}<extra></extra>",
    )
    ticks = [(0.0, _("no gain"), "top left")]
    ticks += [(asked, _("asked: {gain}").format(gain=number(asked, 3, signed=True)), "bottom right")] if asked else []
    for at, text, place in ticks:
        note = {"text": text, "font": {"color": seen.muted}}
        figure.add_vline(
            x=at, line={"color": seen.text, "width": 1.5, "dash": "dot"}, annotation=note, annotation_position=place
        )
    figure.update_xaxes(
        title=_("gain of {who}{unit}").format(who=who, unit=in_unit(told_unit(decision.unit))), zeroline=False
    )
    figure.update_yaxes(visible=False, range=[-1, 1])
    return plain(figure, 150)


def slice_rows(slices: Sequence[SliceGain], told: Sequence[str]) -> list[dict[str, Any]]:
    """Each slice with its gain. told: what each is called."""
    return [
        {
            _("who"): name,
            _("gain"): one.gain.mean,
            _("at least"): one.gain.lower,
            _("students"): one.gain.n,
            _("surely worse"): one.worse,
        }
        for one, name in zip(slices, told, strict=True)
    ]


def slice_gains_drawn(slices: Sequence[SliceGain], told: Sequence[str], axis: str) -> Figure:
    """The gain in each slice of students with its bounds; one that is credibly worse is a square of its own colour."""
    seen, figure = palette(), go.Figure()
    for one, name in zip(slices, told, strict=True):
        low, high = ends_of(one.gain)
        colour, symbol = (seen.look, "square") if one.worse else (seen.challenger, "circle")
        figure.add_trace(_dot(name, one.gain.mean, low, high, colour, symbol))
    figure.add_vline(x=0, line={"color": seen.text, "width": 1.5, "dash": "dot"})
    figure.update_xaxes(title=axis)
    figure.update_yaxes(autorange="reversed", type="category")
    return plain(figure, 90 + ROW_PIXELS * len(slices))


def shift_rows(shift: AnswerShift, target: Target) -> list[dict[str, Any]]:
    """How many students' answers moved from where to where."""
    return [
        {_("before"): _place(shift, old, target), _("then"): _place(shift, new, target), _("students"): n}
        for old, new, n in shift.cells
    ]


def _place(shift: AnswerShift, place: int, target: Target) -> float | str:
    """Where a bin is: the middle of its values, or a level."""
    if target.levels:
        return target.levels[min(place, len(target.levels) - 1)]
    return shift.low + (place + 0.5) * shift.step


def answers_moved(shift: AnswerShift, target: Target, names: Sequence[str]) -> Figure:
    """Old answers against new ones to the same students: the larger a dot, the more of them. names: of both models."""
    seen = palette()
    before, then = ([_place(shift, cell[side], target) for cell in shift.cells] for side in (0, 1))
    counts = [n for _old, _new, n in shift.cells]
    digits = "" if target.levels else ":.1f"
    figure = go.Figure(
        go.Scatter(
            x=before,
            y=then,
            mode="markers",
            marker={
                "size": [6 + 22 * (n / max(counts)) ** 0.5 for n in counts],
                "color": seen.challenger,
                "opacity": 0.7,
            },
            text=[count(n) for n in counts],
            hovertemplate=f"%{{x{digits}}} → %{{y{digits}}}: %{{text}}<extra></extra>",
        )
    )
    if target.levels:
        axis: dict[str, Any] = {"type": "category", "categoryorder": "array", "categoryarray": list(target.levels)}
    else:
        axis = {}
        ends = [shift.low, shift.low + (1 + max(max(old, new) for old, new, _n in shift.cells)) * shift.step]
        figure.add_scatter(
            x=ends, y=ends, mode="lines", line={"color": seen.muted, "dash": "dot", "width": 1}, hoverinfo="skip"
        )
        if shift.mark is not None:
            _cross(figure, shift.mark, seen)
    figure.update_xaxes(title=_("answer of {name}").format(name=names[0]), **axis)
    figure.update_yaxes(title=_("answer of {name}").format(name=names[1]), **axis)
    return plain(figure, 360)


def _cross(figure: Figure, mark: float, seen: Palette) -> None:
    line = {"color": seen.muted, "width": 1, "dash": "dash"}
    figure.add_vline(x=mark, line=line)
    figure.add_hline(y=mark, line=line)


def course_rows(report: TrialReport) -> list[dict[str, Any]]:
    """Both errors as they were known at the end of each day."""
    return [
        {
            _("day"): point.day,
            _("outcomes"): point.n,
            _("model in use missed by"): point.champion.value,
            _("95 % from"): point.champion.low,
            _("95 % to"): point.champion.high,
            _("challenger missed by"): point.challenger.value,
            _("challenger, 95 % from"): point.challenger.low,
            _("challenger, 95 % to"): point.challenger.high,
        }
        for point in report.course
    ]


def course(report: TrialReport, names: Sequence[str]) -> Figure:
    """How far both missed on average, of all outcomes known by then, each with its 95 % band. names: of both models."""
    seen, figure, days = palette(), go.Figure(), [point.day for point in report.course]
    for name, colour, found in (
        (names[0], seen.model, [point.champion for point in report.course]),
        (names[1], seen.challenger, [point.challenger for point in report.course]),
    ):
        figure.add_scatter(
            x=[*days, *reversed(days)],
            y=[*(one.high for one in found), *(one.low for one in reversed(found))],
            fill="toself",
            fillcolor=colour,
            opacity=0.15,
            line={"width": 0},
            hoverinfo="skip",
            showlegend=False,
        )
        figure.add_scatter(
            x=days,
            y=[one.value for one in found],
            mode="lines+markers",
            line={"color": colour},
            marker={"size": 7},
            name=name,
            hovertemplate=f"{day_pointed_at()}: {short(name)} %{{y:.2f}}<extra></extra>",
        )
    figure.update_xaxes(nticks=6)
    figure.update_yaxes(title=_("missed by on average{unit}").format(unit=in_unit(told_unit(report.unit))))
    return plain(figure, 300, legend=True)

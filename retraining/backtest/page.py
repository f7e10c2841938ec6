"""A backtest as one self-contained page: the verdict first, then a small picture of each policy, all numbers folded.

Only drawing happens here; every number comes from the record.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from language import _, retold, retold_reasons, worded
from language.format import count, number
from language.paper import paper_style
from language.speech import current
from model.scores import Estimate
from retraining.backtest.render import (
    counts_of,
    done_words,
    marks,
    remarks,
    score_names,
    summarise,
    whole_sentences,
)
from retraining.backtest.run import NEVER, Backtest
from retraining.backtest.trajectory import Step, Trajectory

if TYPE_CHECKING:
    from markupsafe import Markup

CHART_WIDTH, CHART_HEIGHT = 320, 190  # of a picture, in its own units: as wide as a card on a phone
LEFT, CHART_HEAD, FOOT = 44, 26, 34
FAR_OFF = 0.6  # of the others' span; a plain rule farther away is said and not drawn, or it would squeeze them
TICK_SHARES = (0.04, 0.5, 0.96)
IN_UNITS = ("MAE", "RMSE")


def _better(name: str) -> str:
    """What a score is, and which way it is better."""
    return {
        "MAE": _("mean absolute error: smaller is better"),
        "RMSE": _("root of the mean squared error: smaller is better"),
        "R²": _("share of the variation that is told: larger is better"),
        "accuracy": _("share of right answers: larger is better"),
        "log loss": _("penalty for sure and wrong answers: smaller is better"),
        "Brier": _("squared error of the probabilities: smaller is better"),
        "AUC": _("how well who is at one end is told from the rest, .5 is guessing: larger is better"),
    }.get(name, "")


class Panel(NamedTuple):
    """A policy's picture, and what it gained on never retraining."""

    name: str
    told: str
    chart: Markup


def render_page(found: Backtest) -> str:
    """The backtest as one HTML page that needs nothing else."""
    names = [name for name in score_names(found) if _everywhere(found, name)]
    verdict, *lead = summarise(found)
    page: str = _template().render(
        _=_,
        found=found,
        style=paper_style(),
        verdict=verdict,
        lead=lead,
        remarks=remarks(found),
        charts=[(_axis(found, name), _better(name), _panels(found, name)) for name in names],
        language=current().language,
        told_rows=count(found.rows),
        heads=[
            _("strategy"),
            _("{score} gained on never").format(score=found.main),
            *(_("alarms"), _("retrained"), _("in shadow"), _("promoted")),
            _("rows"),
            *score_names(found),
        ],
        rows=[_trajectory_row(found, trajectory) for trajectory in found.trajectories],
        stories=[(c.name, [_story(step) for step in c.steps]) for c in found.trajectories if c.kind == "policy"],
        steps=[_step_row(found, one, step) for one in found.trajectories for step in one.steps],
        step_heads=[
            *(_("strategy"), _("period"), _("rows"), _("clusters"), _("learned up to"), _("drift")),
            *score_names(found),
        ],
    )
    return page


@cache
def _template() -> Any:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return environment.from_string((Path(__file__).parent / "backtest.html").read_text(encoding="utf-8"))


def _everywhere(found: Backtest, name: str) -> bool:
    return all(name in step.scores for one in found.trajectories if one.kind != "naive" for step in one.steps)


def _axis(found: Backtest, name: str) -> str:
    if name not in IN_UNITS or not found.unit:
        return name
    return _("{score} in {unit}").format(score=name, unit=worded(found.unit))


def _trajectory_row(found: Backtest, trajectory: Trajectory) -> list[str]:
    scores = [_score_words(trajectory.scores.get(name)) for name in score_names(found)]
    gain = _gain_words(trajectory.gain.get(NEVER, {}).get(found.main))
    return [_strategy(trajectory), gain, *counts_of(trajectory), count(trajectory.n), *scores]


def _step_row(found: Backtest, trajectory: Trajectory, step: Step) -> list[str]:
    scores = [_score_words(step.scores.get(name)) for name in score_names(found)]
    told = f"{_verdict_words(step)} {marks(step)}".strip()
    return [_strategy(trajectory), step.period, count(step.n), count(step.clusters), step.learned_from, told, *scores]


def _strategy(one: Trajectory) -> str:
    """What it is called: a policy as its file is."""
    known = {"naive": _("plain rule"), "never": _("never retraining"), "always": _("always retraining")}
    return known.get(one.kind, one.name)


def _score_words(one: Estimate | None, *, plus: bool = False) -> str:
    if one is None:
        return ""
    value, low, high = (number(end, 3, signed=plus) for end in (one.value, one.low, one.high))
    return _("{value} ({low} to {high})").format(value=value, low=low, high=high)


def _gain_words(gain: Estimate | None) -> str:
    return _score_words(gain, plus=True)


def _verdict_words(step: Step) -> str:
    said = {"quiet": _("no drift"), "alarm": _("alarm"), "undecided": _("too few to tell")}
    return said.get(step.verdict or "", step.verdict or "")


def _story(step: Step) -> tuple[str, str, str, tuple[str, ...]]:
    """A period of a policy: its name, drift in it, what was done after it, and why."""
    said = _verdict_words(step)
    return (
        step.period,
        " ".join((f"{said[:1].upper()}{said[1:]}.", *map(retold, whole_sentences(step.drift)))),
        done_words(step),
        tuple(map(retold_reasons, step.reasons)),
    )


# Pictures -----------------------------------------------------------------------------------------------------------


def _panels(found: Backtest, name: str) -> list[Panel]:
    """A picture of each policy beside never retraining, all to one scale."""
    never = next(one for one in found.trajectories if one.kind == "never")
    tried = [one for one in found.trajectories if one.kind in ("always", "policy")]
    rule = next((one for one in found.trajectories if one.kind == "naive"), None)
    rules = [step.scores[name].value for step in rule.steps if name in step.scores] if rule else []
    scale = _scale([step.scores[name] for one in (never, *tried) for step in one.steps], rules, len(never.steps))
    panels = []
    for one in tried:
        gain = one.gain.get(NEVER, {}).get(name)
        told = _("gained on never: {gain}").format(gain=_gain_words(gain)) if gain else ""
        panels.append(Panel(_strategy(one), told, _chart(scale, name, one, never, rules)))
    return panels


class _Scale(NamedTuple):
    """From periods and scores to places in a picture. rule_apart: the plain rule lies too far off to be drawn."""

    low: float
    high: float
    periods: int
    rule_apart: bool

    def x(self, period: int, aside: float = 0.0) -> float:
        return LEFT + (CHART_WIDTH - LEFT - 8) * (period + 0.5) / self.periods + aside

    def y(self, value: float) -> float:
        return CHART_HEAD + (CHART_HEIGHT - CHART_HEAD - FOOT) * (self.high - value) / (self.high - self.low)


def _scale(values: Sequence[Estimate], rules: Sequence[float], periods: int) -> _Scale:
    low, high = min(one.low for one in values), max(one.high for one in values)
    span = (high - low) or 0.1
    apart = bool(rules) and (min(rules) < low - span * FAR_OFF or max(rules) > high + span * FAR_OFF)
    if rules and not apart:
        low, high = min(low, *rules), max(high, *rules)
    pad = ((high - low) or 0.1) * 0.06
    return _Scale(low - pad, high + pad, periods, apart)


def _chart(scale: _Scale, name: str, policy: Trajectory, never: Trajectory, rules: Sequence[float]) -> Markup:
    """A policy's line with its intervals, never retraining beside it; a ring where a new champion followed."""
    from markupsafe import Markup, escape

    parts = [*_frame(scale, policy.steps)]
    parts.append(_line(scale, [step.scores[name] for step in never.steps], "never", -3))
    parts.append(_line(scale, [step.scores[name] for step in policy.steps], "policy", 3))
    parts += [
        f'<circle class="ring" cx="{scale.x(i, 3):.1f}" cy="{scale.y(step.scores[name].value):.1f}" r="7"/>'
        for i, step in enumerate(policy.steps)
        if step.promoted
    ]
    parts.append(_rule(scale, rules))
    ends = [_three_digits(one.steps[-1].scores[name].value) for one in (policy, never)]
    said = _("{score} of {policy} by period; in the last {own}, without retraining {never}")
    what = escape(said.format(score=name, policy=_strategy(policy), own=ends[0], never=ends[1]))
    opened = f'<svg viewBox="0 0 {CHART_WIDTH} {CHART_HEIGHT}" role="img" aria-label="{what}">'
    return Markup(f"{opened}{''.join(parts)}</svg>")  # noqa: S704 (escaped above)


def _three_digits(value: float) -> str:
    """So many that a reader sees a difference: 0.123, 12.3, 123."""
    return number(value, max(0, 2 - math.floor(math.log10(abs(value)))) if value else 0)


def _frame(scale: _Scale, steps: Sequence[Step]) -> list[str]:
    """Three lines with their scores, and as many periods as have room."""
    from markupsafe import escape

    found = []
    for value in (scale.low + (scale.high - scale.low) * share for share in TICK_SHARES):
        y = scale.y(value)
        found.append(f'<path class="axis" d="M{LEFT} {y:.1f}H{CHART_WIDTH}"/>')
        found.append(
            f'<text class="soft" x="{LEFT - 5}" y="{y + 4:.1f}" text-anchor="end">{_three_digits(value)}</text>'
        )
    longest = max(len(step.period) for step in steps)
    every = max(1, math.ceil((longest + 1) * 7 * len(steps) / (CHART_WIDTH - LEFT)))
    for i in range(0, len(steps), every):
        words = escape(steps[i].period)
        found.append(f'<text x="{scale.x(i):.1f}" y="{CHART_HEIGHT - 12}" text-anchor="middle">{words}</text>')
    return found


def _line(scale: _Scale, values: Sequence[Estimate], kind: str, aside: float) -> str:
    points = [(scale.x(i, aside), scale.y(one.value)) for i, one in enumerate(values)]
    path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    bars = "".join(
        f"M{x:.1f} {scale.y(one.low):.1f}V{scale.y(one.high):.1f}" for (x, _), one in zip(points, values, strict=True)
    )
    dots = "".join(f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in points)
    return f'<path class="{kind} line" d="{path}"/><path class="{kind} bar" d="{bars}"/>{dots}'


def _rule(scale: _Scale, rules: Sequence[float]) -> str:
    """The plain rule as diamonds; where it lies far off, its span at the edge of the axis on its side."""
    if not rules:
        return ""
    if not scale.rule_apart:
        return "".join(
            f'<path class="rule" d="M{scale.x(i):.1f} {scale.y(value) - 5:.1f}l5 5l-5 5l-5 -5z"/>'
            for i, value in enumerate(rules)
        )
    y, sign = (14, "↑") if max(rules) > scale.high else (CHART_HEIGHT - FOOT + 6, "↓")
    broken = f"M{LEFT - 14} {y}l10 -5M{LEFT - 14} {y + 4}l10 -5"
    said = _("{sign} plain rule, off this scale: {low} to {high}")
    told = said.format(sign=sign, low=_three_digits(min(rules)), high=_three_digits(max(rules)))
    return f'<path class="axis" d="{broken}"/><text class="soft" x="{LEFT}" y="{y}">{told}</text>'

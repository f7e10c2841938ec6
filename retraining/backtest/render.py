"""A backtest for people: tables for the terminal and one self-contained page with a chart.

Only drawing happens here; every number comes from the record.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from model.scores import Estimate
from retraining.backtest.run import ALWAYS, NEVER, Backtest
from retraining.backtest.trajectory import Step, Trajectory

CHART_WIDTH, CHART_HEIGHT, LEFT, FOOT = 640, 270, 62, 50  # of the chart, in its own units
COLOURS = ("#6b7a8f", "#1d4ed8", "#9333ea", "#c2410c", "#047857", "#be185d", "#0e7490", "#a16207")


def render_backtest(found: Backtest) -> RenderableType:
    """What each policy changed, in words; the courses side by side; each policy period by period with its reasons."""
    parts: list[RenderableType] = [Text(line) for line in summarise(found)]
    parts += [trajectories_table(found), scores_table(found), periods_table(found)]
    parts += [reasons_table(trajectory) for trajectory in found.trajectories if trajectory.kind == "policy"]
    parts += [Text(line) for line in remarks(found)]
    return Group(*parts)


def summarise(found: Backtest) -> list[str]:
    """What each policy would have changed, a sentence each."""
    return [
        _sentence(found, trajectory) for trajectory in found.trajectories if trajectory.kind in ("always", "policy")
    ]


def _sentence(found: Backtest, trajectory: Trajectory) -> str:
    gain = trajectory.gain[NEVER][found.main]
    unit = f" {found.unit}" if found.unit else ""
    name = "Always retraining" if trajectory.name == ALWAYS else f"Policy {trajectory.name}"
    counted = _counted(trajectory)
    if not trajectory.promotions:
        return f"{name}: {counted}; it answered as without retraining."
    if gain.flat:
        effect = "not enough data: all rows show the very same difference to never retraining"
    elif gain.low > 0:
        effect = f"its errors are {gain.value:.3f}{unit} smaller than without retraining"
    elif gain.high < 0:
        effect = f"its errors are {-gain.value:.3f}{unit} larger than without retraining"
    else:
        effect = "whether it does better than never retraining is open"
    return (
        f"{name}: {counted}; {effect} "
        f"({gain.value:+.3f}, 95 % interval {gain.low:+.3f} to {gain.high:+.3f}, {trajectory.n:,} rows)."
    )


def _counted(trajectory: Trajectory) -> str:
    done = [(trajectory.alarms, "alarm", "")] if trajectory.kind == "policy" else []
    done += [(trajectory.retrainings, "retraining", "")]
    done += [(trajectory.trials, "challenger", " tried in shadow")] if trajectory.trials else []
    done += [(trajectory.promotions, "new champion", "")]
    return ", ".join(f"{count} {what}{'' if count == 1 else 's'}{how}" for count, what, how in done)


def remarks(found: Backtest) -> list[str]:
    """What to know before believing the figures."""
    lines = [f"make sure that this is known by then: {line}" for line in found.remarks]
    if found.left_out:
        lines.append(f"not used at moment {found.moment!r}, because known later only: {', '.join(found.left_out)}")
    return lines


def trajectories_table(found: Backtest) -> Table:
    """One line a strategy, over all rows: what it did, the deciding score, and what it gained on never retraining."""
    title = f"{found.domain}, {found.target} at {found.moment}: begun with {', '.join(found.begun_with)}"
    table = Table(box=box.SIMPLE, title=Text(title))
    for head in ("strategy", "alarms, retrained, in shadow, promoted", "rows", found.main, "gained on never"):
        table.add_column(head, justify="left" if head == "strategy" else "right", no_wrap=head == "gained on never")
    for trajectory in found.trajectories:
        gain = trajectory.gain.get(NEVER, {}).get(found.main)
        counts = ", ".join(count or "-" for count in _counts(trajectory)) if any(_counts(trajectory)) else ""
        score = str(trajectory.scores[found.main])
        table.add_row(trajectory.name, counts, f"{trajectory.n:,}", score, signed(gain) if gain else "")
    return table


def scores_table(found: Backtest) -> Table:
    """The other scores over all rows; their intervals are in the page and the JSON."""
    names = [name for name in _score_names(found) if name != found.main]
    table = Table("strategy", *names, box=box.SIMPLE, title=Text("other scores over all rows"))
    for trajectory in found.trajectories:
        told = [f"{trajectory.scores[name].value:.3f}" if name in trajectory.scores else "" for name in names]
        table.add_row(trajectory.name, *told)
    return table


COUNTS = ("alarms", "retrained", "in shadow", "promoted")


def _trajectory_row(found: Backtest, trajectory: Trajectory, names: Sequence[str]) -> list[str]:
    scores = [str(trajectory.scores[name]) if name in trajectory.scores else "" for name in names]
    gain = trajectory.gain.get(NEVER, {}).get(found.main)
    return [trajectory.name, signed(gain) if gain else "", *_counts(trajectory), f"{trajectory.n:,}", *scores]


def _counts(trajectory: Trajectory) -> list[str]:
    if trajectory.kind in ("naive", "never"):
        return [""] * len(COUNTS)
    alarms = str(trajectory.alarms) if trajectory.kind == "policy" else ""
    trials = str(trajectory.trials) if trajectory.kind == "policy" else ""
    return [alarms, str(trajectory.retrainings), trials, str(trajectory.promotions)]


def signed(gain: Estimate) -> str:
    """A difference with its interval."""
    return f"{gain.value:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}]"


def _score_names(found: Backtest) -> list[str]:
    return list(dict.fromkeys(name for trajectory in found.trajectories for name in trajectory.scores))


def periods_table(found: Backtest) -> Table:
    """The deciding score of every strategy by period, and what happened in it and after it, as `marks` has it."""
    what = "! alarm; after it: r retrained, s a challenger put in shadow, P promoted"
    table = Table(box=box.SIMPLE, title=Text(f"{found.main} by period ({what})"))
    table.add_column("strategy")
    for step in found.trajectories[0].steps:
        table.add_column(f"{step.period}, n {step.n:,}", justify="right")
    for trajectory in found.trajectories:
        cells = [f"{step.scores[found.main]} {marks(step)}".rstrip() for step in trajectory.steps]
        table.add_row(trajectory.name, *cells)
    return table


def marks(step: Step) -> str:
    """What happened in and after a period, in a few letters."""
    happened = {"!": step.verdict == "alarm", "r": step.retrained, "s": step.tried, "P": step.promoted}
    return "".join(letter for letter, true in happened.items() if true)


def reasons_table(trajectory: Trajectory) -> Table:
    """Why a policy did what it did."""
    table = Table(box=box.SIMPLE, title=Text(f"policy {trajectory.name}"))
    for head in ("period", "drift", "what was done, and why"):
        table.add_column(head, overflow="fold")
    for step in trajectory.steps:
        done = _done(step)
        table.add_row(step.period, f"{step.verdict}: {_first(step.drift)}", f"{done}: {'; '.join(step.reasons)}")
    return table


def _done(step: Step) -> str:
    if step.promoted:
        return "promoted"
    if step.tried:
        return "champion stayed, a challenger is tried in shadow"
    return "champion stayed" if step.retrained else "no retraining"


def _first(text: str) -> str:
    """The first two sentences of a summary."""
    return ". ".join(text.split(". ")[:2])


# Page ---------------------------------------------------------------------------------------------------------------


BETTER = {
    "MAE": "mean absolute error: smaller is better",
    "RMSE": "root of the mean squared error: smaller is better",
    "R²": "share of the variation that is told: larger is better",
    "accuracy": "share of right answers: larger is better",
    "log loss": "penalty for sure and wrong answers: smaller is better",
    "Brier": "squared error of the probabilities: smaller is better",
    "AUC": "how well who is at one end is told from the rest, .5 is guessing: larger is better",
}


def render_page(found: Backtest) -> str:
    """The backtest as one HTML page that needs nothing else: sentences first, then a chart, then all numbers."""
    names = _score_names(found)
    drawn = [(name, _chart(found, name)) for name in names if _everywhere(found, name)]
    charts = [(name, BETTER.get(name, ""), chart) for name, chart in drawn]
    page: str = _template().render(
        found=found,
        lead=summarise(found),
        remarks=remarks(found),
        charts=charts,
        legend=list(zip([trajectory.name for trajectory in found.trajectories], _colours(found), strict=True)),
        heads=["strategy", f"{found.main} gained on never", *COUNTS, "rows", *names],
        rows=[_trajectory_row(found, trajectory, names) for trajectory in found.trajectories],
        stories=[(c.name, [_story(step) for step in c.steps]) for c in found.trajectories if c.kind == "policy"],
        steps=[_step_row(trajectory, step, names) for trajectory in found.trajectories for step in trajectory.steps],
        step_heads=["strategy", "period", "rows", "clusters", "learned up to", "drift", *names],
    )
    return page


def _everywhere(found: Backtest, name: str) -> bool:
    return all(
        name in step.scores
        for trajectory in found.trajectories
        if trajectory.kind != "naive"
        for step in trajectory.steps
    )


def _colours(found: Backtest) -> list[str]:
    return [COLOURS[i % len(COLOURS)] for i in range(len(found.trajectories))]


def _step_row(trajectory: Trajectory, step: Step, names: Sequence[str]) -> list[str]:
    scores = [str(step.scores[name]) if name in step.scores else "" for name in names]
    told = f"{step.verdict or ''} {marks(step)}".strip()
    return [trajectory.name, step.period, f"{step.n:,}", f"{step.clusters:,}", step.learned_from, told, *scores]


def _story(step: Step) -> tuple[str, str, str, tuple[str, ...]]:
    """A period of a policy: its name, drift in it, what was done after it, and why."""
    return step.period, f"{step.verdict}. {_first(step.drift).rstrip('.')}.", _done(step), step.reasons


@cache
def _template() -> Any:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return environment.from_string((Path(__file__).parent / "backtest.html").read_text(encoding="utf-8"))


def _chart(found: Backtest, name: str) -> Any:
    """An inline SVG: a score by period, a line a strategy with its intervals; a ring where a new champion followed."""
    from markupsafe import Markup, escape

    drawn = [
        (c, colour)
        for c, colour in zip(found.trajectories, _colours(found), strict=True)
        if all(name in s.scores for s in c.steps)
    ]
    values = [step.scores[name] for trajectory, _ in drawn for step in trajectory.steps]
    low, high = min(v.low for v in values), max(v.high for v in values)
    pad = (high - low) * 0.05 or 0.1
    low, high = low - pad, high + pad
    steps = found.trajectories[0].steps
    gap = (CHART_WIDTH - LEFT) / len(steps)
    scale = _Scale(low, high, gap)
    lines = "".join(
        _line(scale, [step.scores[name] for step in trajectory.steps], trajectory, colour, i, len(drawn))
        for i, (trajectory, colour) in enumerate(drawn)
    )
    labels = "".join(
        f'<text x="{scale.x(i, 0, 1):.0f}" y="{CHART_HEIGHT - 24}" text-anchor="middle">{escape(step.period)}</text>'
        f'<text x="{scale.x(i, 0, 1):.0f}" y="{CHART_HEIGHT - 5}" text-anchor="middle">n {step.n:,}</text>'
        for i, step in enumerate(steps)
    )
    ticks = "".join(
        f'<path class="a" d="M{LEFT} {scale.y(v):.1f}H{CHART_WIDTH}"/><text x="{LEFT - 6}" y="{scale.y(v) + 3:.1f}" '
        f'text-anchor="end">{v:.3g}</text>'
        for v in (low + (high - low) * share for share in (0.05, 0.275, 0.5, 0.725, 0.95))
    )
    what = escape(f"{name} by period and strategy")
    svg = f'<svg viewBox="0 0 {CHART_WIDTH} {CHART_HEIGHT}" role="img" aria-label="{what}">{ticks}{labels}{lines}</svg>'
    return Markup(svg)  # noqa: S704 (escaped above)


class _Scale:
    """From periods and scores to places in the chart."""

    def __init__(self, low: float, high: float, gap: float) -> None:
        self.low, self.high, self.gap = low, high, gap

    def x(self, period: int, place: int, places: int) -> float:
        """Strategies stand side by side within a period, so that their intervals can be told apart."""
        aside = (place - (places - 1) / 2) * min(10.0, self.gap / (places + 1))
        return LEFT + self.gap * (period + 0.5) + aside

    def y(self, value: float) -> float:
        return (CHART_HEIGHT - FOOT) * (1 - (value - self.low) / (self.high - self.low))


def _line(
    scale: _Scale, values: Sequence[Estimate], trajectory: Trajectory, colour: str, place: int, places: int
) -> str:
    points = [(scale.x(i, place, places), scale.y(v.value)) for i, v in enumerate(values)]
    path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    bars = "".join(
        f"M{x:.1f} {scale.y(v.low):.1f}V{scale.y(v.high):.1f}" for (x, _), v in zip(points, values, strict=True)
    )
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{colour}"/>' for x, y in points)
    rings = "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="6" fill="none" stroke="{colour}" stroke-width="1.5"/>'
        for (x, y), step in zip(points, trajectory.steps, strict=True)
        if step.promoted
    )
    stroke = f'fill="none" stroke="{colour}"'
    return f'<path d="{path}" {stroke} stroke-width="1.5"/><path d="{bars}" {stroke} opacity=".55"/>{dots}{rings}'

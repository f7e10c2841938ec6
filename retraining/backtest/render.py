"""A backtest as sentences and as tables for the terminal. The page is `retraining.backtest.page`'s.

Nothing is computed here; every number comes from the record.
"""

from __future__ import annotations

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from model.scores import Estimate
from monitoring.earliness import SHARE_PUT_FIRST, Earliness
from retraining.backtest.run import ALWAYS, NEVER, Backtest
from retraining.backtest.trajectory import Step, Trajectory


def render_backtest(found: Backtest) -> RenderableType:
    """What each policy changed, in words; the courses side by side; each policy period by period with its reasons."""
    parts: list[RenderableType] = [Text(line) for line in summarise(found)]
    parts += [trajectories_table(found), scores_table(found), periods_table(found)]
    parts += [reasons_table(trajectory) for trajectory in found.trajectories if trajectory.kind == "policy"]
    parts += [Text(line) for line in remarks(found)]
    return Group(*parts)


def verdict_words(found: Backtest) -> str:
    """What came of it all, in a sentence: whether any of the policies would have helped, by how much."""
    tried = [one for one in found.trajectories if one.kind in ("always", "policy")]
    changed = [one for one in tried if one.promotions and not one.gain[NEVER][found.main].flat]
    if not changed:
        return "None of it would have changed anything: no other model took over."
    best = max(changed, key=lambda one: one.gain[NEVER][found.main].value)
    gain, unit = best.gain[NEVER][found.main], f" {found.unit}" if found.unit else ""
    told = f"{gain.value:.2f}{unit} ({gain.low:+.2f} to {gain.high:+.2f}, {best.n:,} rows)"
    name = "retraining after every period" if best.name == ALWAYS else f"the policy {best.name}"
    if gain.low > 0:
        return f"{name[0].upper()}{name[1:]} would have helped: errors smaller by {told}."
    if all(one.gain[NEVER][found.main].high < 0 for one in changed):
        return f"Retraining would have done harm; least of all {name}, by {told}."
    return f"None of it would surely have helped; most of all {name}, by {told}."


def summarise(found: Backtest) -> list[str]:
    """The verdict, then what each policy would have changed, a sentence each."""
    tried = [trajectory for trajectory in found.trajectories if trajectory.kind in ("always", "policy")]
    return [verdict_words(found), *(_sentence(found, trajectory) for trajectory in tried)]


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
        counts = ", ".join(count or "-" for count in counts_of(trajectory)) if any(counts_of(trajectory)) else ""
        score = str(trajectory.scores[found.main])
        table.add_row(trajectory.name, counts, f"{trajectory.n:,}", score, signed(gain) if gain else "")
    return table


def scores_table(found: Backtest) -> Table:
    """The other scores over all rows; their intervals are in the page and the JSON."""
    names = [name for name in score_names(found) if name != found.main]
    table = Table("strategy", *names, box=box.SIMPLE, title=Text("other scores over all rows"))
    for trajectory in found.trajectories:
        told = [f"{trajectory.scores[name].value:.3f}" if name in trajectory.scores else "" for name in names]
        table.add_row(trajectory.name, *told)
    return table


COUNTS = ("alarms", "retrained", "in shadow", "promoted")


def counts_of(trajectory: Trajectory) -> list[str]:
    """How often each of `COUNTS` happened; empty where it cannot."""
    if trajectory.kind in ("naive", "never"):
        return [""] * len(COUNTS)
    alarms = str(trajectory.alarms) if trajectory.kind == "policy" else ""
    trials = str(trajectory.trials) if trajectory.kind == "policy" else ""
    return [alarms, str(trajectory.retrainings), trials, str(trajectory.promotions)]


def signed(gain: Estimate) -> str:
    """A difference with its interval."""
    return f"{gain.value:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}]"


def score_names(found: Backtest) -> list[str]:
    """Of all strategies, in their order."""
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
        drift, done = f"{step.verdict}: {first_sentences(step.drift)}", done_words(step)
        table.add_row(step.period, drift, f"{done}: {'; '.join(step.reasons)}")
    return table


def done_words(step: Step) -> str:
    """What was done after a period."""
    if step.promoted:
        return "promoted"
    if step.tried:
        return "champion stayed, a challenger is tried in shadow"
    return "champion stayed" if step.retrained else "no retraining"


def first_sentences(text: str) -> str:
    """The first two of a summary."""
    return ". ".join(text.split(". ")[:2])


def render_earliness(found: Earliness) -> tuple[RenderableType, ...]:
    """Each moment or week beside the plain rule."""
    unit = f" {found.unit}".rstrip()
    share = f"failed of the first {SHARE_PUT_FIRST:.0%}"
    heads = (
        "when",
        "n",
        f"error{unit}",
        "plain rule",
        "smaller by",
        "failed",
        share,
        "the rule's",
        "chance too high by",
    )
    title = f"{found.domain}/{found.target}: {found.judged}, by models of {', '.join(found.learned_from)}"
    table = Table(*heads, box=box.SIMPLE, title=title)
    for one in found.stages:
        precise = (one.precision, one.naive_precision)
        told = [f"{hit[0]:.0%} [{hit[1]:.0%}, {hit[2]:.0%}]" if hit else "" for hit in precise]
        base, gap = ("" if one.base is None else f"{one.base:.0%}"), ("" if one.gap is None else f"{one.gap:+.2f}")
        table.add_row(one.stage, f"{one.n:,}", str(one.mae), str(one.naive_mae), str(one.gain), base, *told, gap)
    since = f"credibly better than the plain rule from {found.trusted_from} on" if found.trusted_from else ""
    said = [since or "nowhere credibly better than the plain rule until the end"]
    for who, lead in (("the model", found.lead), ("the plain rule", found.naive_lead)):
        if lead is not None:
            weeks = "" if lead.weeks is None else f", {lead.weeks:g} weeks before the last such week at the median"
            said.append(f"of {lead.failed:,} students who failed {who} put {lead.found:,} first in time{weeks}")
    return (table, *(Text(one) for one in (*said, *found.left_out)))

"""A backtest as sentences and as tables for the terminal. The page is `retraining.backtest.page`'s.

Nothing is computed here; every number comes from the record.
"""

from __future__ import annotations

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from language import _, ngettext, worded
from language.ending_words import plain_ending_words
from language.format import count, number
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
        return _("None of it would have changed anything: no other model took over.")
    best = max(changed, key=lambda one: one.gain[NEVER][found.main].value)
    gain, always = best.gain[NEVER][found.main], best.name == ALWAYS
    if gain.low > 0 and always:
        said = _("Retraining after every period would have helped: errors smaller by {gain}.")
    elif gain.low > 0:
        said = _("The policy {name} would have helped: errors smaller by {gain}.")
    elif all(one.gain[NEVER][found.main].high < 0 for one in changed):
        said = (
            _("Retraining would have done harm; least of all retraining after every period, by {gain}.")
            if always
            else _("Retraining would have done harm; least of all the policy {name}, by {gain}.")
        )
    elif always:
        said = _("None of it would surely have helped; most of all retraining after every period, by {gain}.")
    else:
        said = _("None of it would surely have helped; most of all the policy {name}, by {gain}.")
    told = _("{gain} ({low} to {high}, {n} rows)").format(
        gain=f"{number(gain.value, 2)}{_unit(found)}",
        low=number(gain.low, 2, signed=True),
        high=number(gain.high, 2, signed=True),
        n=count(best.n),
    )
    return said.format(name=best.name, gain=told)


def _unit(found: Backtest) -> str:
    return f" {worded(found.unit)}" if found.unit else ""


def summarise(found: Backtest) -> list[str]:
    """The verdict, then what each policy would have changed, a sentence each."""
    tried = [trajectory for trajectory in found.trajectories if trajectory.kind in ("always", "policy")]
    return [verdict_words(found), *(_sentence(found, trajectory) for trajectory in tried)]


def _sentence(found: Backtest, trajectory: Trajectory) -> str:
    gain = trajectory.gain[NEVER][found.main]
    always = trajectory.name == ALWAYS
    name = _("Always retraining") if always else _("Policy {name}").format(name=trajectory.name)
    counted = _counted(trajectory)
    if not trajectory.promotions:
        return _("{name}: {counted}; it answered as without retraining.").format(name=name, counted=counted)
    by = f"{number(abs(gain.value), 3)}{_unit(found)}"
    if gain.flat:
        effect = _("not enough data: all rows show the very same difference to never retraining")
    elif gain.low > 0:
        effect = _("its errors are {gain} smaller than without retraining").format(gain=by)
    elif gain.high < 0:
        effect = _("its errors are {gain} larger than without retraining").format(gain=by)
    else:
        effect = _("whether it does better than never retraining is open")
    return _("{name}: {counted}; {effect} ({gain}, 95 % interval {low} to {high}, {n} rows).").format(
        name=name,
        counted=counted,
        effect=effect,
        gain=number(gain.value, 3, signed=True),
        low=number(gain.low, 3, signed=True),
        high=number(gain.high, 3, signed=True),
        n=count(trajectory.n),
    )


def _counted(trajectory: Trajectory) -> str:
    done: list[tuple[int, str]] = []
    if trajectory.kind == "policy":
        done.append((trajectory.alarms, ngettext("{n} alarm", "{n} alarms", trajectory.alarms)))
    done.append((trajectory.retrainings, ngettext("{n} retraining", "{n} retrainings", trajectory.retrainings)))
    if trials := trajectory.trials:
        tried = ngettext("{n} challenger tried in shadow", "{n} challengers tried in shadow", trials)
        done.append((trials, tried))
    done.append((trajectory.promotions, ngettext("{n} new champion", "{n} new champions", trajectory.promotions)))
    return ", ".join(said.format(n=count(n)) for n, said in done)


def remarks(found: Backtest) -> list[str]:
    """What to know before believing the figures."""
    lines = [_("make sure that this is known by then: {remark}").format(remark=line) for line in found.remarks]
    if found.left_out:
        said = _("not used at moment “{moment}”, because known later only: {columns}")
        lines.append(said.format(moment=found.moment, columns=", ".join(found.left_out)))
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
        drift, done = f"{step.verdict}: {' '.join(whole_sentences(step.drift))}", done_words(step)
        table.add_row(step.period, drift, f"{done}: {'; '.join(step.reasons)}")
    return table


def done_words(step: Step) -> str:
    """What was done after a period."""
    if step.promoted:
        return _("promoted")
    if step.tried:
        return _("champion stayed, a challenger is tried in shadow")
    return _("champion stayed") if step.retrained else _("no retraining")


def whole_sentences(text: str) -> list[str]:
    """The first two of a summary."""
    return [one if one.endswith(".") else f"{one}." for one in text.split(". ")[:2]]


def render_earliness(found: Earliness) -> tuple[RenderableType, ...]:
    """Each moment or week beside the plain rule."""
    unit = f" {found.unit}".rstrip()
    words = plain_ending_words(event=found.event)
    share = f"{words.ended} of the first {SHARE_PUT_FIRST:.0%}"
    heads = (
        "when",
        "n",
        f"error{unit}",
        "plain rule",
        "smaller by",
        words.ended,
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
            said.append(f"of {lead.failed:,} students {words.who} {who} put {lead.found:,} first in time{weeks}")
    return (table, *(Text(one) for one in (*said, *found.left_out)))

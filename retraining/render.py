"""Retraining results as text for a terminal. Computes nothing."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from retraining.alerts import GIVE_UP, Delivery
from retraining.pipeline import Result
from retraining.policy import PromotionDecision

WORDS = {
    "promote": "promoted",
    "shadow": "challenger stays in shadow, champion stays",
    "keep": "champion stays",
}


def render_result(result: Result, *, dry: bool) -> RenderableType:
    """The decision about one champion with its reasons and numbers; the drift in one sentence."""
    verdict = WORDS[result.decision.verdict]
    if dry:
        verdict = f"would be: {verdict} (dry run, nothing changed)"
    parts: list[RenderableType] = [Text(f"{result.key}: {verdict}", style="bold")]
    if result.drift:
        parts.append(Text(f"drift since the champion was trained: {result.drift.summary}"))
    parts += [Text(f"  because {reason}") for reason in result.decision.reasons]
    if result.decision.gain:
        parts.append(evidence_table(result.decision))
    if result.champion:
        parts.append(Text(f"champion judged: {result.champion[:12]}; challenger: {(result.challenger or 'none')[:12]}"))
    return Group(*parts)


def evidence_table(decision: PromotionDecision) -> Table:
    """Mean absolute errors on the rows that neither model has seen."""
    table = Table("model", "MAE, 95 % interval", title=f"same {decision.n} unseen rows, {decision.clusters} clusters")
    table.add_row("champion", str(decision.champion_mae))
    table.add_row("challenger", str(decision.challenger_mae))
    table.add_row("naive rule", str(decision.naive_mae))
    if decision.gain:
        bound = f"{decision.gain.mean:+.4f}, {decision.gain.level:.0%} lower bound {decision.gain.lower:+.4f}"
        table.add_row("gain (champion - challenger)", bound)
    return table


def deliveries_table(deliveries: Sequence[Delivery]) -> Table:
    """What was told to whom, and whether it arrived."""
    table = Table()
    for head in ("when (UTC)", "what", "by", "to", "state", "tries", "last error"):
        table.add_column(head, overflow="fold")
    for one in deliveries:
        when, subject = f"{one.alert.at:%Y-%m-%d %H:%M:%S}", one.alert.subject.removeprefix("[gradewatch] ")
        table.add_row(when, subject, one.kind, one.to, describe_state(one), str(one.attempts), one.error)
    return table


def describe_state(delivery: Delivery) -> str:
    """Whether a delivery arrived, when it is tried again, or why it is not."""
    if delivery.state == "waiting":
        return f"waiting, next try {delivery.next:%Y-%m-%d %H:%M} UTC" if delivery.attempts else "waiting"
    if delivery.state == "given up":
        return "given up at once: refused for good" if delivery.final else f"given up after {GIVE_UP.days} days"
    return "sent"

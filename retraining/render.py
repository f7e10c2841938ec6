"""Retraining results as text for a terminal. Computes nothing."""

from io import StringIO

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from drift.sentences import describe_expected
from language.ending_words import plain_ending_words
from model.decision import PromotionDecision, told_of_slice
from model.scores import PairedGain
from monitoring.days import DAY
from monitoring.error_timeline import ErrorTimeline
from retraining.monitor import Monitored
from retraining.run import Result
from retraining.without import WithoutColumn

VERDICT_WORDS = {
    "promote": "promoted",
    "shadow": "challenger stays in shadow, champion stays",
    "keep": "champion stays",
}
NO_CHAMPION = "nobody to replace"


def render_result(result: Result, *, dry: bool) -> RenderableType:
    """The decision about one champion with its reasons and numbers; the drift in one sentence."""
    nobody = result.decision.verdict == "keep" and result.champion is None
    verdict = NO_CHAMPION if nobody else VERDICT_WORDS[result.decision.verdict]
    if dry:
        verdict = f"would be: {verdict} (dry run, nothing changed)"
    parts: list[RenderableType] = [Text(f"{result.key}: {verdict}", style="bold")]
    if result.drift:
        parts.append(Text(f"drift since the champion was trained: {result.drift.summary}"))
    parts += [Text(f"  because {reason}") for reason in result.decision.reasons]
    parts += [Text(f"  {count} unseen rows do not judge: {why}") for why, count in result.decision.left_out.items()]
    if result.decision.gain:
        parts.append(evidence_table(result.decision))
    if result.champion:
        parts.append(Text(f"champion judged: {result.champion[:12]}; challenger: {(result.challenger or 'none')[:12]}"))
    return Group(*parts)


def result_text(result: Result, *, dry: bool) -> str:
    """As `render_result`, as plain text of 80 columns."""
    paper = StringIO()
    Console(file=paper, width=80, markup=False).print(render_result(result, dry=dry))
    return paper.getvalue()


def evidence_table(decision: PromotionDecision) -> Table:
    """Mean absolute errors on the rows that neither model has seen."""
    table = Table("model", "MAE, 95 % interval", title=f"same {decision.n} unseen rows, {decision.clusters} clusters")
    table.add_row("champion", str(decision.champion_mae))
    table.add_row("challenger", str(decision.challenger_mae))
    table.add_row("plain rule", str(decision.naive_mae))
    if decision.gain:
        bound = f"{decision.gain.mean:+.4f}, {decision.gain.level:.0%} lower bound {decision.gain.lower:+.4f}"
        table.add_row(f"gain (champion - {decision.winner})", bound)
    return table


def render_without(found: WithoutColumn) -> RenderableType:
    """What a model without a column would do otherwise, for whom."""
    unit = f" {found.unit}" if found.unit else ""
    gain, shift, who = found.gain, found.shift, plain_ending_words(event=found.event).who
    said = [
        Text(f"{found.key} without {found.column}: {found.n:,} rows that neither model has seen", style="bold"),
        Text(f"missed by {found.mae}{unit} with it, {found.mae_without} without it: {_told_gain(gain, unit)}"),
        Text(f"answers move by {shift.mean:.3g}{unit} on average, {shift.largest:.3g} at most"),
    ]
    if found.failed is not None:
        said.append(
            Text(
                f"{shift.falling:,} more would be warned of, {shift.rising:,} not any more; of {found.failed:,} {who}, "
                f"{found.found:,} are found with it, {found.found_without:,} without it"
            )
        )
    worse = [told_of_slice(part, event=found.event) for part in found.slices if part.worse]
    better = [one for one in found.slices if one.gain.lower > 0]
    said += [Text(f"  {told}") for told in worse]
    said += [Text(f"  {part.column.lstrip('_')} {part.value} would be served better: {part.about}") for part in better]
    if not worse and not better:
        said.append(Text(f"for no group of students would it credibly change ({len(found.slices)} figures looked at)"))
    said.append(Text("columns that go along with it may still stand for it"))
    return Group(*said)


def _told_gain(gain: PairedGain, unit: str) -> str:
    if gain.lower > 0:
        return f"credibly nearer without it, by {gain.mean:.3g}{unit}"
    return f"{'nearer' if gain.mean > 0 else 'farther'} without it by {abs(gain.mean):.3g}{unit}"


def render_monitored(found: Monitored) -> RenderableType:
    """The verdict, what it rests on, what was retrained, and why not more."""
    last = found.until - DAY
    head = Text(f"{found.domain}, {found.since} to {last}, {found.rows:,} predictions: {found.verdict}", style="bold")
    drift = found.drift.summary if found.drift else f"not judged: {found.no_drift}"
    parts: list[RenderableType] = [head, Text(f"drift: {drift}")]
    if found.report:
        parts.append(Text(f"  report {found.report}"))
    parts += [Text(line) for one in found.errors for line in error_lines(one)]
    if not found.errors:
        parts.append(
            Text("errors: no answer with an outcome that counts, and none that waits for one (gradewatch feedback)")
        )
    parts += [Text(f"worse: {one}") for one in found.worse]
    parts += [render_result(one, dry=False) for one in found.results]
    retrained = "retrained" if found.retrained else "not retrained"
    parts += [Text(f"{retrained}: {found.why[0]}" if found.why else retrained, style="bold")]
    parts += [Text(f"  {one}") for one in found.why[1:]]
    return Group(*parts)


def error_lines(line: ErrorTimeline) -> list[str]:
    """The errors of one target at one moment: measured, and those to be expected."""
    name, unit = f"{line.target} at {line.moment}", f" {line.unit}" if line.unit else ""
    said = []
    if (whole := line.whole) is not None:
        mae = f"mean error {whole.mae}{unit}, " if whole.mae else ""
        said.append(f"measured, {name}: {mae}{whole.n:,} outcomes of {whole.students:,} students: {whole.verdict}")
    if line.expected is not None:
        said.append(f"estimated, {name}: {describe_expected(line.expected)}")
    return said

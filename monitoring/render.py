"""Errors, promises, trials and deliveries as text for a terminal. Computes nothing."""

from collections.abc import Iterator, Sequence

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from drift.sentences import describe_change, describe_expected
from language.ending_words import PlainEndingWords, plain_ending_words
from model.readable import least_move, readable_value
from model.scores import ClassScores, Estimate, ValueScores
from monitoring.alerts import GIVE_UP, Delivery
from monitoring.at_risk import AtRisk
from monitoring.calibration import ClassCalibration, Coverage
from monitoring.error_timeline import ErrorTimeline, TimelineSpan
from monitoring.fairness import UNFAIR_SHARE, Fairness, GroupFigure, GroupTreatment
from monitoring.feedback import Feedback, FeedbackPart, TargetFeedback
from monitoring.model_comparison import ModelComparison
from monitoring.moves import Move
from monitoring.performance import FEWEST_TOLD
from monitoring.trial_report import TrialReport
from monitoring.warning_lists import ListedBy, PolicyPreview, Warned
from monitoring.warning_lots import ToldDraw
from monitoring.warning_policy import WarningPolicy
from monitoring.weekly_performance import WeeklyPerformance
from monitoring.what_changed import WhatChanged
from preprocessing.schema import Target

COMPARED_COLUMNS = 15  # of what two models look at
SHOWN_LETTERS = 12  # letters of a version or a pseudonym, in a table
UNRANKED = {
    "insufficient": "without an answer: too little known",
    "out_of_range": "without a chance: unlike any in training",
    "no_pass_mark": "without a chance: no pass mark when the model learned",
}


def deliveries_table(deliveries: Sequence[Delivery]) -> Table:
    """What was told to whom, and whether it arrived."""
    table = Table()
    for head in ("when (UTC)", "what", "by", "to", "state", "tries", "last error"):
        table.add_column(head, overflow="fold")
    for one in deliveries:
        when, subject = f"{one.alert.at:%Y-%m-%d %H:%M:%S}", one.alert.subject.removeprefix("[gradewatch] ")
        table.add_row(when, subject, one.kind, one.to, describe_state(one), str(one.attempts), one.error)
    return table


def comparison_tables(found: ModelComparison) -> tuple[Table, Table]:
    """Two versions side by side: what is known of both on the same rows, and what each looks at."""
    names = found.names
    about = Table("", *names, box=box.SIMPLE, title=Text(f"{names[0]} and {names[1]} of {found.first.key}"))
    models = (found.first, found.second)
    about.add_row("version", *(one.version[:SHOWN_LETTERS] for one in models))
    about.add_row("kind", *(one.candidate for one in models))
    about.add_row("learned from", *(f"{one.lineage['rows']:,} {one.lineage['source']}" for one in models))
    about.add_row("registered (UTC)", *(f"{one.at:%Y-%m-%d %H:%M}" for one in models))
    if found.together is None:
        about.add_row("MAE on the same rows", "never judged", "on the same rows")
    else:
        rows = f"MAE on the same {found.together.n:,} unseen rows"
        about.add_row(rows, str(found.together.others), str(found.together.own))
    looks = Table("error rises without", *names, box=box.SIMPLE)
    for name, rises in list(found.importance.items())[:COMPARED_COLUMNS]:
        looks.add_row(name, *("not read" if rise is None else f"{rise:.3g}" for rise in rises))
    return about, looks


def describe_state(delivery: Delivery) -> str:
    """Whether a delivery arrived, when it is tried again, or why it is not."""
    if delivery.state == "waiting":
        return f"waiting, next try {delivery.next:%Y-%m-%d %H:%M} UTC" if delivery.attempts else "waiting"
    if delivery.state == "given up":
        return "given up at once: refused for good" if delivery.final else f"given up after {GIVE_UP.days} days"
    return "sent"


def students_table(found: AtRisk, target: Target) -> Table:
    """A page of students, and how many there are."""
    unranked = [f"{count:,} {UNRANKED[why]}" for why, count in sorted(found.unranked.items())]
    shown = f"{len(found.students):,} of {found.ranked:,} students"
    caption = f"{shown} of whom the chance of ending below {found.pass_mark} ({found.target}) is known"
    policy = f"warned of (*): {found.warned:,}, by {found.policy}"
    notes = [f"(!) {one}" for one in (found.paused, found.warning) if one]
    told = "\n".join(["; ".join([caption, *unranked]), policy, *notes])
    table = Table(box=box.SIMPLE, caption=told, caption_justify="left")
    for head in (
        "student",
        "group",
        "period",
        f"below {found.pass_mark}",
        target.name,
        "interval",
        "change",
        "when (UTC)",
        "by",
    ):
        table.add_column(head, overflow="fold")
    for one in found.students:
        value = readable_value(one.value, target) if isinstance(one.value, float) else one.value or ""
        low_high = [readable_value(end, target, answered=False) for end in one.interval or ()]
        place = one.student[:SHOWN_LETTERS], one.group or "", one.period or ""
        table.add_row(
            *place,
            ("–" if one.below_pass is None else f"{one.below_pass:.1%}") + (" *" if one.warned else ""),
            value,
            " to ".join(low_high),
            "" if one.change is None else f"{one.change:+.1f}",
            f"{one.at:%Y-%m-%d %H:%M}",
            one.model[:SHOWN_LETTERS],
        )
    return table


def changes_tables(found: WhatChanged, target: Target) -> tuple[RenderableType, ...]:
    """What changed, or would."""
    unit = f" {found.unit}".rstrip()
    what = f"by model {found.version[:SHOWN_LETTERS]}" if found.version else f"since {found.since:%Y-%m-%d %H:%M} UTC"
    told = [
        f"{found.domain}/{found.target}, {what}: of {found.students:,} students {found.moved:,} moved by "
        f"{least_move(target):.2g}{unit} or more; {found.new:,} are new, {found.silent:,} have or had no answer"
    ]
    if found.by is not None:
        parts = f"{found.by_data:+.2f} by data, {found.by_model:+.2f} by the model"
        told.append(f"on average {found.by:+.2f}{unit}: {parts}")
    if found.lost:
        told.append(f"of {found.lost:,} the model of then is gone, so that their moves are not split")
    crossed = Table("to warn of", "data", "model", "policy", box=box.SIMPLE)
    for name, by in (("came in", found.entering), ("left", found.leaving)):
        crossed.add_row(name, *(f"{n:,}" for n in (by.data, by.model, by.policy)))
    moves = Table("student", "group", "from", "to", f"by{unit}", "by what", "warned of", box=box.SIMPLE)
    for one in found.largest:
        numbers = (f"{one.move.before:.1f}", f"{one.move.after:.1f}", f"{one.move.by:+.1f}")
        warned = {(False, True): "came in", (True, False): "left", (True, True): "yes"}.get(one.warned, "")
        moves.add_row(one.student[:SHOWN_LETTERS], one.group or "", *numbers, "; ".join(_parts_of(one.move)), warned)
    return (*(Text(one) for one in told), crossed, *([moves] if found.largest else []))


def _parts_of(move: Move) -> Iterator[str]:
    if move.by_data is None or move.by_model is None:
        yield "the model of then is gone"
        return
    for part in move.parts:
        cells = "came in" if part.came_in else " → ".join(str(cells[0]) for cells in (part.before, part.after))
        named = cells if len(part.columns) == 1 or part.came_in else "changed"
        yield f"{', '.join(part.columns)} {named} ({part.by:+.1f})"
    if move.by_data and not move.parts:
        yield f"data ({move.by_data:+.1f})"
    if move.by_model:
        yield f"another model ({move.by_model:+.1f})"


def warned_table(found: Sequence[Warned], policy: WarningPolicy) -> Table:
    """Whom a policy warns of."""
    table = Table(box=box.SIMPLE, caption=f"{len(found):,} students: {policy}", caption_justify="left")
    for head in ("student", "group", "period", "chance", "level", "answered (UTC)"):
        table.add_column(head, overflow="fold")
    for cause, level in found:
        who = cause.student[:SHOWN_LETTERS], cause.group or "", cause.period or ""
        chance = "answered below" if cause.below is None else f"{cause.below:.1%}"
        table.add_row(*who, chance, level or "", f"{cause.at:%Y-%m-%d %H:%M}")
    return table


def draws_table(found: Sequence[ToldDraw]) -> Table:
    """Draws of slots, each drawn again."""
    table = Table(box=box.SIMPLE, caption=f"{len(found):,} draws", caption_justify="left")
    for head in ("at (UTC)", "by", "seed", "groups", "stood", "drew", "drawn again"):
        table.add_column(head, overflow="fold")
    for one in found:
        counts = one.groups, one.stood, one.drew
        told = "; ".join(one.wrong) or "follows from its seed"
        told += f", {one.gone:,} not kept any more" if one.gone else ""
        table.add_row(f"{one.at:%Y-%m-%d %H:%M}", one.actor, str(one.seed), *map("{:,}".format, counts), told)
    return table


def preview_tables(found: PolicyPreview) -> tuple[RenderableType, ...]:
    """What a policy would change."""
    likely = plain_ending_words(event=found.event).likely
    heads = ("", "students", "warned of", likely, "for nothing", "missed")
    lists = Table(*heads, box=box.SIMPLE, title=f"{found.domain}/{found.target}: by the chances that were said")
    for name, one in found.lists.items():
        lists.add_row(name, *_listed(one))
    groups = Table("group", *(f"{head}, now" for head in heads[2:]), box=box.SIMPLE, title="proposed, and now")
    for name, (new, old) in found.groups.items():
        pairs = zip(_listed(new)[1:], _listed(old)[1:], strict=True)
        groups.add_row(name, *(f"{one} ({other})" if one else "" for one, other in pairs))
    changed, rule = found.against_present, found.against_rule
    told = f"{len(changed.entering):,} come in and {len(changed.leaving):,} go, beside the policy in use; "
    told += f"{len(rule.entering):,} and {len(rule.leaving):,} beside the plain rule"
    return (lists, Text(told), *((groups,) if found.groups else ()))


def _listed(one: ListedBy) -> list[str]:
    if one.students is None:
        return [f"fewer than {FEWEST_TOLD}, or would give them away", "", "", "", ""]
    shares = [f"{value:.1f}" for value in (one.hits, one.false_alarms, one.missed) if value is not None]
    return [f"{one.students:,}", f"{one.warned:,}", *shares]


def feedback_tables(found: Feedback) -> list[RenderableType]:
    """What became of the answers of a domain, a table for each target."""
    return [_feedback_table(found, one) for one in found.targets]


def _feedback_table(found: Feedback, one: TargetFeedback) -> Table:
    words = plain_ending_words(event=one.event)
    values = not any(isinstance(part.scores, ClassScores) for part in one.parts)
    heads = ("MAE", "RMSE", "within interval") if values else ("accuracy", "weighted F1", "Brier")
    figures = [_figures(part) for part in one.parts]
    caption = [f"answers since {found.since:%Y-%m-%d}; errors in {one.unit or 'units'}; 95 % intervals"]
    caption += [f"no figures below {found.fewest} answers"] if any(part.scores is None for part in one.parts) else []
    caption += [f"{one.unanswered:,} without an answer"] if one.unanswered else []
    caption += [f"not counted: {one.left_out}"] if str(one.left_out) else []
    caption += ["(!): not what was promised, by more than chance explains"] if "(!)" in str(figures) else []
    table = Table(
        box=box.SIMPLE, title=f"{found.domain}/{one.target}", caption="\n".join(caption), caption_justify="left"
    )
    for head in ("", "n", "students", *heads, f"{words.expected}: said / happened, difference"):
        table.add_column(head, overflow="fold")
    for part, told in zip(one.parts, figures, strict=True):
        name = (
            "all"
            if part.by == "all"
            else f"{part.by} {part.name[:SHOWN_LETTERS] if part.by == 'version' else part.name}"
        )
        table.add_row(name, f"{part.n:,}", f"{part.students:,}", *told)
    return table


def _figures(part: FeedbackPart) -> tuple[str, str, str, str]:
    chance = part.below_pass
    passed = ""
    if chance:
        gap = f"{chance.gap.value:+.1%} [{chance.gap.low:+.1%}, {chance.gap.high:+.1%}]"
        passed = f"{chance.said:.1%} / {chance.happened:.1%}, {gap}" + ("" if chance.kept else " (!)")
    if isinstance(part.scores, ValueScores):
        held = part.coverage
        inside = ""
        if held:
            share = f"{held.share:.1%} [{held.low:.1%}, {held.high:.1%}] of {held.n:,}"
            inside = f"{share}, stated {held.stated:.0%}" + ("" if held.kept else " (!)")
        return str(part.scores.mae), str(part.scores.rmse), inside, passed
    if isinstance(part.scores, ClassScores):
        kept = part.calibration
        brier = f"{kept.brier}" + ("" if kept.kept else " (!)") if kept else ""
        return str(part.scores.accuracy), str(part.scores.weighted_f1), brier, passed
    return "not enough data", "", "", ""


def trial_table(report: TrialReport) -> Table:
    """Both models of a trial beside the plain rule, with what else is known."""
    unit = f" ({report.unit})" if report.unit else ""
    caption = [f"{report.asked} predictions"]
    if said := str(report.left_out):
        caption.append(f"with an outcome, and not counted: {said}")
    if (apart := report.differences) is not None:
        caption.append(
            f"answers differ in {apart.share:.0%} of {apart.n} rows, by {apart.mean:.3g} on average and "
            f"{apart.largest:.3g} at most; {apart.unanswered} without an answer"
        )
    if report.gain:
        caption.append(f"challenger's gain: {report.gain}")
    columns = ("", "version", "outcomes", "students", f"mean error{unit}", "plain rule")
    table = Table(*columns, box=box.SIMPLE, caption="\n".join(caption), caption_justify="left")
    for name, arm in (("champion", report.champion), ("challenger", report.challenger)):
        scores = ["" if score is None else str(score) for score in (arm.mae, arm.naive_mae)]
        table.add_row(name, arm.model[:12], str(arm.n), str(arm.students), *scores)
    return table


def timeline_tables(timeline: ErrorTimeline) -> list[RenderableType]:
    """The windows of one target at one moment as a table, then plain sentences: calibration, changes, an estimate."""
    table = Table(box=box.SIMPLE, title=f"{timeline.domain}/{timeline.target}@{timeline.moment} by {timeline.by}")
    for name in ("window", "n", "mean error", "rule", "above training", "bias", "promise", "verdict"):
        table.add_column(name, overflow="fold")
    for window in (*timeline.windows, *((timeline.whole,) if timeline.whole and len(timeline.windows) > 1 else ())):
        table.add_row(
            window.label,
            str(window.n),
            _interval(window.mae) if window.mae else "",
            f"{window.naive_mae.value:.3g}" if window.naive_mae else "",
            _interval(window.excess) if window.excess else "unknown" if window.mae else "",
            _interval(window.bias) if window.bias else "",
            promise(window),
            window.verdict,
        )
    return [table, *(Text(sentence) for sentence in timeline_sentences(timeline))]


def fairness_tables(found: Fairness) -> list[RenderableType]:
    """Groups beside all answers, and what that says in plain sentences; nothing where there is no figure."""
    if found.whole.n is None:
        return []
    unit, words = f" ({found.unit})" if found.unit else "", plain_ending_words(event=found.event)
    table = Table(box=box.SIMPLE, title=f"{found.target}@{found.moment}: for whom, {threshold_words(found)}")
    for name in (
        "group",
        "n",
        f"missed by{unit}",
        "said too much by",
        f"found of {words.who}",
        f"of who was warned, {words.others}",
    ):
        table.add_column(name, overflow="fold")
    table.add_row("all", *_treatment(found.whole))
    for cut in found.cuts:
        for group in cut.groups:
            worse = " (!)" if group.verdict == "credibly worse" else ""
            table.add_row(f"{cut.by} {group.name}{worse}", *_treatment(group))
    return [table, *(Text(sentence) for sentence in fairness_sentences(found))]


def weekly_tables(found: WeeklyPerformance | None) -> list[RenderableType]:
    """Chances beside what happened by school week, school and grade; nothing without weeks."""
    if found is None:
        return []
    table = Table(box=box.SIMPLE, title=f"chances of an event within {found.within} weeks beside what happened")
    table.add_column("", no_wrap=True)
    for name in ("n", "of", "happened", "told", "AUC", "Brier", "flagged"):
        table.add_column(name, overflow="fold")
    parts = (("week", found.weeks), ("school", found.schools), ("grade", found.grades))
    for by, one in (("", found.whole), *((by, one) for by, some in parts for one in some)):
        off = " (!)" if one.verdict in ("too low", "too high") else ""
        figures = (one.rate, one.risk, one.auc, one.brier, one.flagged)
        table.add_row(f"{by} {one.name}{off}".strip(), f"{one.n:,}", f"{one.students:,}", *map(_of_risk, figures))
    told = (
        f"told: the mean chance; of: students; flagged: from a chance of {found.threshold:.2f} on; of fewer than "
        f"{FEWEST_TOLD} students no figure is told"
    )
    return [table, Text(f"(!): chances were credibly too low or too high; {told}.")]


def _of_risk(figure: Estimate | float | None) -> str:
    if figure is None:
        return ""
    told = f"{figure:.3f}" if isinstance(figure, float) else f"{figure.value:.3f}\n{figure.low:.2f}–{figure.high:.2f}"
    return told.replace("0.", ".")


def group_table(found: Fairness) -> list[RenderableType]:
    """What else is told of each group: who fails, who is warned of, what was promised; nothing without a figure."""
    if found.whole.n is None:
        return []
    words = plain_ending_words(event=found.event)
    heads = {
        words.ended: found.whole.failed,
        "warned of": found.whole.warned,
        f"warned of {words.others}": found.whole.alarmed,
        "chance said too high by": found.whole.gap,
        "within their range": found.whole.covered,
        "asked without an answer": found.whole.silent,
        "of their facts known": found.whole.filled,
    }
    shown = [name for name, figure in heads.items() if figure is not None]
    table = Table("group", *shown, box=box.SIMPLE, title=f"{found.target}@{found.moment}: the groups themselves")
    groups = [("all", found.whole), *((f"{cut.by} {group.name}", group) for cut in found.cuts for group in cut.groups)]
    for name, group in groups:
        told = (group.failed, group.warned, group.alarmed, group.gap, group.covered, group.silent, group.filled)
        figures = dict(zip(heads, told, strict=True))
        table.add_row(name, *(_share(figures[head]) for head in shown))
    return [table] if shown else []


def _share(one: GroupFigure | None) -> str:
    return f"{one.value:.0%} of {one.n:,} [{one.low:.0%}, {one.high:.0%}]" if one else ""


def threshold_words(found: Fairness) -> str:
    """What gives cause to warn."""
    if found.pass_mark is None:
        return "without a pass mark"
    likeliest = plain_ending_words(event=found.event).likeliest
    return f"warned of: {found.policy}" if found.top is None else f"warned of the {found.top:,} {likeliest}"


def _treatment(group: GroupTreatment) -> list[str]:
    if group.n is None:
        return [f"fewer than {FEWEST_TOLD}, or would give them away", "", "", "", ""]
    shares = [_share(one) for one in (group.found, group.wrongly)]
    means = [f"{one.value:.3g} [{one.low:.3g}, {one.high:.3g}]" if one else "" for one in (group.miss, group.bias)]
    return [f"{group.n:,}", *means, *shares]


def fairness_sentences(found: Fairness) -> list[str]:
    """Whom warnings found, and whether a group is served worse, in plain sentences."""
    told, words = [], plain_ending_words(event=found.event)
    if (counts := found.quadrants) is not None:
        four = counts.warned_failed, counts.unwarned_failed, counts.warned_passed, counts.unwarned_passed
        told.append(words.counts.format(*four))
    groups = [(cut.by, group) for cut in found.cuts for group in cut.groups]
    for by, group in groups:
        if group.verdict == "credibly worse":
            told.append(
                f"{by} {group.name} is served credibly worse than the others: {'; '.join(_harms(group, words))}."
            )
    if any(group.verdict == "no difference shown" for _, group in groups) and not _worse(groups):
        told.append("No group is served credibly worse than the others.")
    if few := [f"{by} {group.name}{_of(group)}" for by, group in groups if group.verdict == "not enough data"]:
        told.append(f"Not enough students to tell: {', '.join(few)}.")
    return told


def _of(group: GroupTreatment) -> str:
    return "" if group.students is None else f" ({group.students:,})"


def _worse(groups: Sequence[tuple[str, GroupTreatment]]) -> bool:
    return any(group.verdict == "credibly worse" for _, group in groups)


def _harms(group: GroupTreatment, words: PlainEndingWords) -> list[str]:
    """Each figure in which a group is worse off, beyond chance, with the interval of the difference."""
    told = []
    for figure, said, sign in (
        (group.miss, "missed by {value:.3g} more [{low:.3g} to {high:.3g}]", 1),
        (group.found, f"{{value:.0%}} fewer of {words.who} were found [{{low:.0%}} to {{high:.0%}}]", -1),
        (group.wrongly, words.more_wrongly, 1),
    ):
        one = figure.against if figure else None
        if one and one.p_adjusted <= UNFAIR_SHARE and one.value * sign > 0:
            low, high = sorted((sign * one.low, sign * one.high))
            told.append(said.format(value=sign * one.value, low=low, high=high))
    return told


def promise(window: TimelineSpan) -> str:
    """What intervals, or probabilities, promised, what was found, and whether that falls short of it."""
    if covered := window.covered:
        found = f"{covered.share:.0%} of {covered.n:,} outcomes [{covered.low:.0%} to {covered.high:.0%}]"
        return f"{covered.stated:.0%} to lie within; {found} did: {_fell_short(covered)}"
    if told := window.calibration:
        said = sum(one.n * one.said for one in told.bins) / told.n
        gap, ece = told.overconfidence, f"ECE {told.ece.value:.3f}, by chance up to {told.ece_by_chance:.3f}"
        found = f"{said - gap.value:.0%} of {told.n:,} were [gap {gap.low:+.0%} to {gap.high:+.0%}; {ece}]"
        return f"{said:.0%} to be right; {found}: {_miscalibrated(told)}"
    return ""


def _fell_short(covered: Coverage) -> str:
    if not covered.kept:
        return "fewer than promised"
    return "more than promised" if covered.low > covered.stated else "no shortfall shown"


def _miscalibrated(told: ClassCalibration) -> str:
    if told.kept:
        return "no fault shown"
    if told.overconfidence.low > 0:
        return "surer than right"
    return "less sure than right" if told.overconfidence.high < 0 else "wrong by more than chance"


def timeline_sentences(timeline: ErrorTimeline) -> list[str]:
    """What the course says, in plain sentences."""
    told = change_sentences(timeline)
    if said := str(timeline.left_out):
        told.append(f"Not counted: {said}.")
    if timeline.waiting:
        among = f" of the newest {timeline.newest:,}" if timeline.newest else ""
        told.append(f"{timeline.waiting:,}{among} predictions still wait for their outcome.")
    if timeline.expected:
        told.append(describe_expected(timeline.expected))
    return told


def change_sentences(timeline: ErrorTimeline) -> list[str]:
    """When the error changed, from what to what."""
    return [describe_change(one) for one in timeline.changes]


def _interval(found: Estimate) -> str:
    return f"{found.value:.3g} [{found.low:.3g}, {found.high:.3g}]"

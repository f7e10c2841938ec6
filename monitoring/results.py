"""How the answers about one target at one moment turned out, in one record: over time, beside the plain rule, within
their ranges, at the threshold in use and for whom.

Pages, the command and the route show it; it is put together here and measured elsewhere. Whoever is confined to groups
has every figure of these groups alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import numpy as np

from model.readable import round_step
from model.workspace import Workspace
from monitoring.error_timeline import (
    By,
    ErrorTimeline,
    NothingToFollow,
    TimelineSpan,
    follow_target,
    newest_of,
    targets_to_follow,
)
from monitoring.evidence import EvidenceColumns, evidence_among
from monitoring.evidence_archive import EvidenceArchive, Selection
from monitoring.fairness import Fairness, GroupTreatment, judge_fairness
from monitoring.performance import TargetPerformance, measure_target, tellable
from monitoring.warning_policy import WarningPolicy, policy_in_use
from monitoring.weekly_grades import grades_in
from monitoring.weekly_performance import WeeklyPerformance, weekly_performance
from preprocessing.schema import DomainSchema, Target

MOST_CELLS = 40  # of a grid of answers and outcomes, along each side


class AnsweredCell(msgspec.Struct, frozen=True):
    """So many answers around `said` whose outcomes were around `happened`, in target units or numbers of levels."""

    said: float
    happened: float
    n: int


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """timeline: the course of errors, beside training and the plain rule. whole: all answers at the moment, and a
    verdict beside the plain rule. fairness: whom a warning found, and for whom answers were worse. cells: answers
    beside outcomes, for whoever may read predictions. weekly: chances beside what happened by school week, school and
    grade, where a target has horizons and rows are of school weeks."""

    domain: str
    target: str
    moment: str
    timeline: ErrorTimeline
    whole: TargetPerformance
    fairness: Fairness
    cells: tuple[AnsweredCell, ...] = ()
    weekly: WeeklyPerformance | None = None


class ResultsQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """What is looked at. moment: the one whose answers with an outcome are the newest, if none. top: as `Fairness` has
    it; by: windows of the course; with_cells: whether whoever asks may read predictions; within: weeks of the horizon
    that figures by school week are about, the longest by default."""

    target: str
    moment: str | None = None
    asked: Selection = Selection()
    by: By = "week"
    top: int | None = None
    with_cells: bool = False
    within: int | None = None


def results_of(
    workspace: Workspace, domain: str, question: ResultsQuestion, matched: EvidenceColumns | None = None
) -> Results | None:
    """How the answers turned out; None where there are none. matched: those with an outcome and maybe others, where
    they were read before. Raises UnknownDomain, NothingToFollow."""
    schema = workspace.schemas[domain]
    (target,) = targets_to_follow(schema, [question.target], [question.moment] if question.moment else None)
    if matched is None:
        matched = EvidenceArchive(workspace.store, schema, workspace.learned).matched(target, question.asked)
    matched = question.asked.among(matched)
    newest = newest_of(workspace, domain, question.asked)
    moment = question.moment or newest_moment(matched) or next((one.moment for one in newest), None)
    moments = [moment] if moment is not None else []
    question = msgspec.structs.replace(question, within=_horizon(target, question.within))
    for timeline in follow_target(workspace, schema, target, matched, newest, moments, by=question.by):
        policy = policy_in_use(workspace.store, domain, target.name)
        found = _results(workspace, schema, target, matched, timeline, question, policy)
        return found if _may_be_told(schema, matched, timeline.moment) else _without_figures(found)
    return None


def _may_be_told(schema: DomainSchema, matched: EvidenceColumns, moment: str) -> bool:
    """Whether the figures of a moment give no few students away: of all moments together there are figures, too."""
    known = evidence_among(matched)[0]
    known = known.take(known.answered)
    moments = [one for one in schema.moments if one in known.moments]
    told = tellable([known.at_moment(one).students for one in moments])
    return moment not in moments or told[moments.index(moment)]


def _without_figures(found: Results) -> Results:
    """Counts alone."""
    timeline, empty = found.timeline, dict.fromkeys(("mae", "naive_mae", "bias", "excess", "covered"))
    replace: Any = msgspec.structs.replace

    def counts_of(span: TimelineSpan) -> TimelineSpan:
        left: TimelineSpan = replace(span, verdict="not enough data", p_adjusted=None, calibration=None, **empty)
        return left

    spans = tuple(counts_of(one) for one in timeline.windows)
    whole = counts_of(timeline.whole) if timeline.whole else None
    nothing = {"mae": None, "naive_mae": None, "gain": None, "bias": None, "accuracy": None, "covered": None}
    left: Results = replace(
        found,
        timeline=replace(timeline, windows=spans, whole=whole, changes=()),
        whole=replace(found.whole, verdict="not enough data", models=(), **nothing),
        fairness=replace(found.fairness, whole=GroupTreatment(name="all"), quadrants=None, cuts=()),
        cells=(),
        weekly=None,
    )
    return left


def results_by_moment(
    workspace: Workspace,
    domain: str,
    targets: Sequence[str] | None,
    moments: Sequence[str] | None,
    *,
    asked: Selection,
    by: By,
    top: int | None = None,
    within: int | None = None,
) -> Iterator[Results]:
    """Of all targets (or these) at all moments (or these) at which there are answers. Raises UnknownDomain,
    NothingToFollow."""
    schema = workspace.schemas[domain]
    chosen = targets_to_follow(schema, targets, moments)
    archive, newest = EvidenceArchive(workspace.store, schema, workspace.learned), newest_of(workspace, domain, asked)
    for target in chosen:
        matched, policy = archive.matched(target, asked), policy_in_use(workspace.store, domain, target.name)
        question = ResultsQuestion(target=target.name, asked=asked, by=by, top=top, within=_horizon(target, within))
        for timeline in follow_target(workspace, schema, target, matched, newest, moments, by=by):
            yield _results(workspace, schema, target, matched, timeline, question, policy)


def _horizon(target: Target, within: int | None) -> int | None:
    """One of the target's horizons. Raises NothingToFollow for another."""
    if within is not None and target.within and within not in target.within:
        raise NothingToFollow(f"{target.name} has the horizons {', '.join(map(str, target.within))}, not {within}")
    return within if target.within else None


def newest_moment(matched: EvidenceColumns) -> str | None:
    """The moment of the newest answer with an outcome."""
    return matched.kinds[int(matched.kind[-1])][0] if matched.n else None


def _results(
    workspace: Workspace,
    schema: DomainSchema,
    target: Target,
    matched: EvidenceColumns,
    timeline: ErrorTimeline,
    question: ResultsQuestion,
    policy: WarningPolicy,
) -> Results:
    known, left_out = evidence_among(matched.at_moment(timeline.moment))
    whole = measure_target(target, known, left_out)
    return Results(
        domain=schema.name,
        target=target.name,
        moment=timeline.moment,
        timeline=timeline,
        whole=whole,
        fairness=judge_fairness(schema, target, timeline.moment, known, top=question.top, policy=policy),
        cells=cells_of(target, known) if question.with_cells and whole.mae is not None else (),
        weekly=_weekly(workspace, schema, target, known, policy, question),
    )


def _weekly(
    workspace: Workspace,
    schema: DomainSchema,
    target: Target,
    known: EvidenceColumns,
    policy: WarningPolicy,
    question: ResultsQuestion,
) -> WeeklyPerformance | None:
    if schema.panel is None or not target.within or not known.n:
        return None
    grades = grades_in(workspace, schema.name, known)
    return weekly_performance(target, known, policy, grades=grades, within=question.within)


def cells_of(target: Target, known: EvidenceColumns) -> tuple[AnsweredCell, ...]:
    """Answers beside outcomes in a grid: of levels as they are, of values in steps of a round size."""
    known = known.take(known.answered)
    if not known.n:
        return ()
    step = 1.0 if target.levels else round_step(float(np.ptp(np.concatenate([known.said, known.truth]))) / MOST_CELLS)
    places = np.column_stack([np.round(known.said / step), np.round(known.truth / step)])
    cells, counts = np.unique(places, axis=0, return_counts=True)
    return tuple(
        AnsweredCell(said * step, happened * step, n)
        for (said, happened), n in zip(cells.tolist(), counts.tolist(), strict=True)
    )

"""How a student stood week by week: what was answered then, what happened, and what moves the newest answer.

It reads what was logged and observed, and answers nobody anew.
"""

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from datetime import date, timedelta
from typing import NamedTuple

from database.observed_weeks import WeekOfEvents
from database.records import Answer, Prediction
from model.artifacts import CorruptArtifact, MissingArtifact
from model.bundle import BrokenBundle
from model.chance_ranges import ChanceRanges, Range, ranges_of
from model.explain import ThemeFactor
from model.readable import said_about
from model.registry import load_bundle
from model.workspace import Workspace
from monitoring.warning_policy import WarningPolicy, policy_in_use
from monitoring.weekly_answers import SinceWeek, levels_in_use, moved_by, risks_of
from preprocessing.panel.grid import SchoolYear
from preprocessing.periods import is_week
from preprocessing.schema import DomainSchema, Target


class AnsweredWeek(NamedTuple):
    """The last answer to a week. risks: by weeks of the horizon; ranges: where the true chance of all who are answered
    so lies, by the model that answered."""

    week: str
    risk: float
    risks: Mapping[int, float]
    level: str | None
    ranges: Mapping[int, Range] = {}


class WeeksSeen(NamedTuple):
    """weeks, events: from the first on. policy: by which is warned now."""

    weeks: Sequence[AnsweredWeek]
    events: Sequence[WeekOfEvents]
    factors: Sequence[ThemeFactor]
    since: SinceWeek | None
    policy: WarningPolicy


def weeks_seen(
    workspace: Workspace,
    schema: DomainSchema,
    target: Target,
    student: str,
    predictions: Sequence[Prediction],
    groups: Collection[str] | None,
) -> WeeksSeen | None:
    """predictions: about the student, the newest first, of the groups that may be seen; None where none tells a chance
    of a week."""
    levels = levels_in_use(workspace.store, schema.name, target.name)
    by_week: dict[str, Prediction] = {}
    for one in predictions:
        answer = said_about(one, target)
        if one.period and is_week(one.period) and answer is not None and answer.below_pass is not None:
            by_week.setdefault(one.period, one)
    if not by_week:
        return None
    weeks, ranges_by = list[AnsweredWeek](), dict[str, ChanceRanges | None]()
    for name in sorted(by_week):
        answer = said_about(by_week[name], target)
        if answer is not None and answer.below_pass is not None:
            if answer.model not in ranges_by:
                ranges_by[answer.model] = kept_ranges(workspace, answer.model)
            risk, risks = answer.below_pass, risks_of(answer, target)
            ranges = ranges_of(ranges_by[answer.model], risks)
            weeks.append(AnsweredWeek(name, risk, risks, levels.level_of(risk), ranges))
    newest = by_week[weeks[-1].week]
    before = (weeks[-2].week, by_week[weeks[-2].week].inputs) if len(weeks) > 1 else None
    factors, since = moved_by(workspace.service, schema, target, newest, before)
    policy = policy_in_use(workspace.store, schema.name, target.name)
    events = _events(workspace, schema, student, weeks[-1].week)
    seen = [one for one in events if groups is None or one.school in groups]
    return WeeksSeen(weeks, seen, factors, since, policy)


def ranges_said(workspace: Workspace, target: Target, answer: Answer) -> dict[int, Range]:
    """By weeks of the horizon where the true chance of all who are answered so lies, by the model that answered."""
    risks = risks_of(answer, target)
    return ranges_of(kept_ranges(workspace, answer.model), risks) if risks else {}


def kept_ranges(workspace: Workspace, version: str) -> ChanceRanges | None:
    """What a model keeps of its chances, though it serves no more; None where it is gone."""
    for serving in workspace.champions.loaded.values():
        if serving.predictor.version == version:
            return serving.predictor.manifest.chance_ranges
    with suppress(MissingArtifact, CorruptArtifact, BrokenBundle):
        return load_bundle(workspace.artifacts, version).manifest.chance_ranges
    return None


def _events(workspace: Workspace, schema: DomainSchema, student: str, week: str) -> list[WeekOfEvents]:
    """What happened to a student up to the end of a week."""
    observed = workspace.weeks.of(schema.name)
    day = next((end for year in observed.calendar().years if (end := _end_of(year, week)) is not None), None)
    return [] if day is None else observed.course(student, day)


def _end_of(year: SchoolYear, week: str) -> date | None:
    """The last day of the week of that name, where it is one of the year."""
    name, _, number = week.rpartition(" W")
    return year.start + timedelta(days=7 * int(number) + 6) if name == year.name else None

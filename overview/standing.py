"""How the answers of the models in use turned out, and what trials have shown, measured once after each upload of
outcomes and kept: the figures behind conditions.

It measures with what `monitoring` measures with, and says nothing in words.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime, timedelta
from time import monotonic
from typing import Any, NamedTuple, TypeVar
from weakref import WeakKeyDictionary

import msgspec
import numpy as np

from clock import now
from database.errors import Conflict
from database.layout import DAY_MICROS, calendar_day, instant
from database.read_only import ReadOnly
from database.records import Document
from database.store import MADE_IN_PASSING, RecordStore
from model.naive import RULE
from model.registry import Serving
from model.scores import Estimate, absolute_errors, mean_with_interval
from model.trial import Trial
from model.workspace import Workspace
from monitoring.evidence import EvidenceColumns, evidence_among
from monitoring.evidence_archive import EvidenceArchive, Selection
from monitoring.performance import ENOUGH_OUTCOMES, ModelPerformance, measure_models, share_inside, tellable
from monitoring.sampling import endings_of
from monitoring.trial_report import TrialReport, report_trial
from preprocessing.schema import DomainSchema, Target

T = TypeVar("T")
STANDING_KIND = "standing"
"""The kind of the documents in which figures are kept."""

LOOKED_BACK = timedelta(days=365)
"""Answers of so long ago that no outcome is waited for any more."""
WEEKS_TOLD = 12
FROM_MONDAY = 3  # days from a Monday to the day 0 of databases, a Thursday
DECIDED = 200  # students with outcomes after whom a trial that shows no difference may end
PASSING_SECONDS = 10.0
TRIED_ROWS = 4_000
"""Predictions of a trial, drawn at random, that its verdict is looked for in."""


class WeekMiss(msgspec.Struct, frozen=True):
    """The mean error of n answers of the week that began on `start`, whichever model gave them; None of too few
    students to be told."""

    start: date
    n: int
    mae: float | None


class AnswerStanding(msgspec.Struct, frozen=True, kw_only=True):
    """The answers at one moment whose outcomes are known: of the model in use alone, but for `weeks`, the newest twelve
    that there are, the oldest first, and `models`, of each that answered.

    n, students: of which the plain rule said something, too. answered: all answers at the moment whose outcome is
    known, whatever they show. gain: how much nearer the answers were to these outcomes than the rule, on average, in
    `unit`; mae, naive_mae: their mean errors; None where the model is that rule, or too few are known. covered: the
    share of outcomes within the stated `ranges`, which should be `stated`. since: of the first answer. What is told of
    ENOUGH_OUTCOMES students or more is None of fewer.
    """

    moment: str
    version: str
    n: int
    students: int
    answered: int
    since: datetime | None
    unit: str
    weeks: tuple[WeekMiss, ...] = ()
    models: tuple[ModelPerformance, ...] = ()
    mae: float | None = None
    naive_mae: float | None = None
    ranges: int = 0
    gain: Estimate | None = None
    covered: Estimate | None = None
    stated: float | None = None

    @property
    def promise_broken(self) -> bool:
        """Whether fewer outcomes lie within the stated ranges than promised, and not by chance."""
        return self.covered is not None and self.stated is not None and self.covered.high < self.stated


def standings_of(
    workspace: Workspace, schema: DomainSchema, target: Target, groups: Collection[str] | None = None
) -> list[AnswerStanding]:
    """Of each moment at which a model of real records answers about the target. groups: of these alone."""
    serving = {
        key.moment: one
        for key, one in workspace.champions.loaded.items()
        if (key.domain, key.target) == (schema.name, target.name)
    }
    if not serving:
        return []
    if groups is not None:
        return _measure_all(workspace, schema, target, serving, groups)[0]
    day = now().date().isoformat()
    made_of = [[moment, one.predictor.version] for moment, one in sorted(serving.items())]
    return _remembered(
        workspace,
        schema.name,
        f"{schema.name}/{target.name}",
        [day, made_of, list(AnswerStanding.__struct_fields__)],  # what another version kept is measured anew
        lambda: _measure_all(workspace, schema, target, serving, None),
        list[AnswerStanding],
    )


def _measure_all(
    workspace: Workspace,
    schema: DomainSchema,
    target: Target,
    serving: Mapping[str, Serving],
    groups: Collection[str] | None,
) -> tuple[list[AnswerStanding], bool]:
    """And whether that is all there is: else outcomes wait to be counted."""
    asked = Selection(since=now() - LOOKED_BACK, groups=None if groups is None else sorted(groups))
    seen = EvidenceArchive(workspace.store, schema, workspace.learned).seen(target, asked, MADE_IN_PASSING)
    counted, _ = evidence_among(seen.found)
    known = counted.take(counted.answered)
    found = [
        _measure(target, moment, one, known, answered=seen.found.at_moment(moment).n) for moment, one in serving.items()
    ]
    return found, not seen.behind


def _measure(target: Target, moment: str, serving: Serving, known: EvidenceColumns, *, answered: int) -> AnswerStanding:
    wanted = (moment, serving.predictor.version)
    rows = known.take(np.array([one == wanted for one in known.kinds] or [False])[known.kind])
    both = rows.take(~np.isnan(rows.naive))
    errors, naive = (absolute_errors(both.truth, said) for said in (both.said, both.naive))
    told = rows.take(~np.isnan(rows.low) & (np.nan_to_num(rows.coverage) > 0))
    promised = told.students >= ENOUGH_OUTCOMES
    is_rule = serving.predictor.manifest.candidate == RULE
    compared = both.students >= ENOUGH_OUTCOMES and not is_rule
    return AnswerStanding(
        moment=moment,
        version=serving.predictor.version,
        n=both.n,
        students=both.students,
        answered=answered,
        since=instant(int(rows.at[0])) if rows.n else None,
        unit="levels" if target.levels else target.unit,
        weeks=_weeks(known.at_moment(moment)),
        models=measure_models(known.at_moment(moment)),
        mae=float(errors.mean()) if compared else None,
        naive_mae=float(naive.mean()) if compared else None,
        gain=mean_with_interval(naive - errors, both.clusters) if compared else None,
        ranges=told.n,
        covered=share_inside(told) if promised else None,
        stated=float(told.coverage.mean()) if promised else None,
    )


def _weeks(known: EvidenceColumns) -> tuple[WeekMiss, ...]:
    monday = (known.at // DAY_MICROS + FROM_MONDAY) // 7
    weeks = np.unique(monday)[-WEEKS_TOLD:].tolist()
    parts = [known.take(monday == week) for week in weeks]
    told = tellable([part.students for part in parts])
    return tuple(
        WeekMiss(
            start=calendar_day(week * 7 - FROM_MONDAY),
            n=part.n,
            mae=float(absolute_errors(part.truth, part.said).mean()) if one else None,
        )
        for week, part, one in zip(weeks, parts, told, strict=True)
    )


def trial_standing(workspace: Workspace, schema: DomainSchema, trial: Trial) -> TrialReport:
    """What a running trial has shown, of so many of its predictions as can be looked at in passing."""

    def look() -> tuple[TrialReport, bool]:
        total = workspace.store.count_predictions(schema.name, since=trial.started)
        some = endings_of(total, TRIED_ROWS)
        return report_trial(workspace.store, schema, trial, learned=workspace.learned, endings=some), True

    return _remembered(workspace, schema.name, f"trial {trial.id}", [], look, TrialReport)


def waits_for_decision(report: TrialReport) -> bool:
    """Whether a trial has shown what it can: a difference, or none after enough students."""
    students = min(report.champion.students, report.challenger.students)
    if report.gain is None or report.verdict == "not enough data":
        return False
    return report.verdict != "no difference seen" or students >= DECIDED


class _Passing(NamedTuple):
    """What was found before all days were counted, of the same `known`; good `until` then, by the monotonic clock."""

    known: list[Any]
    until: float
    found: Any


_PASSING: "WeakKeyDictionary[RecordStore, dict[str, _Passing]]" = WeakKeyDictionary()


def _remembered(
    workspace: Workspace,
    domain: str,
    name: str,
    made_of: Sequence[Any],
    measure: Callable[[], tuple[T, bool]],
    kind: type[T],
) -> T:
    """What `measure` gives, or what is kept of it while no outcome came since and it was made of the same. Where that
    is not all yet, what was kept before, if anything was; then it is measured once for all that one page asks."""
    newest = workspace.store.changes(domain).newest  # before anything is read: what comes meanwhile is measured anew
    known = [newest, *made_of]
    kept = workspace.store.document(STANDING_KIND, name)
    if kept is not None and kept.body["made of"] == known:
        return msgspec.convert(kept.body["found"], kind)
    passing = _PASSING.setdefault(workspace.store, {})
    if (last := passing.get(name)) and last.known == known and monotonic() < last.until:
        return msgspec.convert(last.found, kind)
    found, whole = measure()
    if not whole:
        partly = msgspec.to_builtins(found) if kept is None else kept.body["found"]
        passing[name] = _Passing(known, monotonic() + PASSING_SECONDS, partly)
        return msgspec.convert(partly, kind)
    passing.pop(name, None)
    body = {"made of": known, "found": msgspec.to_builtins(found)}
    revision = 1 if kept is None else kept.revision + 1
    with suppress(Conflict, ReadOnly):  # another process has measured the same, or nothing is kept
        workspace.store.put_document(
            Document(kind=STANDING_KIND, name=name, revision=revision, at=now(), domain=domain, body=body)
        )
    return found

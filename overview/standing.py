"""How the answers of the models in use turned out, and what trials have shown, measured once after each upload of
outcomes and kept: the figures behind conditions.

It measures with what `monitoring` measures with, and says nothing in words.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, TypeVar

import msgspec
import numpy as np

from database.errors import Conflict
from database.layout import instant
from database.records import Document, now
from model.naive import RULE
from model.registry import Serving
from model.scores import Estimate, absolute_errors, mean_with_interval
from model.trial import Trial
from model.workspace import Workspace
from monitoring.evidence import EvidenceColumns, evidence_among
from monitoring.evidence_archive import EvidenceArchive, Selection
from monitoring.performance import ENOUGH_OUTCOMES, share_inside
from monitoring.sampling import endings_of
from monitoring.trial_report import TrialReport, report_trial
from preprocessing.schema import DomainSchema, Target

T = TypeVar("T")
STANDING_KIND = "standing"
"""The kind of the documents in which figures are kept."""

LOOKED_BACK = timedelta(days=365)
TRIED_ROWS = 4_000
"""Predictions of a trial, drawn at random, that its verdict is looked for in."""


class AnswerStanding(msgspec.Struct, frozen=True, kw_only=True):
    """The answers of the model in use at one moment, of ENOUGH_OUTCOMES students or more whose outcomes are known.

    n, students: of which the plain rule said something, too. gain: how much nearer the answers were to these outcomes
    than the rule, on average, in `unit`; mae, naive_mae: their mean errors; None where the model is that rule, or too
    few are known. covered: the share of outcomes within the stated `ranges`, which should be `stated`. since: of the
    first answer.
    """

    moment: str
    version: str
    n: int
    students: int
    since: datetime
    unit: str
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
        return _measure_all(workspace, schema, target, serving, groups)
    day = now().date().isoformat()
    made_of = [[moment, one.predictor.version] for moment, one in sorted(serving.items())]
    return _remembered(
        workspace,
        schema.name,
        f"{schema.name}/{target.name}",
        [day, made_of],
        lambda: _measure_all(workspace, schema, target, serving, None),
        list[AnswerStanding],
    )


def _measure_all(
    workspace: Workspace,
    schema: DomainSchema,
    target: Target,
    serving: Mapping[str, Serving],
    groups: Collection[str] | None,
) -> list[AnswerStanding]:
    asked = Selection(since=now() - LOOKED_BACK, groups=None if groups is None else sorted(groups))
    matched = EvidenceArchive(workspace.store, schema, workspace.learned).matched(target, asked)
    counted, _ = evidence_among(matched)
    known = counted.take(counted.answered)
    found = (_measure(target, moment, one, known) for moment, one in serving.items())
    return [one for one in found if one is not None]


def _measure(target: Target, moment: str, serving: Serving, known: EvidenceColumns) -> AnswerStanding | None:
    wanted = (moment, serving.predictor.version)
    rows = known.take(np.array([one == wanted for one in known.kinds] or [False])[known.kind])
    if rows.students < ENOUGH_OUTCOMES:
        return None
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
        since=instant(int(rows.at[0])),
        unit="levels" if target.levels else target.unit,
        mae=float(errors.mean()) if compared else None,
        naive_mae=float(naive.mean()) if compared else None,
        gain=mean_with_interval(naive - errors, both.clusters) if compared else None,
        ranges=told.n,
        covered=share_inside(told) if promised else None,
        stated=float(told.coverage.mean()) if promised else None,
    )


def trial_standing(workspace: Workspace, schema: DomainSchema, trial: Trial) -> TrialReport:
    """What a running trial has shown, of so many of its predictions as can be looked at in passing."""

    def look() -> TrialReport:
        total = workspace.store.count_predictions(schema.name, since=trial.started)
        some = endings_of(total, TRIED_ROWS)
        return report_trial(workspace.store, schema, trial, learned=workspace.learned, endings=some)

    return _remembered(workspace, schema.name, f"trial {trial.id}", [], look, TrialReport)


def _remembered(
    workspace: Workspace, domain: str, name: str, made_of: Sequence[Any], measure: Callable[[], T], kind: type[T]
) -> T:
    """What `measure` gives, or what is kept of it while no outcome came since and it was made of the same."""
    newest = workspace.store.changes(domain).newest  # before anything is read: what comes meanwhile is measured anew
    known = [newest, *made_of]
    kept = workspace.store.document(STANDING_KIND, name)
    if kept is not None and kept.body["made of"] == known:
        return msgspec.convert(kept.body["found"], kind)
    found = measure()
    body = {"made of": known, "found": msgspec.to_builtins(found)}
    revision = 1 if kept is None else kept.revision + 1
    with suppress(Conflict):  # another process has measured the same
        workspace.store.put_document(
            Document(kind=STANDING_KIND, name=name, revision=revision, at=now(), domain=domain, body=body)
        )
    return found

"""How far logged answers were from what happened, beside the plain rule on the very same rows.

It counts matched predictions; it judges no challenger, knows no store and changes nothing.
"""

from collections.abc import Sequence
from typing import Literal

import msgspec
import numpy as np

from database.pairs import LeftOut
from model.scores import Estimate, absolute_errors, mean_with_interval
from monitoring.evidence import EvidenceColumns
from preprocessing.schema import Target

ENOUGH_OUTCOMES = 30  # students, from which there is a verdict
FEWEST_TOLD = 10  # students of whom a mean is told: of fewer, it and what was told before would give one of them away
Verdict = Literal["better than the plain rule", "no better than the plain rule", "worse than the plain rule",
                  "not enough data"]  # fmt: skip


class ModelPerformance(msgspec.Struct, frozen=True, kw_only=True):
    """The answers of one model at one moment. students, mae, naive_mae: as in TargetPerformance."""

    model: str
    moment: str
    n: int
    students: int
    mae: Estimate | None = None
    naive_mae: Estimate | None = None


class TargetPerformance(msgspec.Struct, frozen=True, kw_only=True):
    """One target's answers against its outcomes, n of them, of `students` students: those that are evidence
    (`database.pairs.evidence`); left_out: the others, by reason.

    Errors are mean absolute errors in `unit` (levels for classes), with 95 % intervals that resample whole `clusters`
    (`EvidenceColumns.clusters`); None below FEWEST students. unanswered: predictions with an outcome that were given no
    answer, for want of inputs; they count nowhere else. bias: mean of answer - outcome. gain: naive_mae - mae.
    accuracy: share of right classes. covered: share of outcomes within the stated interval, which should be `coverage`.
    models: the most answers first.
    """

    target: str
    unit: str
    n: int
    students: int
    clusters: int
    verdict: Verdict
    unanswered: int = 0
    mae: Estimate | None = None
    naive_mae: Estimate | None = None
    gain: Estimate | None = None
    bias: Estimate | None = None
    accuracy: Estimate | None = None
    covered: Estimate | None = None
    coverage: float | None = None
    models: tuple[ModelPerformance, ...] = ()
    left_out: LeftOut = LeftOut()

    @property
    def falls_short(self) -> bool:
        """Whether fewer outcomes lie within the stated intervals than promised, and not by chance."""
        return self.covered is not None and self.coverage is not None and self.covered.high < self.coverage


def measure_target(target: Target, matched: EvidenceColumns, left_out: LeftOut = LeftOut()) -> TargetPerformance:  # noqa: B008 (frozen)
    """The performance of the answers about `target` in `matched`, which are evidence.

    >>> from monitoring.evidence import columns_of
    >>> measure_target(Target(name="mark"), columns_of(Target(name="mark"), [])).verdict
    'not enough data'
    """
    given, matched = matched.n, matched.take(matched.answered)
    clusters, students = matched.clusters, matched.students
    found = TargetPerformance(
        target=target.name,
        unit=target.unit if target.kind == "value" else "levels",
        n=matched.n,
        students=students,
        clusters=len(np.unique(clusters)),
        verdict="not enough data",
        unanswered=given - matched.n,
        models=measure_models(matched),
        left_out=left_out,
    )
    if students < FEWEST_TOLD:
        return found
    errors, naive_errors = (absolute_errors(matched.truth, said) for said in (matched.said, matched.naive))
    gain = mean_with_interval(naive_errors - errors, clusters)
    right = mean_with_interval((errors == 0).astype(np.float64), clusters) if target.kind == "ordered_class" else None
    promised = matched.coverage[~np.isnan(matched.coverage)]
    return msgspec.structs.replace(
        found,
        verdict=_verdict(gain, students),
        mae=mean_with_interval(errors, clusters),
        naive_mae=mean_with_interval(naive_errors, clusters),
        gain=gain,
        bias=mean_with_interval(matched.said - matched.truth, clusters),
        accuracy=right,
        covered=_covered(matched),
        coverage=float(promised[-1]) if len(promised) else None,
    )


def _covered(matched: EvidenceColumns) -> Estimate | None:
    """The share of outcomes within the interval that was stated with the answer, where one was."""
    told = matched.take(~np.isnan(matched.low))
    return None if told.students < FEWEST_TOLD else share_inside(told)


def share_inside(told: EvidenceColumns) -> Estimate:
    """The share of outcomes within the intervals, which all have."""
    inside = (told.low <= told.truth) & (told.truth <= told.high)
    return mean_with_interval(inside.astype(np.float64), told.clusters)


def measure_models(matched: EvidenceColumns) -> tuple[ModelPerformance, ...]:
    """Of each model at each moment, those with the most answers first; of too few students no mean is told."""
    numbers = np.unique(matched.kind).tolist()
    parts = [matched.take(matched.kind == number) for number in numbers]
    told = tellable([part.students for part in parts])
    found = [
        _of_model(matched.kinds[number], part, told=one) for number, part, one in zip(numbers, parts, told, strict=True)
    ]
    return tuple(sorted(found, key=lambda one: -one.n))


def tellable(students: Sequence[int], among: Sequence[bool] | None = None) -> list[bool]:
    """Of which parts of a whole a mean may be told: of those with FEWEST_TOLD students or more, and not of all but a
    few students, whom the whole and the others would give away. among: parts of which anything may be told.

    >>> tellable([40, 12, 3]), tellable([40, 12, 3, 9]), tellable([40, 12, 0], [True, True, False])
    ([True, False, False], [True, True, False, False], [True, False, False])
    """
    told = [count >= FEWEST_TOLD and one for count, one in zip(students, among or [True] * len(students), strict=True)]
    while not all(told) and any(told):
        if sum(count for count, one in zip(students, told, strict=True) if not one) >= FEWEST_TOLD:
            break
        told[min((count, place) for place, count in enumerate(students) if told[place])[1]] = False
    return told


def _of_model(kind: tuple[str, str], part: EvidenceColumns, *, told: bool) -> ModelPerformance:
    moment, model = kind
    found = ModelPerformance(model=model, moment=moment, n=part.n, students=part.students)
    if not told:
        return found
    clusters = part.clusters
    errors = [mean_with_interval(absolute_errors(part.truth, said), clusters) for said in (part.said, part.naive)]
    return msgspec.structs.replace(found, mae=errors[0], naive_mae=errors[1])


def _verdict(gain: Estimate, students: int) -> Verdict:
    if students < ENOUGH_OUTCOMES or gain.flat:
        return "not enough data"
    if gain.low > 0:
        return "better than the plain rule"
    return "worse than the plain rule" if gain.high < 0 else "no better than the plain rule"

"""How far logged answers were from what happened, beside the naive rule on the very same rows.

It reads matched predictions and counts; it judges no challenger and changes nothing.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from database.records import Answer, Outcome, Prediction
from database.store import PredictionLog
from model.scores import Estimate, absolute_errors, as_numbers, mean_with_interval
from preprocessing.schema import DomainSchema, Target

Floats = NDArray[np.float64]

ENOUGH = 30  # matched predictions from which an interval by resampling means something
Verdict = Literal["better than the naive rule", "no better than the naive rule", "worse than the naive rule",
                  "not enough data"]  # fmt: skip


class ModelPerformance(msgspec.Struct, frozen=True, kw_only=True):
    """The answers of one model at one moment. mae, naive_mae: as in TargetPerformance."""

    model: str
    moment: str
    n: int
    mae: Estimate
    naive_mae: Estimate


class TargetPerformance(msgspec.Struct, frozen=True, kw_only=True):
    """One target's answers against its outcomes, n of them, of `students` students.

    Errors are mean absolute errors in `unit` (levels for classes), with 95 % intervals that resample whole students;
    None below two students. unanswered: predictions with an outcome that were given no answer, for want of inputs; they
    count nowhere else. bias: mean of answer - outcome. gain: naive_mae - mae. accuracy: share of right classes.
    covered: share of outcomes within the stated interval, which should be `coverage`. models: the most answers first.
    """

    target: str
    unit: str
    n: int
    students: int
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


class DomainPerformance(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of each target, in the order of the schema."""

    domain: str
    since: datetime | None
    targets: tuple[TargetPerformance, ...]


def measure(
    log: PredictionLog,
    schema: DomainSchema,
    targets: Sequence[str] | None = None,
    *,
    since: datetime | None = None,
    limit: int | None = None,
) -> DomainPerformance:
    """The performance of each of `targets` (all by default).

    since: of predictions from then on. limit: the newest so many matched predictions per target. Raises KeyError for
    a target that the schema does not have.
    """
    chosen = [schema.target_by_name[name] for name in targets or schema.target_by_name]
    found = [
        measure_target(target, log.matched(schema.name, target.name, since=since, limit=limit)) for target in chosen
    ]
    return DomainPerformance(domain=schema.name, since=since, targets=tuple(found))


def measure_target(target: Target, matched: Sequence[tuple[Prediction, Outcome]]) -> TargetPerformance:
    """The performance of the answers about `target` in `matched`.

    >>> measure_target(Target(name="mark"), []).verdict
    'not enough data'
    """
    unit = target.unit if target.kind == "value" else "levels"
    given, matched = len(matched), [pair for pair in matched if _answer(pair[0], target).value is not None]
    unanswered = given - len(matched)
    clusters = _clusters([prediction for prediction, _ in matched])
    n, students = len(matched), len(np.unique(clusters))
    if students < 2:  # an interval is made of how students differ
        return TargetPerformance(
            target=target.name, unit=unit, n=n, students=students, verdict="not enough data", unanswered=unanswered
        )
    answers = [_answer(prediction, target) for prediction, _ in matched]
    truth = as_numbers([outcome.value for _, outcome in matched], target.levels)
    said = as_numbers([answer.value for answer in answers if answer.value is not None], target.levels)
    naive = absolute_errors(truth, as_numbers([answer.naive for answer in answers], target.levels))
    errors = absolute_errors(truth, said)
    gain = mean_with_interval(naive - errors, clusters)
    return TargetPerformance(
        target=target.name,
        unit=unit,
        n=n,
        students=students,
        verdict=_verdict(gain, students),
        unanswered=unanswered,
        mae=mean_with_interval(errors, clusters),
        naive_mae=mean_with_interval(naive, clusters),
        gain=gain,
        bias=mean_with_interval(said - truth, clusters),
        accuracy=mean_with_interval((errors == 0).astype(np.float64), clusters)
        if target.kind == "ordered_class"
        else None,
        covered=_covered(answers, truth, clusters),
        coverage=next((answer.coverage for answer in answers if answer.coverage is not None), None),
        models=_by_model([p.moment for p, _ in matched], answers, errors, naive, clusters),
    )


def _answer(prediction: Prediction, target: Target) -> Answer:
    return next(answer for answer in prediction.answers if answer.target == target.name)


def _clusters(predictions: Sequence[Prediction]) -> NDArray[np.int64]:
    """A number per student; a prediction without a student is one of its own."""
    names = [prediction.student or prediction.id for prediction in predictions]
    return np.asarray(np.unique(names, return_inverse=True)[1], dtype=np.int64)


def _covered(answers: Sequence[Answer], truth: Floats, clusters: NDArray[np.int64]) -> Estimate | None:
    """The share of outcomes within the interval that was stated with the answer, where one was."""
    stated = [place for place, answer in enumerate(answers) if answer.interval is not None]
    if not stated:
        return None
    ends = np.array([answers[place].interval for place in stated], dtype=np.float64)
    inside = (ends[:, 0] <= truth[stated]) & (truth[stated] <= ends[:, 1])
    return mean_with_interval(inside.astype(np.float64), clusters[stated])


def _by_model(
    moments: Sequence[str], answers: Sequence[Answer], errors: Floats, naive: Floats, clusters: NDArray[np.int64]
) -> tuple[ModelPerformance, ...]:
    keys = [(answer.model, moment) for answer, moment in zip(answers, moments, strict=True)]
    found = []
    for key in dict.fromkeys(keys):
        mine = np.array([other == key for other in keys])
        mae, naive_mae = (
            mean_with_interval(errors[mine], clusters[mine]),
            mean_with_interval(naive[mine], clusters[mine]),
        )
        found.append(ModelPerformance(model=key[0], moment=key[1], n=int(mine.sum()), mae=mae, naive_mae=naive_mae))
    return tuple(sorted(found, key=lambda one: -one.n))


def _verdict(gain: Estimate, students: int) -> Verdict:
    if students < ENOUGH:
        return "not enough data"
    if gain.low > 0:
        return "better than the naive rule"
    return "worse than the naive rule" if gain.high < 0 else "no better than the naive rule"

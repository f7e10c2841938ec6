"""How far logged answers were from what happened, beside the plain rule on the very same rows.

It reads matched predictions and counts; it judges no challenger and changes nothing.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from database.pairs import Counted, Learned, LeftOut, Pair, evidence
from database.records import Answer, Prediction
from database.store import PredictionLog
from model.scores import Estimate, Integers, absolute_errors, as_numbers, mean_with_interval
from preprocessing.schema import DomainSchema, Target

Floats = NDArray[np.float64]

ENOUGH_OUTCOMES = 30  # students, from which there is a verdict
FEWEST_TOLD = 10  # students of whom a mean is told: of fewer, it and what was told before would give one of them away
FEW_GROUPS = 10  # below which groups tell nothing about chance, and students count instead
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
    (`clusters_of`); None below FEWEST students. unanswered: predictions with an outcome that were given no answer, for
    want of inputs; they count nowhere else. bias: mean of answer - outcome. gain: naive_mae - mae. accuracy: share of
    right classes. covered: share of outcomes within the stated interval, which should be `coverage`. models: the most
    answers first.
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
    learned: Learned,
    since: datetime | None = None,
    limit: int | None = None,
    groups: Sequence[str] | None = None,
) -> DomainPerformance:
    """The performance of each of `targets` (all by default).

    learned: what models learned from. since: of predictions from then on. limit: the newest so many predictions with an
    outcome per target. groups: of these groups only. Raises KeyError for a target that the schema does not have.
    """
    chosen = [schema.target_by_name[name] for name in targets or schema.target_by_name]
    found = []
    for target in chosen:
        matched = log.pairs(schema.name, target.name, since=since, limit=limit, groups=groups)
        found.append(measure_target(target, *evidence_of(target.name, matched, learned)))
    return DomainPerformance(domain=schema.name, since=since, targets=tuple(found))


def evidence_of(target: str, found: Sequence[Pair], learned: Learned) -> Counted:
    """Those of `found` that say something of how good the answers about `target` were."""
    return evidence(found, lambda asked: [one.model for one in asked.answers if one.target == target], learned)


def measure_target(target: Target, matched: Sequence[Pair], left_out: LeftOut = LeftOut()) -> TargetPerformance:  # noqa: B008 (frozen)
    """The performance of the answers about `target` in `matched`, which are evidence.

    >>> measure_target(Target(name="mark"), []).verdict
    'not enough data'
    """
    given, matched = len(matched), [pair for pair in matched if _answer(pair.prediction, target).value is not None]
    predictions = [pair.prediction for pair in matched]
    clusters, students = clusters_of(predictions), count_students(predictions)
    found = TargetPerformance(
        target=target.name,
        unit=target.unit if target.kind == "value" else "levels",
        n=len(matched),
        students=students,
        clusters=len(np.unique(clusters)),
        verdict="not enough data",
        unanswered=given - len(matched),
        models=_by_model(target, matched),
        left_out=left_out,
    )
    if students < FEWEST_TOLD:
        return found
    answers = [_answer(prediction, target) for prediction in predictions]
    truth, said, naive = _numbers(target, matched)
    errors, naive_errors = absolute_errors(truth, said), absolute_errors(truth, naive)
    gain = mean_with_interval(naive_errors - errors, clusters)
    right = mean_with_interval((errors == 0).astype(np.float64), clusters) if target.kind == "ordered_class" else None
    return msgspec.structs.replace(
        found,
        verdict=_verdict(gain, students),
        mae=mean_with_interval(errors, clusters),
        naive_mae=mean_with_interval(naive_errors, clusters),
        gain=gain,
        bias=mean_with_interval(said - truth, clusters),
        accuracy=right,
        covered=_covered(answers, truth, predictions),
        coverage=next((answer.coverage for answer in answers if answer.coverage is not None), None),
    )


def clusters_of(predictions: Sequence[Prediction]) -> Integers:
    """(n,) what errors may have in common, and intervals resample whole: a number per group and period where there are
    ten groups or more, else per student, else per prediction."""
    students = [_student(one) for one in predictions]
    groups = [
        f"{one.group}\x1f{one.period}" if one.group else f"\x1f{own}"
        for one, own in zip(predictions, students, strict=True)
    ]
    names = groups if any(one.group for one in predictions) and len(set(groups)) >= FEW_GROUPS else students
    return np.asarray(np.unique(names, return_inverse=True)[1], dtype=np.int64) if names else np.empty(0, np.int64)


def count_students(predictions: Sequence[Prediction]) -> int:
    """How many students `predictions` are of; one without a student is of one of its own."""
    return len({_student(one) for one in predictions})


def _student(prediction: Prediction) -> str:
    return prediction.student or prediction.id


def _answer(prediction: Prediction, target: Target) -> Answer:
    return next(answer for answer in prediction.answers if answer.target == target.name)


def _numbers(target: Target, matched: Sequence[Pair]) -> tuple[Floats, Floats, Floats]:
    """(n,) outcomes, answers and naive answers of answered predictions, as numbers."""
    answers = [_answer(pair.prediction, target) for pair in matched]
    return (
        as_numbers([pair.outcome.value for pair in matched], target.levels),
        as_numbers([answer.value for answer in answers if answer.value is not None], target.levels),
        as_numbers([answer.naive for answer in answers if answer.naive is not None], target.levels),
    )


def _covered(answers: Sequence[Answer], truth: Floats, predictions: Sequence[Prediction]) -> Estimate | None:
    """The share of outcomes within the interval that was stated with the answer, where one was."""
    stated = [place for place, answer in enumerate(answers) if answer.interval is not None]
    told = [predictions[place] for place in stated]
    if count_students(told) < FEWEST_TOLD:
        return None
    ends = np.array([answers[place].interval for place in stated], dtype=np.float64)
    inside = (ends[:, 0] <= truth[stated]) & (truth[stated] <= ends[:, 1])
    return mean_with_interval(inside.astype(np.float64), clusters_of(told))


def _by_model(target: Target, matched: Sequence[Pair]) -> tuple[ModelPerformance, ...]:
    parts: dict[tuple[str, str], list[Pair]] = defaultdict(list)
    for pair in matched:
        parts[_answer(pair.prediction, target).model, pair.prediction.moment].append(pair)
    told = tellable([count_students([pair.prediction for pair in part]) for part in parts.values()])
    found = [
        _of_model(target, model, moment, part, told=one)
        for ((model, moment), part), one in zip(parts.items(), told, strict=True)
    ]
    return tuple(sorted(found, key=lambda one: -one.n))


def tellable(students: Sequence[int]) -> list[bool]:
    """Of which parts of a whole a mean may be told: of those with FEWEST_TOLD students or more, and not of all but a
    few students, whom the whole and the others would give away.

    >>> tellable([40, 12, 3]), tellable([40, 12, 3, 9])
    ([True, False, False], [True, True, False, False])
    """
    told = [count >= FEWEST_TOLD for count in students]
    while 0 < sum(count for count, one in zip(students, told, strict=True) if not one) < FEWEST_TOLD and any(told):
        told[min((count, place) for place, count in enumerate(students) if told[place])[1]] = False
    return told


def _of_model(target: Target, model: str, moment: str, part: Sequence[Pair], *, told: bool) -> ModelPerformance:
    predictions = [pair.prediction for pair in part]
    found = ModelPerformance(model=model, moment=moment, n=len(part), students=count_students(predictions))
    if not told:
        return found
    (truth, said, naive), clusters = _numbers(target, part), clusters_of(predictions)
    errors = [mean_with_interval(absolute_errors(truth, answers), clusters) for answers in (said, naive)]
    return msgspec.structs.replace(found, mae=errors[0], naive_mae=errors[1])


def _verdict(gain: Estimate, students: int) -> Verdict:
    if students < ENOUGH_OUTCOMES or gain.flat:
        return "not enough data"
    if gain.low > 0:
        return "better than the plain rule"
    return "worse than the plain rule" if gain.high < 0 else "no better than the plain rule"

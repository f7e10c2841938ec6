"""How answers turned out over a look-back: errors, classes, promises, by version, moment and course, each with its n.

Figures of answers that are evidence (`database.pairs.evidence`); trends are `monitoring.error_timeline`'s.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from database.pairs import Learned, LeftOut, Pair, evidence
from database.records import Answer, Prediction
from database.store import PredictionLog
from model.scores import ClassScores, Estimate, ValueScores, as_numbers, mean_with_interval, score_classes, score_values
from monitoring.calibration import (
    ECE_BINS,
    PROMISE_LEVEL,
    ClassCalibration,
    Coverage,
    Reliability,
    calibrate_classes,
    chance_of_gaps,
    measure_coverage,
    reliability,
)
from monitoring.evidence import FEW_GROUPS
from monitoring.performance import FEWEST_TOLD, tellable
from preprocessing.schema import DomainSchema, Target

Floats = NDArray[np.float64]
Members = Sequence[tuple[Pair, Answer]]
Cut = Literal["all", "version", "moment", "course"]
CUTS: dict[Cut, Callable[[Pair, Answer], str | None]] = {
    "version": lambda _, answer: answer.model,
    "moment": lambda pair, _: pair.prediction.moment,
    "course": lambda pair, _: pair.prediction.group,
}
"""By what answers are told apart; None: of no course."""


class PassChance(msgspec.Struct, frozen=True, kw_only=True):
    """Of n answers with a chance of ending below the pass mark: said, the mean chance; happened, the share that ended
    there; gap, said less happened, with its interval; p_value: of such gaps, on the whole and in tenths, if what
    was said were true. bins: the same of answers with about the same chance (tenths), where that tells of no single
    student; `right` is what happened."""

    n: int
    said: float
    happened: float
    gap: Estimate
    p_value: float
    bins: tuple[Reliability, ...] = ()

    @property
    def kept(self) -> bool:
        """Whether chance alone explains the gap on the whole, and those in tenths."""
        return self.gap.low <= 0 <= self.gap.high and self.p_value > 1 - PROMISE_LEVEL


class FeedbackPart(msgspec.Struct, frozen=True, kw_only=True):
    """The n answers of one version, moment or course, or all of them, of `students` students.

    scores: MAE and RMSE of a value, accuracy and weighted F1 of a class, with 95 % intervals; None where there are
    fewer than the least number, or so few students that a figure would tell of one. coverage: of stated intervals;
    calibration: of probabilities; below_pass: of the chance below the pass mark.
    """

    by: Cut
    name: str
    n: int
    students: int
    scores: ValueScores | ClassScores | None = None
    coverage: Coverage | None = None
    calibration: ClassCalibration | None = None
    below_pass: PassChance | None = None


class TargetFeedback(msgspec.Struct, frozen=True, kw_only=True):
    """One target: all answers with an outcome, then parts of them. unanswered: rows that were given none; left_out:
    pairs that are no evidence, by reason. event: whether below the pass mark is where an event comes."""

    target: str
    unit: str
    enough: bool
    parts: tuple[FeedbackPart, ...]
    unanswered: int = 0
    left_out: LeftOut = LeftOut()
    event: bool = False


class Feedback(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the answers of a domain since then."""

    domain: str
    since: datetime
    fewest: int
    targets: tuple[TargetFeedback, ...]

    @property
    def enough(self) -> bool:
        """Whether there is enough to tell of every target that was asked about."""
        return all(one.enough for one in self.targets)


def feed_back(
    log: PredictionLog,
    schema: DomainSchema,
    targets: Sequence[str] | None = None,
    *,
    learned: Learned,
    since: datetime,
    fewest: int,
) -> Feedback:
    """What became of answers given since then. fewest: answers with an outcome from which there are figures. Raises
    KeyError for a target that the schema does not have."""
    chosen = [schema.target_by_name[name] for name in targets or schema.target_by_name]
    found = []
    for target in chosen:
        pairs = log.pairs(schema.name, target.name, since=since)
        counted = evidence(pairs, partial(_models_of, target.name), learned)
        found.append(_of_target(target, counted.pairs, counted.left_out, fewest))
    return Feedback(domain=schema.name, since=since, fewest=fewest, targets=tuple(found))


def _of_target(target: Target, pairs: Sequence[Pair], left_out: LeftOut, fewest: int) -> TargetFeedback:
    given = [(pair, answer) for pair in pairs for answer in pair.prediction.answers if answer.target == target.name]
    answered = [one for one in given if one[1].value is not None]
    parts = [_part(target, "all", "", answered, fewest, told=True)]
    for by, name_of in CUTS.items():
        members: dict[str, list[tuple[Pair, Answer]]] = defaultdict(list)
        for pair, answer in answered:
            members[name_of(pair, answer) or ""].append((pair, answer))
        names = sorted(members, key=lambda name: (-len(members[name]), name))
        told = tellable([count_students([pair.prediction for pair, _ in members[name]]) for name in names])
        named = [(name, one) for name, one in zip(names, told, strict=True) if name]
        parts += [_part(target, by, name, members[name], fewest, told=one) for name, one in named]
    return TargetFeedback(
        target=target.name,
        unit=target.unit if target.kind == "value" else "levels",
        enough=parts[0].scores is not None,
        parts=tuple(parts),
        unanswered=len(given) - len(answered),
        left_out=left_out,
        event=target.is_event,
    )


def _part(target: Target, by: Cut, name: str, members: Members, fewest: int, *, told: bool) -> FeedbackPart:
    predictions = [pair.prediction for pair, _ in members]
    students = count_students(predictions)
    part = FeedbackPart(by=by, name=name, n=len(members), students=students)
    if not told or len(members) < fewest or students < FEWEST_TOLD:
        return part
    answers, clusters = [answer for _, answer in members], clusters_of(predictions, target)
    truth = as_numbers([pair.outcome.value for pair, _ in members], target.levels)
    said = as_numbers([answer.value for answer in answers if answer.value is not None], target.levels)
    chance = _below_pass(target, members, truth, clusters)
    if target.kind == "value":
        scores, coverage = score_values(truth, said, clusters), _coverage(members, truth, clusters)
        return msgspec.structs.replace(part, scores=scores, coverage=coverage, below_pass=chance)
    shares = _shares(target, answers)
    levels = truth.astype(np.int64)
    return msgspec.structs.replace(
        part,
        scores=score_classes(levels, said.astype(np.int64), shares, target.levels, clusters),
        calibration=None if shares is None else calibrate_classes(levels, shares, clusters),
        below_pass=chance,
    )


def _coverage(members: Members, truth: Floats, clusters: NDArray[np.int64]) -> Coverage | None:
    """Of the intervals with the share that most were stated with."""
    stated = [answer.coverage for _, answer in members if answer.interval is not None and answer.coverage is not None]
    usual = max(set(stated), key=stated.count) if stated else None
    places = [place for place, (_, one) in enumerate(members) if one.interval is not None and one.coverage == usual]
    if usual is None or not _tellable(members, places):
        return None
    ends = np.array([members[place][1].interval for place in places], dtype=np.float64)
    inside = (ends[:, 0] <= truth[places]) & (truth[places] <= ends[:, 1])
    return measure_coverage(inside, usual, clusters[places])


def _tellable(members: Members, places: Sequence[int]) -> bool:
    """Whether a figure of these alone tells of no single student."""
    return count_students([members[place][0].prediction for place in places]) >= FEWEST_TOLD


def _shares(target: Target, answers: Sequence[Answer]) -> Floats | None:
    """(n, levels) probabilities, where all answers have them."""
    if any(answer.probabilities is None for answer in answers):
        return None
    return np.array([[(one.probabilities or {}).get(level, 0.0) for level in target.levels] for one in answers])


def _below_pass(target: Target, members: Members, truth: Floats, clusters: NDArray[np.int64]) -> PassChance | None:
    places = [place for place, (_, answer) in enumerate(members) if answer.below_pass is not None]
    if target.pass_mark is None or not _tellable(members, places):
        return None
    said = np.array([members[place][1].below_pass for place in places], dtype=np.float64)
    happened = (truth[places] < target.pass_mark).astype(np.float64)
    gap = mean_with_interval(said - happened, clusters[places])
    return PassChance(
        n=len(places),
        said=float(said.mean()),
        happened=float(happened.mean()),
        gap=gap,
        p_value=chance_of_gaps(said, happened, clusters[places]),
        bins=_by_chance(members, places, said, happened),
    )


def _by_chance(members: Members, places: Sequence[int], said: Floats, happened: Floats) -> tuple[Reliability, ...]:
    """Chances in tenths beside what happened."""
    tenth = np.minimum((said * ECE_BINS).astype(np.int64), ECE_BINS - 1)
    parts = [np.flatnonzero(tenth == one) for one in np.unique(tenth)]
    counts = [count_students([members[places[one]][0].prediction for one in part.tolist()]) for part in parts]
    told = tellable(counts)
    return tuple(reliability(said[part], happened[part]) for part, one in zip(parts, told, strict=True) if one)


def _models_of(target: str, asked: Prediction) -> list[str]:
    return [answer.model for answer in asked.answers if answer.target == target]


def clusters_of(predictions: Sequence[Prediction], target: Target) -> NDArray[np.int64]:
    """(n,) as `EvidenceColumns.clusters`."""
    students = [one.student or one.id for one in predictions]
    together = [
        f"{one.group}\x1f{one.period}" if one.group else f"\x1f{own}"
        for one, own in zip(predictions, students, strict=True)
    ]
    grouped = not target.within and any(one.group for one in predictions) and len(set(together)) >= FEW_GROUPS
    names = together if grouped else students
    return np.asarray(np.unique(names, return_inverse=True)[1], dtype=np.int64) if names else np.empty(0, np.int64)


def count_students(predictions: Sequence[Prediction]) -> int:
    """How many students `predictions` are of; one without a student is of one of its own."""
    return len({one.student or one.id for one in predictions})

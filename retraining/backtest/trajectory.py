"""How one strategy of a backtest fared: its steps, their scores, and what it gained on the same rows as others.

It measures answers against outcomes. Which strategy does what, and when, is `retraining.backtest.replay`'s.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from model.scores import (
    Estimate,
    interval_of_paired,
    score_classes,
    score_probabilities,
    score_values,
)
from preprocessing.schema import Target
from retraining.trigger import Verdict

Floats = NDArray[np.float64]
Kind = Literal["naive", "never", "always", "policy"]


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One strategy in one period. scores: by name, over `n` rows in `clusters` clusters, with 95 % intervals.

    learned_from: the last period that its champion has rows of. verdict: of drift within the period. proposed,
    retrained, tried (a challenger went into shadow), promoted: after its end, `reasons` saying why. gain: how much
    smaller its errors are than those of "never" and "always" on the same rows, by strategy and score.
    """

    period: str
    n: int
    clusters: int
    learned_from: str
    scores: dict[str, Estimate]
    gain: dict[str, dict[str, Estimate]] = {}
    verdict: Verdict | None = None
    drift: str = ""
    proposed: bool = False
    retrained: bool = False
    tried: bool = False
    promoted: bool = False
    reasons: tuple[str, ...] = ()


class Trajectory(msgspec.Struct, frozen=True, kw_only=True):
    """One strategy through all periods; scores and gain over all of their rows together."""

    name: str
    kind: Kind
    steps: tuple[Step, ...]
    n: int
    clusters: int
    scores: dict[str, Estimate]
    gain: dict[str, dict[str, Estimate]]
    alarms: int
    proposals: int
    retrainings: int
    trials: int
    promotions: int


@dataclass(frozen=True)
class Truth:
    """What happened in a period: outcomes as numbers, and the clusters that intervals resample whole, which have the
    same numbers in every period; both (n,)."""

    outcomes: Floats
    clusters: NDArray[np.int64]


@dataclass(frozen=True)
class Answers:
    """Answers in a period: numbers and absolute errors (n,), probabilities (n, levels) where there are any."""

    numbers: Floats
    errors: Floats
    probabilities: Floats | None = None


def make_step(target: Target, period: str, truth: Truth, answers: Answers, *, learned_from: str = "") -> Step:
    """A step of which only the answers are known."""
    return Step(
        period=period,
        n=len(truth.outcomes),
        clusters=len(np.unique(truth.clusters)),
        learned_from=learned_from,
        scores=score(target, truth, answers),
    )


def make_course(
    target: Target,
    name: str,
    kind: Kind,
    steps: Sequence[Step],
    truths: Sequence[Truth],
    answers: Sequence[Answers],
    bases: Mapping[str, Sequence[Answers]],
) -> Trajectory:
    """The course, period by period and over all rows. bases: the answers of those it is compared with, by name."""
    compared = {base: theirs for base, theirs in bases.items() if base != name}
    whole, said = _together(truths), _joined(answers)
    return Trajectory(
        name=name,
        kind=kind,
        steps=tuple(
            msgspec.structs.replace(
                step, gain={base: gain(truth, theirs[i], answers[i]) for base, theirs in compared.items()}
            )
            for i, (step, truth) in enumerate(zip(steps, truths, strict=True))
        ),
        n=len(whole.outcomes),
        clusters=len(np.unique(whole.clusters)),
        scores=score(target, whole, said),
        gain={base: gain(whole, _joined(theirs), said) for base, theirs in compared.items()},
        alarms=sum(step.verdict == "alarm" for step in steps),
        proposals=sum(step.proposed for step in steps),
        retrainings=sum(step.retrained for step in steps),
        trials=sum(step.tried for step in steps),
        promotions=sum(step.promoted for step in steps),
    )


def score(target: Target, truth: Truth, answers: Answers) -> dict[str, Estimate]:
    """The product's own scores by name, MAE first."""
    groups = truth.clusters
    if target.kind == "value":
        values = score_values(truth.outcomes, answers.numbers, groups)
        return {"MAE": values.mae, "RMSE": values.rmse, "R²": values.r2}
    levels = truth.outcomes.astype(np.int64)
    classes = score_classes(levels, answers.numbers.astype(np.int64), answers.probabilities, target.levels, groups)
    found = {"MAE": classes.mae, "accuracy": classes.accuracy}
    if answers.probabilities is None:
        return found
    cut = int(target.cut_points[0]) if target.cut_points else 1
    told = score_probabilities(levels, answers.probabilities, groups, cut=cut)
    return found | {"log loss": told.log_loss, "Brier": told.brier} | ({"AUC": told.auc} if told.auc else {})


def gain(truth: Truth, base: Answers, answers: Answers) -> dict[str, Estimate]:
    """How much smaller the errors of `answers` are than those of `base` on the same rows; above 0 is better."""
    found = {"MAE": interval_of_paired(base.errors, answers.errors, truth.clusters)}
    if base.probabilities is not None and answers.probabilities is not None:
        happened = np.eye(base.probabilities.shape[1])[truth.outcomes.astype(np.int64)]
        first, second = (((one - happened) ** 2).mean(axis=1) for one in (base.probabilities, answers.probabilities))
        found["Brier"] = interval_of_paired(first, second, truth.clusters)
    return found


def _together(truths: Sequence[Truth]) -> Truth:
    """The rows of all periods."""
    return Truth(*(np.concatenate([getattr(truth, name) for truth in truths]) for name in ("outcomes", "clusters")))


def _joined(answers: Sequence[Answers]) -> Answers:
    shares = [one.probabilities for one in answers if one.probabilities is not None]
    return Answers(
        np.concatenate([one.numbers for one in answers]),
        np.concatenate([one.errors for one in answers]),
        np.concatenate(shares) if shares else None,
    )

"""How good predictions turned out to be: answers against the outcomes that came later, beside the naive rule.

Pure functions over pairs that a store has matched; below a minimum of pairs the answer is None: not enough data.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, timedelta

import msgspec
import numpy as np
from numpy.typing import NDArray

from database.records import Answer, Outcome, Prediction
from model.scores import (
    Estimate,
    Floats,
    Integers,
    PairedGain,
    Scores,
    absolute_errors,
    bootstrap,
    paired_gain,
    score_classes,
    score_values,
)
from preprocessing.schema import Target

MINIMUM = 30  # pairs; fewer say too little about anything
WINDOW_MINIMUM = 10  # pairs in one stretch of time
WINDOWS = 12  # stretches of time that one look can compare
LEVEL = 0.9  # of the one-sided lower bound of the gain over the naive rule

Pair = tuple[Prediction, Outcome]


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """One stretch of time, by day of prediction (UTC), both ends inclusive.

    mae, naive_mae: mean absolute errors in target units (or levels), None below `WINDOW_MINIMUM` pairs.
    """

    first: date
    last: date
    n: int
    mae: Estimate | None
    naive_mae: Estimate | None


class Performance(msgspec.Struct, frozen=True, kw_only=True):
    """Served answers against outcomes. gain: how much smaller the model's absolute error is than the naive rule's.

    scores, naive: of the model and the naive rule over the same n pairs. covered: share of outcomes within the
    answer's interval, of `promised` (both 0 to 1, None where no answer had one). windows: oldest first.
    """

    n: int
    scores: Scores
    naive: Scores
    gain: PairedGain
    covered: float | None
    promised: float | None
    windows: tuple[Window, ...]


def performance(pairs: Sequence[Pair], target: Target, *, minimum: int = MINIMUM) -> Performance | None:
    """How the answers about `target` turned out; None with fewer than `minimum` pairs.

    Pairs of one group, or else of one student, count as one cluster in every interval.
    """
    known = [(p, _answer(p, target.name), o) for p, o in pairs]
    found = [(p, answer, outcome) for p, answer, outcome in known if answer is not None]
    if len(found) < max(1, minimum):
        return None
    truth = _numbers([outcome.value for _, _, outcome in found], target)
    said = _numbers([answer.value for _, answer, _ in found], target)
    naive = _numbers([answer.naive for _, answer, _ in found], target)
    groups = _clusters([p for p, _, _ in found])
    answers = [answer for _, answer, _ in found]
    covered, promised = _coverage(answers, truth)
    errors, naive_errors = absolute_errors(truth, said), absolute_errors(truth, naive)
    return Performance(
        n=len(found),
        scores=_score(truth, said, _shares(answers, target), target, groups),
        naive=_score(truth, naive, None, target, groups),
        gain=paired_gain(naive_errors, errors, groups, level=LEVEL),
        covered=covered,
        promised=promised,
        windows=_windows([p.at.date() for p, _, _ in found], errors, naive_errors, groups),
    )


def _answer(prediction: Prediction, target: str) -> Answer | None:
    return next((answer for answer in prediction.answers if answer.target == target), None)


def _numbers(values: Sequence[float | str], target: Target) -> Floats:
    """Values as they are, levels as their place in the target's list."""
    levels: Mapping[float | str, int] = {level: place for place, level in enumerate(target.levels)}
    return np.array([levels[value] if isinstance(value, str) else value for value in values], dtype=np.float64)


def _clusters(predictions: Sequence[Prediction]) -> Integers:
    names = [
        ("group", p.group) if p.group else ("student", p.student) if p.student else ("id", p.id) for p in predictions
    ]
    numbers: dict[tuple[str, str], int] = {}
    return np.array([numbers.setdefault(name, len(numbers)) for name in names], dtype=np.int64)


def _shares(answers: Sequence[Answer], target: Target) -> Floats | None:
    """(n, levels) probabilities, None unless every answer has them."""
    given = [answer.probabilities for answer in answers]
    if target.kind == "value" or not all(given):
        return None
    return np.array([[shares[level] for level in target.levels] for shares in given if shares])


def _score(truth: Floats, said: Floats, shares: Floats | None, target: Target, groups: Integers) -> Scores:
    if target.kind == "value":
        return score_values(truth, said, groups)
    return score_classes(truth.astype(np.int64), said.astype(np.int64), shares, target.levels, groups)


def _coverage(answers: Sequence[Answer], truth: Floats) -> tuple[float | None, float | None]:
    """(share of outcomes inside the interval, mean stated share) over the answers that have one."""
    hits, stated = [], []
    for answer, outcome in zip(answers, truth.tolist(), strict=True):
        if answer.interval is not None and answer.coverage is not None:
            hits.append(answer.interval[0] <= outcome <= answer.interval[1])
            stated.append(answer.coverage)
    return (float(np.mean(hits)), float(np.mean(stated))) if hits else (None, None)


def _windows(days: Sequence[date], errors: Floats, naive: Floats, groups: Integers) -> tuple[Window, ...]:
    """Stretches of equal length, at most `WINDOWS` of them, that cover all `days`."""
    first = min(days)
    length = -(-((max(days) - first).days + 1) // WINDOWS)
    rows: dict[int, list[int]] = defaultdict(list)
    for row, day in enumerate(days):
        rows[(day - first).days // length].append(row)
    windows = []
    for place in sorted(rows):
        start, among = first + timedelta(days=place * length), np.array(rows[place])
        windows.append(
            Window(
                first=start,
                last=start + timedelta(days=length - 1),
                n=len(among),
                mae=_mean(errors[among], groups[among]),
                naive_mae=_mean(naive[among], groups[among]),
            )
        )
    return tuple(windows)


def _mean(errors: Floats, groups: NDArray[np.int64]) -> Estimate | None:
    if len(errors) < WINDOW_MINIMUM:
        return None
    parts = np.stack([np.ones_like(errors), errors], axis=1)
    return bootstrap(parts, groups, lambda sums: sums[..., 1] / sums[..., 0], seed=0)

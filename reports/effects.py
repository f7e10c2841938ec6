"""What help did: effects on an outcome with their intervals, each with how far to trust it and what speaks against it.

Pure functions over columns of students; whom was helped, and what became of them, others read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from monitoring.tails import student_quantile

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]

Way = Literal["by lot", "threshold", "doubly robust", "matched", "before and after"]
TRUST: dict[Way, str] = {
    "by lot": "as good as it gets: chance alone said who was warned of",
    "threshold": "nearly as good as chance: students just below and above the threshold are alike",
    "doubly robust": "as good as what is known of students: what nobody wrote down may explain it",
    "matched": "as good as what is known of students: those who were helped beside others like them",
    "before and after": "a description: who was worst off tends to come nearer the middle by itself",
}
"""How far to trust an effect that was found in a way, the best first."""

FEW_COMPARED = 200
"""Students below whom an effect is told with a warning."""
FEWEST_COMPARED = 30
"""Students on either side, or helped and not, below whom nothing is told."""
LITTLE_MORE = 0.1
"""More of those who were warned of are helped than of others, or warnings cannot have done much."""
NO_COUNTERPART = 0.02
"""A chance of being helped nearer to 0 or 1 has no counterpart."""
IMPLAUSIBLE = 0.8
"""Standard deviations of the outcome: what schools do has hardly ever done more (Kraft 2020)."""
FOLDS = 5
FAR_APART = 0.5
"""Standard deviations from whoever is farthest of them, from which on nobody is like a student."""
OVERLAP = 0.1
"""Students whose chance of being helped is nearer to 0 or 1 are compared with nobody (Crump and others 2009)."""
COUNTERPARTS = 4
"""Students who were not helped, beside each who was."""
COMPARED_AT_ONCE = 500
"""Students whose counterparts are looked for together: memory grows with these times all others."""


class HelpEffect(msgspec.Struct, frozen=True, kw_only=True):
    """What help did to the outcome, in its unit, with a 95 % interval; None where too few can tell. helped, others: how
    many answers are compared, at the threshold those above it and below. warnings: what speaks against it, in words."""

    way: Way
    trust: str
    helped: int
    others: int
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    warnings: tuple[str, ...] = ()

    @property
    def shown(self) -> bool:
        """Whether it is told from no effect."""
        return self.low is not None and self.high is not None and not self.low <= 0 <= self.high


def by_lot(block: Integers, drawn: Mask, helped: Mask, outcome: Floats) -> HelpEffect:
    """The effect of being warned of by lot, whoever then was helped (intention to treat).

    block: (n,) among whom lots were drawn together. outcome: less what was expected before, which takes away what is
    known of students and cannot mislead, since lots know nothing of it. The difference in each block, weighted by its
    students, with the variance of Neyman (Imbens and Rubin 2015, chapter 9); blocks where one side has fewer than two
    students tell none and are left out."""
    sides = [(outcome[here & drawn], outcome[here & ~drawn]) for here in (block == one for one in np.unique(block))]
    whole = [(taken, left) for taken, left in sides if min(len(taken), len(left)) > 1]
    counts = {"helped": sum(len(taken) for taken, _ in whole), "others": sum(len(left) for _, left in whole)}
    if min(counts.values()) < FEWEST_COMPARED:
        return _nothing("by lot", counts)
    n, value, parts = sum(counts.values()), 0.0, list[tuple[float, int]]()
    for taken, left in whole:
        weight = (len(taken) + len(left)) / n
        value += weight * float(taken.mean() - left.mean())
        parts += [(weight**2 * float(side.var(ddof=1)) / len(side), len(side) - 1) for side in (taken, left)]
    variance = sum(part for part, _ in parts)
    freedom = variance**2 / max(sum(part**2 / known for part, known in parts), 1e-12)
    told = _warnings(n)
    if lost := len(block) - n:
        told.append(f"{lost:,} students are left out: fewer than two were drawn, or were not, where their lots were")
    if helped[drawn].mean() - helped[~drawn].mean() < LITTLE_MORE:
        told.append("hardly more were helped of those who were drawn")
    spread = np.concatenate([side for pair in whole for side in pair])
    return _effect("by lot", value, float(np.sqrt(variance)), int(freedom), counts, told, spread)


def at_threshold(chance: Floats, warned: Mask, helped: Mask, outcome: Floats, threshold: float) -> HelpEffect:
    """The effect of being warned of at `threshold`, whoever then was helped (intention to treat).

    chance: (n,) of failing, by which students were warned of from the threshold on. A line of second degree on each
    side, weighted by nearness, with errors robust to unequal spread (Calonico, Cattaneo and Titiunik 2014: the bias
    of lines is taken out by a degree more)."""
    away = chance - threshold
    counts = {"helped": int((away >= 0).sum()), "others": int((away < 0).sum())}
    if min(counts.values()) < FEWEST_COMPARED:
        return _nothing("threshold", counts)
    width = _bandwidth(away)
    near = np.abs(away) < width
    above, below = near & (away >= 0), near & (away < 0)
    counts = {"helped": int(above.sum()), "others": int(below.sum())}
    if min(counts.values()) < FEWEST_COMPARED:
        return _nothing("threshold", counts)
    told = _warnings(int(near.sum()))
    if not warned[above].mean() > warned[below].mean() + 0.5:
        told.append("who was warned of does not follow the threshold")
    if helped[above].mean() - helped[below].mean() < LITTLE_MORE:
        told.append("hardly more were helped above it than below")
    sides = [_end_of_line(away[side], outcome[side], 1 - np.abs(away[side]) / width) for side in (above, below)]
    value, error = sides[0][0] - sides[1][0], float(np.hypot(sides[0][1], sides[1][1]))
    return _effect("threshold", value, error, sum(counts.values()) - 6, counts, told, outcome)


def _bandwidth(away: Floats) -> float:
    """Half as wide again as the middle distance on the side where that is larger; at least a tenth."""
    return max(0.1, *(float(np.median(np.abs(side))) * 1.5 for side in (away[away >= 0], away[away < 0])))


def _end_of_line(x: Floats, y: Floats, weights: Floats) -> tuple[float, float]:
    """Where a weighted parabola through (x, y) is at 0, and its standard error (HC3)."""
    X = np.column_stack([np.ones_like(x), x, x**2])
    root = np.sqrt(weights)[:, None]
    inverse = np.linalg.pinv((X * root).T @ (X * root))
    beta = inverse @ (X * weights[:, None]).T @ y
    leverage = np.einsum("ij,jk,ik->i", X, inverse, X) * weights
    residual = (y - X @ beta) / np.maximum(1 - leverage, 0.1)
    spread = (X * (weights * residual)[:, None]).T @ (X * (weights * residual)[:, None])
    return float(beta[0]), float(np.sqrt((inverse @ spread @ inverse)[0, 0]))


def doubly_robust(
    known: Floats, helped: Mask, outcome: Floats, who: Integers | None = None, *, seed: int = 0
) -> HelpEffect:
    """The mean effect of help, beside students of whom the same is known.

    known: (n, columns) of what was known of each before. who: (n,) numbers of the students, where some stand there more
    than once. Right where either who is helped or what becomes of students
    follows from it (augmented inverse weighting with cross-fitting; Chernozhukov and others 2018). Among students of
    whom some like them were helped and some were not: a line drawn to the others would be made up."""
    counts = {"helped": int(helped.sum()), "others": int((~helped).sum())}
    if min(counts.values()) < FEWEST_COMPARED:
        return _nothing("doubly robust", counts)
    alike = _alike(known, helped)
    known, helped, outcome, who = known[alike], helped[alike], outcome[alike], None if who is None else who[alike]
    counts = {"helped": int(helped.sum()), "others": int((~helped).sum())}
    if min(counts.values()) < FEWEST_COMPARED:
        return _nothing("doubly robust", counts, _left_out(alike))
    X = _standardised(known)
    fold = np.random.default_rng(seed).permutation(len(X)) % FOLDS
    share, with_help, without = (np.zeros(len(X)) for _ in range(3))
    for number in range(FOLDS):
        mine, rest = fold == number, fold != number
        share[mine] = _chance(X[mine], _logistic(X[rest], helped[rest]))
        for place, group in ((with_help, helped), (without, ~helped)):
            place[mine] = X[mine] @ _line(X[rest & group], outcome[rest & group])
    told = _warnings(len(X))
    told += _left_out(alike)
    share = np.clip(share, NO_COUNTERPART, 1 - NO_COUNTERPART)
    scores = with_help - without
    scores += np.where(helped, (outcome - with_help) / share, -(outcome - without) / (1 - share))
    error, units = _error_of_mean(scores, who)
    return _effect("doubly robust", float(scores.mean()), error, units - X.shape[1] - 1, counts, told, outcome)


def matched(known: Floats, helped: Mask, outcome: Floats, who: Integers | None = None) -> HelpEffect:
    """The mean effect of help on those who were helped, each beside the others who are the likest.

    known, who: as of `doubly_robust`. Four counterparts each, who may serve again, the rest of what parts them taken
    away by a line through the others, and the variance of Abadie and Imbens (2006, 2011), with what goes together by
    student. Whoever has no four near by is left out: what a line says of them so far from the others is made up."""
    counts = {"helped": int(helped.sum()), "others": int((~helped).sum())}
    if min(counts.values()) < FEWEST_COMPARED:
        return _nothing("matched", counts)
    X, alike = _whitened(known), _alike(known, helped)
    X, helped, outcome, who = X[alike], helped[alike], outcome[alike], None if who is None else who[alike]
    counts = {"helped": int(helped.sum()), "others": int((~helped).sum())}
    if min(counts.values()) < FEWEST_COMPARED:
        return _nothing("matched", counts, _left_out(alike))
    near, far = _nearest(X[helped], X[~helped], COUNTERPARTS)
    like = far <= FAR_APART
    counts["helped"], near = int(like.sum()), near[like]
    if min(counts.values()) < FEWEST_COMPARED:
        return _nothing("matched", counts, _left_out(alike))
    line = np.column_stack([np.ones(len(X)), X])
    expected = line @ _line(line[~helped], outcome[~helped])
    left, others = (outcome - expected)[helped][like], (outcome - expected)[~helped]
    gaps = left - others[near].mean(1)
    used = np.bincount(near.ravel(), minlength=len(others)) / COUNTERPARTS
    twice = np.bincount(near.ravel(), minlength=len(others)) / COUNTERPARTS**2
    serve = np.flatnonzero(used)
    beside, _ = _nearest(X[~helped][serve], X[~helped], COUNTERPARTS + 1)  # the first is oneself
    noise = COUNTERPARTS / (COUNTERPARTS + 1) * (others[serve] - others[beside[:, 1:]].mean(1)) ** 2
    error, units = _error_of_mean(gaps, None if who is None else who[helped][like])
    error = float(np.sqrt(error**2 + ((used**2 - twice)[serve] * noise).sum() / len(gaps) ** 2))
    told = [*_warnings(len(gaps) + len(serve)), *_left_out(alike)]
    if lost := int((~like).sum()):
        told.append(f"{lost:,} of those who were helped are left out: nobody like them is among the others")
    return _effect("matched", float(gaps.mean()), error, units - X.shape[1] - 1, counts, told, outcome)


def _alike(known: Floats, helped: Mask) -> Mask:
    """Students of whom some like them were helped and some were not."""
    X = _standardised(known)
    chance = _chance(X, _logistic(X, helped))
    return np.asarray((chance >= OVERLAP) & (chance <= 1 - OVERLAP))


def _left_out(alike: Mask) -> list[str]:
    lost = int((~alike).sum())
    return [f"{lost:,} students are left out: nearly all who are like them were helped, or nearly none"] if lost else []


def _standardised(known: Floats) -> Floats:
    """With a column of ones before."""
    return np.column_stack([np.ones(len(known)), (known - known.mean(0)) / np.maximum(known.std(0), 1e-9)])


def _whitened(known: Floats) -> Floats:
    """Columns on one scale that tell nothing twice, so that distances are Mahalanobis'."""
    centred = (known - known.mean(0)) / np.maximum(known.std(0), 1e-9)
    values, directions = np.linalg.eigh(np.atleast_2d(np.cov(centred, rowvar=False)))
    kept = values > 1e-6 * values.max()
    return np.asarray(centred @ directions[:, kept] / np.sqrt(values[kept]))


def _nearest(of: Floats, among: Floats, count: int) -> tuple[Integers, Floats]:
    """Of each row its nearest ones (n, count), the nearest first, and how far the farthest of them is."""
    places, far = np.empty((len(of), count), dtype=np.int64), np.empty(len(of))
    for begin in range(0, len(of), COMPARED_AT_ONCE):
        away = ((of[begin : begin + COMPARED_AT_ONCE, None, :] - among[None]) ** 2).sum(-1)
        found = np.argpartition(away, count - 1, axis=1)[:, :count]
        lengths = np.take_along_axis(away, found, 1)
        order = np.argsort(lengths, axis=1, kind="stable")
        places[begin : begin + COMPARED_AT_ONCE] = np.take_along_axis(found, order, 1)
        far[begin : begin + COMPARED_AT_ONCE] = np.sqrt(lengths.max(1))
    return places, far


def before_and_after(before: Floats, after: Floats, who: Integers | None = None) -> HelpEffect:
    """How far the outcome of those who were helped is from what was expected of them before; no comparison with
    others. who: as of `doubly_robust`."""
    counts = {"helped": len(before), "others": 0}
    if len(before) < FEWEST_COMPARED:
        return _nothing("before and after", counts)
    gap = after - before
    error, units = _error_of_mean(gap, who)
    return _effect("before and after", float(gap.mean()), error, units - 1, counts, _warnings(len(gap)), after)


def _error_of_mean(values: Floats, who: Integers | None) -> tuple[float, int]:
    """The standard error of a mean over values of which those of one student go together, and how many students."""
    sums = values - values.mean()
    if who is not None:
        sums = np.bincount(np.unique(who, return_inverse=True)[1], weights=sums)
    units = len(sums)
    return float(np.sqrt(units / max(1, units - 1) * (sums**2).sum()) / len(values)), units


def _line(X: Floats, y: Floats) -> Floats:
    ridge = 1e-6 * len(X) * np.eye(X.shape[1])
    return np.asarray(np.linalg.solve(X.T @ X + ridge, X.T @ y))


def _logistic(X: Floats, y: Mask) -> Floats:
    """Coefficients by Newton's steps, held back a little so that parted groups do not run away."""
    beta, ridge = np.zeros(X.shape[1]), 1e-3 * np.eye(X.shape[1])
    for _ in range(25):
        chance = _chance(X, beta)
        step = np.linalg.solve(X.T @ (X * (chance * (1 - chance))[:, None]) + ridge, X.T @ (y - chance) - ridge @ beta)
        beta = beta + step
        if np.abs(step).max() < 1e-8:
            break
    return beta


def _chance(X: Floats, beta: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(X @ beta, -30, 30))))


def _warnings(n: int) -> list[str]:
    return (
        [f"{n:,} students are few: the interval is wide, and may be too narrow all the same"]
        if n < FEW_COMPARED
        else []
    )


def _nothing(way: Way, counts: dict[str, int], told: Sequence[str] = ()) -> HelpEffect:
    counted = {name: counts[name] for name in ("helped", "others")}
    return HelpEffect(way=way, trust=TRUST[way], warnings=tuple(told), **counted)


def _effect(
    way: Way, value: float, error: float, freedom: int, counts: dict[str, int], told: list[str], outcome: Floats
) -> HelpEffect:
    half = student_quantile(0.05, max(1, freedom)) * error
    spread = float(outcome.std())
    if spread and abs(value) > IMPLAUSIBLE * spread:
        told.append(f"implausible: {abs(value) / spread:.1f} standard deviations of the outcome")
    return msgspec.structs.replace(
        _nothing(way, counts), effect=value, low=value - half, high=value + half, warnings=tuple(told)
    )

"""How good answers were: errors, intervals, class tables. Pure functions over arrays.

Nothing here fits a model, and nothing here decides whether a score is good enough.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from language import _, ngettext
from language.format import count
from language.format import number as written

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

REPLICATES = 1000
SCORE_LEVEL = 0.95
RESAMPLED_UNITS = 2000
LEAST_PROBABILITY = 1e-6  # what surely could not happen and did would cost without end
LEAST_WIDTH = 1e-9  # of an interval that rests on differences between clusters: below, they do not differ


class Estimate(msgspec.Struct, frozen=True):
    """A score with the bounds of its 95 % interval (percentile bootstrap over clusters)."""

    value: float
    low: float
    high: float

    @property
    def flat(self) -> bool:
        """Whether all clusters show the very same that is not 0: that is but one finding, and proves nothing."""
        return _is_flat(self.value, self.high - self.low)

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def _is_flat(value: float, width: float) -> bool:
    return width <= LEAST_WIDTH * max(1.0, abs(value)) < abs(value)


class ValueScores(msgspec.Struct, frozen=True, kw_only=True, tag="value"):
    """Scores of numeric answers, in target units (r2 without unit), over n rows in `clusters` clusters."""

    n: int
    clusters: int
    mae: Estimate
    rmse: Estimate
    r2: Estimate


class ClassReport(msgspec.Struct, frozen=True, kw_only=True):
    """One class: precision, recall, F1 (0 where undefined), Brier score, true rows, share of all rows."""

    precision: float
    recall: float
    f1: float
    brier: float | None
    n: int
    share: float


class ClassScores(msgspec.Struct, frozen=True, kw_only=True, tag="class"):
    """Scores of class answers. mae counts levels. confusion[i][j]: rows of true level i answered as level j."""

    n: int
    clusters: int
    accuracy: Estimate
    weighted_f1: Estimate
    mae: Estimate
    brier: float | None
    levels: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]
    report: dict[str, ClassReport]


Scores = ValueScores | ClassScores


def deciding(scores: Scores) -> tuple[str, Estimate]:
    """The score that chooses among candidates, with its name: lowest RMSE, or highest weighted F1."""
    if isinstance(scores, ValueScores):
        return "RMSE", scores.rmse
    return "weighted F1", scores.weighted_f1


def score_values(truth: Floats, answers: Floats, clusters: Integers, *, seed: int = 0) -> ValueScores:
    """Scores of `answers` against `truth`, both (n,) in target units; `clusters` (n,) are resampled whole."""
    error = answers - truth
    parts = np.stack([np.ones_like(error), np.abs(error), error**2, truth, truth**2], axis=1)
    mae = bootstrap(parts, clusters, lambda s: s[..., 1] / s[..., 0], seed=seed)
    rmse = bootstrap(parts, clusters, lambda s: np.sqrt(s[..., 2] / s[..., 0]), seed=seed)
    r2 = bootstrap(parts, clusters, _r2, seed=seed)
    return ValueScores(n=len(truth), clusters=len(np.unique(clusters)), mae=mae, rmse=rmse, r2=r2)


def _r2(sums: Floats) -> Floats:
    n, squared, total, total_squared = sums[..., 0], sums[..., 2], sums[..., 3], sums[..., 4]
    spread = total_squared - total**2 / n
    least = 1e-12 * (total_squared + squared) + np.finfo(float).tiny  # a resample of equal outcomes has no spread
    return 1.0 - squared / np.maximum(spread, least)


def score_classes(
    truth: Integers,
    answers: Integers,
    probabilities: Floats | None,
    levels: Sequence[str],
    clusters: Integers,
    *,
    seed: int = 0,
) -> ClassScores:
    """Scores of class answers. truth, answers: (n,) level numbers; probabilities: (n, levels) or None."""
    k = len(levels)
    cells = np.zeros((len(truth), k * k))
    cells[np.arange(len(truth)), truth * k + answers] = 1.0
    confusion = cells.sum(axis=0).reshape(k, k)
    distance = np.abs(np.subtract.outer(np.arange(k), np.arange(k))).reshape(-1)
    return ClassScores(
        n=len(truth),
        clusters=len(np.unique(clusters)),
        accuracy=bootstrap(cells, clusters, lambda s: s[..., :: k + 1].sum(-1) / s.sum(-1), seed=seed),
        weighted_f1=bootstrap(cells, clusters, lambda s: weighted_f1(s.reshape(*s.shape[:-1], k, k)), seed=seed),
        mae=bootstrap(cells, clusters, lambda s: (s @ distance) / s.sum(-1), seed=seed),
        brier=None if probabilities is None else float(np.mean(brier_scores(truth, probabilities))),
        levels=tuple(levels),
        confusion=tuple(tuple(int(count) for count in row) for row in confusion),
        report=class_report(truth, confusion, probabilities, levels),
    )


class ProbabilityScores(msgspec.Struct, frozen=True, kw_only=True):
    """How good probabilities were. log_loss: mean of -ln of what happened (natural logarithm, probabilities held above
    1e-6). brier: mean squared distance per class, as in a class report. auc: the chance that of a row below the cut and
    one above it the first was given the larger probability of being below; None where all rows are on one side."""

    log_loss: Estimate
    brier: Estimate
    auc: Estimate | None


def score_probabilities(truth: Integers, probabilities: Floats, clusters: Integers, *, cut: int) -> ProbabilityScores:
    """Scores of (n, levels) probabilities. truth: (n,) level numbers; cut: levels below it are the ones to find."""
    happened = np.eye(probabilities.shape[1])[truth]
    told = np.maximum(probabilities[np.arange(len(truth)), truth], LEAST_PROBABILITY)
    return ProbabilityScores(
        log_loss=mean_with_interval(-np.log(told), clusters),
        brier=mean_with_interval(((probabilities - happened) ** 2).mean(axis=1), clusters),
        auc=area(truth < cut, probabilities[:, :cut].sum(axis=1), clusters),
    )


def area(positive: NDArray[np.bool_], scores: Floats, clusters: Integers) -> Estimate | None:
    """The area under the ROC curve with its 95 % interval, from influence curves over clusters (LeDell et al. 2015)."""
    if positive.all() or not positive.any():
        return None
    value, influence = _area(positive, scores)
    half = _half_width(influence, clusters)
    return Estimate(value, max(0.0, value - half), min(1.0, value + half))


def area_gained(positive: NDArray[np.bool_], first: Floats, second: Floats, clusters: Integers) -> Estimate:
    """How much larger the area under the ROC curve of the first of two scores of the same rows is, with its 95 %
    interval, as `area` finds it. There are rows on both sides."""
    (one, by_one), (other, by_other) = (_area(positive, scores) for scores in (first, second))
    half = _half_width(by_one - by_other, clusters)
    return Estimate(one - other, one - other - half, one - other + half)


def _area(positive: NDArray[np.bool_], scores: Floats) -> tuple[float, Floats]:
    """The area, and how much each row moves it."""
    high, low = np.sort(scores[positive]), np.sort(scores[~positive])
    above = (np.searchsorted(low, scores, "left") + np.searchsorted(low, scores, "right")) / (2 * len(low))
    below = 1 - (np.searchsorted(high, scores, "left") + np.searchsorted(high, scores, "right")) / (2 * len(high))
    shares = np.where(positive, above, below)
    value = float(shares[positive].mean())
    return value, (shares - value) * np.where(positive, len(scores) / len(high), len(scores) / len(low))


def _half_width(influence: Floats, clusters: Integers) -> float:
    """Of a 95 % interval over clusters; 1 where there are fewer than two."""
    from scipy.special import stdtrit  # not needed to serve

    count = len(np.unique(clusters))
    if count < 2:
        return 1.0
    return float(stdtrit(count - 1, (1 + SCORE_LEVEL) / 2)) * _robust_error(influence, clusters)


def weighted_f1(confusion: Floats) -> Floats:
    """F1 per class, averaged by true rows; confusion: (…, k, k) with true classes in rows."""
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    actual, answered = confusion.sum(-1), confusion.sum(-2)
    f1 = 2 * hits / np.maximum(actual + answered, 1e-12)
    return np.asarray((f1 * actual).sum(-1) / actual.sum(-1))


def brier_scores(truth: Integers, probabilities: Floats) -> Floats:
    """(k,) mean squared distance between each class's probability and what happened (Brier 1950, one class each)."""
    happened = np.eye(probabilities.shape[1])[truth]
    return np.asarray(((probabilities - happened) ** 2).mean(axis=0))


def class_report(
    truth: Integers, confusion: Floats, probabilities: Floats | None, levels: Sequence[str]
) -> dict[str, ClassReport]:
    """Precision, recall, F1, Brier and share per level."""
    hits, actual, answered = np.diagonal(confusion), confusion.sum(1), confusion.sum(0)
    brier = None if probabilities is None else brier_scores(truth, probabilities)
    return {
        level: ClassReport(
            precision=float(hits[i] / answered[i]) if answered[i] else 0.0,
            recall=float(hits[i] / actual[i]) if actual[i] else 0.0,
            f1=float(2 * hits[i] / (actual[i] + answered[i])) if actual[i] + answered[i] else 0.0,
            brier=None if brier is None else float(brier[i]),
            n=int(actual[i]),
            share=float(actual[i] / len(truth)),
        )
        for i, level in enumerate(levels)
    }


def bootstrap(parts: Floats, clusters: Integers, statistic: Callable[[Any], Any], *, seed: int) -> Estimate:
    """A statistic of column sums with its interval, resampling whole clusters (Davison and Hinkley 1997, 2.4, 3.8).

    parts: (n, p), summed over rows; statistic: maps (…, p) sums to (…,) values. More than 2,000 clusters are put
    together at random into so many: the interval stays as wide, and the cost does not grow.
    """
    _cells, number = np.unique(clusters, return_inverse=True)
    count = int(number.max()) + 1
    if count > RESAMPLED_UNITS:
        number = np.random.default_rng(seed).permutation(count)[number] % RESAMPLED_UNITS
        count = RESAMPLED_UNITS
    sums = np.stack([np.bincount(number, weights=column, minlength=count) for column in parts.T], axis=1)
    replicates = statistic(_resamples(count, seed) @ sums)
    low, high = np.quantile(replicates, [(1 - SCORE_LEVEL) / 2, (1 + SCORE_LEVEL) / 2])
    return Estimate(float(statistic(sums.sum(axis=0))), float(low), float(high))


def mean_with_interval(values: Floats, clusters: Integers) -> Estimate:
    """The mean of (n,) values, errors mostly, with its interval over whole clusters."""
    parts = np.stack([np.ones_like(values), values], axis=1)
    return bootstrap(parts, clusters, lambda sums: sums[..., 1] / sums[..., 0], seed=0)


@lru_cache(maxsize=2)
def _resamples(count: int, seed: int) -> Floats:
    """(REPLICATES, count): how often each cluster is drawn. Shared by all scores over the same number of clusters."""
    drawn = np.random.default_rng(seed).integers(0, count, (REPLICATES, count))
    drawn += np.arange(REPLICATES)[:, np.newaxis] * count
    weights = np.bincount(drawn.reshape(-1), minlength=REPLICATES * count).reshape(REPLICATES, count).astype(np.float64)
    weights.setflags(write=False)
    return weights


def effective_number(n: int, share: float, count: int, squares: float) -> float:
    """How many independent rows tell as much of `share` as n rows in `count` clusters. squares: the sum, over clusters,
    of the squared sum of what lies above the share."""
    plain = n * share * (1 - share)
    together = count / (count - 1) * squares if count > 1 else plain
    return n * min(1.0, plain / together) if plain and together else float(count)


def as_numbers(values: Sequence[float | str], levels: Sequence[str]) -> Floats:
    """(n,) values in target units as they are, levels as their numbers."""
    return np.array([levels.index(value) if isinstance(value, str) else value for value in values], dtype=np.float64)


def absolute_errors(truth: Floats, answers: Floats) -> Floats:
    """(n,) |answer - truth| in target units, or in levels when both hold level numbers."""
    return np.abs(np.asarray(answers, dtype=np.float64) - np.asarray(truth, dtype=np.float64))


class PairedGain(msgspec.Struct, frozen=True, kw_only=True):
    """How much smaller the second of two errors is on the same rows: mean, one-sided lower bound, and its ground."""

    mean: float
    lower: float
    level: float
    n: int
    clusters: int

    @property
    def flat(self) -> bool:
        """As of an `Estimate`."""
        return _is_flat(self.mean, self.mean - self.lower)


def paired_gain(first: Floats, second: Floats, clusters: Integers, *, level: float) -> PairedGain:
    """The mean of first - second, both (n,) errors, with its one-sided lower bound at `level` (0.9: 90 %).

    The standard error is cluster-robust (Liang and Zeger 1986, with G / (G - 1)); the quantile is Student's with G - 1
    degrees of freedom. With fewer than two clusters the bound is minus infinity: nothing can be said.
    """
    from scipy.special import stdtrit  # not needed to serve

    differences = np.asarray(first, dtype=np.float64) - np.asarray(second, dtype=np.float64)
    count, n = len(np.unique(clusters)), len(differences)
    mean = float(differences.mean()) if n else 0.0
    lower = -np.inf
    if count > 1:
        lower = mean - float(stdtrit(count - 1, level)) * _robust_error(differences, clusters)
    return PairedGain(mean=mean, lower=float(lower), level=level, n=n, clusters=count)


def _robust_error(values: Floats, clusters: Integers) -> float:
    """The standard error of the mean of `values`, robust to their intraclass correlation."""
    _cells, number = np.unique(clusters, return_inverse=True)
    count = int(number.max()) + 1
    residual = np.bincount(number, weights=values - values.mean())
    return float(np.sqrt(count / (count - 1) * (residual**2).sum()) / len(values))


def interval_of_paired(first: Floats, second: Floats, clusters: Integers) -> Estimate:
    """The mean of first - second with its two-sided 95 % interval, both ends as `paired_gain` finds its one."""
    gain = paired_gain(first, second, clusters, level=(1 + SCORE_LEVEL) / 2)
    return Estimate(gain.mean, gain.lower, 2 * gain.mean - gain.lower)


def interval_of_unpaired(
    first: Floats, second: Floats, first_clusters: Integers, second_clusters: Integers
) -> Estimate:
    """mean(first) - mean(second) of different rows in different clusters, with its two-sided 95 % interval.

    Cluster-robust in each arm; degrees of freedom after Welch (1947). Infinitely wide with fewer than two clusters.
    """
    from scipy.special import stdtrit  # not needed to serve

    mean = float(first.mean() - second.mean()) if len(first) and len(second) else 0.0
    counts = [len(np.unique(clusters)) for clusters in (first_clusters, second_clusters)]
    if min(counts) < 2:
        return Estimate(mean, -np.inf, np.inf)
    squared = np.array([_robust_error(first, first_clusters), _robust_error(second, second_clusters)]) ** 2
    if not squared.sum():
        return Estimate(mean, mean, mean)
    freedom = squared.sum() ** 2 / (squared**2 / (np.array(counts) - 1)).sum()
    half = float(stdtrit(freedom, (1 + SCORE_LEVEL) / 2) * np.sqrt(squared.sum()))
    return Estimate(mean, mean - half, mean + half)


def told_against_rule(gain: PairedGain, unit: str = "") -> str:
    """Whether a model is nearer to what happened than the plain rule, in words. gain: how much smaller its error is.

    >>> told_against_rule(PairedGain(mean=0.05, lower=0.01, level=0.9, n=1423, clusters=423))
    'the model is nearer than the plain rule, by 0.05 on average (1,423 unseen rows, bounds at 90%: 0.01 and 0.09)'
    """
    toward = -1 if gain.mean < 0 else 1
    near, far = sorted((toward * gain.lower, toward * (2 * gain.mean - gain.lower)))
    bounds = f", bounds at {gain.level:.0%}: {near:.3g} and {far:.3g}" if np.isfinite(gain.lower) else ""
    size = f"by {abs(gain.mean):.3g} {unit}".rstrip() + f" on average ({gain.n:,} unseen rows{bounds})"
    if gain.flat:
        return f"not enough data to say whether the model or the plain rule is nearer: all rows show the same, {size}"
    if gain.lower > 0:
        return f"the model is nearer than the plain rule, {size}"
    if 2 * gain.mean - gain.lower < 0:
        return (
            f"the plain rule is nearer than the model, {size}; the model serves all the same until a contest on rows "
            "that neither knows gives its place to the rule"
        )
    return f"neither the model nor the plain rule is surely nearer to what happened; the difference is {size[3:]}"


class Overtaken(msgspec.Struct, frozen=True, kw_only=True):
    """A candidate that fitted no further folds, since it could not be much better than another.

    score, best: the deciding score (RMSE in target units, or weighted F1) of it and of `leader` on the same n unseen
    rows, those of so many folds. most: how much better than the leader's its own may be after all, at `level`
    (one-sided); too little to be worth its fits.
    """

    score: float
    leader: str
    best: float
    most: float
    level: float
    n: int
    folds: int


def told_overtaken(name: str, one: Overtaken, measure: str) -> str:
    """Why a candidate stopped early, in words.

    >>> stopped = Overtaken(score=1.6, leader="ridge", best=1.5, most=-0.05, level=0.99, n=2000, folds=1)
    >>> told_overtaken("random_forest", stopped, "RMSE")
    'random_forest stopped after 1 fold: RMSE 1.6 where ridge had 1.5 (2,000 unseen rows), surely no better (99 %)'
    """
    chance = _("at best {gain} better").format(gain=written(one.most, 4)) if one.most > 0 else _("surely no better")
    said = ngettext(
        "{name} stopped after {n} fold: {measure} {score} where {leader} had {best} ({rows} unseen rows), {chance} "
        "({level} %)",
        "{name} stopped after {n} folds: {measure} {score} where {leader} had {best} ({rows} unseen rows), {chance} "
        "({level} %)",
        one.folds,
    )
    return said.format(
        name=name,
        n=one.folds,
        measure=measure,
        score=written(one.score, 3),
        leader=one.leader.replace("_", " "),
        best=written(one.best, 3),
        rows=count(one.n),
        chance=chance,
        level=round(100 * one.level),
    )

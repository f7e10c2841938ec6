"""Do probabilities and intervals keep what they promise? Shares of what happened beside what was said.

Pure functions over arrays; nothing here recalibrates a model.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np
from numpy.typing import NDArray

from model.scores import RESAMPLED_UNITS, Estimate, bootstrap, effective_number, mean_with_interval
from monitoring.tails import binomial_interval

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

ECE_BINS = 10
CHANCE_RUNS = 399  # with the sample itself 400, of which 2.5 % are a whole number: the test holds its level exactly
PROMISE_LEVEL = 0.95


class Reliability(msgspec.Struct, frozen=True, kw_only=True):
    """Answers given with about the same confidence: said on average, and the share that was right, with interval."""

    n: int
    said: float
    right: float
    low: float
    high: float


class ClassCalibration(msgspec.Struct, frozen=True, kw_only=True):
    """Of n class answers with probabilities.

    brier: mean squared distance of the probabilities from what happened, averaged over classes. overconfidence: mean
    confidence in the answered class minus the share of right answers. ece: expected calibration error over ten bins of
    confidence (Guo et al. 2017); it is above 0 by chance alone, ece_by_chance in 95 of 100 samples of perfect answers.
    p_value: that answers exactly as right as they say would show so large an overconfidence or error over bins.
    """

    n: int
    brier: Estimate
    overconfidence: Estimate
    ece: Estimate
    ece_by_chance: float
    p_value: float
    bins: tuple[Reliability, ...]

    @property
    def kept(self) -> bool:
        """Whether nothing speaks against what was promised: neither the mean confidence nor the error over bins."""
        return self.p_value > 1 - PROMISE_LEVEL


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """How many of n outcomes lay within the stated interval: share, with the binomial interval from low to high.

    effective: as many independent outcomes tell as much as these, of which some may go wrong together.
    """

    n: int
    effective: float
    stated: float
    share: float
    low: float
    high: float

    @property
    def kept(self) -> bool:
        """Whether the stated share lies within the binomial interval, or below it."""
        return self.high >= self.stated


def calibrate_classes(truth: Integers, probabilities: Floats, clusters: Integers, *, seed: int = 0) -> ClassCalibration:
    """truth: (n,) level numbers; probabilities: (n, levels); clusters: (n,) of answers that go wrong together."""
    answered, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    right = (answered == truth).astype(np.float64)
    happened = np.eye(probabilities.shape[1])[truth]
    place, parts = _gaps(confidence, right)
    error: Callable[[Floats], Floats] = lambda sums: np.abs(sums[..., :ECE_BINS]).sum(-1) / sums[..., ECE_BINS]  # noqa: E731
    perfect = _perfect(confidence, place, seed)
    return ClassCalibration(
        n=len(truth),
        brier=mean_with_interval(((probabilities - happened) ** 2).mean(axis=1), clusters),
        overconfidence=mean_with_interval(confidence - right, clusters),
        ece=bootstrap(np.column_stack([parts, np.ones(len(truth))]), clusters, error, seed=seed),
        ece_by_chance=float(np.quantile(np.abs(perfect).sum(axis=1), PROMISE_LEVEL)) / len(truth),
        p_value=_p_value(parts, clusters, perfect, seed),
        bins=tuple(reliability(confidence[place == b], right[place == b]) for b in np.unique(place)),
    )


def chance_of_gaps(said: Floats, happened: Floats, clusters: Integers, *, seed: int = 0) -> float:
    """The p-value of (n,) chances being what happened (1) or not (0), by `_p_value`: on the whole and in each tenth."""
    place, parts = _gaps(said, happened)
    return _p_value(parts, clusters, _perfect(said, place, seed), seed)


def _gaps(said: Floats, happened: Floats) -> tuple[Integers, Floats]:
    """(n,) tenths that chances lie in, and (n, bins) said less happened, each in its tenth."""
    place = np.minimum((said * ECE_BINS).astype(np.int64), ECE_BINS - 1)
    parts = np.zeros((len(said), ECE_BINS))
    parts[np.arange(len(said)), place] = said - happened
    return place, parts


def _perfect(confidence: Floats, place: Integers, seed: int) -> Floats:
    """(runs, bins): sums of confidence - right by bin, of answers exactly as right as they said, independently."""
    generator = np.random.default_rng(seed)
    runs = []
    for _ in range(CHANCE_RUNS):
        gap = confidence - (generator.random(len(confidence)) < confidence)
        runs.append(np.bincount(place, weights=gap, minlength=ECE_BINS))
    return np.array(runs)


def _p_value(parts: Floats, clusters: Integers, perfect: Floats, seed: int) -> float:
    """The chance of gaps as large as those of (n, bins) `parts`, by the less sure of two tests.

    Answers that go right and wrong alone: samples of `perfect` ones, an exact Monte Carlo test at any n (Dwass 1957).
    Answers that do so together: each cluster's gaps with random signs, which keeps what is alike within it (the wild
    bootstrap with Rademacher's weights; Liu 1988, Cameron, Gelbach and Miller 2008).
    """
    number = np.unique(clusters, return_inverse=True)[1]
    count = int(number.max()) + 1
    if count == len(parts):
        return _twice_smaller(parts.sum(axis=0), perfect)
    generator = np.random.default_rng(seed)
    if count > RESAMPLED_UNITS:
        number, count = generator.permutation(count)[number] % RESAMPLED_UNITS, RESAMPLED_UNITS
    sums: Floats = np.zeros((count, ECE_BINS))
    np.add.at(sums, number, parts)
    flipped = generator.choice([-1.0, 1.0], (CHANCE_RUNS, count)) @ sums
    return max(_twice_smaller(sums.sum(axis=0), by_chance) for by_chance in (perfect, flipped))


def _twice_smaller(found: Floats, by_chance: Floats) -> float:
    """Bonferroni's p of two looks at (bins,) sums beside (runs, bins) ones: at the whole, and at each bin's size."""
    looks: tuple[Callable[[Floats], Floats], ...] = (
        lambda sums: np.abs(sums.sum(axis=-1)),
        lambda sums: np.abs(sums).sum(axis=-1),
    )
    beyond = [int((look(by_chance) >= look(found) - TIE).sum()) for look in looks]
    return min(1.0, 2 * (1 + min(beyond)) / (1 + len(by_chance)))


TIE = 1e-9  # sums of the same terms in another order


def reliability(confidence: Floats, right: Floats) -> Reliability:
    """Of (n,) answers with about this confidence, n at least 1: the share that was right (1) and not (0)."""
    low, high = binomial_interval(float(right.sum()), len(right))
    return Reliability(n=len(right), said=float(confidence.mean()), right=float(right.mean()), low=low, high=high)


def measure_coverage(inside: NDArray[np.bool_], stated: float, clusters: Integers) -> Coverage:
    """The coverage of (n,) stated intervals, n at least 1, each with the outcome inside or not."""
    n, share = len(inside), float(inside.mean())
    number = np.unique(clusters, return_inverse=True)[1]
    sums, count = np.bincount(number, weights=inside - share), int(number.max()) + 1
    effective = effective_number(n, share, count, float((sums**2).sum()))
    low, high = binomial_interval(share * effective, effective)
    return Coverage(n=n, effective=effective, stated=stated, share=share, low=low, high=high)

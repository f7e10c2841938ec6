"""Student's t and the exact interval of a share, by continued fractions: a process that serves says them without SciPy.

The figures are SciPy's, which is the oracle of their tests. Nothing here knows what a number is of.
"""

import math
from functools import lru_cache
from statistics import NormalDist

TAIL_LEVEL = 0.95
PRECISION = 1e-14  # of a continued fraction, relative
QUANTILE_CLOSE = 1e-7  # the last step towards a quantile, relative; each squares what is left
MOST_TERMS = 10_000
NEWTON_STEPS = 200
NEAR_MIDDLE = 0.1  # above it a quantile of Student's t is so near to 0 that the other tail is more exact


def binomial_interval(successes: float, n: float) -> tuple[float, float]:
    """The exact 95 % interval of a share (Clopper and Pearson 1934); fractions are allowed (Korn and Graubard 1998)."""
    tail = (1 - TAIL_LEVEL) / 2
    low = beta_quantile(successes, n - successes + 1, tail) if successes > 0 else 0.0
    high = beta_quantile(successes + 1, n - successes, 1 - tail) if successes < n else 1.0
    return low, high


def student_p(t: float, freedom: float) -> float:
    """The chance of a value at least as far from 0 as `t`."""
    return beta_share(freedom / 2, 0.5, freedom / (freedom + t * t))


@lru_cache(maxsize=10_000)
def student_quantile(p: float, freedom: float) -> float:
    """How far from 0 a value is at least with the chance p.

    >>> round(student_quantile(0.05, 9), 4)
    2.2622
    """
    if p > NEAR_MIDDLE:
        rest = beta_quantile(0.5, freedom / 2, 1 - p)
        return math.sqrt(freedom * rest / (1 - rest))
    share = beta_quantile(freedom / 2, 0.5, p)
    return math.sqrt(freedom * (1 - share) / share)


def beta_share(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function (Didonato and Morris 1992, by Lentz's method)."""
    if x <= 0.0 or x >= 1.0:
        return 0.0 if x <= 0.0 else 1.0
    front = math.exp(_log_power(a, b, x))
    if x < (a + 1) / (a + b + 2):
        return front * _fraction(a, b, x) / a
    return 1.0 - front * _fraction(b, a, 1.0 - x) / b


def beta_quantile(a: float, b: float, p: float) -> float:
    """Where `beta_share` is p: Newton's steps from where a normal distribution has it, and halves of what is left where
    one leads out of it."""
    low, high, mean = 0.0, 1.0, a / (a + b)
    x = mean + NormalDist().inv_cdf(p) * math.sqrt(mean * (1 - mean) / (a + b + 1))
    x = x if 0 < x < 1 else mean
    for _ in range(NEWTON_STEPS):
        gap = beta_share(a, b, x) - p
        low, high = (low, x) if gap > 0 else (x, high)
        slope = math.exp(_log_power(a, b, x) - math.log(x) - math.log1p(-x))
        step = x - gap / slope if slope > 1e-200 else -1.0
        new = step if low < step < high else (low + high) / 2
        if abs(new - x) <= QUANTILE_CLOSE * x:
            return new
        x = new
    return x


def _log_power(a: float, b: float, x: float) -> float:
    """The logarithm of x^a (1-x)^b over the beta function of a and b."""
    return math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)


def _fraction(a: float, b: float, x: float) -> float:
    tiny = 1e-300
    c, d = 1.0, 1.0 - (a + b) * x / (a + 1)
    d = 1.0 / (d if abs(d) > tiny else tiny)
    found = d
    for m in range(1, MOST_TERMS):
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d, c = 1.0 + term * d, 1.0 + term / c
            d, c = 1.0 / (d if abs(d) > tiny else tiny), c if abs(c) > tiny else tiny
            found *= c * d
        if abs(c * d - 1.0) < PRECISION:
            break
    return found

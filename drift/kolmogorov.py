"""The tail of the Kolmogorov–Smirnov distribution: SciPy's values to 1e-12, without its O(n) cost or its import.

SciPy sums up to n terms when D is large (1.1 s for one column at n = 500,000), and importing its statistics takes a
second. The regions follow Simard and L'Ecuyer (2011), as SciPy's do. Nothing here touches data.
"""

from __future__ import annotations

import math

import numpy as np

from drift.column import Floats

SMALL = 140  # rows up to which the matrix product is cheap enough wherever twice the one-sided tail is not exact
TWICE_FROM, TWICE_FROM_SMALL = 2.2, 4.0  # n·D²; from here the tail is twice the one-sided one, to rounding
ZERO_FROM = 370.0  # n·D²; above, the tail is 0 in double precision
SMOOTH_FROM = 2_000  # rows; from here on the terms are a bump that is wide and far from both ends
POINTS = 1_024  # over the whole range of j; the narrowest bump still spans a hundred of them
CLOSED_FORM_ABOVE = 1_000_000  # rows; SciPy's own limit, kept so that both give the same number


def survival(rows: int, distance: float) -> float:
    """P(D ≥ `distance`) of the two-sided one-sample statistic at `rows` rows (at least 1), 0 to 1."""
    if rows * distance <= 0.5:
        return 1.0
    if distance >= 1.0:
        return 0.0
    squared = rows * distance * distance
    if distance >= 0.5 or squared >= (TWICE_FROM_SMALL if rows <= SMALL else TWICE_FROM):
        return min(1.0, 2 * _one_sided(rows, distance))
    if rows <= SMALL or (rows <= 100_000 and rows * distance**1.5 <= 1.4):
        return min(1.0, max(0.0, 1.0 - _matrix_power(rows, distance)))
    return min(1.0, max(0.0, _series(rows, distance)))


def _one_sided(rows: int, distance: float) -> float:
    if rows > SMALL and rows * distance * distance >= ZERO_FROM:
        return 0.0
    if SMOOTH_FROM <= rows <= CLOSED_FORM_ABOVE and distance < 0.5:
        return _smooth_sum(rows, distance)
    from scipy.special import smirnov

    return float(smirnov(rows, distance))


def _smooth_sum(rows: int, distance: float) -> float:
    """Birnbaum and Tingey's D·Σ C(n, j) (D + j/n)^(j-1) (1 - D - j/n)^(n-j) (1951), at every `step`-th j.

    Over equidistant j the sum of a smooth bump is the same to rounding (Poisson's summation formula). Each term is a
    binomial probability written with Loader's deviances (2000), exact to rounding at any n.
    """
    last = math.floor(rows * (1 - distance))
    step = max(1, rows // POINTS)
    j = np.arange(step, last, step, dtype=np.float64)
    rest, shift = rows - j, rows * distance
    deviance = (shift - j * np.log1p(shift / j)) - (rest * np.log1p(-shift / rest) + shift)
    stirling = _stirling_error(np.array([float(rows)])) - _stirling_error(j) - _stirling_error(rest)
    terms = np.exp(stirling - deviance) * np.sqrt(rows / (2 * math.pi * j * rest)) / (distance + j / rows)
    return float(distance * step * terms.sum())


def _stirling_error(n: Floats) -> Floats:
    """log(n!) − log(√(2πn) (n/e)^n), by its series; smaller n than 20 only occur where the term itself vanishes."""
    square = n * n
    return (1 / 12 - (1 / 360 - (1 / 1260 - 1 / (1680 * square)) / square) / square) / n


def _matrix_power(rows: int, distance: float) -> float:
    """P(D < `distance`), exactly: an entry of the n-th power of a matrix (Marsaglia, Tsang and Wang 2003)."""
    half = math.ceil(rows * distance)
    size, gap = 2 * half - 1, half - rows * distance
    offset = np.subtract.outer(np.arange(size), np.arange(size)) + 1
    matrix = np.where(offset >= 0, 1.0, 0.0)
    powers = gap ** np.arange(1, size + 1)
    matrix[:, 0] -= powers
    matrix[-1, :] -= powers[::-1]
    matrix[-1, 0] += max(0.0, 2 * gap - 1) ** size
    factorial = np.cumprod(np.append(1.0, np.arange(1, size + 1)))
    matrix /= factorial[np.maximum(offset, 0)]
    product, exponent = _power(matrix, rows)
    share, more = _factorial_share(rows)
    return math.ldexp(float(product[half - 1, half - 1]) * share, exponent + more)


def _power(matrix: Floats, times: int) -> tuple[Floats, int]:
    """`matrix` to the power `times`, as a matrix and a power of two, so that nothing overflows."""
    result, exponent = np.eye(len(matrix)), 0
    base, base_exponent = matrix, 0
    while times:
        if times & 1:
            result, exponent = result @ base, exponent + base_exponent
            result, exponent = _rescale(result, exponent)
        base, base_exponent = _rescale(base @ base, 2 * base_exponent)
        times >>= 1
    return result, exponent


def _rescale(matrix: Floats, exponent: int) -> tuple[Floats, int]:
    shift = math.frexp(float(np.abs(matrix).max()))[1]
    return np.ldexp(matrix, -shift), exponent + shift


def _factorial_share(rows: int) -> tuple[float, int]:
    """n!/n^n as a fraction and a power of two."""
    fraction, exponent = 1.0, 0
    shares = np.arange(1, rows + 1) / rows
    for block in np.split(shares, range(40, rows, 40)):
        fraction, more = math.frexp(fraction * float(block.prod()))
        exponent += more
    return fraction, exponent


def _series(rows: int, distance: float) -> float:
    """The expansion of Pelz and Good (1976) in powers of 1/√n to the third, as theta functions of z = √n·D."""
    z, pi2 = math.sqrt(rows) * distance, math.pi**2
    if z < 0.042:
        return 1.0
    k = np.arange(1, math.ceil(16 * z / math.pi) + 1, dtype=np.float64)
    odd = np.exp(-pi2 * (2 * k - 1) ** 2 / (8 * z**2))
    whole = k**2 * np.exp(-pi2 * k**2 / (2 * z**2))
    p = pi2 * (2 * k - 1) ** 2 / 4
    second = (6 * z**6 + 2 * z**4) + (2 * z**4 - 5 * z**2) * p + (1 - 2 * z**2) * p**2
    third = (-30 * z**6 - 90 * z**8) + (135 * z**4 - 96 * z**6) * p
    third = third + (212 * z**4 - 60 * z**2) * p**2 + (5 - 30 * z**2) * p**3
    k0 = odd.sum() / z
    k1 = ((p - z**2) * odd).sum() / (6 * z**4)
    k2 = (second * odd).sum() / (72 * z**7) - pi2 * whole.sum() / (36 * z**3)
    k3 = (third * odd).sum() / (6480 * z**10) + pi2 * ((3 * z**2 - pi2 * k**2) * whole).sum() / (216 * z**6)
    root = math.sqrt(rows)
    return float(1 - math.sqrt(2 * math.pi) * (k0 + k1 / root + k2 / rows + k3 / (rows * root)))

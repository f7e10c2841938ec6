"""How far apart two samples of one column are: the tests, their effect sizes, and intervals around those.

Everything is computed from column summaries, by counting; nothing here decides whether a distance is drift.

The tail of the Kolmogorov–Smirnov distribution has SciPy's values to 1e-12, without its O(n) cost or its import: SciPy
sums up to n terms when D is large (1.1 s for one column at n = 500,000), and importing its statistics takes a second.
The regions follow Simard and L'Ecuyer (2011), as SciPy's do.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from drift.buckets import (
    SORTED_UP_TO,
    BucketedColumn,
    Numbers,
    Part,
    beside,
    bucketed_wasserstein,
    buckets_of,
    count_sorted,
    largest_gap,
)
from drift.column import (
    BinnedColumn,
    CategoricalColumn,
    Floats,
    Integers,
    NumericColumn,
    ProfileError,
    are_marks,
    bin_numbers,
    just_below,
)

EXACT_PAIRS = 10_000  # rows of one sample times rows of the other up to which p is exact where there are no ties
SMALLEST_EXPECTED = 5.0  # rows; below, the chi-square distribution is a poor stand-in (Cochran 1954)
POOLED = "(other)"
SHARES = np.arange(1, 10) / 10  # that end the reference's ten equal shares, for the population stability index


class KsDistance(NamedTuple):
    """The Kolmogorov–Smirnov distance D, the largest difference between the shares of rows at or below some value.

    low, high: D lies between them, both included; equal unless a sample is known only on a grid.
    where: a value at which the difference is `low`. reference, current: the shares of rows at or below it.
    distinct: whether no value is known to occur twice, in either sample or both; looked for in small samples only.
    """

    low: float
    high: float
    where: float
    reference: float
    current: float
    distinct: bool = False


def side_by_side(
    reference: NumericColumn | BinnedColumn, current: NumericColumn | BinnedColumn | BucketedColumn
) -> tuple[Numbers, Numbers]:
    """Both columns as all statistics of numbers read them: long exact ones by their buckets, others as they are.

    Which it is depends on the values alone, so that a sample that was sorted is answered like one that was not.
    """
    if isinstance(reference, BinnedColumn) or isinstance(current, BinnedColumn):
        assert not isinstance(current, BucketedColumn)  # noqa: S101 (buckets are made from exact references)
        return reference, current
    long = current.present > SORTED_UP_TO
    counted = long and isinstance(current, NumericColumn) and are_marks(current.values)
    buckets = buckets_of(reference) if long and not counted else None
    if buckets is None:
        return reference, current.exact() if isinstance(current, BucketedColumn) else current
    ends = np.array([just_below(reference.values[0]), reference.values[-1]])
    points = np.concatenate([ends, reference.quantiles(SHARES)])
    after = current if isinstance(current, BucketedColumn) else count_sorted(buckets, current)
    return beside(count_sorted(buckets, reference, sums=False), after, points)


class Steps(NamedTuple):
    """The cumulated rows of two samples, merged.

    points: (n,) the distinct values of both, not decreasing; twice where both have one. gaps: (n,) by how many
    the rows of the reference up to there, times all rows of the current sample, differ from the reverse. whole: (n,)
    whether all rows of a point are counted in its gap: not at the first of two equal points.
    """

    points: Floats
    gaps: Integers
    whole: npt.NDArray[np.bool_]

    def largest(self) -> tuple[int, float]:
        """The largest gap, and the smallest value with it."""
        best = int(np.where(self.whole, self.gaps, -1).argmax())
        return int(self.gaps[best]), float(self.points[best])


def steps_of(reference: Numbers, current: Numbers) -> Steps | None:
    """Of two samples whose values are all known; None of others."""
    if not isinstance(reference, NumericColumn) or not isinstance(current, NumericColumn):
        return None
    points = np.concatenate([reference.values, current.values])
    order = points.argsort(kind="stable")  # two sorted runs are merged
    points, of_reference = points[order], order < len(reference.values)
    first = of_reference.cumsum()
    second = np.arange(1, len(points) + 1) - first
    gaps = np.abs(reference.rows_before(first) * current.present - current.rows_before(second) * reference.present)
    return Steps(points, gaps, np.append(points[1:] != points[:-1], True))


def ks_distance(reference: Numbers, current: Numbers, steps: Steps | None = None) -> KsDistance:
    """D of two columns, which must both hold values. steps: of both, where they are known already. ProfileError when
    they are counted on two different grids."""
    if isinstance(reference, BinnedColumn) or isinstance(current, BinnedColumn):
        assert not isinstance(reference, Part)  # noqa: S101 (see `side_by_side`)
        assert not isinstance(current, Part)  # noqa: S101
        return _on_grid(reference, current)
    distinct = False
    if isinstance(reference, Part) and isinstance(current, Part):
        gap, where = largest_gap(reference, current)
    else:
        assert isinstance(reference, NumericColumn)  # noqa: S101
        assert isinstance(current, NumericColumn)  # noqa: S101
        steps = steps or steps_of(reference, current)
        assert steps is not None  # noqa: S101
        gap, where = steps.largest()
        distinct = _all_distinct(reference, current)
    rows, at = reference.present * current.present, np.array([where])
    a, b = (int(column.rows_up_to(at)[0]) / column.present for column in (reference, current))
    return KsDistance(gap / rows, gap / rows, where, a, b, distinct)


def _all_distinct(first: NumericColumn, second: NumericColumn) -> bool:
    """Whether no value occurs twice in two columns so small that the exact p is asked for."""
    if first.present * second.present > EXACT_PAIRS or first.repeats is not None or second.repeats is not None:
        return False
    return not np.isin(first.values, second.values).any()


def _on_grid(reference: NumericColumn | BinnedColumn, current: NumericColumn | BinnedColumn) -> KsDistance:
    """An interval for D: exact at the edges of the buckets, bounded within them."""
    grid = reference if isinstance(reference, BinnedColumn) else current
    assert isinstance(grid, BinnedColumn)  # noqa: S101 (one of them is)
    a, b, inside = _gaps_on(grid.edges, reference, current)
    gaps = np.abs(a - b)
    best = int(gaps.argmax())
    rows = reference.present * current.present
    high = max(int(gaps[best]), int(inside.max()))
    where = min(float(grid.edges[best]), grid.high)
    return KsDistance(int(gaps[best]) / rows, high / rows, where, int(a[best]) / rows, int(b[best]) / rows)


def _gaps_on(
    edges: Floats, reference: NumericColumn | BinnedColumn, current: NumericColumn | BinnedColumn
) -> tuple[Integers, Integers, Integers]:
    """Rows up to each edge, each times all rows of the other sample, and what no gap within a bucket can exceed."""
    first, second = (_counted_on(column, edges) for column in (reference, current))
    a, b = np.cumsum(first) * current.present, np.cumsum(second) * reference.present
    inside = np.maximum(a - np.append(0, b[:-1]), b - np.append(0, a[:-1]))
    one_value = just_below(edges[1:]) == edges[:-1]
    inside[1:][one_value] = 0
    return a, b, inside


def _counted_on(column: NumericColumn | BinnedColumn, edges: Floats) -> Integers:
    if isinstance(column, NumericColumn):
        return bin_numbers(column, edges).counts
    if not np.array_equal(column.edges, edges):
        raise ProfileError("counted on the grids of two different references; count both on one of them")
    return column.counts


def ks_p_value(distance: float, reference_rows: float, current_rows: float) -> float:
    """The asymptotic two-sided p of D, as SciPy's `ks_2samp(method="asymp")` gives it: the exact one-sample
    distribution at the effective number of rows n·m/(n + m), rounded. 1.0 where that number is 0.
    """
    larger, smaller = sorted((float(reference_rows), float(current_rows)), reverse=True)
    effective = round(larger * smaller / (larger + smaller))
    if effective < 1:
        return 1.0
    return survival(effective, distance)


def ks_exact_p_value(distance: float, reference_rows: int, current_rows: int) -> float:
    """The two-sided p of D among samples without ties, as SciPy's `ks_2samp(method="exact")` gives it: the share of all
    orders of their values in which D is as large (Hodges 1958), counted in whole numbers."""
    few, many = sorted((reference_rows, current_rows))
    gap = round(distance * few * many)
    if gap <= 0:
        return 1.0
    paths = [1] + [0] * many  # orders of i values of the shorter and j of the longer in which D stayed below
    for i in range(few + 1):
        low = max(0, (i * many - gap) // few + 1)
        high = min(many, -(-(i * many + gap) // few) - 1)
        paths = [0] * low + list(accumulate(paths[low : high + 1])) + [0] * (many - high)
    total = math.comb(few + many, few)
    return (total - paths[many]) / total


def ks_band(reference_rows: float, current_rows: float, alpha: float) -> float:
    """How far D of the samples can be from D of what they were drawn from, but for a chance of `alpha`.

    Dvoretzky–Kiefer–Wolfowitz with Massart's constant, for two samples (Wei and Dudley 2012).
    """
    return math.sqrt(-math.log(alpha / 2) / 2) * math.sqrt(1 / reference_rows + 1 / current_rows)


class LevelTest(NamedTuple):
    """Chi-square homogeneity of the levels of two samples.

    pooled: levels counted together as "(other)" because too few rows were expected. effect: bias-corrected Cramér's V
    (Bergsma 2013). where: the level whose share changed most. reference, current: its shares.
    """

    statistic: float
    p_value: float
    freedom: int
    effect: float
    pooled: tuple[str, ...]
    where: str
    reference: float
    current: float


def level_test(
    reference: CategoricalColumn, current: CategoricalColumn, effective: tuple[float, float] = (1.0, 1.0)
) -> LevelTest:
    """Whether two columns, which must both hold values, were drawn from the same shares of levels.

    effective: what a row of each is worth in independent rows (Rao and Scott 1981, their first order).
    """
    levels, table = aligned(reference, current)
    counted = table if effective == (1.0, 1.0) else table * np.array(effective)[:, None]
    pooled, table_tested = _pool(levels, counted)
    statistic, p_value, freedom = chi_square(table_tested)
    shares = table / table.sum(axis=1, keepdims=True)
    most = int(np.abs(shares[1] - shares[0]).argmax())
    effect = cramers_v(statistic, float(counted.sum()), table_tested.shape[1])
    return LevelTest(
        statistic, p_value, freedom, effect, pooled, levels[most], float(shares[0, most]), float(shares[1, most])
    )


def aligned(reference: CategoricalColumn, current: CategoricalColumn) -> tuple[list[str], Integers]:
    """All levels, sorted, and the (2, levels) table of their counts, the reference first."""
    levels = sorted({*reference.levels, *current.levels})
    place = {level: index for index, level in enumerate(levels)}
    table = np.zeros((2, len(levels)), np.int64)
    for row, column in enumerate((reference, current)):
        table[row, [place[level] for level in column.levels]] = column.counts
    return levels, table


def _pool(levels: list[str], table: Integers | Floats) -> tuple[tuple[str, ...], Integers | Floats]:
    """Count rare levels together, judged by both samples' total alone, so that pooling cannot hide or make a change."""
    totals = table.sum(axis=0)
    needed = SMALLEST_EXPECTED * totals.sum() / table.sum(axis=1).min()
    order = np.lexsort((np.arange(len(levels)), totals))
    rare = int(np.searchsorted(totals[order], needed, side="left"))
    if rare and totals[order[:rare]].sum() < needed and rare < len(levels):
        rare += 1
    if rare < 2:
        return (), table
    small, kept = order[:rare], np.sort(order[rare:])
    return tuple(levels[i] for i in np.sort(small)), np.column_stack([table[:, kept], table[:, small].sum(axis=1)])


def chi_square(table: Integers | Floats) -> tuple[float, float, int]:
    """Statistic, p and degrees of freedom of homogeneity of a (2, levels) table without empty rows or columns, as
    SciPy's `chi2_contingency(correction=False)` gives them. One level only: 0, 1, 0."""
    from scipy.special import chdtrc

    freedom = table.shape[1] - 1
    if freedom == 0:
        return 0.0, 1.0, 0
    rows, columns, total = table.sum(axis=1), table.sum(axis=0), table.sum()
    expected = rows[:, None] * (columns[None, :] / total)
    statistic = float(((table - expected) ** 2 / expected).sum())
    return statistic, float(chdtrc(freedom, statistic)), freedom


def cramers_v(statistic: float, rows: float, levels: int) -> float:
    """Bias-corrected Cramér's V of a chi-square `statistic` on a 2 × `levels` table of `rows` rows in all."""
    if levels < 2 or rows < 3:
        return 0.0
    phi = max(0.0, statistic / rows - (levels - 1) / (rows - 1))
    return min(1.0, math.sqrt(phi / (1 - 1 / (rows - 1))))


def cramers_v_interval(statistic: float, rows: float, freedom: int, alpha: float) -> tuple[float, float]:
    """Where V of what the samples were drawn from lies, but for a chance of about `alpha`: the non-central chi-square
    distribution inverted (Smithson 2003); without the rows to say anything, (0, 1).

    Two samples that are more alike than chance makes them say nothing about what they were drawn from: inverted, a
    statistic of 0 gives (0, 0) for ten rows. So the upper end is at least that of the statistic expected without drift.
    """
    from scipy.special import chdtr, chndtrinc

    if freedom < 1:
        return 0.0, 1.0
    low = chndtrinc(statistic, freedom, 1 - alpha / 2) if chdtr(freedom, statistic) > 1 - alpha / 2 else 0.0
    high = chndtrinc(max(statistic, freedom), freedom, alpha / 2)
    return math.sqrt(min(1.0, low / rows)), math.sqrt(min(1.0, high / rows))


def share_interval(changed: Sequence[float], rows: Sequence[float], alpha: float) -> tuple[float, float]:
    """Where the absolute difference of two shares lies, but for a chance of about `alpha`; as `signed_interval`."""
    low, high = signed_interval(changed, rows, alpha)
    return (0.0 if low <= 0 <= high else min(abs(low), abs(high))), min(1.0, max(abs(low), abs(high)))


def signed_interval(changed: Sequence[float], rows: Sequence[float], alpha: float) -> tuple[float, float]:
    """Where the second of two shares minus the first lies, but for a chance of `alpha` (Newcombe 1998, method 10).

    changed: (independent) rows that have the property, in the reference and the current sample, of `rows` each.
    """
    from scipy.special import ndtri

    z = -float(ndtri(alpha / 2))
    (p, p_low, p_high), (q, q_low, q_high) = (_wilson(k, n, z) for k, n in zip(changed, rows, strict=True))
    return (q - p) - math.hypot(q - q_low, p_high - p), (q - p) + math.hypot(q_high - q, p - p_low)


def _wilson(successes: float, rows: float, z: float) -> tuple[float, float, float]:
    share = successes / rows
    middle = (share + z * z / (2 * rows)) / (1 + z * z / rows)
    half = z / (1 + z * z / rows) * math.sqrt(share * (1 - share) / rows + z * z / (4 * rows * rows))
    return share, min(share, middle - half), max(share, middle + half)


def level_cells(reference: CategoricalColumn, current: CategoricalColumn) -> Integers:
    """(2, levels) rows of each sample in each level."""
    return aligned(reference, current)[1]


def number_cells(reference: Numbers, current: Numbers) -> Integers:
    """(2, cells) rows of each sample in the ten equal shares of the reference, without cells that hold none."""
    cells = _cells(reference)
    table = np.array([_cell_counts(column, cells) for column in (reference, current)])
    found: Integers = table[:, table.sum(axis=0) > 0]
    return found


def _cells(reference: Numbers) -> Floats:
    return np.unique(np.append(reference.quantiles(SHARES), np.inf))


def _cell_counts(column: Numbers, cells: Floats) -> Integers:
    return np.diff(np.concatenate([[0], column.rows_up_to(cells[:-1]), [column.present]]))


def psi(table: Integers) -> float:
    """The population stability index of (2, cells) rows."""
    smoothed = table + 0.5  # half a row in every cell: an empty one must not make the index infinite
    p, q = smoothed / smoothed.sum(axis=1, keepdims=True)
    return float(((q - p) * np.log(q / p)).sum())


def jensen_shannon(table: Integers) -> float:
    """The root of the Jensen–Shannon divergence, in bits, of (2, cells) rows: 0 to 1."""
    p, q = table / table.sum(axis=1, keepdims=True)
    middle = (p + q) / 2
    divergence = sum(float((s[s > 0] * np.log2(s[s > 0] / middle[s > 0])).sum()) for s in (p, q)) / 2
    return math.sqrt(min(1.0, max(0.0, divergence)))


def wasserstein(reference: Numbers, current: Numbers, steps: Steps | None = None) -> float | None:
    """The Wasserstein-1 distance, in the column's unit: exact where the reference has up to 4,096 distinct values
    or the current sample up to 32,768 rows, else as `drift.buckets.bucketed_wasserstein` has it. None when it is not
    finite, or a sample is on a grid. steps: as of `ks_distance`."""
    if isinstance(reference, BinnedColumn) or isinstance(current, BinnedColumn):
        return None
    if isinstance(reference, Part) and isinstance(current, Part):
        distance = bucketed_wasserstein(reference, current)
    else:
        steps = steps or steps_of(reference, current)
        assert steps is not None  # noqa: S101 (see `side_by_side`)
        with np.errstate(over="ignore", invalid="ignore"):
            area = (steps.gaps[:-1] * np.diff(steps.points)).sum()
        distance = float(area) / (reference.present * current.present)
    return distance if math.isfinite(distance) else None


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

"""Can a model tell the rows of two samples apart? Then they differ, even where each column alone stays as it was.

A classifier two-sample test (Lopez-Paz and Oquab 2017). It needs rows, which profiles do not hold; it says that
samples differ and by which columns, never whether predictions suffer.

Its classifier is a small gradient boosting one (boosted trees on squared error; Friedman 2001, 2002) on NumPy alone,
which ranks rows and makes no probabilities: `training` fits the models that predict. scikit-learn's is as good, and to
load it takes a second and 100 MB of every process that compares rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Codes = npt.NDArray[np.uint8]

BINS = 64  # of a column: 0 where missing, then levels, or numbers in parts of equal size
NUMBER_BINS = 32
TREES, DEPTH, RATE = 30, 3, 0.2
LEAST_ROWS = 20  # of a leaf
TREE_ROWS = 2_000  # that one tree learns from, drawn anew for each: more make a tree slower and hardly better
SHRINKAGE = 1.0  # rows of no difference that each leaf is told beside its own


class Tree(NamedTuple):
    """columns, left: of each inner node, root first, the column it splits by and the bins that go left; a node that
    splits nothing has all go left. values: of each leaf."""

    columns: Integers
    left: npt.NDArray[np.bool_]
    values: Floats


def bin_columns(X: Floats, categorical: Sequence[bool]) -> Codes:
    """(columns, n) bins of (n, columns) values, NaN where missing; levels are whole numbers from 0 to 62.

    >>> bin_columns(np.array([[0.5, 1.0], [np.nan, 0.0]]), [False, True]).tolist()
    [[2, 0], [2, 1]]
    """
    return np.array([_bin(X[:, place], levels) for place, levels in enumerate(categorical)], dtype=np.uint8)


def _bin(values: Floats, levels: bool) -> Codes:
    missing = np.isnan(values)
    if levels:
        found = np.where(missing, 0, values + 1)
    else:
        present = np.sort(values[~missing])
        places = np.arange(1, NUMBER_BINS) * len(present) // NUMBER_BINS
        found = np.where(missing, 0, np.searchsorted(np.unique(present[places]), values, side="right") + 1)
    return found.astype(np.uint8)


def boost(codes: Codes, y: Integers, categorical: Sequence[bool], generator: np.random.Generator) -> list[Tree]:
    """Trees whose sum ranks rows by how likely they have y 1. codes: (columns, n), of `bin_columns`; y: (n,) 0 or 1."""
    rest, trees = y - y.mean(), list[Tree]()
    levels = np.flatnonzero(categorical)
    for _ in range(TREES):
        some = _draw(len(y), generator)
        tree = _grow(codes[:, some], rest[some], levels)
        rest = rest - answer(tree, codes)
        trees.append(tree)
    return trees


def _draw(rows: int, generator: np.random.Generator) -> Integers:
    return np.arange(rows) if rows <= TREE_ROWS else np.sort(generator.choice(rows, TREE_ROWS, replace=False))


def answer(tree: Tree, codes: Codes) -> Floats:
    """(n,) what one tree adds for each row of (columns, n) `codes`."""
    return tree.values[_leaves(tree, codes)]


def _leaves(tree: Tree, codes: Codes, depth: int = DEPTH) -> Integers:
    """(n,) the node of the level `depth` in which each row ends."""
    rows, node = np.arange(codes.shape[1]), np.zeros(codes.shape[1], dtype=np.int64)
    for level in range(depth):
        inner = node + 2**level - 1
        node = 2 * node + ~tree.left[inner, codes[tree.columns[inner], rows]]
    return node


def _grow(codes: Codes, rest: Floats, levels: Integers) -> Tree:
    inner = 2**DEPTH - 1
    tree = Tree(np.zeros(inner, np.int64), np.ones((inner, BINS), dtype=np.bool_), np.zeros(2**DEPTH))
    for level in range(DEPTH):
        node, nodes = _leaves(tree, codes, level), 2**level
        sums, counts = _histograms(codes, node, nodes, rest)
        places = slice(nodes - 1, 2 * nodes - 1)
        tree.columns[places], tree.left[places] = _split(sums, counts, levels)
    node = _leaves(tree, codes)
    counts = np.bincount(node, minlength=len(tree.values))
    tree.values[:] = RATE * np.bincount(node, rest, len(tree.values)) / (counts + SHRINKAGE)
    return tree


def _histograms(codes: Codes, node: Integers, nodes: int, rest: Floats) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """(nodes, columns, bins) the sum of `rest` and the number of rows."""
    columns, n = codes.shape
    place = (np.arange(columns) * BINS)[:, np.newaxis] + codes + node * (columns * BINS)
    size, shape = nodes * columns * BINS, (nodes, columns, BINS)
    sums = np.bincount(place.ravel(), np.broadcast_to(rest, (columns, n)).ravel(), size)
    return sums.reshape(shape), np.bincount(place.ravel(), minlength=size).reshape(shape).astype(np.float64)


def _split(
    sums: npt.NDArray[Any], counts: npt.NDArray[Any], levels: Integers
) -> tuple[Integers, npt.NDArray[np.bool_]]:
    """The column by which each node splits best, and (nodes, bins) which bins go left; all, where nothing is gained.

    Bins are parted in their order, levels in the order of their means, which finds the best of all partings.
    """
    order = np.broadcast_to(np.arange(BINS), sums.shape).copy()
    order[:, levels] = np.argsort(sums[:, levels] / np.maximum(counts[:, levels], 1), axis=2, kind="stable")
    left_sum = np.take_along_axis(sums, order, axis=2).cumsum(axis=2)
    left = np.take_along_axis(counts, order, axis=2).cumsum(axis=2)
    total, whole = left_sum[:, :, -1:], left[:, :, -1:]
    gain = left_sum**2 / (left + SHRINKAGE) + (total - left_sum) ** 2 / (whole - left + SHRINKAGE)
    gain -= total**2 / (whole + SHRINKAGE)
    gain[(left < LEAST_ROWS) | (whole - left < LEAST_ROWS)] = 0.0
    nodes = np.arange(len(sums))
    best = gain.reshape(len(sums), -1).argmax(axis=1)
    columns, cuts = best // BINS, best % BINS
    rank = np.argsort(order[nodes, columns], axis=1)
    gained = gain[nodes, columns, cuts] > 0
    return columns, (rank <= cuts[:, np.newaxis]) | ~gained[:, np.newaxis]


if TYPE_CHECKING:
    import polars as pl

    from preprocessing.schema import DomainSchema


FEWEST_A_SIDE = 50  # rows on either side; halves of 25 against 25 are the least that tells anything
FEW_CLUSTERS = 10  # on a side, below which rows count one by one, and the result says so
MOST_ROWS = 20_000  # a side; more sharpen the answer beyond use and only cost time
LEVELS_APART = 60  # of a column; rarer ones count together
NAMED = 5  # columns that a result names
LEVEL = 0.95
DECIMALS = 12  # of scores; what differs beyond differs by the order of a sum


class TellingColumn(msgspec.Struct, frozen=True, kw_only=True):
    """A column by which samples are told apart: how far the AUC falls when its values are shuffled; 95 % interval."""

    column: str
    drop: float
    low: float
    high: float


class ClassifierResult(msgspec.Struct, frozen=True, kw_only=True):
    """How well rows of the two samples are told apart by a model that has not seen them.

    auc: chance that of one row of each sample the current one is recognised, 0.5 for equal samples, with its 95 %
    interval. p_value: one-sided, of no difference. n_reference, n_current: rows used. clusters: independent units that
    interval and p count; unit says what they are. columns: those surely told apart by (each interval above 0), the
    strongest first, 5 at most. left_out: columns without a value, or a range, in common.
    """

    auc: float
    auc_low: float
    auc_high: float
    p_value: float
    n_reference: int
    n_current: int
    clusters: int
    unit: Literal["rows", "groups"]
    columns: tuple[TellingColumn, ...] = ()
    left_out: tuple[str, ...] = ()

    def at_level(self, level: float) -> ClassifierResult:
        """The same with the interval of the AUC at another level."""
        from scipy.special import stdtrit

        freedom = _freedom(self.clusters)
        half = max(self.auc - self.auc_low, self.auc_high - self.auc)  # of two ends one may be cut off
        half *= float(stdtrit(freedom, (1 + level) / 2) / stdtrit(freedom, (1 + LEVEL) / 2))
        return msgspec.structs.replace(self, auc_low=max(0.0, self.auc - half), auc_high=min(1.0, self.auc + half))


def run_classifier_test(
    reference: pl.DataFrame,
    current: pl.DataFrame,
    schema: DomainSchema,
    *,
    columns: Sequence[str] | None = None,
    groups: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
    seed: int = 0,
) -> ClassifierResult | None:
    """How well the rows of two typed frames are told apart; None with fewer than 50 rows on a side or no column.

    columns: those looked at, by default every feature that both frames have values of. groups: a label per row of each
    frame, of the class or student it belongs to; rows of one group never teach and test the same model, and groups are
    then the independent units, where each frame has ten or more. The same frames and seed give the same answer.
    """
    known = [f.name for f in schema.features if f.name in reference.columns and f.name in current.columns]
    names = known if columns is None else [name for name in known if name in columns]
    names = [name for name in names if any(side[name].count() for side in (reference, current))]
    categorical = {f.name for f in schema.features if f.kind == "categorical"}
    apart = tuple(name for name in names if _disjoint(reference, current, name, name in categorical))
    names = [name for name in names if name not in apart]
    if min(reference.height, current.height) < FEWEST_A_SIDE or not names:
        return None
    generator = np.random.default_rng(seed)
    taken = [_some(frame.height, generator) for frame in (reference, current)]
    sides = [frame[rows] for frame, rows in zip((reference, current), taken, strict=True)]
    X = np.column_stack([_codes(sides, name, name in categorical) for name in names])
    y = np.repeat([0, 1], [side.height for side in sides])
    labels = None if groups is None else [np.asarray(g)[rows] for g, rows in zip(groups, taken, strict=True)]
    units, unit = _units(labels, len(y))
    sample = _Sample(X, y, units, [name in categorical for name in names])
    return msgspec.structs.replace(_conclude(sample, names, unit, seed), left_out=apart)


class _Sample(NamedTuple):
    """X: (n, columns), NaN where missing; y: (n,) 0 reference, 1 current; units: (n,) what is independent."""

    X: Floats
    y: Integers
    units: Integers
    levels: list[bool]


def _disjoint(reference: pl.DataFrame, current: pl.DataFrame, name: str, categorical: bool) -> bool:
    """Whether all values of a column are others than before (numbers: beyond them), which its own test says best."""
    before, after = reference[name].drop_nulls(), current[name].drop_nulls()
    if not len(before) or not len(after):
        return False
    if categorical:
        return set(before.unique()).isdisjoint(after.unique())
    (low, high), (lowest, highest) = ((float(side.min()), float(side.max())) for side in (before, after))  # type: ignore[arg-type]  # numbers
    return highest < low or high < lowest


def _some(rows: int, generator: np.random.Generator) -> Integers:
    if rows <= MOST_ROWS:
        return np.arange(rows)
    return np.sort(generator.choice(rows, MOST_ROWS, replace=False))


def _codes(sides: Sequence[pl.DataFrame], name: str, categorical: bool) -> Floats:
    """One column of both frames as numbers; levels by how frequent they are, the rare ones together."""
    import polars as pl

    if not categorical:
        return np.concatenate([side[name].cast(pl.Float64).to_numpy() for side in sides])
    both = pl.concat([side[name].cast(pl.String) for side in sides])
    counted = both.drop_nulls().value_counts().sort(["count", name], descending=[True, False])[name].to_list()
    places = {level: float(min(place, LEVELS_APART)) for place, level in enumerate(counted)}
    return both.replace_strict(places, default=None, return_dtype=pl.Float64).to_numpy()


def _units(labels: Sequence[npt.NDArray[Any]] | None, rows: int) -> tuple[Integers, Literal["rows", "groups"]]:
    """A number per row of the independent unit it belongs to: its group where each side has enough of them."""
    if labels is None or any(len(np.unique(side)) < FEW_CLUSTERS for side in labels):
        return np.arange(rows), "rows"
    numbers = np.unique(np.concatenate(labels).astype(str), return_inverse=True)[1].astype(np.int64)
    return numbers, "groups" if len(np.unique(numbers)) < rows else "rows"


def _conclude(sample: _Sample, names: Sequence[str], unit: Literal["rows", "groups"], seed: int) -> ClassifierResult:
    from scipy.special import stdtr, stdtrit

    generator = np.random.default_rng(seed + 1)
    codes, half = bin_columns(sample.X, sample.levels), _halves(sample, generator)
    parts = [_fold(sample, codes, half == 1 - part, half == part, generator) for part in (0, 1)]
    auc, error = _combine(sample, [(test, whole) for test, whole, _ in parts])
    count = len(np.unique(sample.units))
    freedom = _freedom(count)
    quantile = float(stdtrit(freedom, (1 + LEVEL) / 2))
    p_value = float(stdtr(freedom, -(auc - 0.5) / error)) if error else float(auc <= 0.5)
    drops = [
        (name, _combine(sample, [(test, whole - without.get(place, whole)) for test, whole, without in parts]))
        for place, name in enumerate(names)
        if any(place in without for _, _, without in parts)
    ]
    named = [
        TellingColumn(column=name, drop=drop, low=drop - quantile * spread, high=drop + quantile * spread)
        for name, (drop, spread) in drops
        if drop > quantile * spread
    ]
    return ClassifierResult(
        auc=auc,
        auc_low=max(0.0, auc - quantile * error),
        auc_high=min(1.0, auc + quantile * error),
        p_value=p_value,
        n_reference=int((sample.y == 0).sum()),
        n_current=int(sample.y.sum()),
        clusters=count,
        unit=unit,
        columns=tuple(sorted(named, key=lambda one: (-one.drop, one.column))[:NAMED]),
    )


def _freedom(clusters: int) -> int:
    """Degrees of freedom of one half."""
    return max(1, clusters // 2 - 1)


def _halves(sample: _Sample, generator: np.random.Generator) -> Integers:
    """(n,) 0 or 1: whole units, drawn at random, so that both halves have as many rows of either sample, or nearly."""
    units = np.unique(sample.units, return_inverse=True)[1]
    new, size = np.bincount(units, sample.y), np.bincount(units)
    order = np.lexsort((generator.random(len(size)), size, new))  # like beside like
    turns = np.arange(len(order)) // 2
    half = np.empty(len(order), dtype=np.int64)
    half[order] = (
        generator.integers(0, 2, len(order))[turns] + np.arange(len(order))
    ) % 2  # of two neighbours, each one
    return half[units]


def _fold(
    sample: _Sample,
    codes: npt.NDArray[np.uint8],
    train: npt.NDArray[np.bool_],
    test: npt.NDArray[np.bool_],
    generator: np.random.Generator,
) -> tuple[Integers, Floats, dict[int, Floats]]:
    """Test positions with each row's share in their AUC, and the same with each column shuffled of those that count."""
    trees = boost(codes[:, train], sample.y[train], sample.levels, generator)
    asked, y = codes[:, test], sample.y[test]
    order = generator.permutation(len(y))
    given = [answer(tree, asked) for tree in trees]
    scores, without = np.sum(given, axis=0), dict[int, Floats]()
    for place in sorted({int(column) for tree in trees for column in _columns_of(tree)}):
        own = asked[place].copy()
        asked[place] = own[order]
        moved = scores.copy()
        for tree, before in zip(trees, given, strict=True):
            if place in _columns_of(tree):
                moved += answer(tree, asked) - before
        asked[place] = own
        without[place] = _shares(moved, y)
    return np.flatnonzero(test), _shares(scores, y), without


def _columns_of(tree: Tree) -> Integers:
    return tree.columns[~tree.left.all(axis=1)]


def _shares(scores: Floats, y: Integers) -> Floats:
    """(n,) chance that a row is on the right side of one of the other sample; their mean over a sample is the AUC."""
    place = np.unique(np.round(scores, DECIMALS), return_inverse=True)[1]  # what sums to the same is a tie
    old, new = (np.bincount(place[y == side], minlength=int(place.max()) + 1) for side in (0, 1))
    beaten, beating = (((side.cumsum() - side / 2) / side.sum())[place] for side in (old, new))
    return np.asarray(np.where(y == 1, beaten, 1 - beating))


def _combine(sample: _Sample, parts: Sequence[tuple[Integers, Floats]]) -> tuple[float, float]:
    """The mean over both halves and its standard error over units (influence curves; LeDell et al. 2015).

    What is chance in one half teaches the model that judges the other, so without drift both miss 0.5 to the same side
    (their mean scatters 1.3 times as much as that of independent halves). Their errors are added, not their squares.
    """
    values, errors = [], []
    for test, shares in parts:
        y = sample.y[test]
        mean = float(shares[y == 1].mean())
        influence = (shares - mean) / np.where(y == 1, y.sum(), (y == 0).sum())
        number = np.unique(sample.units[test], return_inverse=True)[1]
        sums = np.bincount(number, weights=influence)
        values.append(mean)
        errors.append(float(np.sqrt(len(sums) / (len(sums) - 1) * (sums**2).sum())))
    return float(np.mean(values)), float(np.mean(errors))

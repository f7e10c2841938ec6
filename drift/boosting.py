"""A small gradient boosting classifier of two samples, on NumPy alone.

It ranks rows by how likely they are of the second sample (boosted trees on squared error; Friedman 2001, 2002), which
is all that a classifier two-sample test asks. It makes no probabilities: `training` fits the models that predict.
scikit-learn's is as good, and to load it takes a second and 100 MB of every process that compares rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

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


def answer_all(trees: Sequence[Tree], codes: Codes) -> Floats:
    """(n,) the sum of all trees."""
    return np.sum([answer(tree, codes) for tree in trees], axis=0) if trees else np.zeros(codes.shape[1])


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

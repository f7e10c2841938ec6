"""The trees of a graph, read off its bytes: the `onnx` package takes longer to load than many a file to score.

It reads the one shape that training gives to regressors made of small trees, and knows nothing of answering rows.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

MOST_BYTES = 1 << 20  # of a graph that is looked into: a larger one has trees too deep for what reads them
MOST_LEAVES = 64  # of a tree: as many as a word has bits
REGRESSOR, SPLIT, LEAF = b"TreeEnsembleRegressor", b"BRANCH_LEQ", b"LEAF"
GRAPH_FIELD, NODE, OPERATOR, ATTRIBUTE = 7, 1, 4, 5  # numbers of fields in onnx.proto, and of an attribute's:
NAME_FIELD, FLOAT, FLOATS, TYPE = 1, 2, 7, 20
NODES = ("treeids", "nodeids", "modes", "featureids", "values", "truenodeids", "falsenodeids")
KNOWN_ATTRIBUTES = {f"nodes_{name}" for name in (*NODES, "hitrates", "missing_value_tracks_true")}
KNOWN_ATTRIBUTES |= {"target_treeids", "target_nodeids", "target_ids", "target_weights"}
KNOWN_ATTRIBUTES |= {"base_values", "n_targets", "post_transform"}

Attributes = Mapping[str, Sequence[Any]]


class Split(NamedTuple):
    """A fork of a tree: rows go to the true side where the number at `position` of the vector is at most `threshold`
    (a float32). if_true, if_false: what is then left of the tree's leaves, a bit for each."""

    position: int
    threshold: float
    if_true: int
    if_false: int


class OnnxTree(NamedTuple):
    """leaves: their values, in the order of the bits."""

    splits: Sequence[Split]
    leaves: NDArray[np.float32]


class Ensemble(NamedTuple):
    """The answer to a row is the sum of one leaf of each tree, in float32 and in this order, and `base` after that."""

    trees: Sequence[OnnxTree]
    base: np.float32


def read_trees(graph: bytes) -> Ensemble | None:
    """The trees of an ONNX graph that is nothing but a sum of small ones; None for every other graph."""
    if len(graph) > MOST_BYTES:
        return None
    try:
        [body] = [value for number, value in _fields(graph) if number == GRAPH_FIELD]
        [node] = [value for number, value in _fields(body) if number == NODE]
        fields = list(_fields(node))
        if (OPERATOR, REGRESSOR) not in fields:
            return None
        return _ensemble(dict(_attribute(value) for number, value in fields if number == ATTRIBUTE))
    except (ValueError, LookupError, TypeError, RecursionError):  # it has another shape than those of training
        return None


def _ensemble(given: Attributes) -> Ensemble | None:
    """The trees that the attributes of an operator tell of, where they are plain. Where NaN goes is left out: an
    encoded row has none."""
    plain = given.keys() <= KNOWN_ATTRIBUTES and given["n_targets"] == [1] and given["post_transform"] == [b"NONE"]
    if not plain:
        return None
    nodes: dict[int, dict[int, tuple[Any, ...]]] = {}
    for tree, number, *node in zip(*(given[f"nodes_{name}"] for name in NODES), strict=True):
        nodes.setdefault(tree, {})[number] = tuple(node)
    places = zip(given["target_treeids"], given["target_nodeids"], strict=True)
    weights = dict(zip(places, given["target_weights"], strict=True))
    trees = [
        _tree(found, {number: weights[tree, number] for number in found if (tree, number) in weights})
        for tree, found in nodes.items()
    ]
    [base] = given.get("base_values", [0.0])
    small = all(len(tree.leaves) <= MOST_LEAVES for tree in trees)
    return Ensemble(trees, np.float32(base)) if small else None


def _tree(nodes: Mapping[int, tuple[Any, ...]], weights: Mapping[int, float]) -> OnnxTree:
    splits: list[tuple[int, float, int, int]] = []
    leaves: list[float] = []

    def walk(number: int) -> int:
        """The bits of the leaves under a node."""
        mode, position, threshold, if_true, if_false = nodes[number]
        if mode == LEAF:
            leaves.append(weights[number])
            return 1 << len(leaves) - 1
        if mode != SPLIT or not math.isfinite(threshold):
            raise ValueError(f"splits of mode {mode!r} at {threshold} are not read")
        under_true, under_false = walk(if_true), walk(if_false)
        splits.append((position, threshold, under_true, under_false))
        return under_true | under_false

    every = walk(0)
    found = [Split(position, threshold, every & ~no, every & ~yes) for position, threshold, yes, no in splits]
    return OnnxTree(found, np.array(leaves, dtype=np.float32))


# Protocol buffers ---------------------------------------------------------------------------------------------------


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """The fields of a message: each its number, and bytes or an integer. Raises ValueError and IndexError."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        kind = key & 7
        if kind == 0:
            value: Any
            value, at = _varint(data, at)
        else:
            size = {1: 8, 5: 4}.get(kind, 0)
            if kind == 2:
                size, at = _varint(data, at)
            elif not size:
                raise ValueError(f"wire type {kind} is not read")
            value, at = data[at : at + size], at + size
        yield key >> 3, value


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """The integer that begins at `at`, and where the next field does."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def _attribute(data: bytes) -> tuple[str, list[Any]]:
    """Name and values of an operator's attribute: numbers and bytes."""
    name, values, floats = b"", [], []
    for number, value in _fields(data):
        if number == NAME_FIELD:
            name = value
        elif number in (FLOAT, FLOATS):
            floats.append(value)
        elif number != TYPE:
            values.append(value)
    return name.decode(), values or np.frombuffer(b"".join(floats), dtype="<f4").tolist()

"""Many rows through small trees by tables: what `model.graph` answers, to the last bit, several times sooner.

To walk a tree is to guess at every split, and processors guess half of them wrong. Nothing branches here: a column's
values become codes, the codes of some columns one code, and for each of those a table holds a byte per tree; a tree's
bytes added up name its leaf (after QuickScorer: Lucchese et al., SIGIR 2015). The graph stays the model: tables are
used where they are proved to say the same, on the machine and with the ONNX Runtime at hand.
"""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.fast_trees.onnx_trees import Ensemble, OnnxTree, Split, read_trees
from model.graph import Graph, run_graph
from preprocessing.encode import MISSING_LEVEL, Encoding, NumberedColumns, NumericPart, encode_columns

PATHS = 256  # of a tree: as many as a byte tells apart
MOST_CODES = 256  # codes that are looked up as one
ABREAST = 64  # trees whose bytes stand together: a cache line
ROWS_IN_CACHE = 8_192  # rows; what they need stays within the processor's second cache
WIDEST = 4_096  # from the lowest to the highest threshold of a column whose whole numbers are looked up
EXACT_FLOAT = 2.0**23  # below this every whole number, and the next, is a float32
CHECKED = 4_096  # rows, of whole numbers and then of any

Steps = NDArray[np.intp]
"""What each code of a column adds to the code that it shares with others."""


class _Numbers(NamedTuple):
    """A numeric column. thresholds: ascending; a value's code is how many lie below it, and one more than of any value
    where it is missing. whole: the steps of the whole numbers from `first` on, where these are few."""

    thresholds: NDArray[np.float32]
    steps: Steps
    first: int
    whole: Steps | None

    def of(self, values: NDArray[np.float64]) -> Steps:
        if self.whole is not None:
            with np.errstate(invalid="ignore"):  # of NaN, which is found to be no whole number
                numbers = values.astype(np.intp)
            if (numbers == values).all():
                np.clip(numbers, self.first, self.first + len(self.whole) - 1, out=numbers)
                numbers -= self.first
                return self.whole.take(numbers)
        with np.errstate(over="ignore"):  # the greatest numbers are no float32, and above every threshold all the same
            codes = np.searchsorted(self.thresholds, values.astype(np.float32))
        codes[np.isnan(values)] = len(self.thresholds) + 1
        return self.steps.take(codes)


class _Levels(NamedTuple):
    """A categorical column. steps: of missing or unknown, then of every level."""

    steps: Steps

    def of(self, codes: NDArray[np.int32]) -> Steps:
        return self.steps.take(codes - MISSING_LEVEL)


class _Abreast(NamedTuple):
    """Some trees. tables: the place of a shared code, and (codes, trees) what each tree's path gets from it. values: of
    each tree's paths."""

    tables: Sequence[tuple[int, NDArray[np.uint8]]]
    values: Sequence[NDArray[np.float32]]


class TreeLookup(NamedTuple):
    """An ensemble ready for many rows, safe to share between threads. shared: for every shared code its columns."""

    shared: Sequence[Mapping[str, _Numbers | _Levels]]
    blocks: Sequence[_Abreast]
    base: np.float32

    def outputs(self, columns: NumberedColumns) -> NDArray[np.float32]:
        """(n, 1) what the graph answers."""
        cells: Mapping[str, NDArray[Any]] = {**columns.numeric, **columns.codes}
        answers = np.empty(columns.height, dtype=np.float32)
        for start in range(0, len(answers), ROWS_IN_CACHE):
            part = slice(start, start + ROWS_IN_CACHE)
            codes = [_code(one, {name: cells[name][part] for name in one}) for one in self.shared]
            answers[part] = self._sums(codes, len(answers[part]))
        return answers.reshape(-1, 1)

    def _sums(self, codes: Sequence[Steps], n: int) -> NDArray[np.float32]:
        total, value = np.zeros(n, dtype=np.float32), np.empty(n, dtype=np.float32)
        path, more = np.empty((2, n, ABREAST), dtype=np.uint8)
        for block in self.blocks:
            path[:] = 0
            for place, table in block.tables:
                table.take(codes[place], axis=0, out=more, mode="clip")  # "raise" would fill a copy first
                path += more
            for number, values in enumerate(block.values):
                values.take(path[:, number], out=value, mode="clip")
                total += value
        return total + self.base


def _code(columns: Mapping[str, _Numbers | _Levels], cells: Mapping[str, NDArray[Any]]) -> Steps:
    """The code that some columns share, for each row."""
    first, *others = (column.of(cells[name]) for name, column in columns.items())
    for steps in others:
        first += steps
    return first


def prove_tables(graph: bytes, session: Graph, encoding: Encoding) -> TreeLookup | None:
    """The tables of a graph of small trees; None for other graphs, or where `session`, in which it runs, says anything
    else than they do."""
    ensemble = read_trees(graph)
    tables = make_tables(ensemble, encoding) if ensemble else None
    return tables if tables and ensemble and _agree(tables, session, ensemble, encoding) else None


# Making -------------------------------------------------------------------------------------------------------------


class _Column(NamedTuple):
    """A column of the encoding. vector: position to what stands there for each of its codes. thresholds: of a numeric
    one."""

    name: str
    vector: Mapping[int, NDArray[np.float32]]
    thresholds: NDArray[np.float32] | None = None


def make_tables(ensemble: Ensemble, encoding: Encoding) -> TreeLookup | None:
    """The tables of an ensemble; None where a tree has too many paths, or numbers are scaled (trees need it not)."""
    if any((part.center, part.scale) != (0.0, 1.0) or not np.isfinite(part.fill) for part in encoding.numeric):
        return None
    columns = _columns(ensemble, encoding)
    behind = {position: place for place, column in enumerate(columns) for position in column.vector}
    width = -(-len(ensemble.trees) // ABREAST) * ABREAST
    parts = [np.zeros((len(next(iter(column.vector.values()))), width), dtype=np.uint8) for column in columns]
    values = []
    for number, tree in enumerate(ensemble.trees):
        found = _paths(tree, columns, behind)
        if found is None:
            return None
        values.append(found[1])
        for place, steps in found[0].items():
            parts[place][:, number] = steps
    return _assembled(columns, parts, values, ensemble.base)


def _columns(ensemble: Ensemble, encoding: Encoding) -> list[_Column]:
    thresholds: dict[int, set[float]] = {}
    for tree in ensemble.trees:
        for split in tree.splits:
            thresholds.setdefault(split.position, set()).add(split.threshold)
    columns, position = [], 0
    for part in encoding.numeric:
        found = np.array(sorted(thresholds.get(position, ())), dtype=np.float32)
        vector = {position: np.concatenate([found, np.array([np.inf, part.fill], dtype=np.float32)])}
        if part.flag_missing:
            vector[position + 1] = np.eye(1, len(found) + 2, len(found) + 1, dtype=np.float32)[0]
        columns.append(_Column(part.name, vector, found))
        position += len(vector)
    for level_part in encoding.categorical:
        levels = np.eye(len(level_part.levels) + 1, dtype=np.float32)[1:]
        columns.append(_Column(level_part.name, {position + code: one for code, one in enumerate(levels)}))
        position += len(levels)
    return columns


def _paths(
    tree: OnnxTree, columns: Sequence[_Column], behind: Mapping[int, int]
) -> tuple[dict[int, NDArray[np.intp]], NDArray[np.float32]] | None:
    """Per column that the tree splits by, what each of its codes adds to the number of the path; and the value of every
    path. None for more than `PATHS`."""
    by_column: dict[int, list[Split]] = {}
    for split in tree.splits:
        by_column.setdefault(behind[split.position], []).append(split)
    left = np.array([(1 << len(tree.leaves)) - 1], dtype=np.uint64)
    steps: dict[int, NDArray[np.intp]] = {}
    for place, splits in by_column.items():
        vector = columns[place].vector
        sides = [
            np.where(vector[split.position] <= split.threshold, np.uint64(split.if_true), np.uint64(split.if_false))
            for split in splits
        ]
        reached = np.bitwise_and.reduce(sides)
        different, which = _alike(reached.tolist())
        steps[place] = which * len(left)
        left = (reached[different][:, None] & left).ravel()
        if len(left) > PATHS:
            return None
    return steps, tree.leaves[np.log2(left.astype(np.float64)).astype(np.intp)]  # one leaf is left: one bit, 2 ** k


def _assembled(
    columns: Sequence[_Column],
    parts: Sequence[NDArray[np.uint8]],
    values: Sequence[NDArray[np.float32]],
    base: np.float32,
) -> TreeLookup:
    """parts: per column (codes, trees) what each code adds to the path of each tree."""
    alike = [_alike([row.tobytes() for row in part]) for part in parts]
    shared: list[dict[str, _Numbers | _Levels]] = []
    tables = []
    for places in _together([len(different) for different, _ in alike]):
        table, found = np.zeros((1, parts[0].shape[1]), dtype=np.uint8), {}
        for place in places:
            different, which = alike[place]
            found[columns[place].name] = _coded(columns[place], which * len(table))
            table = (parts[place][different][:, None] + table).reshape(-1, table.shape[1])
        shared.append(found)
        tables.append(table)
    blocks = []
    for first in range(0, len(values), ABREAST):
        cut = [(place, np.ascontiguousarray(table[:, first : first + ABREAST])) for place, table in enumerate(tables)]
        blocks.append(
            _Abreast([(place, table) for place, table in cut if table.any()], values[first : first + ABREAST])
        )
    return TreeLookup(shared, blocks, base)


def _alike(keys: Sequence[Hashable]) -> tuple[list[int], Steps]:
    """Where each different key stands first, and of every key which of the different ones it is."""
    places: dict[Hashable, int] = {}
    which = np.array([places.setdefault(key, len(places)) for key in keys], dtype=np.intp)
    return [keys.index(key) for key in places], which


def _together(sizes: Sequence[int]) -> list[list[int]]:
    """Places of columns that share a code, at most `TOGETHER` of all their codes: the largest first, each where it
    fits. A column with one code says nothing and is left out."""
    found: list[tuple[int, list[int]]] = []
    for place in sorted(range(len(sizes)), key=lambda place: -sizes[place]):
        fits = next((i for i, (size, _) in enumerate(found) if size * sizes[place] <= MOST_CODES), None)
        if sizes[place] == 1:
            break
        if fits is None:
            found.append((sizes[place], [place]))
        else:
            size, places = found[fits]
            found[fits] = (size * sizes[place], [*places, place])
    return [places for _, places in found]


def _coded(column: _Column, steps: Steps) -> _Numbers | _Levels:
    thresholds = column.thresholds
    if thresholds is None:
        return _Levels(steps)
    if not len(thresholds):  # only whether it is missing is asked
        return _Numbers(thresholds, steps, 0, None)
    first, last = int(np.floor(thresholds[0])) - 1, int(np.ceil(thresholds[-1])) + 1
    few = last - first <= WIDEST and max(abs(first), abs(last)) < EXACT_FLOAT
    whole = steps[np.searchsorted(thresholds, np.arange(first, last + 1).astype(np.float32))] if few else None
    return _Numbers(thresholds, steps, first, whole)


# Checking -----------------------------------------------------------------------------------------------------------


def _agree(tables: TreeLookup, graph: Graph, ensemble: Ensemble, encoding: Encoding) -> bool:
    """Whether tables and graph say the same of thousands of rows, to the last bit: numbers on thresholds and next to
    them, whole ones, both zeros, missing values, unknown levels."""
    generator = np.random.default_rng(0)
    at = {column.name: column.thresholds for column in _columns(ensemble, encoding) if column.thresholds is not None}
    codes = {
        part.name: generator.integers(MISSING_LEVEL, len(part.levels), CHECKED).astype(np.int32)
        for part in encoding.categorical
    }
    for pool_of in (_whole_numbers, _any_numbers):
        numeric = {part.name: generator.choice(pool_of(part, at[part.name]), CHECKED) for part in encoding.numeric}
        rows = NumberedColumns(numeric, codes)
        said = run_graph(graph, encode_columns(encoding, CHECKED, *rows))
        if said.tobytes() != tables.outputs(rows).tobytes():
            return False
    return True


def _whole_numbers(_: NumericPart, thresholds: NDArray[np.float32]) -> NDArray[np.float64]:
    found = thresholds.astype(np.float64) if len(thresholds) else np.zeros(1)
    near = np.concatenate([np.floor(found), np.ceil(found)])
    return np.unique(np.concatenate([near, near - 1, near + 1, [-0.0, 0.0]]))


def _any_numbers(part: NumericPart, thresholds: NDArray[np.float32]) -> NDArray[np.float64]:
    single = [thresholds, np.nextafter(thresholds, np.float32(np.inf)), np.nextafter(thresholds, np.float32(-np.inf))]
    exact = np.concatenate(single).astype(np.float64)
    next_to = [np.nextafter(exact, np.inf), np.nextafter(exact, -np.inf)]
    others = [-0.0, 0.0, np.nan, part.fill, -1e30, 1e30]
    return np.concatenate([exact, *next_to, _whole_numbers(part, thresholds), others])

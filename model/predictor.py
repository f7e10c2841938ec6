"""One loaded model answering rows. Knows its bundle and nothing of stores, champions or requests."""

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from functools import cached_property, reduce
from itertools import accumulate
from operator import add
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from database.answer_columns import AnswerColumn
from database.layout import pack_ids
from database.records import Answer, Factor
from model.bundle import EXAMPLES, Bands, Bundle, Manifest, answered_levels
from model.explain import Explainer, ThemeExplainer, ThemeFactor
from model.fast_trees import MOST_BYTES, TreeLookup, prove_tables
from model.graph import Graph, open_graph, run_graph
from preprocessing.columns import Column, Levels, Numbers
from preprocessing.encode import (
    MISSING_LEVEL,
    Cell,
    NumberedColumns,
    RowEncoder,
    encode_columns,
    encode_rows,
    number_cells,
    number_columns,
)

if TYPE_CHECKING:
    import polars as pl

LOOKUP_PAYS = 500  # rows from which tables are clearly sooner than the graph
WORTH = 40_000  # rows asked for until tables are made: to make them takes what they then save on as many
ROWS_A_RUN = 8_192  # rows of one run of a graph: what it computes stays within the processor's cache
ENCODED_SINGLY = 50  # rows up to which encoding each by itself is sooner than an array operation per column

Row = Mapping[str, Cell]
Columns = Mapping[str, Column]
Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]
T = TypeVar("T", float, Floats)

ENOUGH_KNOWN = 0.5
"""The least share of the model's importance that a row's known inputs must hold, where training says nothing of rows
that lack as much (docs/decisions/0033)."""

ROUNDING = 1e-9

MIDDLE_SHARE = 0.5
MORE_THAN_HALF = MIDDLE_SHARE + 1e-6  # by more than sums of shares are off by

MOST_LOST = 0.4
"""The share of importance that may be missing before a row is looked at by itself: whether that is too much."""


class Predictor:
    """A model in memory, safe to share between threads. Its graph is opened by `open`, or when it is first asked."""

    def __init__(self, bundle: Bundle, version: str, *, tree_lookup: bool = True) -> None:
        self.manifest = bundle.manifest
        self.profile = bundle.profile
        self.aside = bundle.aside
        self.context = bundle.context
        self.learned = pack_ids(bundle.rows)
        self.version = version
        self._graph = bundle.graph
        self._may_be_tables = tree_lookup and len(bundle.graph) <= MOST_BYTES
        self._opened: Graph | None = None
        self._opening = Lock()
        self._asked = 0
        self._encode_few = RowEncoder(bundle.manifest.encoding)
        target = bundle.manifest.target
        self._minimum = -math.inf if target.minimum is None else target.minimum
        self._maximum = math.inf if target.maximum is None else target.maximum
        self._ranges = tuple((name, low, high) for name, (low, high) in bundle.manifest.ranges.items())
        self._curves = BandCurves(bundle.manifest.bands) if bundle.manifest.bands else None
        self._failing = int(target.pass_mark or 0) if target.kind == "ordered_class" else 0
        self.levels = _levels(bundle.manifest)
        self._unseen = _unseen(bundle.manifest, self.levels)
        self._shares = tuple(importance_shares(bundle.manifest.importance).items())
        self._proven = _proven(bundle.manifest)
        self._numeric = {part.name for part in bundle.manifest.encoding.numeric}
        self._categorical = {part.name for part in bundle.manifest.encoding.categorical}
        self._by_theme: tuple[tuple[tuple[str, tuple[str, ...]], ...], ThemeExplainer] | None = None
        self._read = tuple(dict.fromkeys((*bundle.manifest.inputs, *bundle.manifest.naive.columns)))

    @property
    def from_examples(self) -> bool:
        """Whether it learned from generated examples, which stand for no student."""
        return self.manifest.lineage.source == EXAMPLES

    def open(self) -> Graph:
        """The graph, opened once: who only looks at figures needs none. Raises BrokenBundle."""
        if self._opened is None:
            with self._opening:
                if self._opened is None:
                    self._opened = open_graph(self._graph)
                    self._graph = self._graph if self._may_be_tables else b""
        return self._opened

    def outputs(self, X: NDArray[np.float32]) -> Floats:
        """(n, 1) values in target units, or (n, levels) calibrated probabilities, for encoded rows."""
        return self._in_target_units(run_graph(self.open(), X))

    def outputs_of(self, numbered: NumberedColumns) -> Floats:
        """`outputs` of rows that stand in columns, to the last bit, and many of them sooner."""
        n = numbered.height
        if n >= LOOKUP_PAYS:
            self._asked += n
            if self._asked >= WORTH and self._tables:
                return self._in_target_units(self._tables.outputs(numbered))
        X = encode_columns(self.manifest.encoding, n, *numbered)
        return np.concatenate([self.outputs(X[start : start + ROWS_A_RUN]) for start in range(0, n, ROWS_A_RUN)])

    def outputs_of_frame(self, frame: "pl.DataFrame") -> Floats:
        """`outputs` of the rows of a typed `frame`; an optional input that it does not have is missing everywhere."""
        return self.outputs_of(number_columns(self.manifest.encoding, frame))

    def numbers_of(self, frame: "pl.DataFrame") -> Floats:
        """(n,) answers to the rows of a typed `frame` as numbers: values in target units, or level numbers."""
        return self.as_numbers(self.outputs_of_frame(frame))

    def as_numbers(self, outputs: Floats) -> Floats:
        """(n,) what `outputs` are answered with, as numbers."""
        if self.manifest.target.kind == "value":
            return outputs[:, 0]
        return answered_levels(outputs, banded=self._curves is not None).astype(np.float64)

    def chances_of(self, outputs: Floats) -> Floats | None:
        """(n,) chances of ending below the pass mark, as `outputs` are answered with; None where none is told."""
        if self.manifest.target.kind == "value":
            return self._curves.below(outputs[:, 0])[:, 0] if self._curves else None
        return _sum(list(outputs.T[: self._failing])) if self._failing else None

    def _in_target_units(self, said: NDArray[np.float32]) -> Floats:
        """What the graph says of each row as what it means."""
        raw, target = said.astype(np.float64), self.manifest.target
        if target.kind == "value":
            return clip(raw * self.manifest.scale + self.manifest.center, target.minimum, target.maximum)
        if self._curves:
            return self._curves.shares((raw * self.manifest.scale + self.manifest.center)[:, 0])
        return calibrate(raw, self.manifest.temperature)

    def answer(self, rows: Sequence[Row], *, generation: int, explain: int = 0) -> list[Answer]:
        """One complete answer per row, in order; explain: with at most so many factors each."""
        if len(rows) == 1 and not explain:
            return [self._alone(rows[0], generation)]
        if len(rows) > ENCODED_SINGLY and not explain:
            columns = {name: self._column(name, [row.get(name) for row in rows]) for name in self._read}
            return self.answer_columns(columns, generation=generation).answers()
        X = self._encode_few(rows) if len(rows) <= ENCODED_SINGLY else encode_rows(self.manifest.encoding, rows)
        outside = [self._out_of_range(row) for row in rows]
        outputs = self.outputs(X)
        factors = self._explainer.explain(rows, X, most=explain) if explain else [()] * len(rows)
        if self.manifest.target.kind == "value":
            values = zip(rows, outputs[:, 0].tolist(), outside, factors, strict=True)
            return [self._value(*one, generation) for one in values]
        shares = zip(rows, outputs.tolist(), outside, factors, strict=True)
        return [self._level(*one, generation) for one in shares]

    def answer_columns(self, columns: Columns, *, generation: int, explain: int = 0) -> AnswerColumn:
        """What `answer` says of rows that stand in columns, to the last bit: looked through and computed by column, and
        by row only where there is more to say than a number or a level, or all is to be explained."""
        n = len(next(iter(columns.values()))[-1])
        if explain:
            return self._explained(columns, generation, explain)
        columns = {name: columns[name] if name in columns else self._column(name, [None] * n) for name in self._read}
        numbered = number_cells(self.manifest.encoding, columns)
        outputs = self.outputs_of(numbered)
        value = self.manifest.target.kind == "value"
        others: dict[int, Answer] = {}
        missing = {name: cells for name, column in columns.items() if (cells := column.missing()) is not None}
        for place in np.flatnonzero(self.special(numbered, missing)).tolist():
            row = {name: column.take([place]).cells()[0] for name, column in columns.items()}
            outside = self._out_of_range(row)
            others[place] = (
                self._value(row, float(outputs[place, 0]), outside, (), generation)
                if value
                else self._level(row, outputs[place].tolist(), outside, (), generation)
            )
        naive = self._naive(columns, n)
        said = (
            self._values(outputs[:, 0], naive, generation) if value else self._levels_said(outputs, naive, generation)
        )
        return said._replace(others=others)

    def _explained(self, columns: Columns, generation: int, explain: int) -> AnswerColumn:
        """Answers that each say more than their column."""
        cells = zip(*[column.cells() for column in columns.values()], strict=True)
        rows = [dict(zip(columns, row, strict=True)) for row in cells]
        said = self.answer(rows, generation=generation, explain=explain)
        kind = Numbers if self.manifest.target.kind == "value" else Levels
        value, naive = (kind.of([getattr(one, part) for one in said]) for part in ("value", "naive"))
        target = self.manifest.target.name
        return AnswerColumn(target, self.version, generation, value, naive, others=dict(enumerate(said)))

    def _values(self, values: Floats, naive: Column, generation: int) -> AnswerColumn:
        """`_value` of rows in which nothing is missing that counts, and nothing unlike training."""
        width = self.manifest.half_width
        said = AnswerColumn(self.manifest.target.name, self.version, generation, Numbers(values), naive)
        if self._curves:
            said = said._replace(below_pass=Numbers(self._curves.below(values)[:, 0]))
        if width is None:
            return said
        low, high = (np.minimum(np.maximum(values + by, self._minimum), self._maximum) for by in (-width, width))
        return said._replace(low=Numbers(low), high=Numbers(high), coverage=self.manifest.coverage)

    def _levels_said(self, outputs: Floats, naive: Column, generation: int) -> AnswerColumn:
        """`_level` of rows in which nothing is missing that counts, and nothing unlike training."""
        levels = self.manifest.target.levels
        answered = answered_levels(outputs, banded=self.manifest.bands is not None)
        said = Levels(levels, answered.astype(np.uint32))
        shares = {level: Numbers(outputs[:, place]) for place, level in enumerate(levels)}
        below = Numbers(_sum(list(outputs.T[: self._failing]))) if self._failing else None
        name = self.manifest.target.name
        return AnswerColumn(name, self.version, generation, said, naive, shares=shares, below_pass=below)

    def _column(self, name: str, cells: Sequence[Cell]) -> Column:
        numeric = name in self._numeric or not any(isinstance(cell, str) for cell in cells)
        return Numbers.of(cells) if numeric and name not in self._categorical else Levels.of(cells)

    def _naive(self, columns: Columns, n: int) -> Column:
        """What the plain rule says of each row."""
        rule = self.manifest.naive
        if rule.flags:
            return Levels((str(rule.constant), rule.flagged), self._flagged(columns, n).astype(np.uint8))
        if rule.column is None:
            return Levels((rule.constant,), np.zeros(n, dtype=np.uint8))
        column = columns[rule.column]
        if isinstance(column, Levels):
            return Levels(tuple([rule.constant if name is None else name for name in column.names]), column.codes)
        if isinstance(rule.constant, str):
            return Levels.of([rule.constant if cell is None else cell for cell in column.cells()])
        return Numbers(np.where(np.isnan(column.values), rule.constant, column.values))

    def _flagged(self, columns: Columns, n: int) -> NDArray[np.bool_]:
        """Where a flag of the plain rule holds."""
        found = np.zeros(n, dtype=np.bool_)
        for flag in self.manifest.naive.flags:
            column = columns.get(flag.column)
            if isinstance(column, Numbers):
                found |= column.values < flag.below if flag.below is not None else column.values > (flag.above or 0.0)
        return found

    def _naive_answer(self, row: Row) -> float | str:
        """`_naive` of one row."""
        rule = self.manifest.naive
        if rule.flags:
            return rule.answer(row)
        value = row.get(rule.column) if rule.column else None
        return rule.constant if value is None else value

    def _alone(self, row: Row, generation: int) -> Answer:
        """The very answer that a row has among others; an operation on a whole array costs as much as the graph."""
        X, outside = self._encode_few([row]), self._out_of_range(row)
        if self.manifest.target.kind != "value":
            return self._level(row, self.outputs(X)[0].tolist(), outside, (), generation)
        raw = run_graph(self.open(), X).item()
        value = self._within(raw * self.manifest.scale + self.manifest.center)
        return self._value(row, value, outside, (), generation)

    def _value(
        self, row: Row, value: float, outside: tuple[str, ...], factors: tuple[Factor, ...], generation: int
    ) -> Answer:
        missing, width = self._ground(row)
        if missing:
            return self._no_answer(row, outside, missing, generation)
        manifest = self.manifest
        width = None if outside else width  # no coverage is promised where nothing was measured
        return Answer(
            target=manifest.target.name,
            value=value,
            naive=self._naive_answer(row),
            model=self.version,
            generation=generation,
            interval=None if width is None else (self._within(value - width), self._within(value + width)),
            coverage=None if width is None else manifest.coverage,
            below_pass=None if outside or self._curves is None else self._curves.below_first(value),
            out_of_range=outside,
            factors=factors,
        )

    def _level(
        self,
        row: Row,
        shares: Sequence[float],
        outside: tuple[str, ...],
        factors: tuple[Factor, ...],
        generation: int,
    ) -> Answer:
        missing, _ = self._ground(row)
        if missing:
            return self._no_answer(row, outside, missing, generation)
        manifest = self.manifest
        levels = manifest.target.levels
        return Answer(
            target=manifest.target.name,
            value=levels[self._answered(shares)],
            naive=self._naive_answer(row),
            model=self.version,
            generation=generation,
            probabilities=dict(zip(levels, shares, strict=True)),
            below_pass=None if outside or not self._failing else _sum(shares[: self._failing]),
            out_of_range=outside,
            factors=factors,
        )

    def _answered(self, shares: Sequence[float]) -> int:
        """`answered_levels` of one row."""
        if self.manifest.bands is None:
            return shares.index(max(shares))
        return next(place for place, below in enumerate(accumulate(shares)) if below > MIDDLE_SHARE)

    def _no_answer(self, row: Row, outside: tuple[str, ...], missing: tuple[str, ...], generation: int) -> Answer:
        """What is said where nothing can be: what is missing, and what the plain rule says of this very row. What it
        says of any row is no answer to one that is unlike the others."""
        rule = self.manifest.naive
        return Answer(
            target=self.manifest.target.name,
            value=None,
            naive=rule.told(row),
            model=self.version,
            generation=generation,
            out_of_range=outside,
            insufficient=missing,
        )

    @cached_property
    def _tables(self) -> TreeLookup | None:
        """None where the graph alone can answer."""
        session = self.open()
        return prove_tables(self._graph, session, self.manifest.encoding) if self._may_be_tables else None

    def explain_themes(
        self, rows: Sequence[Row], themes: Mapping[str, tuple[str, ...]], *, most: int
    ) -> list[tuple[ThemeFactor, ...]]:
        """The strongest themes of the chance of each row to end below the pass mark."""
        key = tuple(themes.items())
        if self._by_theme is None or self._by_theme[0] != key:
            self._by_theme = key, ThemeExplainer(self.manifest, self.outputs, themes)
        return self._by_theme[1].explain(rows, most=most)

    @cached_property
    def _explainer(self) -> Explainer:
        """Made at the first question: most processes are never asked one."""
        return Explainer(self.manifest, self.outputs)

    def _ground(self, row: Row) -> tuple[tuple[str, ...], float | None]:
        """The inputs that are missing, where those known are no ground for an answer, else none; and the half width.

        They are one where they hold half of what the model rests on, or half of what it rested on in rows that lacked
        no more than this one and were answered well.
        """
        lost = 0.0
        for name, share in self._shares:
            if row.get(name) is None:
                lost += share
        if lost <= 1 - ENOUGH_KNOWN:
            return (), self.manifest.half_width
        for pattern in self._proven:
            if lost - pattern.lost <= (1 - ENOUGH_KNOWN) * (1 - pattern.lost) + ROUNDING and all(
                row.get(name) is None for name in pattern.missing
            ):
                return (), pattern.half_width
        return tuple(name for name in self.manifest.inputs if row.get(name) is None), None

    def _within(self, value: float) -> float:
        """`value` within the target's range; `clip` for one number."""
        return min(max(value, self._minimum), self._maximum)

    def special(self, numbered: NumberedColumns, missing: Mapping[str, Mask]) -> Mask:
        """Rows about which there may be more to say: a value unlike any in training, or much missing. More rows than
        needed cost time and change nothing. missing: which cells are, of the inputs that lack any."""
        found, lost = np.zeros(numbered.height, dtype=bool), np.zeros(numbered.height)
        for name, low, high in self._ranges:
            values = numbered.numeric[name]
            if not (values.min(initial=low) >= low and values.max(initial=high) <= high):
                found |= (values < low) | (values > high)  # NaN, a missing value, is neither
        for name, unseen in self._unseen.items():
            codes = numbered.codes[name]
            if unseen[1:].any() or codes.min(initial=0) < 0:
                new = unseen.take(codes - MISSING_LEVEL)
                found |= new & ~missing[name] if name in missing else new
        for name, share in self._shares:
            if name in missing:
                lost += missing[name] * share
        return found | (lost > MOST_LOST)

    def _out_of_range(self, row: Row) -> tuple[str, ...]:
        """The inputs whose number lies outside those that the model was trained on, or whose level is none of them."""
        numbers = tuple(
            name
            for name, low, high in self._ranges
            if (value := row.get(name)) is not None and not isinstance(value, str) and not low <= value <= high
        )
        levels = tuple(name for name, seen in self.levels if (value := row.get(name)) is not None and value not in seen)
        return numbers + levels if levels else numbers


def _levels(manifest: Manifest) -> tuple[tuple[str, frozenset[Cell]], ...]:
    """Categorical inputs with the levels that training rows had; none where the bundle does not say."""
    names = [part.name for part in manifest.encoding.categorical if part.name in manifest.reference]
    return tuple((name, frozenset(level for level, _ in manifest.reference[name])) for name in names)


def _unseen(manifest: Manifest, levels: Sequence[tuple[str, frozenset[Cell]]]) -> dict[str, Mask]:
    """Per input of `levels`, from `MISSING` on, whether its level of that number is one that no training row had."""
    seen = dict(levels)
    parts = [part for part in manifest.encoding.categorical if part.name in seen]
    return {part.name: np.array([True, *(level not in seen[part.name] for level in part.levels)]) for part in parts}


class _Proven(NamedTuple):
    """Inputs without which unseen rows were answered no worse than by the plain rule. lost: the share of importance
    that they hold."""

    missing: tuple[str, ...]
    lost: float
    half_width: float | None


def _proven(manifest: Manifest) -> tuple[_Proven, ...]:
    """The patterns that the model may be asked about, those that lack most first."""
    shares = importance_shares(manifest.importance)
    found = [
        _Proven(one.missing, math.fsum(shares[name] for name in one.missing), one.half_width)
        for one in manifest.patterns
        if one.verdict != "worse"
    ]
    return tuple(sorted(found, key=lambda one: -one.lost))


def importance_shares(importance: Mapping[str, float]) -> dict[str, float]:
    """Inputs that the model rests on, each with its share of all importance; none where nothing has any."""
    total = math.fsum(importance.values())
    return {name: value / total for name, value in importance.items() if value > 0} if total > 0 else {}


def clip(values: Floats, minimum: float | None, maximum: float | None) -> Floats:
    """`values` within the target's range, where it has one."""
    if minimum is None and maximum is None:
        return values
    return np.asarray(np.clip(values, minimum, maximum))


class BandCurves:
    """How likely the outcome about an answered value lies below each cut, as one is asked or many: to the last bit
    the same."""

    def __init__(self, bands: Bands) -> None:
        self._bands = bands
        self._at = np.array(bands.at)
        self._curves = [np.array(curve) for curve in bands.below]
        self._slopes = [np.append(np.diff(curve) / np.diff(self._at), 0.0) for curve in self._curves]
        self._first: tuple[Sequence[float], Sequence[float]] = bands.below[0], self._slopes[0].tolist()

    def below(self, values: Floats) -> Floats:
        """(n, cuts) chances that the outcomes about (n,) answered values lie below each cut."""
        within = np.maximum(values, self._at[0])
        place = np.searchsorted(self._at, within, side="right") - 1
        away = within - self._at[place]
        found = [curve[place] + slopes[place] * away for curve, slopes in zip(self._curves, self._slopes, strict=True)]
        if self._bands.sided:
            found = [
                np.where(values < cut, np.maximum(one, MORE_THAN_HALF), np.minimum(one, 1 - MORE_THAN_HALF))
                for cut, one in zip(self._bands.cuts, found, strict=True)
            ]
        return np.column_stack(found)

    def below_first(self, value: float) -> float:
        """`below` of one value and the first cut; array operations would take longer than the graph."""
        bands, (curve, slopes) = self._bands, self._first
        within = max(value, bands.at[0])
        place = bisect_right(bands.at, within) - 1
        found = curve[place] + slopes[place] * (within - bands.at[place])
        if not bands.sided:
            return found
        return max(found, MORE_THAN_HALF) if value < bands.cuts[0] else min(found, 1 - MORE_THAN_HALF)

    def shares(self, values: Floats) -> Floats:
        """(n, levels) probabilities that the outcomes about (n,) values lie in each band."""
        below = self.below(clip(values, self._bands.minimum, self._bands.maximum))
        n = len(values)
        return np.asarray(np.diff(np.column_stack([np.zeros(n), below, np.ones(n)]), axis=1))


def _sum(parts: Sequence[T]) -> T:
    """From the left, so that one row's is that of many: `sum` of floats is more exact than that of arrays."""
    return reduce(add, parts)


def calibrate(probabilities: Floats, temperature: float) -> Floats:
    """(n, k) probabilities with their logarithms divided by `temperature` (above 1 makes them less sure)."""
    if temperature == 1.0:
        return np.asarray(probabilities / probabilities.sum(axis=1, keepdims=True))
    powered = np.maximum(probabilities, 1e-12) ** (1.0 / temperature)
    return np.asarray(powered / powered.sum(axis=1, keepdims=True))

"""What many predictions of one batch were asked and answered, by column, and as blocks of bytes that a store keeps.

It knows no database, and nothing of who asked or when: a row of each prediction says so.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Literal, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from database.answer_columns import AnswerColumn, Said, SaidChances, rows_of
from database.packed import PackedPredictions
from database.records import Answer, Cell
from preprocessing.columns import BYTE_LEVELS, Column, Levels, Numbers

BLOCK_ROWS = 500
"""Predictions of one block: one is read by reading its block, which of the widest domain takes 40 KB."""

NUMBER_KINDS = ("<i1", "<i2", "<f4")
"""In what numbers may be kept: the first that gives each of a column back to the last bit, or else eight bytes."""

NumberKind = Literal["|i1", "<i2", "<f4", "<f8", "|u1", "<u4"]
"""What a block says of the numbers in it; those of levels are without a sign."""

Places = NDArray[np.intp]


# Blocks -------------------------------------------------------------------------------------------------------------


class _Kept(msgspec.Struct, frozen=True, array_like=True):
    """A column as bytes. kind: of its numbers. names: of the levels that they stand for."""

    kind: NumberKind
    data: bytes
    names: tuple[Cell, ...] | None = None


class _KeptAnswers(msgspec.Struct, frozen=True, array_like=True):
    """An `AnswerColumn` as bytes."""

    target: str
    model: str
    generation: int
    value: _Kept
    naive: _Kept
    low: _Kept | None
    high: _Kept | None
    coverage: float | None
    shares: dict[str, _Kept] | None
    others: dict[int, Answer]
    below_pass: _Kept | None = None


class _Block(msgspec.Struct, frozen=True, array_like=True):
    """gone: places of rows that were taken out."""

    inputs: dict[str, _Kept]
    answers: tuple[_KeptAnswers, ...]
    shadow: tuple[_KeptAnswers, ...]
    gone: tuple[int, ...] = ()


BLOCK_ENCODER = msgspec.msgpack.Encoder()
BLOCK_DECODER = msgspec.msgpack.Decoder(_Block)


class _Packing:
    """A column in its smallest form, to be cut into blocks."""

    def __init__(self, column: Column) -> None:
        self._names = column.names if isinstance(column, Levels) else None
        self._numbers: NDArray[Any] = column.codes if isinstance(column, Levels) else _smallest(column.values)

    def cut(self, places: range) -> _Kept:
        names, numbers = self._names, self._numbers[places.start : places.stop]
        if names is not None and len(names) > BYTE_LEVELS:  # a block is not to hold the names of all others
            names, numbers = Levels.of([names[code] for code in numbers.tolist()])
        return _Kept(cast(NumberKind, numbers.dtype.str), numbers.tobytes(), names)


class _PackingAnswers:
    """An `AnswerColumn` in its smallest form, to be cut into blocks."""

    def __init__(self, column: AnswerColumn) -> None:
        self._column = column
        self._value, self._naive = _Packing(column.value), _Packing(column.naive)
        self._low, self._high = (None if one is None else _Packing(one) for one in (column.low, column.high))
        self._shares = None if column.shares is None else {name: _Packing(one) for name, one in column.shares.items()}
        self._below = None if column.below_pass is None else _Packing(column.below_pass)

    def cut(self, places: range) -> _KeptAnswers:
        column = self._column
        return _KeptAnswers(
            target=column.target,
            model=column.model,
            generation=column.generation,
            value=self._value.cut(places),
            naive=self._naive.cut(places),
            low=None if self._low is None else self._low.cut(places),
            high=None if self._high is None else self._high.cut(places),
            coverage=column.coverage,
            shares=None if self._shares is None else {name: one.cut(places) for name, one in self._shares.items()},
            others={place - places.start: one for place, one in column.others.items() if place in places},
            below_pass=None if self._below is None else self._below.cut(places),
        )


def _smallest(values: NDArray[np.float64]) -> NDArray[Any]:
    exact = values.tobytes()
    with np.errstate(invalid="ignore", over="ignore"):  # what does not fit is kept in another kind
        for kind in NUMBER_KINDS:
            small = values.astype(kind)
            if small.astype("<f8").tobytes() == exact:
                return small
    return values.astype("<f8", copy=False)


def write_blocks(predictions: PackedPredictions) -> Iterator[tuple[range, bytes]]:
    """The inputs and answers of predictions as blocks, each with the places of its rows."""
    inputs = {name: _Packing(column) for name, column in predictions.inputs.items()}
    answers = [_PackingAnswers(column) for column in predictions.answers]
    shadow = [_PackingAnswers(column) for column in predictions.shadow]
    for start in range(0, len(predictions), BLOCK_ROWS):
        places = range(start, min(start + BLOCK_ROWS, len(predictions)))
        block = _Block(
            {name: column.cut(places) for name, column in inputs.items()},
            tuple([column.cut(places) for column in answers]),
            tuple([column.cut(places) for column in shadow]),
        )
        yield places, BLOCK_ENCODER.encode(block)


def read_block(block: bytes, places: Sequence[int]) -> list[tuple[dict[str, Cell], Said, Said]]:
    """The inputs, the answers and what was answered in shadow of the rows at `places` of a block.

    Raises ValueError where it is no block, or has no such row.
    """
    try:
        kept, at = BLOCK_DECODER.decode(block), np.asarray(places, dtype=np.intp)
        inputs = {name: _open(column, at) for name, column in kept.inputs.items()}
        answers, shadow = ([_opened(one, places, at) for one in columns] for columns in (kept.answers, kept.shadow))
        found = rows_of(inputs, answers, shadow)
    except (IndexError, TypeError) as error:  # a place that is none, a name that a column has not
        raise ValueError(f"a block has no rows {places}") from error
    if len(found) != len(places):
        raise ValueError(f"a block holds {len(found)} of {len(places)} rows")
    return found


def read_chances(block: bytes, places: Sequence[int]) -> list[SaidChances]:
    """What answers about the rows at `places` of a block say of chances, by column; nothing else of them is opened.
    Raises ValueError as `read_block`."""
    try:
        kept, at = BLOCK_DECODER.decode(block), np.asarray(places, dtype=np.intp)
        return [_chances(one, places, at) for one in kept.answers]
    except (IndexError, TypeError) as error:
        raise ValueError(f"a block has no rows {places}") from error


def _chances(kept: _KeptAnswers, places: Sequence[int], at: Places) -> SaidChances:
    below = None if kept.below_pass is None else _numbers(kept.below_pass, at)
    others = {new: kept.others[old] for new, old in enumerate(places) if old in kept.others} if kept.others else {}
    return SaidChances(kept.target, below, others)


def without_places(block: bytes, places: Sequence[int]) -> bytes | None:
    """The block without what stood at `places`; all others stay where they are. None where nothing is left. Raises
    ValueError as `read_block`."""
    try:
        kept = BLOCK_DECODER.decode(block)
        gone = tuple(sorted({*kept.gone, *places}))
        at = np.asarray(gone, dtype=np.intp)
        if len(gone) == len(np.frombuffer(kept.answers[0].value.data, kept.answers[0].value.kind)):
            return None
        left = _Block(
            {name: _blotted(column, at) for name, column in kept.inputs.items()},
            tuple([_blotted_answers(column, at) for column in kept.answers]),
            tuple([_blotted_answers(column, at) for column in kept.shadow]),
            gone,
        )
    except (IndexError, TypeError) as error:
        raise ValueError(f"a block has no rows {places}") from error
    return BLOCK_ENCODER.encode(left)


def _blotted_answers(kept: _KeptAnswers, at: Places) -> _KeptAnswers:
    gone = set(at.tolist())
    return _KeptAnswers(
        target=kept.target,
        model=kept.model,
        generation=kept.generation,
        value=_blotted(kept.value, at),
        naive=_blotted(kept.naive, at),
        low=None if kept.low is None else _blotted(kept.low, at),
        high=None if kept.high is None else _blotted(kept.high, at),
        coverage=kept.coverage,
        shares=None if kept.shares is None else {name: _blotted(one, at) for name, one in kept.shares.items()},
        others={place: one for place, one in kept.others.items() if place not in gone},
        below_pass=None if kept.below_pass is None else _blotted(kept.below_pass, at),
    )


def _blotted(kept: _Kept, at: Places) -> _Kept:
    """The column with nothing at these places, and without the levels that only they had."""
    numbers = np.frombuffer(kept.data, kept.kind).copy()
    if kept.names is None:
        numbers[at] = 0
        return _Kept(kept.kind, numbers.tobytes())
    used = np.unique(np.delete(numbers, at))
    codes = np.searchsorted(used, numbers).astype(numbers.dtype)
    codes[at] = 0
    return _Kept(kept.kind, codes.tobytes(), tuple(kept.names[code] for code in used.tolist()))


def _opened(kept: _KeptAnswers, places: Sequence[int], at: Places) -> AnswerColumn:
    return AnswerColumn(
        target=kept.target,
        model=kept.model,
        generation=kept.generation,
        value=_open(kept.value, at),
        naive=_open(kept.naive, at),
        low=None if kept.low is None else _numbers(kept.low, at),
        high=None if kept.high is None else _numbers(kept.high, at),
        coverage=kept.coverage,
        shares=None if kept.shares is None else {name: _numbers(one, at) for name, one in kept.shares.items()},
        below_pass=None if kept.below_pass is None else _numbers(kept.below_pass, at),
        others={new: kept.others[old] for new, old in enumerate(places) if old in kept.others},
    )


def _open(kept: _Kept, at: Places) -> Column:
    return _numbers(kept, at) if kept.names is None else Levels(kept.names, np.frombuffer(kept.data, kept.kind)[at])


def _numbers(kept: _Kept, at: Places) -> Numbers:
    return Numbers(np.frombuffer(kept.data, kept.kind)[at].astype(np.float64))

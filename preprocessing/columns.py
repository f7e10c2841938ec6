"""Many valid rows of one moment by column: as they are encoded, checked and kept, without a record for each.

Whoever wants a row by itself gets it made. It reads no body and checks nothing.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import repeat
from typing import Any, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from preprocessing.validation.json_rows import ValidRow

BYTE_LEVELS = 256  # levels that a byte tells apart


class Numbers(NamedTuple):
    """A column of numbers. values: (n,) float64, NaN where one is missing."""

    values: NDArray[np.float64]

    @classmethod
    def of(cls, cells: Sequence[Any]) -> "Numbers":
        """The column of cells that are numbers or None. Small whole ones, as most marks are, are read as bytes.

        >>> Numbers.of([1.0, None]).cells()
        [1.0, None]
        """
        try:
            return cls(np.frombuffer(bytes(cells), np.uint8).astype(np.float64))
        except (TypeError, ValueError):  # a float, or None; a number that is no byte
            return cls(np.array(cells, dtype=np.float64))

    def take(self, places: "slice | Sequence[int]") -> "Numbers":
        """The rows at `places`."""
        return Numbers(self.values[places])

    def missing(self) -> NDArray[np.bool_] | None:
        """(n,) which are missing; None where none is."""
        missing = np.isnan(self.values)
        return missing if missing.any() else None

    def cells(self) -> list[Any]:
        """Every number, None where it is missing."""
        cells: list[Any] = self.values.tolist()
        return [None if math.isnan(cell) else cell for cell in cells] if np.isnan(self.values).any() else cells


class Levels(NamedTuple):
    """A column of texts. names: those there may be, None among them where one is missing. codes: (n,) places in
    `names`, a byte each where that is enough."""

    names: tuple[Any, ...]
    codes: NDArray[np.uint8] | NDArray[np.uint32]

    @classmethod
    def of(cls, cells: Sequence[Any], names: tuple[Any, ...] = ()) -> "Levels":
        """The column of these cells. names: all that are among them, where they are known.

        >>> Levels.of(["a", None, "a"]).cells()
        ['a', None, 'a']
        """
        names = names or tuple(set(cells))
        place_of = {name: place for place, name in enumerate(names)}.__getitem__
        if len(names) <= BYTE_LEVELS:
            return cls(names, np.frombuffer(bytes(map(place_of, cells)), np.uint8))
        return cls(names, np.fromiter(map(place_of, cells), np.uint32, len(cells)))

    def take(self, places: "slice | Sequence[int]") -> "Levels":
        """The rows at `places`."""
        return Levels(self.names, self.codes[places])

    def missing(self) -> NDArray[np.bool_] | None:
        """(n,) which are missing; None where none is."""
        return self.codes == self.names.index(None) if None in self.names else None

    def cells(self) -> list[Any]:
        """Every text, None where it is missing."""
        return [self.names[code] for code in self.codes.tolist()]


Column = Numbers | Levels


class ColumnRows(Sequence[ValidRow]):
    """Rows, numbered from 1. inputs: the column of every feature known at `moment`, in schema order. students, groups,
    periods: of each row; None where no row has one."""

    def __init__(
        self,
        moment: str,
        inputs: Mapping[str, Column],
        *,
        students: Sequence[str | None] | None = None,
        groups: Sequence[str | None] | None = None,
        periods: Sequence[str | None] | None = None,
    ) -> None:
        self.moment = moment
        self.inputs = inputs
        self.students = students
        self.groups = groups
        self.periods = periods
        self._size = len(next(iter(inputs.values()))[-1])

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[ValidRow]:
        yield from self[:]

    @overload
    def __getitem__(self, place: int) -> ValidRow: ...
    @overload
    def __getitem__(self, place: slice) -> list[ValidRow]: ...
    def __getitem__(self, place: int | slice) -> ValidRow | list[ValidRow]:
        if not isinstance(place, slice):
            number = range(self._size)[place]
            return self[number : number + 1][0]
        rows = zip(*[column.take(place).cells() for column in self.inputs.values()], strict=True)
        return [
            ValidRow(
                row=number + 1,
                inputs=dict(zip(self.inputs, cells, strict=True)),
                moment=self.moment,
                student=self.students[number] if self.students else None,
                group=self.groups[number] if self.groups else None,
                period=self.periods[number] if self.periods else None,
            )
            for number, cells in zip(range(self._size)[place], rows, strict=True)
        ]


def groups_of(rows: Sequence[ValidRow]) -> Iterable[str | None]:
    """The group of each row; of rows by column without making them."""
    if isinstance(rows, ColumnRows):
        return repeat(None, len(rows)) if rows.groups is None else rows.groups
    return (row.group for row in rows)

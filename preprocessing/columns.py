"""Many valid rows of one moment by column: as they are encoded, checked and kept, without a record for each.

Whoever wants a row by itself gets it made. It reads no body and checks nothing.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from preprocessing.schema import DomainSchema, Feature
from preprocessing.validation.json_rows import ValidRow

if TYPE_CHECKING:
    import polars as pl

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
    """Rows of one moment. inputs: the column of every feature known at `moment`, in schema order. students, groups,
    periods: of each row; None where no row has one. places: of each row among all of its request, from 0; by default
    these are all."""

    def __init__(
        self,
        moment: str,
        inputs: Mapping[str, Column],
        *,
        students: Sequence[str | None] | None = None,
        groups: Sequence[str | None] | None = None,
        periods: Sequence[str | None] | None = None,
        places: Sequence[int] | None = None,
    ) -> None:
        self.moment = moment
        self.inputs = inputs
        self.students = students
        self.groups = groups
        self.periods = periods
        self.places = range(len(next(iter(inputs.values()))[-1])) if places is None else places

    def __len__(self) -> int:
        return len(self.places)

    def take(self, numbers: Sequence[int]) -> "ColumnRows":
        """The rows of these numbers."""
        given = (self.students, self.groups, self.periods)
        students, groups, periods = (cells and [cells[number] for number in numbers] for cells in given)
        return ColumnRows(
            self.moment,
            {name: column.take(numbers) for name, column in self.inputs.items()},
            students=students,
            groups=groups,
            periods=periods,
            places=[self.places[number] for number in numbers],
        )

    def __iter__(self) -> Iterator[ValidRow]:
        yield from self[:]

    @overload
    def __getitem__(self, place: int) -> ValidRow: ...
    @overload
    def __getitem__(self, place: slice) -> list[ValidRow]: ...
    def __getitem__(self, place: int | slice) -> ValidRow | list[ValidRow]:
        if not isinstance(place, slice):
            number = range(len(self))[place]
            return self[number : number + 1][0]
        rows = zip(*[column.take(place).cells() for column in self.inputs.values()], strict=True)
        return [
            ValidRow(
                row=self.places[number] + 1,
                inputs=dict(zip(self.inputs, cells, strict=True)),
                moment=self.moment,
                student=self.students[number] if self.students else None,
                group=self.groups[number] if self.groups else None,
                period=self.periods[number] if self.periods else None,
            )
            for number, cells in zip(range(len(self))[place], rows, strict=True)
        ]


def columns_of(rows: Sequence[ValidRow], schema: DomainSchema) -> list[ColumnRows]:
    """Rows by column, those of each moment apart; their places are those in `rows`."""
    places: dict[str, list[int]] = defaultdict(list)
    for place, row in enumerate(rows):
        places[row.moment].append(place)
    return [_columns_at(moment, [rows[place] for place in at], at, schema) for moment, at in places.items()]


def _columns_at(moment: str, rows: Sequence[ValidRow], places: Sequence[int], schema: DomainSchema) -> ColumnRows:
    kinds = {name: schema.feature_by_name[name].kind for name in rows[0].inputs}
    return ColumnRows(
        moment,
        {name: (Numbers if kind == "numeric" else Levels).of([row.inputs[name] for row in rows])
         for name, kind in kinds.items()},
        students=_any([row.student for row in rows]),
        groups=_any([row.group for row in rows]),
        periods=_any([row.period for row in rows]),
        places=places,
    )  # fmt: skip


def tables_of(frame: "pl.DataFrame", schema: DomainSchema) -> list[ColumnRows]:
    """The rows of a typed `frame` by column, those of each moment apart; their places are those in the frame."""
    import polars as pl  # only where frames are

    moments = frame["_moment"].unique(maintain_order=True).to_list()
    placed = frame.with_row_index("_place")
    parts = [placed if len(moments) == 1 else placed.filter(pl.col("_moment") == moment) for moment in moments]
    return [_table_at(moment, part, schema) for moment, part in zip(moments, parts, strict=True)]


def _table_at(moment: str, frame: "pl.DataFrame", schema: DomainSchema) -> ColumnRows:
    students, groups, periods = (_any(frame[name].to_list()) for name in ("_student", "_group", "_period"))
    inputs = {feature.name: _column(frame, feature) for feature in schema.features_at(moment)}
    places = frame["_place"].to_list()
    return ColumnRows(moment, inputs, students=students, groups=groups, periods=periods, places=places)


def _column(frame: "pl.DataFrame", feature: Feature) -> Column:
    """The cells of a feature; all missing where the frame has no such column."""
    import polars as pl

    numeric = feature.kind == "numeric"
    if feature.name not in frame.columns:
        return (Numbers if numeric else Levels).of([None] * frame.height)
    cells = frame[feature.name]
    if numeric:
        return Numbers(cells.cast(pl.Float64).to_numpy())
    levels = cells.dtype if isinstance(cells.dtype, pl.Enum) else pl.Enum(cells.drop_nulls().unique().sort())
    names: tuple[Any, ...] = (*levels.categories.to_list(), *([None] if cells.null_count() else []))
    codes = (cells if cells.dtype == levels else cells.cast(levels)).to_physical()
    if len(names) > len(levels.categories):
        codes = codes.cast(pl.UInt32).fill_null(len(levels.categories))
    places = codes.to_numpy()
    return Levels(names, places.astype(np.uint8) if len(names) <= BYTE_LEVELS else places.astype(np.uint32))


def _any(cells: Sequence[str | None]) -> Sequence[str | None] | None:
    return None if cells.count(None) == len(cells) else cells

"""Many valid rows of one moment by column: as they are encoded, checked and kept, without a record for each.

Whoever wants a row by itself gets it made. It reads no body and checks nothing.
"""

from collections.abc import Mapping, Sequence
from typing import overload

from preprocessing.rows import Cell, ValidRow


class ColumnRows(Sequence[ValidRow]):
    """Rows, numbered from 1. inputs: feature name to its values, of every feature known at `moment`, in schema order.
    students, groups, periods: of each row; None where no row has one."""

    def __init__(
        self,
        moment: str,
        inputs: Mapping[str, Sequence[Cell]],
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
        self._size = len(next(iter(inputs.values())))

    def __len__(self) -> int:
        return self._size

    @overload
    def __getitem__(self, place: int) -> ValidRow: ...
    @overload
    def __getitem__(self, place: slice) -> list[ValidRow]: ...
    def __getitem__(self, place: int | slice) -> ValidRow | list[ValidRow]:
        if isinstance(place, slice):
            return [self[one] for one in range(self._size)[place]]
        number = range(self._size)[place]
        return ValidRow(
            row=number + 1,
            inputs={name: column[number] for name, column in self.inputs.items()},
            moment=self.moment,
            student=self.students[number] if self.students else None,
            group=self.groups[number] if self.groups else None,
            period=self.periods[number] if self.periods else None,
        )

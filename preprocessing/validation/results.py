"""What validating a table gives: typed rows, and every problem."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

import msgspec

from preprocessing.validation.rules import BadData, Problem

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Validated:
    """A table after validation.

    frame: the good rows, typed. One column per schema feature present (numeric Float64, categorical String, null where
    missing), one per target present (value Float64, ordered_class String), and always `_student` (pseudonym or null),
    `_group`, `_period` (String or null), `_moment` (String), `_row` (Int64, as the user counts); of further columns
    that place a row, `_context:NAME`. Empty when the file
    as a whole is refused. problems: at most 10,000 of them in file order; problem_count counts all. rows: rows in the
    file that are not blank and do not only say again what an earlier one says. ignored_columns: columns of the file
    that were not read: those that the schema does not know, and targets where they are ignored. notes: what a user
    should know of how it was read. left: the bad rows, their bad cells null. unread: by target, rows whose outcome is
    none that is taken.
    """

    frame: "pl.DataFrame"
    problems: tuple[Problem, ...]
    problem_count: int
    rows: int
    ignored_columns: tuple[str, ...]
    notes: tuple[str, ...] = ()
    left: "pl.DataFrame | None" = None
    unread: Mapping[str, int] = field(default_factory=dict)

    @property
    def refused(self) -> bool:
        """Whether anything is wrong at all."""
        return bool(self.problems)

    @property
    def skipped(self) -> int:
        """How many rows are left out of `frame`."""
        return self.rows - self.frame.height

    def require_clean(self) -> "Validated":
        """Itself. Raises BadData when anything is wrong."""
        if self.problems:
            raise BadData(self.problems, self.problem_count)
        return self

    def require_good(self, *, skip: bool) -> "Validated":
        """Itself. Raises BadData when anything is wrong, or, to `skip` bad rows, when no row is good."""
        return self if skip and not self.frame.is_empty() else self.require_clean()


class RefusedValues(msgspec.Struct, frozen=True, kw_only=True):
    """What prediction would refuse of one column: in so many `rows` of the `of` that were looked at.

    rule: what a value must be. examples: the most frequent, none that may identify a person. share_reference: of the
    rows that they are compared with.
    """

    column: str
    kind: Literal["no number", "out of range", "not whole", "unknown level", "no such column", "repeated"]
    rows: int
    of: int
    rule: str = ""
    examples: tuple[str, ...] = ()
    share_reference: float = 0.0

    @property
    def share(self) -> float:
        return self.rows / max(1, self.of)


@dataclass(frozen=True)
class Observed:
    """A table read as it is, for whoever watches it. frame: as in `Validated`, of all rows, with the values that break
    a rule where they can be read, and `_valid`: whether prediction would take the row. refused: by column, what it
    would not take. notes: as in `Validated`. problems: of rows that were left out because it cannot be read whose they
    are."""

    frame: "pl.DataFrame"
    refused: tuple[RefusedValues, ...]
    notes: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()


class HasRow(Protocol):
    """What `frame_of` reads of a record, as a stored labelled record has it. `id` may be absent."""

    @property
    def inputs(self) -> Mapping[str, float | str | None]: ...
    @property
    def targets(self) -> Mapping[str, float | str]: ...
    @property
    def student(self) -> str | None: ...
    @property
    def group(self) -> str | None: ...
    @property
    def period(self) -> str | None: ...

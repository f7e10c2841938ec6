"""The door of validation: tables and JSON rows in, typed trusted data and every problem out.

It holds the results' types; the rules are in `preprocessing.validation.rules`, their use on columns in
`preprocessing.validation.tables` (polars, imported when first needed) and on requests in
`preprocessing.validation.json_rows`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from preprocessing.schema import DomainSchema
from preprocessing.validation.json_rows import ValidatedRows, ValidRow, validate_rows
from preprocessing.validation.rules import BadData, Known, Problem

if TYPE_CHECKING:
    import polars as pl

    from preprocessing.reading.files import RawTable

__all__ = [
    "BadData",
    "HasRow",
    "Problem",
    "ValidRow",
    "Validated",
    "ValidatedRows",
    "frame_of",
    "rows_of",
    "validate_outcomes",
    "validate_rows",
    "validate_table",
]


@dataclass(frozen=True)
class Validated:
    """A table after validation.

    frame: the good rows, typed. One column per schema feature present (numeric Float64, categorical String, null where
    missing), one per target present (value Float64, ordered_class String), and always `_student` (pseudonym or null),
    `_group`, `_period` (String or null), `_moment` (String), `_row` (Int64, as the user counts). Empty when the file
    as a whole is refused. problems: at most 10,000 of them in file order; problem_count counts all. rows: rows in the
    file that are not blank. ignored_columns: columns of the file that were not read: those that
    the schema does not know, and targets where they are ignored.
    """

    frame: "pl.DataFrame"
    problems: tuple[Problem, ...]
    problem_count: int
    rows: int
    ignored_columns: tuple[str, ...]

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


def validate_table(
    raw: "RawTable",
    schema: DomainSchema,
    *,
    secret: bytes,
    moment: str | None = None,
    with_targets: Known = "optional",
) -> Validated:
    """The rows of a table that keep every rule of the domain, and all that is wrong with the others.

    secret: makes pseudonyms of student keys. moment: the moment all rows are seen at (later columns are left out);
    None takes, row by row, the latest moment whose columns are filled. with_targets: "required" wants at least one
    target per row, "optional" checks those that are there, "ignored" leaves them out. A missing column, one given
    twice or one that identifies people refuses the whole table. Raises ValueError only for an unknown `moment`.
    """
    from preprocessing.validation.tables import check_table

    return check_table(raw, schema, secret=secret, moment=moment, with_targets=with_targets)


def validate_outcomes(raw: "RawTable", schema: DomainSchema, *, secret: bytes) -> Validated:
    """As `validate_table` for a table of outcomes: the student column and at least one target; no features needed.

    Features that are there are neither read nor checked, but for those that make the group or the period.
    """
    from preprocessing.validation.tables import check_outcomes

    return check_outcomes(raw, schema, secret=secret)


def frame_of(records: "Sequence[HasRow]", schema: DomainSchema) -> "pl.DataFrame":
    """The typed frame of stored records, in their order; `_row` counts from 1, `_record` holds ids where there are.

    Every feature that is known in any record has a column, every target likewise.
    """
    from preprocessing.validation.tables import frame_of_records

    return frame_of_records(records, schema)


def rows_of(frame: "pl.DataFrame", schema: DomainSchema) -> list[ValidRow]:
    """The rows of a typed frame, each with the inputs known at its moment and the targets that are known."""
    from preprocessing.validation.tables import rows_of_frame

    return rows_of_frame(frame, schema)

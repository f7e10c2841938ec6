"""Validates tables: a file's cells in, typed trusted data and every problem out.

The rules are in `preprocessing.validation.rules`, their use on whole columns in `preprocessing.validation.tables`
(polars, imported when first needed); JSON rows are `preprocessing.validation.json_rows`'s.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from preprocessing.schema import DomainSchema
from preprocessing.validation.json_rows import ValidRow
from preprocessing.validation.results import HasRow, Validated
from preprocessing.validation.rules import Known

if TYPE_CHECKING:
    import polars as pl

    from preprocessing.reading.raw_table import RawTable


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
    from preprocessing.validation.tables import Noticed, check_table

    found = check_table(raw, schema, secret=secret, moment=moment, with_targets=with_targets)
    noticed = Noticed()
    noticed.see(found.frame, schema)
    return replace(found, notes=(*found.notes, *noticed.notes(schema)))


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

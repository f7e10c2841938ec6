"""The table that a file holds, before anything is known of what its values mean."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import polars as pl

from errors import GradewatchError
from preprocessing.reading.surroundings import without_surroundings

SHOWN = 6  # columns of many that are named
NUMBER_IN_HEADER = re.compile(r"[+-]?\d+([.,]\d+)?")
MOST_COLUMNS_READ = 5_000  # each is looked at by itself, for a millisecond


class UnreadableFile(GradewatchError):
    """A file that holds no table we can read; the message says why, where, and what would be readable."""


class NoSuchColumn(GradewatchError):
    """A column that was asked for by name and is not in the file."""


class FaultyCell(NamedTuple):
    """A cell that cannot be taken as it stands. row: as a user counts; value: what it shows."""

    row: int
    column: str
    value: str
    rule: str


@dataclass(frozen=True)
class RawTable:
    """A table as it stood in the file.

    frame: one column per column of the file; of text formats every column is String and nothing is inferred.
    is_text: whether it came from a text format (CSV, TSV, Excel). first_row: the number of the first data row as a
    user sees it (2 under a header; records of JSON and Parquet count from 1). notes: what a user should know about
    how it was read, such as a guessed encoding. faults: of cells, for whoever reads their columns. repeated: columns
    whose name another has too, and what to say of it; all but the first got a name that tells them from the others.
    separator: of the cells of a CSV file; "" of any other. handed_back: columns that its owner gets again beside what
    is made of the others, and that nobody else sees.
    """

    frame: pl.DataFrame
    name: str
    is_text: bool
    first_row: int
    notes: tuple[str, ...] = ()
    faults: tuple[FaultyCell, ...] = ()
    repeated: Mapping[str, str] = field(default_factory=dict)
    separator: str = ""
    handed_back: frozenset[str] = frozenset()

    def handing_back(self, names: Sequence[str]) -> "RawTable":
        """The same, of which columns of these names go back to its owner. Raises NoSuchColumn."""
        return replace(self, handed_back=frozenset(self.named(names)))

    def kept(self, names: Sequence[str]) -> pl.DataFrame:
        """The columns of these names, as text, under the names that they have in the file. Raises NoSuchColumn."""
        found = self.named(names)
        return self.frame.select(pl.col(column).cast(pl.String) for column in found)

    def named(self, names: Sequence[str]) -> list[str]:
        """The file's own spelling of some columns, each once. Raises NoSuchColumn."""
        spelled = {column.strip().casefold(): column for column in reversed(self.frame.columns)}
        if unknown := [name for name in names if name.strip().casefold() not in spelled]:
            raise NoSuchColumn(
                f"{self.name}: no column is called {listed(unknown)}; there are {listed(self.frame.columns)}"
            )
        return list(dict.fromkeys(spelled[name.strip().casefold()] for name in names))


def finish_table(
    frame: pl.DataFrame,
    header: Sequence[str],
    name: str,
    *,
    is_text: bool,
    first_row: int,
    notes: tuple[str, ...] = (),
    whole: bool = True,
) -> RawTable:
    """The table under the names that its header gives. whole: whether these are all its rows. Raises UnreadableFile for
    too many columns."""
    if len(header) > MOST_COLUMNS_READ:
        raise UnreadableFile(f"it has {len(header):,} columns; at most {MOST_COLUMNS_READ:,} are read")
    if is_text and len(header) > 1 and all(NUMBER_IN_HEADER.fullmatch(cell.strip()) for cell in header):
        raise UnreadableFile("its first row holds numbers and no names: give the columns a header")
    named, repeated = _named(header)
    frame = frame.rename(dict(zip(frame.columns, named, strict=True)))
    if is_text:
        frame, told = without_surroundings(frame, first_row, whole=whole)
        notes = (*notes, *told)
    return RawTable(frame, name, is_text, first_row, notes, repeated=repeated)


def _named(header: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """A name of its own for each column, and which have one that occurs again."""
    given = [" ".join(cell.split()) or f"column {number}" for number, cell in enumerate(header, 1)]
    names, repeated, first = list[str](), dict[str, str](), dict[str, int]()
    for number, column in enumerate(given, 1):
        earlier = first.setdefault(column.casefold(), number)
        if earlier != number:
            said = f"columns {earlier} and {number} are both called {column!r}; give every column a name of its own"
            repeated[given[earlier - 1]] = said
            repeated[f"{column} (column {number})"] = said
        names.append(column if earlier == number else f"{column} (column {number})")
    return names, repeated


def listed(columns: Sequence[str]) -> str:
    """Some columns in words, each in quotes."""
    return some_of([repr(column[:40]) for column in columns])


def some_of(names: Sequence[str]) -> str:
    """The first of some names, and how many others there are.

    >>> some_of("abcdefghij")
    'a, b, c, d, e, f and 4 more'
    """
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else "")

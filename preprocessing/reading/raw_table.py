"""The table that a file holds, before anything is known of what its values mean."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import polars as pl

from errors import GradewatchError

SHOWN = 6  # columns of many that are named
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
) -> RawTable:
    """The table under the names that its header gives. Raises UnreadableFile for too many columns."""
    if len(header) > MOST_COLUMNS_READ:
        raise UnreadableFile(f"it has {len(header):,} columns; at most {MOST_COLUMNS_READ:,} are read")
    named, repeated = _named(header)
    frame = frame.rename(dict(zip(frame.columns, named, strict=True)))
    if is_text:
        frame, told = without_summaries(frame, first_row)
        notes = (*notes, *told)
    return RawTable(frame, name, is_text, first_row, notes, repeated=repeated)


def _named(header: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """A name of its own for each column, and which have one that occurs again."""
    given = [cell.strip() or f"column {number}" for number, cell in enumerate(header, 1)]
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


# Rows that are no students --------------------------------------------------------------------------------------------

SUMMARIES = frozenset(
    "total totals subtotal grandtotal sum average mean median minimum maximum min max average_mark classaverage "
    "pointspossible possiblepoints maxpoints maximumpoints maxscore maximumscore maxmarks maximummarks outof weight "
    "weights weighting weightings stddev standarddeviation count overallaverage coursetotal "
    "summe gesamt insgesamt durchschnitt mittelwert mittel schnitt notenschnitt klassenschnitt höchstpunktzahl "
    "maximalpunktzahl maximalepunktzahl gewicht gewichtung standardabweichung anzahl "
    "somme moyenne médiane ecarttype écarttype barème bareme coefficient coefficients coef pondération "
    "moyennedelaclasse moyennegénérale "
    "suma promedio promediodelgrupo mediana puntosposibles puntajemáximo puntuaciónmáxima ponderación peso media "
    "soma média pontuaçãomáxima ponderação pesos "
    "somma totale punteggiomassimo voto_massimo "
    "totaal gemiddelde maximum_aantal_punten weging som klasgemiddelde".replace("_", "").split()
)
"""What rows are called that sum up others, in the languages of headers, letters only."""
KEY_LIKE = 0.9  # distinct values per row
MOST_SUMMARIES = 3  # rows of one name; a column with more of them holds levels


def without_summaries(frame: pl.DataFrame, first_row: int) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """The table with rows that sum up others blanked, and a note for each: "Points Possible", "Average", "Total".

    A row is one where the first text in it says so, as few others do, where the rest of it is numbers or blank or the
    column hardly ever repeats a value, as names and keys do.
    """
    columns = [column for column in frame.columns[:3] if frame.schema[column] == pl.String]
    found: dict[int, str] = {}
    for column in columns:
        words = frame[column].str.to_lowercase().str.replace_all(r"[^\p{L}]", "")
        places = words.is_in(SUMMARIES).fill_null(value=False).arg_true().to_list()
        alike = words.gather(places).value_counts(name="rows")
        often = set(alike.filter(pl.col("rows") > MOST_SUMMARIES)[column].to_list())
        names = bool(places) and frame[column].n_unique() > KEY_LIKE * frame.height
        for place in places:
            if words[place] not in often and _sums_up(frame.row(place), frame.columns.index(column), names):
                found.setdefault(place, (frame[column][place] or "").strip())
    if not found:
        return frame, ()
    kept = pl.Series([place not in found for place in range(frame.height)])
    blanked = frame.with_columns(pl.when(kept).then(pl.all()).otherwise(None).name.keep())
    notes = [f"row {place + first_row} ({word!r}) sums up others: left out" for place, word in sorted(found.items())]
    return blanked, tuple(notes)


def _sums_up(row: Sequence[str | None], named: int, key: bool) -> bool:
    """Whether nothing stands before the name in a row, and only numbers after it, or anything in a column of keys."""
    cells = [(cell or "").strip() for cell in row]
    return not any(cells[:named]) and (key or all(NUMBER_LIKE.fullmatch(cell) for cell in cells[named + 1 :]))


NUMBER_LIKE = re.compile(r"[\s\d.,%/+()*\u00a0\u202f'-]*|n/?a|-+")

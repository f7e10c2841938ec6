"""Parquet and CSV files that need not fit in memory, summarised column by column, or batch by batch.

A file is not validated here beyond what counting needs, and its rows are not kept. Column names may be any spelling
that the schema accepts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import polars as pl

from drift.buckets import BucketedColumn, Buckets, Mask, add_bucketed, buckets_of, printed
from drift.column import (
    BinnedColumn,
    Column,
    Floats,
    Integers,
    Kind,
    NumericColumn,
    ProfileError,
    bin_numbers,
    count_numbers,
    grid_of,
    summarise_numbers,
)
from drift.profile import (
    Profile,
    assemble,
    in_threads,
    kinds_of,
    merge_named,
    nothing_of,
    numbers_beside,
    rename,
    summarise_beside,
)
from preprocessing.schema import DomainSchema

WHOLE_UP_TO = 12_000_000  # rows; a column of that many numbers, and the places of its buckets, are 120 MB
BLOCK = 4_000_000  # rows counted at once of longer files
STRINGS = 1_000_000  # rows of levels counted at once
SHORT = 2_000_000  # rows; a column of that many numbers is 16 MB
TOGETHER = 16  # columns of a short file read at once, at most: each reading costs a millisecond by itself
AT_ONCE = 4_000_000  # cells of a short file read at once; as numbers they are 32 MB
BATCH = 250_000  # rows decoded at once; of a CSV file, with all their columns
EXACT_UP_TO = 2_000_000  # distinct values that a column's profile keeps; 16 MB
HELD = 40_000_000  # numbers of a CSV file that are held until all is read; 320 MB
SEPARATORS = ",;\t|"
Summary = Column | BucketedColumn
Known = Mapping[str, Column]
Take = Callable[[pl.DataFrame], None]
T = TypeVar("T")


@dataclass(frozen=True)
class Table:
    """A file opened for reading. named: the columns wanted of it, as spelled there; types: what they hold. kinds: those
    of the columns that are summarised. places: of rows that are taken as they stand. held: one column, already read."""

    path: Path
    rows: int
    named: Mapping[str, str]
    types: Mapping[str, pl.DataType]
    kinds: Mapping[str, Kind]
    places: Integers | None = None
    held: pl.Series | None = None


def profile_file(
    path: Path | str,
    schema: DomainSchema,
    *,
    columns: Sequence[str] | None = None,
    reference: Profile | None = None,
    exact_up_to: int = EXACT_UP_TO,
) -> Profile:
    """The profile of a Parquet or CSV file (by its suffix), in bounded memory.

    It is exact for columns of at most `exact_up_to` distinct values and, in Parquet, 12,000,000 rows. Others are
    counted on a grid: the reference's, so that profiles of several files add, or else one of the file's first rows.
    Raises ProfileError for a file of another kind and for what `build_profile` refuses; FileNotFoundError.
    """
    path = Path(path)
    known = reference.columns if reference else {}
    if not is_parquet(path):
        rows, found = read_csv(path, schema, columns, known, None)
        exact = {name: _limited(_sorted(column), known.get(name), exact_up_to) for name, column in found.items()}
        return assemble(schema, rows, exact.items())
    table = open_parquet(path, schema, columns)

    def summary(table: Table, name: str) -> Column:
        return _limited(_sorted(read_column(table, name, known.get(name), None)), known.get(name), exact_up_to)

    return assemble(schema, table.rows, zip(table.named, of_each(table, summary), strict=True))


def is_parquet(path: Path) -> bool:
    """Whether `path` is read as Parquet; False for CSV; ProfileError for anything else."""
    suffix = path.suffix.casefold()
    if suffix in (".parquet", ".pq"):
        return True
    if suffix in (".csv", ".tsv", ".txt"):
        return False
    raise ProfileError(f"{path.name}: expected a .parquet or .csv file; read others into a frame and profile that")


def open_parquet(path: Path, schema: DomainSchema, columns: Sequence[str] | None = None) -> Table:
    """The file and its columns that `schema` knows, or those of `columns`. ProfileError where it cannot be read."""
    try:
        header = pl.read_parquet_schema(path)
        rows = int(pl.scan_parquet(path).select(pl.len()).collect().item())
    except pl.exceptions.PolarsError as error:
        raise ProfileError(f"{path.name}: not a Parquet file that can be read: {error}") from error
    kinds = kinds_of(schema)
    spelled = {name: given for given, name in rename(list(header), schema).items()}
    named = _chosen(path, spelled, kinds, columns)
    return Table(path, rows, named, {name: header[given] for name, given in named.items()}, kinds)


def _chosen(
    path: Path, spelled: Mapping[str, str], kinds: Mapping[str, Kind], columns: Sequence[str] | None
) -> dict[str, str]:
    if absent := sorted(set(columns or ()) - (spelled.keys() & kinds.keys())):
        raise ProfileError(f"{path.name}: columns {absent} are not there; the file has {sorted(spelled.values())}")
    wanted = spelled if columns is None else columns
    return {name: spelled[name] for name in sorted(wanted) if name in kinds}


def of_each(table: Table, work: Callable[[Table, str], T]) -> list[T]:
    """What `work` makes of every column, all cores used."""
    names = [*table.named]
    if table.rows > SHORT:
        return in_threads(lambda name: work(table, name), names)
    together = max(1, min(TOGETHER, AT_ONCE // max(table.rows, 1)))

    def several(part: Sequence[str]) -> list[T]:
        frame = pl.read_parquet(table.path, columns=[table.named[name] for name in part])
        return [work(replace(table, held=frame.drop_in_place(table.named[name])), name) for name in part]

    parts = in_threads(several, [names[at : at + together] for at in range(0, len(names), together)])
    return [found for part in parts for found in part]


class Taken:
    """The cells of some rows of a column, taken in passing while it is read in order."""

    def __init__(self, places: Integers | None) -> None:
        self._places, self._seen, self._cells = places, 0, list[pl.Series]()

    def see(self, batch: pl.Series) -> None:
        """Takes what is wanted of the next rows."""
        if self._places is not None:
            first, last = np.searchsorted(self._places, [self._seen, self._seen + len(batch)])
            self._cells.append(batch.gather(self._places[first:last] - self._seen))
        self._seen += len(batch)

    @property
    def cells(self) -> pl.Series | None:
        """What was taken; None where nothing was wanted."""
        return pl.concat(self._cells) if self._cells else None


def _batches(table: Table, name: str, taken: Taken) -> Iterator[pl.Series]:
    """The column in parts of at most `BATCH` rows, or as it is held."""
    given = table.named[name]
    if table.held is not None:
        taken.see(table.held)
        yield table.held.alias(name)
        return
    scan = pl.scan_parquet(table.path).select(given)
    for batch in scan.collect_batches(chunk_size=BATCH, maintain_order=table.places is not None):
        taken.see(batch[given])
        yield batch[given].alias(name)


def _blocks(table: Table, name: str, taken: Taken) -> Iterator[pl.Series]:
    """The column in as few parts as may be held: levels are counted sooner than numbers are sorted."""
    size = STRINGS if table.kinds[name] == "categorical" else _step(table)
    held: list[pl.Series] = []
    for batch in _batches(table, name, taken):
        if held and sum(map(len, held)) + len(batch) > size:
            yield pl.concat(held)
            held = []
        held.append(batch)
    if held:
        yield pl.concat(held)


def _step(table: Table) -> int:
    return max(table.rows, 1) if table.rows <= WHOLE_UP_TO else BLOCK


def take_column(table: Table, name: str) -> pl.Series | None:
    """The cells of the rows wanted, of a column that is not summarised."""
    taken = Taken(table.places)
    for _ in _batches(table, name, taken):
        pass
    return taken.cells


def _summaries(table: Table, name: str, buckets: Buckets | None, taken: Taken) -> Iterator[Summary]:
    """The summaries of the column's parts."""
    kind = table.types[name]
    if table.kinds[name] == "numeric" and (kind.is_float() or kind.is_integer()):
        yield from _filled(table, name, buckets, taken)
        return
    blocks = _blocks(table, name, taken)
    while (block := next(blocks, None)) is not None:
        yield summarise_beside(block, table.kinds[name], buckets)
        del block  # or its memory would be held while the next part is read


def _filled(table: Table, name: str, buckets: Buckets | None, taken: Taken) -> Iterator[NumericColumn | BucketedColumn]:
    """Summaries of numbers: batch by batch while they can be counted; then they are written into one array, so that the
    file's copy of the column is never held whole beside it."""
    room, filled, missing = np.zeros(0), 0, 0
    left, countable = table.rows, True
    for batch in _batches(table, name, taken):
        values = (batch.drop_nulls() if batch.null_count() else batch).to_numpy()
        counted = count_numbers(values, len(batch) - len(values)) if countable else None
        if counted:
            yield counted
            left -= len(batch)
            continue
        if table.held is not None:
            yield numbers_beside(values, len(batch) - len(values), buckets, reuse=False)
            return
        countable = False
        if filled + missing + len(batch) > len(room):
            if filled + missing:
                yield numbers_beside(room[:filled], missing, buckets, reuse=True)
            room, filled, missing = np.empty(max(min(left, _step(table)), len(batch)), values.dtype), 0, 0
        room[filled : filled + len(values)] = values
        filled, missing, left = filled + len(values), missing + len(batch) - len(values), left - len(batch)
    if filled + missing:
        yield numbers_beside(room[:filled], missing, buckets, reuse=True)


def read_column(table: Table, name: str, reference: Column | None, taken: Taken | None) -> Summary:
    """The column's summary: exact when the file is short or the values repeat, else in buckets beside the reference,
    whose values are found by reading again; on a grid where there are none. taken: sees all rows in order."""
    buckets = buckets_of(reference) if isinstance(reference, NumericColumn) else None
    long = table.rows > WHOLE_UP_TO
    parts, merged = list[BucketedColumn](), nothing_of(table.kinds[name])
    for part in _summaries(table, name, buckets, taken or Taken(None)):
        if isinstance(part, BucketedColumn):
            parts.append(replace(part, pick=_never) if long else part)
            continue
        kept = _limited(part, merged if isinstance(merged, BinnedColumn) else reference, BLOCK // 4) if long else part
        merged = merge_named(name, merged, kept) if merged.present or merged.missing else kept
    if not parts:
        return merged
    if merged.present + merged.missing and buckets:
        assert isinstance(merged, NumericColumn)  # noqa: S101 (what was counted before buckets were needed)
        parts.append(printed(buckets, merged))
    if long:
        return add_bucketed(parts, lambda mask: _pick_again(table, name, parts[0].buckets, mask))
    return add_bucketed(parts, lambda mask: _pick_of(name, parts, mask))


def _never(_: Mask) -> NumericColumn:
    raise AssertionError("the values of a part are not held")


def _pick_of(name: str, parts: Sequence[BucketedColumn], mask: Mask) -> NumericColumn:
    """The exact values of a column in the buckets of `mask`, from its parts."""
    found = parts[0].pick(mask)
    for part in parts[1:]:
        found = _merged_numbers(name, found, part.pick(mask))
    return found


def _pick_again(table: Table, name: str, buckets: Buckets, mask: Mask) -> NumericColumn:
    """The same by another reading of the file."""
    found = NumericColumn(np.zeros(0), None, 0)
    for batch in _batches(table, name, Taken(None)):
        values = batch.drop_nulls().cast(pl.Float64).to_numpy()
        picked = summarise_numbers(values[mask[buckets.of(values)]])
        found = _merged_numbers(name, found, replace(picked, missing=0))
    return found


def _merged_numbers(name: str, first: NumericColumn, second: NumericColumn) -> NumericColumn:
    merged = merge_named(name, first, second)
    assert isinstance(merged, NumericColumn)  # noqa: S101 (of two such)
    return merged


def _sorted(column: Summary) -> Column:
    return column.exact() if isinstance(column, BucketedColumn) else column


def _limited(column: Column, reference: Column | None, limit: int) -> Column:
    """`column`, counted on the reference's grid, or its own, when it has more than `limit` distinct values."""
    if not isinstance(column, NumericColumn) or len(column.values) <= limit:
        return column
    return bin_numbers(column, _edges(column, reference))


def _edges(column: NumericColumn, reference: Column | None) -> Floats:
    if isinstance(reference, BinnedColumn):
        return reference.edges
    return grid_of(reference if isinstance(reference, NumericColumn) and reference.present else column)


# CSV


def count_csv(path: Path) -> int:
    """The rows of a CSV file."""
    return int(_scan(path).select(pl.len()).collect().item())


def separator_of(path: Path) -> str:
    """What separates the columns of a CSV file, by its header."""
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        header = file.readline()
    return max(SEPARATORS, key=header.count)


def _scan(path: Path) -> pl.LazyFrame:
    return pl.scan_csv(path, separator=separator_of(path), infer_schema=False)


def read_csv(
    path: Path,
    schema: DomainSchema,
    columns: Sequence[str] | None,
    known: Known,
    take: Callable[[pl.DataFrame], None] | None,
) -> tuple[int, dict[str, Summary]]:
    """The rows of a CSV file and the summaries of its columns, beside those `known` of a reference.

    take: sees every batch, with all columns of the file as text, in order.
    """
    try:
        return _count_batches(path, schema, columns, known, take)
    except pl.exceptions.NoDataError:
        raise ProfileError(f"{path.name}: the file is empty, without even a header") from None
    except pl.exceptions.PolarsError as error:
        raise ProfileError(f"{path.name}: cannot be read as CSV: {error}") from error


def _count_batches(
    path: Path,
    schema: DomainSchema,
    columns: Sequence[str] | None,
    known: Known,
    take: Callable[[pl.DataFrame], None] | None,
) -> tuple[int, dict[str, Summary]]:
    scan, kinds = _scan(path), kinds_of(schema)
    spelled = {name: given for given, name in rename(scan.collect_schema().names(), schema).items()}
    chosen = _chosen(path, spelled, kinds, columns)
    growing = {name: Growing(name, kinds[name], known.get(name)) for name in chosen}
    rows = 0
    for batch in (scan if take else scan.select(chosen.values())).collect_batches(chunk_size=BATCH):
        rows += batch.height
        if take:
            take(batch)
        for name, given in chosen.items():
            growing[name].add(batch[given].alias(name), room=HELD // max(len(chosen), 1))
    return rows, {name: one.summary() for name, one in growing.items()}


class Growing:
    """A column of a CSV file while it is read: exact as long as its values repeat or few are held."""

    def __init__(self, name: str, kind: Kind, reference: Column | None) -> None:
        self.name, self._kind, self._reference = name, kind, reference
        self._buckets = buckets_of(reference) if isinstance(reference, NumericColumn) else None
        self._merged = nothing_of(kind)
        self._parts: list[BucketedColumn] = []

    def add(self, batch: pl.Series, room: int) -> None:
        """The next rows. room: numbers that may be held."""
        part = summarise_beside(batch, self._kind, self._buckets)
        if isinstance(part, BucketedColumn):
            self._parts.append(part)
            if sum(one.present for one in self._parts) > room:
                self._merge_parts(room)
            return
        self._merged = _limited(merge_named(self.name, self._merged, part), self._reference, room)

    def summary(self) -> Summary:
        """Of all rows so far."""
        if self._parts and isinstance(self._merged, NumericColumn):
            buckets, parts = self._parts[0].buckets, list(self._parts)
            if self._merged.present + self._merged.missing:
                parts.append(printed(buckets, self._merged))
            return add_bucketed(parts, lambda mask: _pick_of(self.name, parts, mask))
        self._merge_parts(EXACT_UP_TO)
        return self._merged

    def _merge_parts(self, limit: int) -> None:
        for part in self._parts:
            self._merged = _limited(merge_named(self.name, self._merged, part.exact()), self._reference, limit)
        self._parts = []
        self._buckets = None

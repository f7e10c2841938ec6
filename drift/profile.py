"""The profile of a sample: each column summarised on its own, kept in a model's bundle or with a batch, and added up.

Numbers of whatever type are read as such, levels counted. It holds no rows and nothing that links two columns. Whether
two profiles are alike is `drift.compare`'s question.

>>> from preprocessing.schema import load_domains
>>> school = load_domains()["school"]
>>> monday = build_profile(pl.DataFrame({"G1": [12.0, 8.0, None]}), school)
>>> tuesday = build_profile(pl.DataFrame({"G1": [8.0, 15.0]}), school)
>>> week = monday + tuesday
>>> week.rows, week.columns["G1"].values.tolist(), week.columns["G1"].missing
(5, [8.0, 12.0, 15.0], 1)
>>> Profile.from_bytes(week.to_bytes()) == tuesday + monday
True
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.util import find_spec
from typing import Any, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from drift.buckets import SORTED_UP_TO, BucketedColumn, Buckets, count_beside
from drift.column import (
    GRID_FROM,
    PREDICTION,
    BinnedColumn,
    CategoricalColumn,
    Column,
    Kind,
    NumericColumn,
    Prints,
    ProfileError,
    bin_numbers,
    count_levels,
    count_numbers,
    grid_of,
    merge,
    parts,
    prints_of,
    summarise_numbers,
)
from preprocessing.schema import CONTEXT, DomainSchema, fold


def summarise(column: pl.Series, kind: Kind) -> Column:
    """The exact summary of one column of a frame; ProfileError for a type that holds neither numbers nor levels."""
    found = summarise_beside(column, kind, None)
    assert not isinstance(found, BucketedColumn)  # noqa: S101 (without buckets there is none)
    return found


def summarise_beside(column: pl.Series, kind: Kind, buckets: Buckets | None) -> Column | BucketedColumn:
    """The same, but for many numbers that would have to be sorted: they are counted in `buckets`, where there are."""
    if column.dtype.is_nested() or column.dtype == pl.Object:
        raise ProfileError(f"column {column.name!r} of type {column.dtype} holds neither numbers nor levels")
    try:
        if kind == "categorical":
            return _levels(column)
        numbers = _numbers(column)
    except pl.exceptions.PolarsError as error:
        raise ProfileError(f"column {column.name!r} of type {column.dtype} is not {kind}: {error}") from error
    missing = numbers.null_count()
    values = (numbers.drop_nulls() if missing else numbers).to_numpy()
    del column, numbers  # a caller that keeps no reference gets the memory back before the sorting
    return numbers_beside(values, missing, buckets, reuse=values.flags.writeable)  # polars lends its memory read-only


def numbers_beside(
    values: npt.NDArray[Any], missing: int, buckets: Buckets | None, *, reuse: bool
) -> NumericColumn | BucketedColumn:
    """The summary of (rows,) numbers. reuse: they may be sorted in place and kept."""
    if buckets is None or len(values) <= SORTED_UP_TO:
        return summarise_numbers(values, missing, reuse=reuse)
    return count_numbers(values, missing) or count_beside(buckets, values, missing)


def nothing_of(kind: Kind) -> Column:
    """The summary of no rows."""
    return count_levels({}, 0) if kind == "categorical" else summarise_numbers(np.zeros(0))


def _numbers(column: pl.Series) -> pl.Series:
    if column.dtype.is_float() or column.dtype.is_integer():
        return column
    if column.dtype == pl.Boolean or column.dtype.is_decimal() or column.dtype == pl.Null:
        return column.cast(pl.Float64)
    text = column.cast(pl.String)
    numbers = text.str.strip_chars().cast(pl.Float64, strict=False)
    if bad := text.filter(numbers.is_null() & text.is_not_null()).to_list():
        what = f"{len(bad)} values are no numbers, the first is {bad[0][:40]!r}"
        raise ProfileError(f"column {column.name!r}: numeric in the schema, but {what}")
    return numbers


def _levels(column: pl.Series) -> CategoricalColumn:
    if column.dtype.is_float():
        column = _whole(column.fill_nan(None))
    missing = column.null_count()
    if column.dtype == pl.String and len(column) >= LONG and (counted := _few_levels(column, missing)):
        return count_levels(counted, missing)
    named = column.alias("level")
    grouped = named.to_frame().group_by("level").len("rows") if len(column) >= MANY else named.value_counts(name="rows")
    levels, rows = grouped["level"].cast(pl.String).to_list(), grouped["rows"].to_list()
    present = {level: count for level, count in zip(levels, rows, strict=True) if level is not None}
    try:
        return count_levels(present, missing)
    except ProfileError as error:
        raise ProfileError(f"column {column.name!r}: {error}") from error


LONG = 1_000  # rows; looking for each level in turn is several times faster than grouping, when there are few
MANY = 50_000  # rows; grouping by a query then costs less than counting directly
FEW_LEVELS = 12  # levels


def _few_levels(column: pl.Series, missing: int) -> dict[str, int]:
    """The count of each level, found by looking for those of the first rows; empty when there are others or many.

    Levels are told apart by 64-bit hashes: two in one column share one with probability below 1e-17.
    """
    first = sorted({*column.head(LONG).to_list()} - {None})
    if not 0 < len(first) <= FEW_LEVELS:
        return {}
    wanted = list(zip(first, pl.Series(first).hash().to_list(), strict=True))
    counted = dict.fromkeys(first, 0)
    for part in (column[start : start + MANY] for start in range(0, len(column), MANY)):
        hashes = part.hash().to_numpy()
        for level, value in wanted:
            counted[level] += int(np.count_nonzero(hashes == value))
    return counted if sum(counted.values()) == len(column) - missing else {}


def _whole(column: pl.Series) -> pl.Series:
    """Codes that a reader made floats because some were missing, as integers again: level 1, not 1.0."""
    whole = column.is_infinite() | (column != column.round(0))
    return column if whole.any() else column.cast(pl.Int64)


MAGIC = b"GWPROF\x00\x01"  # the last byte is the version of the layout
ERROR = "_error:"
WORTH_A_THREAD = 2_000_000  # cells; below, starting threads costs more than it saves

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, eq=False)
class Profile:
    """One sample, column by column. Profiles are equal when their digests are, whatever the order of the rows was.

    domain, fingerprint: of the schema that the sample was read with. rows: students' records in the sample.
    columns: by name, sorted.
    """

    domain: str
    fingerprint: str
    rows: int
    columns: Mapping[str, Column]

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) of the sample's content: rows, columns, values and how often they occur."""
        return digest_of(self.rows, {name: column_digest(column) for name, column in self.columns.items()})

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Profile):
            return NotImplemented
        return (self.fingerprint, self.digest) == (other.fingerprint, other.digest)

    def __hash__(self) -> int:
        return hash(self.digest)

    def __add__(self, other: Profile) -> Profile:
        """The profile of both samples together, the same in any order. ProfileError when they do not go together."""
        _require_alike(self, other)
        merged = {name: merge_named(name, column, other.columns[name]) for name, column in self.columns.items()}
        return replace(self, rows=self.rows + other.rows, columns=merged)

    @property
    def exact(self) -> bool:
        """Whether no column is counted on a grid."""
        return not any(isinstance(column, BinnedColumn) for column in self.columns.values())

    def on_grid_of(self, reference: Profile) -> Profile:
        """This profile with the columns that are continuous in `reference` counted on its grid: small at any number
        of rows (131 KB a column), still merging exactly, and comparing to an interval instead of a number."""
        columns = {name: _binned(column, reference.columns.get(name)) for name, column in self.columns.items()}
        return replace(self, columns=columns)

    def read_as(self, fingerprint: str, *, without: Collection[str] = ()) -> Profile:
        """The same sample for a schema of this `fingerprint`, in which all its columns but those `without` mean what
        they meant."""
        columns = {name: column for name, column in self.columns.items() if name not in without}
        read = replace(self, fingerprint=fingerprint, columns=columns)
        if len(columns) == len(self.columns):
            vars(read)["digest"] = self.digest
        return read

    def to_bytes(self) -> bytes:
        """The profile as bytes: a short header, then the raw arrays. Equal profiles have equal bytes."""
        arrays: list[bytes] = []
        columns = [_describe(name, column, arrays) for name, column in self.columns.items()]
        header = msgspec.msgpack.encode(_Header(self.domain, self.fingerprint, self.rows, columns, self.digest))
        start = MAGIC + len(header).to_bytes(8, "little") + header
        return b"".join([start, bytes(-len(start) % 8), *arrays])

    @staticmethod
    def from_bytes(content: bytes) -> Profile:
        """The profile that `to_bytes` wrote; its arrays are read-only views into `content`, its digest is the one kept
        with them. ProfileError otherwise."""
        if content[: len(MAGIC)] != MAGIC:
            what = "of another version" if content[:6] == MAGIC[:6] else "no profile"
            raise ProfileError(f"these bytes are {what}; expected {MAGIC!r} first, there is {content[:8]!r}")
        try:
            return _read(content)
        except (msgspec.DecodeError, ValueError, TypeError, LookupError, OverflowError) as error:
            raise ProfileError(f"the profile is damaged: {error}") from error


def build_profile(frame: pl.DataFrame, schema: DomainSchema, *, columns: Sequence[str] | None = None) -> Profile:
    """The exact profile of a typed frame.

    columns: those to summarise; by default every feature and target of `schema` in `frame`, protected ones included,
    and every `_prediction:<target>` (a number or a level of that target) and `_error:<target>` (a number).
    Raises ProfileError for a column that is asked for but unknown or absent, and for text in a numeric column.
    """
    kinds = kinds_of(schema)
    names = [name for name in frame.columns if name in kinds] if columns is None else list(columns)
    _require_known(names, kinds, frame.columns)
    many = frame.height * len(names) >= WORTH_A_THREAD
    summaries = in_threads(lambda name: summarise(frame[name], kinds[name]), names) if many else None
    pairs = zip(names, summaries or [summarise(frame[name], kinds[name]) for name in names], strict=True)
    return assemble(schema, frame.height, pairs)


def count_context(frame: pl.DataFrame, schema: DomainSchema) -> Profile:
    """The profile of the columns that place the rows of a typed frame, where they do: the group, and further ones.

    Neither the student nor the period: of both it is known that they are others each time. Rows without a group do not
    count, nor do columns of more levels than a profile holds.
    """
    named = {schema.group_name: "_group"} if schema.group_name else {}
    named |= {name: CONTEXT + name for name in schema.other_context}
    columns: dict[str, Column] = {}
    for name, given in named.items():
        if given in frame.columns and frame[given].count():
            with suppress(ProfileError):
                columns[name] = summarise(frame[given].drop_nulls(), "categorical")
    return assemble(schema, frame.height, columns.items())


def profile_frame(table: Any, schema: DomainSchema, *, columns: Sequence[str] | None = None) -> Profile:
    """`build_profile` of a polars or pandas DataFrame or Arrow table; columns may be spelled as the schema allows."""
    frame = to_polars(table)
    return build_profile(frame.rename(rename(frame.columns, schema)), schema, columns=columns)


def rename(given: Sequence[str], schema: DomainSchema) -> dict[str, str]:
    """Those of the columns `given` that the schema knows by some spelling, to their names. ProfileError when two are
    the same column."""
    kinds, aliases = kinds_of(schema), schema.aliases()
    names = {spelled: spelled if spelled in kinds else aliases.get(fold(spelled), spelled) for spelled in given}
    counted = list(names.values())
    if twice := sorted({name for name in counted if name in kinds and counted.count(name) > 1}):
        raise ProfileError(f"columns {twice} are there more than once: {[s for s, n in names.items() if n in twice]}")
    return names


def to_polars(table: Any) -> pl.DataFrame:
    """A polars, pandas or Arrow table as polars, without copying where that is possible; else ProfileError."""
    if isinstance(table, pl.DataFrame):
        return table
    if isinstance(table, pl.LazyFrame):
        return table.collect(engine="streaming")
    try:
        if hasattr(table, "iloc"):  # pandas keeps mixed columns, which only the column's own reading can judge
            return pl.DataFrame([_from_pandas(str(name), table[name]) for name in table.columns])
        return pl.DataFrame(table)
    except (pl.exceptions.PolarsError, TypeError, ValueError) as error:
        raise ProfileError(f"cannot read a {type(table).__name__}: {error}") from error


def _from_pandas(name: str, column: Any) -> pl.Series:
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "fiub":
        return pl.Series(name, column.to_numpy())
    if column.dtype != object and find_spec("pyarrow"):  # polars reads pandas' own types through it
        return pl.Series(name, pl.from_pandas(column))
    texts = [None if lost else str(value) for value, lost in zip(column, column.isna(), strict=True)]
    return pl.Series(name, texts, dtype=pl.String)


def kinds_of(schema: DomainSchema) -> dict[str, Kind]:
    """Every column that a profile of `schema` may have, and whether it is numeric or categorical."""
    kinds: dict[str, Kind] = {feature.name: feature.kind for feature in schema.features}
    for target in schema.targets:
        kind: Kind = "numeric" if target.kind == "value" else "categorical"
        kinds |= {target.name: kind, PREDICTION + target.name: kind, ERROR + target.name: "numeric"}
    return kinds


def assemble(schema: DomainSchema, rows: int, columns: Iterable[tuple[str, Column]]) -> Profile:
    """The profile of `rows` rows from its columns."""
    return Profile(schema.name, schema.fingerprint, rows, dict(sorted(columns)))


def in_threads(work: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """`work` on each of `items`, in order, on every core; sorting and decoding leave Python's lock to the others."""
    with ThreadPoolExecutor(max_workers=min(os.cpu_count() or 1, len(items) or 1)) as pool:
        return list(pool.map(work, items))


def _binned(column: Column, reference: Column | None) -> Column:
    if not isinstance(column, NumericColumn):
        return column
    if isinstance(reference, BinnedColumn):
        return bin_numbers(column, reference.edges)
    if isinstance(reference, NumericColumn) and len(reference.values) >= GRID_FROM:
        return bin_numbers(column, grid_of(reference))
    return column


def _require_known(names: Sequence[str], kinds: Mapping[str, Kind], present: Sequence[str]) -> None:
    unknown = [name for name in names if name not in kinds]
    absent = [name for name in names if name in kinds and name not in present]
    problems = [f"columns {unknown} are no features or targets of the schema"] if unknown else []
    problems += [f"columns {absent} are not in the sample, which has {list(present)}"] if absent else []
    if problems:
        raise ProfileError("; ".join(problems))


def _require_alike(first: Profile, second: Profile) -> None:
    if first.fingerprint != second.fingerprint:
        raise ProfileError(f"profiles of two schemas do not add: {first.domain!r} and {second.domain!r} differ")
    if one_sided := sorted(first.columns.keys() ^ second.columns.keys()):
        raise ProfileError(f"profiles of different columns do not add: {one_sided} are in only one of them")


def merge_named(name: str, first: Column, second: Column) -> Column:
    """`merge` of two summaries of column `name`, which is named in a ProfileError."""
    try:
        return merge(first, second)
    except ProfileError as error:
        raise ProfileError(f"column {name!r}: {error}") from error


def digest_of(rows: int, columns: Mapping[str, bytes]) -> str:
    """The digest of a sample of `rows` rows from its columns' digests, sorted by name."""
    return hashlib.sha256(msgspec.msgpack.encode((rows, list(columns.items())))).hexdigest()


def column_digest(column: Column) -> bytes:
    """SHA-256 of what one column holds."""
    if isinstance(column, NumericColumn):
        return numbers_digest(column.present, column.missing, prints_of(column.values, column.repeats))
    digest = hashlib.sha256(f"{type(column).__name__} {column.missing}".encode())
    if isinstance(column, CategoricalColumn):
        digest.update(msgspec.msgpack.encode(column.levels))
        digest.update(_little(column.counts))
        return digest.digest()
    for part in parts(column):
        digest.update(f"{len(part)} {part.dtype}".encode())
        digest.update(_little(part))
    return digest.digest()


def numbers_digest(present: int, missing: int, prints: Prints) -> bytes:
    """SHA-256 of what a column of numbers holds, sorted or not."""
    return hashlib.sha256(f"numbers {present} {missing} {prints[0]} {prints[1]}".encode()).digest()


def _little(array: npt.NDArray[Any]) -> memoryview:
    return np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"), copy=False)).data.cast("B")


class _Stored(msgspec.Struct, array_like=True, frozen=True):
    """How one column stands in the header; arrays follow in the same order, each padded to 8 bytes."""

    name: str
    kind: str
    missing: int
    arrays: list[tuple[str, int]]
    levels: tuple[str, ...] = ()


class _Header(msgspec.Struct, array_like=True, frozen=True):
    """What stands before the arrays. digest: empty in profiles of earlier releases."""

    domain: str
    fingerprint: str
    rows: int
    columns: list[_Stored]
    digest: str = ""


def _describe(name: str, column: Column, arrays: list[bytes]) -> _Stored:
    levels = column.levels if isinstance(column, CategoricalColumn) else ()
    stored = [column.counts] if isinstance(column, CategoricalColumn) else list(parts(column))
    for array in stored:
        raw = bytes(_little(array)) if len(array) else b""
        arrays.append(raw + bytes(-len(raw) % 8))
    kinds = [(array.dtype.newbyteorder("<").str, len(array)) for array in stored]
    return _Stored(name, type(column).__name__, column.missing, kinds, levels)


STORED_TYPES = {code: code for code in ("<f8", "<i8", "|u1", "<u2", "<u4", "<u8")}


def _read(content: bytes) -> Profile:
    start = len(MAGIC) + 8
    end = start + int.from_bytes(content[len(MAGIC) : start], "little")
    header = msgspec.msgpack.decode(content[start:end], type=_Header)
    offset = end + -end % 8
    columns: dict[str, Column] = {}
    for column in header.columns:
        arrays = []
        for code, length in column.arrays:
            dtype = np.dtype(STORED_TYPES[code])
            arrays.append(np.frombuffer(content, dtype, length, offset) if length else np.zeros(0, dtype))
            offset += length * dtype.itemsize + -(length * dtype.itemsize) % 8
        columns[column.name] = _column(column, arrays)
    profile = Profile(header.domain, header.fingerprint, header.rows, columns)
    if header.digest:
        vars(profile)["digest"] = header.digest  # known: to hash a million rows again costs as much as to compare them
    return profile


def _column(stored: _Stored, arrays: list[npt.NDArray[Any]]) -> Column:
    if stored.kind == "CategoricalColumn":
        return CategoricalColumn(stored.levels, arrays[0], stored.missing)
    if stored.kind == "NumericColumn":
        return NumericColumn(arrays[0], arrays[1] if len(arrays[1]) else None, stored.missing)
    if stored.kind == "BinnedColumn":
        low, high = arrays[2].tolist()
        return BinnedColumn(arrays[0], arrays[1], low, high, stored.missing)
    raise ProfileError(f"column {stored.name!r} has the unknown kind {stored.kind!r}")

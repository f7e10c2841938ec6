"""Reads a user's file into a table of raw columns: CSV, TSV, Excel, Parquet, Arrow, JSON records or JSON lines.

It decides the format from the content and never what a value means: text stays text until
`preprocessing.validation.validate`.
"""

import csv
import io
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl

from errors import GradewatchError

FIELD_SEPARATORS = (",", ";", "\t", "|")
LONGEST_FIELD = 131_072  # characters; as the csv module's own limit
LONGEST_LINE = 1_048_576  # bytes; a longer one is no table of one row per line
MOST_COLUMNS_READ = 5_000  # each is looked at by itself, for a millisecond
DECODING_SECONDS = 600
FILE_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"PAR1", "parquet"),
    (b"ARROW1", "arrow"),
    (b"\xff\xff\xff\xff", "arrow stream"),
    (b"PK\x03\x04", "excel"),
    (b"\xd0\xcf\x11\xe0", "excel"),
    (b"%PDF", "a PDF document"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ", "an xz archive"),
    (b"\x28\xb5\x2f\xfd", "a zstandard archive"),
)
CALLED = {
    "excel": "an Excel workbook",
    "parquet": "a Parquet file",
    "arrow": "an Arrow file",
    "arrow stream": "an Arrow stream",
}
STRAY_QUOTE = 'a quote (") stands where none can: quote whole fields, and double a quote inside one'
BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))


class UnreadableFile(GradewatchError):
    """A file that holds no table we can read; the message says why, where, and what would be readable."""


@dataclass(frozen=True)
class RawTable:
    """A table as it stood in the file.

    frame: one column per column of the file; of text formats every column is String and nothing is inferred.
    is_text: whether it came from a text format (CSV, TSV, Excel). first_row: the number of the first data row as a
    user sees it (2 under a header; records of JSON and Parquet count from 1). notes: what a user should know about
    how it was read, such as a guessed encoding.
    """

    frame: pl.DataFrame
    name: str
    is_text: bool
    first_row: int
    notes: tuple[str, ...] = ()


def read_table(source: Path | bytes, *, name: str = "") -> RawTable:
    """The table in a file (or in its bytes, `name` being how to call it in messages).

    Raises UnreadableFile when there is no table in it.
    """
    called = name or (source.name if isinstance(source, Path) else "data")
    try:
        data = source.read_bytes() if isinstance(source, Path) else source
        return _read(data, called)
    except UnreadableFile as error:
        raise UnreadableFile(f"{called}: {error}") from None
    except OSError as error:
        raise UnreadableFile(f"{called}: {error.strerror or error}") from None


def _read(data: bytes, name: str) -> RawTable:
    if not data.strip():
        raise UnreadableFile("the file is empty")
    kind = kind_of(data)
    if kind in READERS:
        return READERS[kind](data, name)
    if kind != "text":
        raise UnreadableFile(f"this is {kind}; give a CSV, Excel, Parquet or JSON file")
    text, notes = decode(data)
    text = text.lstrip("\ufeff")
    start = text.lstrip()[:1]
    if start in ("{", "["):
        return _read_json(text, name, notes)
    return _read_csv(text, name, notes)


def kind_of(start: bytes) -> str:
    """What a file is that begins so: a kind of `READERS`, "text", or in words what we do not read."""
    return next((kind for magic, kind in FILE_MAGIC if start.startswith(magic)), "text")


# Text ---------------------------------------------------------------------------------------------------------------


def decode(data: bytes) -> tuple[str, tuple[str, ...]]:
    """The text of a file, and a note where its encoding had to be guessed.

    UTF-8 (with or without byte order mark) and UTF-16 (with one) are certain; anything else is taken as Windows-1252
    or, where that has no such byte, Latin-1. Raises UnreadableFile on NUL bytes.
    """
    for mark, encoding in BOMS:
        if data.startswith(mark):
            try:
                return _without_nul(data[len(mark) :].decode(encoding)), ()
            except UnicodeDecodeError as error:
                raise UnreadableFile(f"it starts as {encoding} but byte {error.start} cannot be read so") from None
    try:
        return _without_nul(data.decode("utf-8")), ()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
    for encoding, called in (("cp1252", "Windows-1252"), ("latin-1", "Latin-1")):
        try:
            text = _without_nul(data.decode(encoding))
        except UnicodeDecodeError:
            continue
        return text, (f"line {line} is not UTF-8; the file was read as {called}: check letters with accents",)
    raise AssertionError("Latin-1 has every byte")


def _without_nul(text: str) -> str:
    if (place := text.find("\0")) >= 0:
        line = text.count("\n", 0, place) + 1
        raise UnreadableFile(f"line {line} holds a NUL byte: this is no text file (UTF-16 needs a byte order mark)")
    return text


def _read_csv(text: str, name: str, notes: tuple[str, ...]) -> RawTable:
    if "\n" not in text:
        text = text.replace("\r", "\n")
    body = text.lstrip("\r\n \t") if text[:1] in "\r\n \t" and not text.lstrip("\r\n ").startswith("\t") else text
    skipped = text[: len(text) - len(body)].count("\n")
    separator = sniff_separator(body)
    header, rest = read_header(body, separator, skipped)
    if not rest:
        raise UnreadableFile(f"there is a header ({_listed(header)}) and no row under it")
    return read_body(body, header, separator, name, skipped=skipped, notes=notes)


def read_body(
    body: str, header: Sequence[str], separator: str, name: str, *, skipped: int, notes: tuple[str, ...] = ()
) -> RawTable:
    """The table in CSV text that begins with its header. skipped: lines of the file above the text."""
    data = body.encode("utf-8")
    if '"' in body:
        rows = _check_quoted(body, separator, len(header), skipped)
    else:
        rows = _check_plain(data, separator, len(header), skipped)
    frame = _parse_csv(data, separator)
    if frame.width != len(header) or frame.height != rows:
        raise UnreadableFile(STRAY_QUOTE)
    return _finish(frame, header, name, is_text=True, first_row=skipped + 2, notes=notes)


def sniff_separator(text: str) -> str:
    """The separator of CSV text, read off its header: the candidate that occurs most outside quotes."""
    line = text.split("\n", 1)[0]
    outside = "".join(line.split('"')[::2])
    return max(FIELD_SEPARATORS, key=outside.count)


def read_header(body: str, separator: str, skipped: int) -> tuple[list[str], bool]:
    """The header's cells of CSV text, and whether anything follows it. skipped: lines of the file above the text."""
    lines = io.StringIO(body, newline="")
    reader = _csv_rows(lines, separator, skipped)
    try:
        header = next(reader)
    except StopIteration:
        raise UnreadableFile("the file is empty") from None
    return header, any(any(cell.strip() for cell in row) for row in reader)


def _csv_rows(lines: Iterator[str], separator: str, skipped: int) -> Iterator[list[str]]:
    reader = csv.reader(lines, delimiter=separator, strict=True)
    try:
        yield from reader
    except csv.Error as error:
        raise UnreadableFile(f"line {skipped + reader.line_num}: {_csv_fault(str(error))}") from None


def _csv_fault(said: str) -> str:
    if "field larger" in said:
        return f"a field has more than {LONGEST_FIELD:,} characters; is a quote left open above it?"
    if "unexpected end" in said:
        return 'a quote (") opened in this file is never closed'
    if "expected after" in said:
        return 'text follows a closing quote ("); quote whole fields, and double a quote inside one'
    return said


def _check_quoted(body: str, separator: str, width: int, skipped: int) -> int:
    """The number of data rows. Raises UnreadableFile at the first that is not `width` cells wide."""
    number = 0
    for number, row in enumerate(_csv_rows(io.StringIO(body, newline=""), separator, skipped)):
        if len(row) != width and row:
            raise UnreadableFile(_ragged(number + skipped + 1, len(row), width, separator))
    return number


def _check_plain(data: bytes, separator: str, width: int, skipped: int, *, step: int = 1 << 24) -> int:
    """As `_check_quoted` for text without any quote: counts bytes, in pieces of `step`, instead of making strings."""
    number, start = skipped + 1, 0
    while start < len(data):
        end = data.find(b"\n", min(start + step, len(data) - 1))
        chunk = data[start : end + 1] if end >= 0 else data[start:] + b"\n"
        codes = np.frombuffer(chunk, dtype=np.uint8)
        ends = np.flatnonzero(codes == ord("\n"))
        lengths = np.diff(ends, prepend=-1) - 1
        cells = np.diff(np.searchsorted(np.flatnonzero(codes == ord(separator)), ends), prepend=0) + 1
        blank = (lengths == 0) | ((lengths == 1) & (codes[np.maximum(ends - 1, 0)] == ord("\r")))
        if (wrong := np.flatnonzero((cells != width) & ~blank)).size:
            raise UnreadableFile(_ragged(number + int(wrong[0]), int(cells[wrong[0]]), width, separator))
        if lengths.max() > LONGEST_LINE:
            raise UnreadableFile(f"line {number + int(lengths.argmax())} has more than {LONGEST_LINE:,} bytes")
        number += len(ends)
        start += len(chunk)
    return number - skipped - 2


def _ragged(row: int, cells: int, width: int, separator: str) -> str:
    called = {"\t": "tab", ",": "comma", ";": "semicolon", "|": "bar"}[separator]
    return f"row {row} has {cells} cell{'s' if cells != 1 else ''} where the header has {width} (separated by {called})"


def _parse_csv(data: bytes, separator: str) -> pl.DataFrame:
    try:
        return pl.read_csv(
            io.BytesIO(data), separator=separator, infer_schema=False, null_values=None, raise_if_empty=False
        )
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
        raise UnreadableFile(STRAY_QUOTE) from None


# Excel, Parquet, Arrow ------------------------------------------------------------------------------------------------


def _read_excel(data: bytes, name: str) -> RawTable:
    """The first sheet, as text: what stands in a cell is read by the same rules as in a CSV file."""
    frame = _decoded("excel", data)
    frame = frame.select(pl.col(pl.String))
    filled = frame.select(pl.any_horizontal(pl.all().str.strip_chars().fill_null("") != "")).to_series()
    if frame.is_empty() or not filled.any():
        raise UnreadableFile("its first sheet is empty")
    top = int(filled.arg_max() or 0)
    header = [cell or "" for cell in frame.row(top)]
    used = [i for i, cell in enumerate(header) if cell.strip() or frame.to_series(i)[top + 1 :].is_not_null().any()]
    body = frame[top + 1 :].select(frame.columns[i] for i in used)
    if not filled[top + 1 :].any():
        raise UnreadableFile(f"its first sheet has a header ({_listed(header)}) and no row under it")
    return _finish(body, [header[i] for i in used], name, is_text=True, first_row=top + 2)


def _read_parquet(data: bytes, name: str) -> RawTable:
    return typed_table(_decoded("parquet", data), name)


def _read_arrow(data: bytes, name: str) -> RawTable:
    return typed_table(_decoded("arrow", data), name)


def _read_arrow_stream(data: bytes, name: str) -> RawTable:
    return typed_table(_decoded("arrow stream", data), name)


def _decoded(kind: str, data: bytes) -> pl.DataFrame:
    """The table in bytes of a binary format, decoded by a child process that a damaged file may end."""
    try:
        done = subprocess.run(decoder(kind), input=data, capture_output=True, timeout=DECODING_SECONDS, check=False)  # noqa: S603 (our own script)
    except subprocess.TimeoutExpired:
        said = f"it looks like {CALLED[kind]} but is not read in {DECODING_SECONDS} seconds"
        raise UnreadableFile(said) from None
    check_decoded(kind, done.returncode, done.stderr)
    return pl.read_ipc(io.BytesIO(done.stdout))


def decoder(kind: str, *arguments: str) -> list[str]:
    """The command of the process that decodes a binary format (`preprocessing.reading.decoder_process`)."""
    return [sys.executable, "-P", str(Path(__file__).with_name("decoder_process.py")), kind, *arguments]


def check_decoded(kind: str, code: int, said: bytes) -> None:
    """Raises UnreadableFile for a decoding process that ended with another `code` than 0. said: its stderr."""
    if code == 1:
        reason = said.decode(errors="replace").splitlines()[-1]
        raise UnreadableFile(f"it looks like {CALLED[kind]} but cannot be read: {reason}")
    if code != 0:
        raise UnreadableFile(f"it looks like {CALLED[kind]} but is damaged")


def typed_table(frame: pl.DataFrame, name: str, *, coded: bool = False) -> RawTable:
    """A decoded table whose columns have types of their own. coded: its texts may stay codes (Enum). Raises
    UnreadableFile for nested columns, or no rows."""
    nested = [column for column, kind in frame.schema.items() if kind.is_nested() or kind in (pl.Binary, pl.Object)]
    if nested:
        raise UnreadableFile(f"column {nested[0]!r} holds lists or records; a table has one value per cell")
    kinds = (pl.Categorical,) if coded else (pl.Categorical, pl.Enum)
    frame = frame.with_columns(pl.col(column).cast(pl.String) for column, k in frame.schema.items() if k in kinds)
    if frame.is_empty():
        raise UnreadableFile(f"there are columns ({_listed(frame.columns)}) and no row")
    return _finish(frame, frame.columns, name, is_text=False, first_row=1)


# JSON ---------------------------------------------------------------------------------------------------------------


def _read_json(text: str, name: str, notes: tuple[str, ...]) -> RawTable:
    records = list(_json_records(text))
    if not records:
        raise UnreadableFile("the list of records is empty")
    columns: dict[str, list[Any]] = {}
    for number, record in enumerate(records):
        for column, value in record.items():
            if isinstance(value, dict | list):
                raise UnreadableFile(f"record {number + 1}: {column!r} holds a list or record; expected one value")
            columns.setdefault(column, [None] * len(records))[number] = value
    if not columns:
        raise UnreadableFile("the records have no fields")
    frame = pl.DataFrame([_json_column(values).alias(f"column_{i}") for i, values in enumerate(columns.values())])
    return _finish(frame, list(columns), name, is_text=False, first_row=1, notes=notes)


def _json_records(text: str) -> Iterator[Mapping[str, Any]]:
    """Records of a JSON list, of one JSON object, or of one object per line."""
    stripped = text.strip()
    lines = stripped.split("\n") if stripped.startswith("{") else [stripped]  # U+2028 may stand within a text
    if len(lines) > 1 and not _is_json(lines[0]):
        lines = [stripped]  # one object, printed over several lines
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        where = f"line {number}: " if len(lines) > 1 else ""
        try:
            value = msgspec.json.decode(line)
        except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
            raise UnreadableFile(f"{where}this is no JSON: {str(error)[:200]}") from None
        for record in value if isinstance(value, list) else [value]:
            if not isinstance(record, dict):
                raise UnreadableFile(f'{where}expected records like {{"column": value}}, found {str(record)[:40]!r}')
            yield record


def _is_json(line: str) -> bool:
    try:
        msgspec.json.decode(line)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return False
    return True


def _json_column(values: Sequence[Any]) -> pl.Series:
    """Numbers as numbers, truth values as such; a column of several kinds as text, each value as JSON writes it."""
    kinds = {type(value) for value in values if value is not None}
    if kinds == {int} and all(value is None or -(2**63) <= value < 2**63 for value in values):
        return pl.Series(values, dtype=pl.Int64)
    if kinds == {float} or (kinds == {int, float} and all(value is None or abs(value) <= 2**53 for value in values)):
        return pl.Series([None if value is None else float(value) for value in values], dtype=pl.Float64)
    if kinds == {bool}:
        return pl.Series(values, dtype=pl.Boolean)
    return pl.Series([_json_text(value) for value in values], dtype=pl.String)


def _json_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()


# Headers ------------------------------------------------------------------------------------------------------------


def _finish(
    frame: pl.DataFrame,
    header: Sequence[str],
    name: str,
    *,
    is_text: bool,
    first_row: int,
    notes: tuple[str, ...] = (),
) -> RawTable:
    if len(header) > MOST_COLUMNS_READ:
        raise UnreadableFile(f"it has {len(header):,} columns; at most {MOST_COLUMNS_READ:,} are read")
    named = [cell.strip() or f"column {number}" for number, cell in enumerate(header, 1)]
    first_seen: dict[str, int] = {}
    for number, column in enumerate(named, 1):
        earlier = first_seen.setdefault(column.casefold(), number)
        if earlier != number:
            said = f"columns {earlier} and {number} are both called {column!r}"
            raise UnreadableFile(f"{said}; give every column a name of its own")
    return RawTable(frame.rename(dict(zip(frame.columns, named, strict=True))), name, is_text, first_row, notes)


def _listed(columns: Sequence[str]) -> str:
    shown = ", ".join(repr(column[:40]) for column in columns[:6])
    return shown + (f" and {len(columns) - 6} more" if len(columns) > 6 else "")


READERS: Mapping[str, Callable[[bytes, str], RawTable]] = {
    "parquet": _read_parquet,
    "arrow": _read_arrow,
    "arrow stream": _read_arrow_stream,
    "excel": _read_excel,
}

"""Reads a user's file into a table of raw columns: CSV, TSV, Excel, Parquet, Arrow, JSON records or JSON lines.

It decides the format from the content and never what a value means: text stays text until
`preprocessing.validation.validate`.
"""

import io
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from preprocessing.reading.csv_text import decode, read_csv
from preprocessing.reading.decoder_process import DECODERS, TOO_MANY_ROWS
from preprocessing.reading.raw_table import FaultyCell, RawTable, UnreadableFile, finish_table, listed
from preprocessing.reading.surroundings import table_beside
from preprocessing.validation.rules import TooManyRows

DECODING_SECONDS = 600
FILE_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"PAR1", "parquet"),
    (b"ARROW1", "arrow"),
    (b"\xff\xff\xff\xff", "arrow stream"),
    (b"PK\x03\x04", "excel"),
    (b"\xd0\xcf\x11\xe0", "excel"),
    (b"%PDF", "a PDF document"),
    (b"{\\rtf", "a text document (RTF)"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ", "an xz archive"),
    (b"\x28\xb5\x2f\xfd", "a zstandard archive"),
)
WORKBOOK_PARTS = ("[Content_Types].xml", "_rels/", "xl/", "docProps/", "customXml/")
HTML = "an HTML page, whatever its name ends in"
XML = "an XML document, whatever its name ends in"
RESAVE = "open it in a spreadsheet program and save it as .xlsx or .csv"
UNPACK = "unpack it, and give the file in it"
REMEDIES = {HTML: RESAVE, XML: RESAVE}
CALLED = {
    "excel": "an Excel workbook",
    "parquet": "a Parquet file",
    "arrow": "an Arrow file",
    "arrow stream": "an Arrow stream",
}


def read_table(source: Path | bytes, *, name: str = "", sheet: str = "", most_rows: int | None = None) -> RawTable:
    """The table in a file (or in its bytes, `name` being how to call it in messages).

    sheet: the name or number of a workbook's sheet, by default its first that is visible. most_rows: a file with more
    is refused, a binary one before it is decoded: 50 million rows fit into 190 kB of Parquet.

    Raises UnreadableFile when there is no table in it, TooManyRows.
    """
    called = name or (source.name if isinstance(source, Path) else "data")
    try:
        data = source.read_bytes() if isinstance(source, Path) else source
        table = _read(data, called, sheet, most_rows)
    except UnreadableFile as error:
        raise UnreadableFile(f"{called}: {error}") from None
    except OSError as error:
        raise UnreadableFile(f"{called}: {error.strerror or error}") from None
    if most_rows is not None and table.frame.height > most_rows:
        raise TooManyRows(table.frame.height, most_rows)
    return table


def _read(data: bytes, name: str, sheet: str, most_rows: int | None) -> RawTable:
    if not data.strip():
        raise UnreadableFile("the file is empty")
    kind = kind_of(data)
    if "\0" in sheet:
        raise UnreadableFile("no sheet is called so")
    if kind == "excel":
        return _read_excel(data, name, sheet)
    if sheet:
        raise UnreadableFile(f"it has no sheets, so there is none called {sheet!r}")
    if kind in DECODERS:
        return typed_table(_decoded(kind, data, most_rows), name)
    if kind != "text":
        unpack = UNPACK if "archive" in kind else "give a CSV, Excel, Parquet or JSON file"
        raise UnreadableFile(f"this is {kind}; {REMEDIES.get(kind, unpack)}")
    text, notes = decode(data)
    text = text.lstrip("\ufeff")
    start = text.lstrip()[:1]
    if start in ("{", "["):
        return _read_json(text, name, notes)
    return read_csv(text, name, notes)


def kind_of(start: bytes) -> str:
    """What a file is that begins so: one of `DECODERS`, "excel", "text", or in words what we do not read."""
    found = next((kind for magic, kind in FILE_MAGIC if start.startswith(magic)), "text")
    if found == "excel" and start.startswith(b"PK"):
        return _kind_of_archive(start)
    return _kind_of_markup(start) if found == "text" else found


def _kind_of_archive(start: bytes) -> str:
    """A workbook holds a list of its parts, or (OpenDocument) its own type, first; another archive its files."""
    length = int.from_bytes(start[26:28], "little")
    first = start[30 : 30 + length].decode("utf-8", "replace")
    if first == "mimetype" or first.startswith(WORKBOOK_PARTS):
        return "excel"
    return f"a zip archive with {first} in it" if first else "a damaged zip archive"


def _kind_of_markup(start: bytes) -> str:
    head = start[:1024].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if re.match(rb"<(!doctype html|html|head|body|table|meta|style)\b", head) or b"<html" in head[:512]:
        return HTML
    return XML if head.startswith(b"<?xml") else "text"


# Excel, Parquet, Arrow ------------------------------------------------------------------------------------------------


def _read_excel(data: bytes, name: str, sheet: str = "") -> RawTable:
    """A sheet as text: what a cell shows is read by the same rules as in a CSV file."""
    told, frame = _decoded_sheet(data, sheet)
    beside = f" (choose another as sheet: {listed(told['others'])})" if told["others"] else ""
    where = f"its sheet {told['sheet']!r}{beside}"
    header: list[str] = told["header"]
    if not header:
        raise UnreadableFile(f"{where} is empty")
    width, apart = table_beside(frame, header)
    used = [i for i, cell in enumerate(header[:width]) if cell or (frame.to_series(i).str.strip_chars() != "").any()]
    body, names = frame.select(frame.columns[i] for i in used), [header[i] for i in used]
    if not body.select(pl.any_horizontal(pl.all().str.strip_chars() != "").any()).item():
        raise UnreadableFile(f"{where} has a header ({listed(names)}) and no row under it")
    notes = (*told["notes"], *([apart] if apart else ()))
    table = finish_table(body, names, name, is_text=True, first_row=told["first_row"], notes=notes)
    called = dict(zip(used, table.frame.columns, strict=True))
    faults = [
        FaultyCell(row + table.first_row, called[column], value, rule)
        for row, column, value, rule in told["faults"]
        if column in called
    ]
    return replace(table, faults=tuple(faults))


def _decoded_sheet(data: bytes, sheet: str) -> tuple[dict[str, Any], pl.DataFrame]:
    decoded = _decode("excel", data, *([sheet] if sheet else []))
    length = int.from_bytes(decoded[:8], "little")
    return json.loads(decoded[8 : 8 + length]), pl.read_ipc(io.BytesIO(decoded[8 + length :]))


def _decoded(kind: str, data: bytes, most_rows: int | None) -> pl.DataFrame:
    """The table in bytes of a binary format. Raises TooManyRows, before they are decoded."""
    limit = [] if most_rows is None else ["", str(most_rows)]
    return pl.read_ipc(io.BytesIO(_decode(kind, data, *limit)))


def _decode(kind: str, data: bytes, *arguments: str) -> bytes:
    """What a child process, which a damaged file may end, makes of bytes of a binary format."""
    try:
        command = decoder(kind, *arguments)
        done = subprocess.run(command, input=data, capture_output=True, timeout=DECODING_SECONDS, check=False)  # noqa: S603 (our own script)
    except subprocess.TimeoutExpired:
        said = f"it looks like {CALLED[kind]} but is not read in {DECODING_SECONDS} seconds"
        raise UnreadableFile(said) from None
    if done.returncode == TOO_MANY_ROWS:
        raise TooManyRows(*map(int, done.stderr.splitlines()[-1].split()))
    check_decoded(kind, done.returncode, done.stderr)
    return done.stdout


def decoder(kind: str, *arguments: str) -> list[str]:
    """The command of the process that decodes a binary format (`preprocessing.reading.decoder_process`)."""
    return [sys.executable, "-P", "-m", "preprocessing.reading.decoder_process", kind, *arguments]


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
        raise UnreadableFile(f"there are columns ({listed(frame.columns)}) and no row")
    return finish_table(frame, frame.columns, name, is_text=False, first_row=1)


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
    return finish_table(frame, list(columns), name, is_text=False, first_row=1, notes=notes)


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

"""Reads files that are longer than memory chunk by chunk: CSV by lines, Parquet and Arrow by rows.

A chunk is a table as `preprocessing.reading.files` gives it, its rows numbered as in the whole file. What cannot be cut
(Excel, JSON, UTF-16) is one chunk. It decides nothing about values.
"""

import codecs
import hashlib
import io
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from io import BufferedReader
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
import polars as pl

from preprocessing.reading.csv_text import (
    BOMS,
    LATIN_1,
    TITLE,
    check_one_encoding,
    find_header,
    guess_encoding,
    mixed,
    read_body,
    read_header,
)
from preprocessing.reading.files import check_decoded, decoder, kind_of, read_table, typed_table
from preprocessing.reading.raw_table import RawTable, UnreadableFile
from preprocessing.validation.rules import TooManyRows

ROWS_A_CHUNK = 50_000  # of a chunk of a binary file
PIPE = 1 << 20  # bytes that wait between the process that decodes and this one
STEP = 1 << 21  # bytes of a chunk of text; some 20,000 to 50,000 rows of marks
LONGEST_PIECE = 1 << 26  # bytes; a quote that is still open after so many will not be closed
BINARY = ("parquet", "arrow")


@dataclass(frozen=True)
class FileSource:
    """A file that was looked through once.

    kind: "parquet", "arrow", "lines" (CSV that can be cut), or "whole". digest: SHA-256 of its bytes. commas: whether
    a cell may hold a comma, so that how numbers are written must be decided over the whole column. stamp: its size and
    time of change, by which a file that changes under our hands is found. sheet: of a workbook, as for `read_table`.
    name: what it is called in messages. most_rows: a file with more is refused, as `read_table` does it.
    """

    path: Path
    kind: str
    digest: str
    encoding: str
    commas: bool
    notes: tuple[str, ...]
    stamp: tuple[int, int]
    sheet: str = ""
    name: str = ""
    most_rows: int | None = None

    def require_fewer(self, rows: int) -> None:
        """Raises TooManyRows."""
        if self.most_rows is not None and rows > self.most_rows:
            raise TooManyRows(rows, self.most_rows)


class Chunk(NamedTuple):
    """Some rows of a file; done: which share of it is read by now, 0 to 1."""

    table: RawTable
    done: float


def open_source(path: Path, *, sheet: str = "", name: str = "", most_rows: int | None = None) -> FileSource:
    """Looks through a file once. sheet: of a workbook, its name or number. name: by default the path's.

    Raises UnreadableFile for one that is empty, missing or no table.
    """
    called = name or path.name
    try:
        stamp = _stamp(path)
        with path.open("rb") as file:
            seen = _look(file)
    except OSError as error:
        raise UnreadableFile(f"{called}: {error.strerror or error}") from None
    except UnreadableFile as error:
        raise UnreadableFile(f"{called}: {error}") from None
    notes = (seen.note,) if seen.note else ()
    return FileSource(path, seen.kind, seen.digest, seen.encoding, seen.commas, notes, stamp, sheet, called, most_rows)


def read_chunks(source: FileSource) -> Iterator[Chunk]:
    """The file's rows in order. Raises UnreadableFile, also where the file has changed since it was opened;
    TooManyRows."""
    name = source.name
    try:
        if source.sheet and source.kind != "whole":
            raise UnreadableFile(f"it has no sheets, so there is none called {source.sheet!r}")
        if source.kind in BINARY:
            yield from _decoded_chunks(source)
        elif source.kind == "lines" and source.stamp[0] > STEP:
            yield from _text_pieces(source)
        else:
            yield Chunk(read_table(source.path, name=name, sheet=source.sheet, most_rows=source.most_rows), 1.0)
        if _stamp(source.path) != source.stamp:
            raise UnreadableFile("it changed while it was read; try again when nothing writes to it")
    except OSError as error:
        raise UnreadableFile(f"{name}: {error.strerror or error}") from None
    except UnreadableFile as error:
        raise UnreadableFile(str(error) if str(error).startswith(f"{name}: ") else f"{name}: {error}") from None


def _stamp(path: Path) -> tuple[int, int]:
    state = path.stat()
    return state.st_size, state.st_mtime_ns


# Looking ------------------------------------------------------------------------------------------------------------


class _Seen(NamedTuple):
    kind: str
    digest: str
    encoding: str = "utf-8"
    commas: bool = False
    note: str = ""


def _look(file: BufferedReader) -> _Seen:
    start = file.read(STEP)
    if not start.strip() and len(start) < STEP:
        raise UnreadableFile("the file is empty")
    kind = kind_of(start)
    file.seek(0)
    if kind != "text" or _is_uncut(start):
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return _Seen(kind if kind in BINARY else "whole", digest)
    return _look_at_text(file)


def _is_uncut(start: bytes) -> bool:
    """Whether text is read whole: JSON, UTF-16, or lines that end as on an old Macintosh."""
    utf_16 = any(start.startswith(mark) for mark, encoding in BOMS if encoding != "utf-8")
    return utf_16 or start.removeprefix(codecs.BOM_UTF8).lstrip()[:1] in (b"{", b"[") or b"\n" not in start


def _look_at_text(file: BufferedReader) -> _Seen:
    digest = hashlib.sha256()
    strict = codecs.getincrementaldecoder("utf-8")()
    line, foreign, quoted, seen = 1, 0, False, set[int]()
    separator, guessed = "", ("cp1252", "Windows-1252")
    while block := file.read(STEP):
        digest.update(block)
        if b"\0" in block:
            number = line + block.count(b"\n", 0, block.index(b"\0"))
            raise UnreadableFile(f"line {number} holds a NUL byte: this is no text file")
        separator = separator or _separator(block)
        quoted = quoted or b'"' in block
        if not block.isascii() or strict.getstate()[0]:
            seen |= set(block)
            if not foreign and (foreign := _foreign_line(strict, block, line)):
                guessed = guess_encoding(block, foreign)
        line += block.count(b"\n")
    if strict.getstate()[0]:
        foreign = foreign or line
    if foreign:
        _refuse_two_encodings(file)
    encoding, called = guessed if _is_text(bytes(seen), guessed[0]) else LATIN_1
    said = f"line {foreign} is not UTF-8; the file was read as {called}: check letters with accents"
    encoding, note = (encoding, said) if foreign else ("utf-8", "")
    return _Seen("lines", digest.hexdigest(), encoding, quoted or separator != ",", note)


def _is_text(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _separator(start: bytes) -> str:
    return find_header(start.decode("latin-1").lstrip("\r\n \ufeff"))[0]


def _refuse_two_encodings(file: BufferedReader) -> None:
    file.seek(0)
    line = utf_8 = other = 0
    for block in _blocks(file):
        if not block.isascii():
            found = check_one_encoding(block, line + 1)
            utf_8, other = utf_8 or found[0], other or found[1]
            if utf_8 and other:
                raise UnreadableFile(mixed(utf_8, other))
        line += block.count(b"\n")


def _foreign_line(strict: codecs.IncrementalDecoder, block: bytes, line: int) -> int:
    """The number of the first line in `block` that is no UTF-8, 0 where all are. line: of the block's first byte."""
    held = len(strict.getstate()[0])
    try:
        strict.decode(block)
    except UnicodeDecodeError as error:
        strict.reset()
        return line + block.count(b"\n", 0, max(0, error.start - held))
    return 0


# Text ---------------------------------------------------------------------------------------------------------------


def _text_pieces(source: FileSource) -> Iterator[Chunk]:
    with source.path.open("rb") as file:
        blocks = _blocks(file)
        first = next(blocks).removeprefix(codecs.BOM_UTF8) if source.encoding == "utf-8" else next(blocks)
        body = first.lstrip(b"\r\n \t") if not first.lstrip(b"\r\n ").startswith(b"\t") else first.lstrip(b"\r\n ")
        separator, text, titles = find_header(body.decode(source.encoding))
        body = text.encode(source.encoding)
        skipped = first[: len(first) - len(body)].count(b"\n")
        start = body[: _whole_lines(body, first=True)]
        told = (TITLE.format(skipped + 1),) if titles else ()
        header, _ = read_header(text, separator, skipped)
        above, block = skipped, body[len(start) :]
        while True:
            if block:
                text = (start + block).decode(source.encoding)
                notes = (*source.notes, *told)
                table = read_body(text, header, separator, source.name, skipped=above, notes=notes, whole=False)
                above += table.frame.height
                source.require_fewer(above - skipped)
                yield Chunk(table, file.tell() / max(1, source.stamp[0]))
            try:
                block = next(blocks)
            except StopIteration:
                return


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    """The file in blocks of whole lines; a line break within quotes ends none."""
    held = b""
    while read := file.read(STEP):
        held += read
        end = _whole_lines(held)
        if end:
            yield held[:end]
            held = held[end:]
        elif len(held) > LONGEST_PIECE:
            raise UnreadableFile('a quote (") opened in this file is never closed, or a line has no end')
    if held:
        yield held


def _whole_lines(data: bytes, *, first: bool = False) -> int:
    """Where the last line that is whole ends (or the `first`), 0 where none is: at a line break outside quotes."""
    if b'"' not in data:
        return (data.find(b"\n") if first else data.rfind(b"\n")) + 1
    codes = np.frombuffer(data, dtype=np.uint8)
    ends = np.flatnonzero(codes == ord("\n"))
    outside = ends[np.searchsorted(np.flatnonzero(codes == ord('"')), ends) % 2 == 0]
    return int(outside[0 if first else -1]) + 1 if len(outside) else 0


# Parquet, Arrow -----------------------------------------------------------------------------------------------------


def _decoded_chunks(source: FileSource) -> Iterator[Chunk]:
    """Pieces that a child process decodes, which a damaged file may end."""
    command = decoder(source.kind, str(source.path.resolve()), str(ROWS_A_CHUNK))
    environment = os.environ | {"POLARS_MAX_THREADS": "1"}  # a third less memory, and less CPU
    child = subprocess.Popen(  # noqa: S603 (our own script)
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, pipesize=PIPE
    )
    with child:
        try:
            if child.stdout is None or child.stderr is None:
                raise AssertionError("both are pipes")
            yield from _received(source, child.stdout)
            said = child.stderr.read()
            check_decoded(source.kind, child.wait(), said)
        finally:
            child.kill()  # where nobody wants the rest


def _received(source: FileSource, pipe: IO[bytes]) -> Iterator[Chunk]:
    height = int.from_bytes(pipe.read(8), "little")
    source.require_fewer(height)  # before anything is decoded
    done = 0
    while len(length := pipe.read(8)) == 8:
        data = pipe.read(int.from_bytes(length, "little"))
        if len(data) < int.from_bytes(length, "little"):
            return  # the child has ended; its exit code says how
        frame = pl.read_ipc(io.BytesIO(data))
        table = replace(typed_table(frame, source.name, coded=True), first_row=done + 1)
        done += table.frame.height
        yield Chunk(table, done / max(1, height))

"""Decodes Excel, Parquet and Arrow to Arrow bytes on stdout, as a process of its own.

The decoders are native code, and a damaged file can end the process they run in (a length read off a broken Parquet
page makes Rust's allocator abort). Here that ends a child, not a service. It judges nothing about the table.
"""

import io
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import polars as pl

SPACE = 4 << 30  # bytes of address space, and as many times the file's size as below: a guard against inflation
INFLATION = 64
TEXTS = (pl.String, pl.Categorical, pl.Enum)
MOST_CODED_TEXTS = 64  # distinct texts of a column that is sent as codes
UNFOLDED = 1 << 29  # bytes that a small file may hold when decoded, and INFLATION times the file's size more


def read_parquet(data: bytes) -> pl.DataFrame:
    """The whole table."""
    return pl.read_parquet(io.BytesIO(data))


def read_arrow(data: bytes) -> pl.DataFrame:
    """The whole table of an Arrow IPC file."""
    return pl.read_ipc(io.BytesIO(data))


def read_arrow_stream(data: bytes) -> pl.DataFrame:
    """The whole table of an Arrow IPC stream, as programs send tables to each other."""
    return pl.read_ipc_stream(io.BytesIO(data))


DECODERS: Mapping[str, Callable[[bytes], pl.DataFrame]] = {
    "parquet": read_parquet,
    "arrow": read_arrow,
    "arrow stream": read_arrow_stream,
}


def scan_parquet(path: str) -> pl.LazyFrame:
    """The table, to be read in parts."""
    return pl.scan_parquet(path, glob=False)


def scan_arrow(path: str) -> pl.LazyFrame:
    """The table, to be read in parts."""
    return pl.scan_ipc(path, glob=False)


SCANNERS: Mapping[str, Callable[[str], pl.LazyFrame]] = {"parquet": scan_parquet, "arrow": scan_arrow}


def write_pieces(kind: str, path: str, rows: int) -> None:
    """The table in `path` on stdout, `rows` rows at a time, each chunk after its length in 8 bytes; first the number
    of all rows in 8 bytes. A table without rows is one empty chunk.

    Slices, because polars' own batches hold most of the table at once: 140 MB where those took 430.
    """
    scan = SCANNERS[kind](path)
    height = int(scan.select(pl.len()).collect().item())
    out = sys.stdout.buffer
    out.write(height.to_bytes(8, "little"))
    kinds: Kinds = {}
    for start in range(0, max(height, 1), rows):
        chunk = io.BytesIO()
        compact(scan.slice(start, rows).collect(), kinds).write_ipc(chunk)
        out.write(chunk.tell().to_bytes(8, "little"))
        out.write(chunk.getbuffer())


Kinds = dict[str, list[str]]
"""Of a column of texts those that it has held so far; none where they are too many."""


def compact(frame: pl.DataFrame, kinds: Kinds) -> pl.DataFrame:
    """The same values in a tenth of the space: texts of few kinds as codes (Enum), whole numbers in few bytes.

    A column that came as codes is coded anew: whoever reads it relies on none of its texts being blank.
    """
    return frame.with_columns(
        column.shrink_dtype() if column.dtype.is_integer() else _coded(column.cast(pl.String), kinds)
        for column in frame
        if column.dtype.is_integer() or column.dtype in TEXTS
    )


def _coded(texts: pl.Series, kinds: Kinds) -> pl.Series:
    known = kinds.get(texts.name)
    if known:
        coded = texts.cast(pl.Enum(known), strict=False)
        if coded.null_count() == texts.null_count():
            return coded
    if known != []:
        known = kinds[texts.name] = _kinds(texts, known or [])
    return texts.cast(pl.Enum(known)) if known else texts


def _kinds(texts: pl.Series, known: list[str]) -> list[str]:
    """What a column holds and held; nothing where that is too much, or blank: such texts are for whoever reads them."""
    distinct = texts.drop_nulls().unique(maintain_order=True).to_list()
    found = list(dict.fromkeys([*known, *distinct]))
    return found if len(found) <= MOST_CODED_TEXTS and all(text.strip() for text in found) else []


def limit_space(size: int) -> None:
    """Bounds this process's memory for a file of `size` bytes, where the system can."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    most = SPACE + INFLATION * size
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (most if hard < 0 else min(most, hard), hard))


TOO_MANY_ROWS = 3
"""The exit code for a file with more rows than are taken; both numbers are the last line of stderr."""


class _TooHigh(Exception):
    """More rows than are taken."""


def check_height(kind: str, data: bytes, most: int | None) -> None:
    """Raises ValueError where a file says of itself that it holds far more than its size lets expect, _TooHigh where it
    has more rows than `most`. Nothing is decoded for it."""
    scans: dict[str, Callable[[io.BytesIO], pl.LazyFrame]] = {"parquet": pl.scan_parquet, "arrow": pl.scan_ipc}
    if kind not in scans:
        return
    table = scans[kind](io.BytesIO(data))
    height = int(table.select(pl.len()).collect().item())
    if most is not None and height > most:
        raise _TooHigh(f"{height} {most}")
    if kind == "parquet":
        check_unfolded(height * len(table.collect_schema()), len(data))


def check_unfolded(size: int, given: int) -> None:
    """size: bytes when decoded, at least; given: bytes of the file. Raises ValueError."""
    if size > UNFOLDED + INFLATION * given:
        raise ValueError(f"{given:,} bytes unfold to {size:,}; save it with less compression, or in parts")


def write_sheet(data: bytes, wanted: str) -> None:
    """A sheet of a workbook on stdout: what was found out about it as JSON after its length in 8 bytes, then the texts
    under its header."""
    from preprocessing.reading.workbook import read_workbook

    book = read_workbook(data, wanted)
    body = book.frame[book.body :] if book.header else book.frame
    check_unfolded(int(body.estimated_size()), len(data))
    faults = [fault._replace(row=fault.row - book.body) for fault in book.faults]
    about = {"sheet": book.sheet, "others": book.others, "header": book.header, "first_row": book.body + 1}
    told = json.dumps(about | {"notes": book.notes, "faults": faults}).encode()
    sys.stdout.buffer.write(len(told).to_bytes(8, "little") + told)
    body.write_ipc(sys.stdout.buffer)


def main(kind: str, path: str = "", rows: str = "") -> int:
    """Decodes stdin, of at most `rows` rows, or the file at `path` chunk by chunk; of a workbook on stdin the sheet
    that `path` names. Gives 0, or 1 with the reason as the last line of stderr, or TOO_MANY_ROWS."""
    try:
        if kind == "excel":
            data = sys.stdin.buffer.read()
            limit_space(len(data))
            write_sheet(data, path)
        elif path:
            limit_space(Path(path).stat().st_size)
            write_pieces(kind, path, int(rows))
        else:
            data = sys.stdin.buffer.read()
            limit_space(len(data))
            check_height(kind, data, int(rows) if rows else None)
            frame = DECODERS[kind](data)
            check_unfolded(int(frame.estimated_size()), len(data))
            frame.write_ipc(sys.stdout.buffer)
    except _TooHigh as error:
        sys.stderr.write(f"\n{error}")
        return TOO_MANY_ROWS
    except (Exception, pl.exceptions.PanicException) as error:  # native readers raise many kinds
        said = (str(error).splitlines() or [type(error).__name__])[0]
        sys.stderr.write(f"\n{said[:200]}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

"""Decodes Excel, Parquet and Arrow bytes from stdin to Arrow bytes on stdout, as a process of its own.

The decoders are native code, and a damaged file can end the process they run in (a length read off a broken Parquet
page makes Rust's allocator abort). Here that ends a child, not a service. It judges nothing about the table.
"""

import io
import sys
from collections.abc import Callable, Mapping

import polars as pl

SPACE = 4 << 30  # bytes of address space, and as many times the file's size as below: a guard against inflation
INFLATION = 64


def read_excel(data: bytes) -> pl.DataFrame:
    """The first sheet as text, from its first row and column, without a header."""
    return pl.read_excel(
        io.BytesIO(data),
        engine="calamine",
        has_header=False,
        infer_schema_length=0,
        drop_empty_rows=False,
        drop_empty_cols=False,
        raise_if_empty=False,
        read_options={"skip_rows": 0},
    )


def read_parquet(data: bytes) -> pl.DataFrame:
    """The whole table."""
    return pl.read_parquet(io.BytesIO(data))


def read_arrow(data: bytes) -> pl.DataFrame:
    """The whole table of an Arrow IPC file."""
    return pl.read_ipc(io.BytesIO(data))


DECODERS: Mapping[str, Callable[[bytes], pl.DataFrame]] = {
    "excel": read_excel,
    "parquet": read_parquet,
    "arrow": read_arrow,
}


def limit_space(size: int) -> None:
    """Bounds this process's memory for a file of `size` bytes, where the system can."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    most = SPACE + INFLATION * size
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (most if hard < 0 else min(most, hard), hard))


def main(kind: str) -> int:
    """Decodes stdin; 0, or 1 with the reason as the last line of stderr."""
    data = sys.stdin.buffer.read()
    limit_space(len(data))
    try:
        DECODERS[kind](data).write_ipc(sys.stdout.buffer)
    except (Exception, pl.exceptions.PanicException) as error:  # native readers raise many kinds
        said = (str(error).splitlines() or [type(error).__name__])[0]
        sys.stderr.write(f"\n{said[:200]}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

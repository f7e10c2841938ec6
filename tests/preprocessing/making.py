"""Schemas, rows and files for these tests."""

import io
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
import polars as pl
import pytest
import xlsxwriter

from preprocessing.reading.files import read_table
from preprocessing.reading.raw_table import RawTable
from preprocessing.schema import DomainSchema, read_schema
from preprocessing.validation.results import Validated
from preprocessing.validation.validate import Known, validate_table

SECRET = b"a secret of the tests"
UCI = Path(__file__).parents[2] / ".." / "shared" / "data" / "uci_student"

SUBJECT = read_schema("""
name = "subject"
title = "A subject with three moments"
moments = ["start", "half", "late"]
group = ["class"]
period = "term"

[student]
name = "pupil_id"
aliases = ["key"]

[[context]]
name = "class"

[[context]]
name = "term"

[[features]]
name = "hours"
kind = "numeric"
minimum = 0
maximum = 40.5
unit = "hours per week"
aliases = ["Weekly Hours"]

[[features]]
name = "age"
kind = "numeric"
minimum = 10
maximum = 20
integer = true
optional = true

[[features]]
name = "support"
kind = "categorical"
levels = ["none", "some", "NA"]

[[features]]
name = "topic"
kind = "categorical"
levels = ["Algebra"]
open = true
optional = true

[[features]]
name = "P1"
kind = "numeric"
minimum = 0
maximum = 10
known_at = "half"

[[features]]
name = "P2"
kind = "numeric"
minimum = 0
maximum = 10
known_at = "late"

[[targets]]
name = "final"
kind = "value"
minimum = 0
maximum = 10

[[targets]]
name = "grade"
kind = "ordered_class"
levels = ["fail", "pass"]
""")


def uci(name: str) -> RawTable:
    path = UCI / f"student-{name}.csv"
    if not path.exists():
        pytest.skip(f"the UCI Student Performance data is not at {UCI}")
    return read_table(path)


def table(text: str, name: str = "marks.csv") -> RawTable:
    return read_table(text.encode(), name=name)


def checked(
    text: str, schema: DomainSchema = SUBJECT, moment: str | None = None, with_targets: Known = "optional"
) -> Validated:
    return validate_table(table(text), schema, secret=SECRET, moment=moment, with_targets=with_targets)


def as_csv(frame: pl.DataFrame, separator: str = ",") -> bytes:
    return frame.write_csv(separator=separator).encode()


def as_quoted_utf16(frame: pl.DataFrame) -> bytes:
    return frame.write_csv(separator="\t", quote_style="always").encode("utf-16")


def as_german_csv(frame: pl.DataFrame) -> bytes:
    return b"\xef\xbb\xbf" + frame.write_csv(separator=";", decimal_comma=True).replace("\n", "\r\n").encode()


def as_excel(frame: pl.DataFrame) -> bytes:
    target = io.BytesIO()
    with xlsxwriter.Workbook(target, {"strings_to_formulas": False, "strings_to_urls": False}) as book:
        sheet = book.add_worksheet()
        for place, row in enumerate([frame.columns, *frame.rows()]):
            sheet.write_row(place, 0, row)
    return target.getvalue()


def as_parquet(frame: pl.DataFrame) -> bytes:
    target = io.BytesIO()
    frame.write_parquet(target)
    return target.getvalue()


def as_arrow(frame: pl.DataFrame) -> bytes:
    target = io.BytesIO()
    frame.write_ipc(target)
    return target.getvalue()


def as_arrow_stream(frame: pl.DataFrame) -> bytes:
    target = io.BytesIO()
    frame.write_ipc_stream(target)
    return target.getvalue()


def as_json(frame: pl.DataFrame) -> bytes:
    return msgspec.json.encode(frame.to_dicts())


def as_json_lines(frame: pl.DataFrame) -> bytes:
    return b"\n".join(msgspec.json.encode(row) for row in frame.to_dicts())


FORMATS: Mapping[str, Callable[[pl.DataFrame], bytes]] = {
    "csv": as_csv,
    "german csv": as_german_csv,
    "quoted tsv in UTF-16": as_quoted_utf16,
    "excel": as_excel,
    "parquet": as_parquet,
    "arrow": as_arrow,
    "arrow stream": as_arrow_stream,
    "json": as_json,
    "json lines": as_json_lines,
}

BINARY = ("excel", "parquet", "arrow", "arrow stream")
"""Formats that a child process decodes, so that a test of one costs a third of a second."""

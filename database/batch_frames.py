"""Typed frames of a checked file as the rows of a batch: who each is, and its JSON as stores keep it, by whole columns.

It knows no database. Frames wait in a `Spool`, on disk, until the whole file is known to be good.
"""

import hashlib
import io
import tempfile
from collections.abc import Collection, Iterable, Iterator, Sequence

import msgspec
import polars as pl

from database.layout import LAYOUTS, json_texts
from database.packed import PackedRows
from database.records import BatchKind, BatchRow
from preprocessing.schema import DomainSchema

ROWS_OF_SLICE = 20_000
"""Rows that are made JSON of, wait, and go to a store together: some ten megabytes."""

ROWS_OF_TEXT = 2
"""Rows for each distinct value of a column, from which these are written once and looked up."""

PACKED_COLUMNS = ("_record", "_inputs", "_targets", "_student", "_group", "_period")
"""Of a frame, as `PackedRows` has them beside the number."""

IN_OBJECT, IN_LIST = "{name}:{cell}", "[{name},{cell}]"
"""How a cell stands in the JSON of a row's inputs, and in what the id of a row without a student is made of."""


class Spool:
    """Frames on disk, in a file without a name, which goes with this process however that ends."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="gradewatch-")  # noqa: SIM115 (`close` closes it)
        self._places: list[tuple[int, int]] = []
        self.columns: list[str] = []

    def add(self, frame: pl.DataFrame) -> None:
        """Behind those that are there."""
        self.columns, body = frame.columns, io.BytesIO()
        frame.write_ipc(body, compression="lz4")
        self._places.append((self._file.seek(0, io.SEEK_END), body.tell()))
        self._file.write(body.getbuffer())

    def frames(self, columns: Collection[str]) -> Iterator[pl.DataFrame]:
        """The frames in order, those of `columns` that they have."""
        wanted = [name for name in self.columns if name in columns]
        for start, size in self._places:
            self._file.seek(start)
            yield pl.read_ipc(io.BytesIO(self._file.read(size)), columns=wanted)

    def close(self) -> None:
        """Nothing is kept."""
        self._file.close()


def add_to(spool: Spool, frame: pl.DataFrame, schema: DomainSchema, kind: BatchKind) -> None:
    """Keep the rows of a typed frame that belong in a batch of `kind`, `with_json`."""
    for part in frame.iter_slices(ROWS_OF_SLICE):
        spool.add(with_json(part, schema, kind))


def with_json(frame: pl.DataFrame, schema: DomainSchema, kind: BatchKind) -> pl.DataFrame:
    """The rows of a typed frame that belong in a batch of `kind`, with columns that stores keep: `_record` (the id of
    its student or content), `_inputs` and `_targets` (JSON). A labelled batch holds only rows with an outcome; an
    unlabelled one keeps no outcomes."""
    targets = sorted(name for name in schema.target_by_name if name in frame.columns) if kind == "labeled" else []
    if kind == "labeled":
        frame = frame.filter(pl.any_horizontal(pl.col(targets).is_not_null())) if targets else frame.clear()
    outcomes = [pl.when(frame[name].is_not_null()).then(_texts(frame[name], IN_OBJECT)) for name in targets]
    return frame.with_columns(
        pl.Series("_record", _records(frame, schema), dtype=pl.String),
        ("{" + _joined(frame, _inputs(frame, schema, IN_OBJECT)) + "}").alias("_inputs"),
        ("{" + _joined(frame, outcomes) + "}").alias("_targets"),
    )


def slices_of(frames: Iterable[pl.DataFrame]) -> Iterator[PackedRows]:
    """The rows of frames `with_json`, as stores take them, numbered from 1."""
    number = 1
    for frame in frames:
        record, *rest = (frame[name].to_list() for name in PACKED_COLUMNS)
        yield PackedRows(record, range(number, number + frame.height), *rest)
        number += frame.height


def rows_of_packed(slices: Iterable[PackedRows]) -> list[BatchRow]:
    """Each row by itself."""
    unpack = LAYOUTS["batch_rows"].unpack
    return [unpack(row) for packed in slices for row in zip(*packed, strict=True)]


def content_digest(domain: str, kind: BatchKind, slices: Iterable[PackedRows]) -> tuple[str, int]:
    """`records.digest` of [domain, kind, [[record, inputs, targets] of each row]], and how many rows there are."""
    found, rows = hashlib.sha256(msgspec.json.encode([domain, kind])[:-1] + b",["), 0
    for packed in slices:
        cells = zip(packed.record, packed.inputs, packed.targets, strict=True)
        told = ",".join([f'["{record}",{inputs},{targets}]' for record, inputs, targets in cells])
        found.update(f",{told}".encode() if rows and told else told.encode())
        rows += len(packed.record)
    found.update(b"]]")
    return found.hexdigest()[:32], rows


def _records(frame: pl.DataFrame, schema: DomainSchema) -> list[str]:
    """`records.record_id` of each row."""
    student, group, period = (_texts(frame[name], "{cell}") for name in ("_student", "_group", "_period"))
    domain = pl.lit(_json(schema.name))
    about = pl.concat_str(domain, student, group, period, separator=",")
    if frame["_student"].null_count():
        content = pl.concat_str(
            domain, group, period, "[" + _joined(frame, _inputs(frame, schema, IN_LIST)) + "]", separator=","
        )
        about = pl.when(frame["_student"].is_null()).then(content).otherwise(about)
    texts = pl.select("[" + about + "]").to_series()
    return [hashlib.sha256(text.encode()).hexdigest()[:32] for text in texts]


def _inputs(frame: pl.DataFrame, schema: DomainSchema, form: str) -> list[pl.Expr]:
    """The cell of every feature, in the order of their names; nothing where it is known later than the row's moment."""
    moments = frame["_moment"].replace_strict(schema.moments, range(len(schema.moments)), return_dtype=pl.Int8)
    earliest = min(moments.unique(), default=0)
    found = []
    for name, feature in sorted(schema.feature_by_name.items()):
        cells = frame[name] if name in frame.columns else pl.Series(name, [None] * frame.height, dtype=pl.String)
        known_at = schema.moments.index(feature.known_at or schema.moments[0])
        texts = pl.lit(_texts(cells, form))
        found.append(texts if known_at <= earliest else pl.when(moments >= known_at).then(texts))
    return found


def _joined(frame: pl.DataFrame, cells: Sequence[pl.Expr]) -> pl.Expr:
    return pl.concat_str(cells, separator=",", ignore_nulls=True) if cells else pl.lit(pl.Series([""] * frame.height))


def _texts(column: pl.Series, form: str) -> pl.Series:
    """Each cell of a column as JSON, within `form`."""
    name = _json(column.name)
    values = column.cast(pl.String) if column.dtype == pl.Enum else column
    distinct = values.unique()
    if ROWS_OF_TEXT * len(distinct) > len(values):
        return pl.Series([form.format(name=name, cell=cell) for cell in json_texts(values.to_list())], dtype=pl.String)
    texts = [form.format(name=name, cell=cell) for cell in json_texts(distinct.to_list())]
    return values.replace_strict(distinct, pl.Series(texts, dtype=pl.String), return_dtype=pl.String)


def _json(text: str) -> str:
    return msgspec.json.encode(text).decode()

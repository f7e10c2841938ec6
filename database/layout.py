"""How a record lies in a database row: flat values (text, whole numbers, true or false, None), and back.

Both stores use the same layouts, so that they keep the same things. Nothing here knows a database.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import repeat
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import msgspec

from database.errors import Damaged
from database.packed import PackedPredictions, PackedRows
from database.records import (
    Access,
    Answer,
    Batch,
    BatchRow,
    BlobChunk,
    DecisionRecord,
    Document,
    DriftRecord,
    Event,
    Job,
    LabeledRecord,
    ModelVersion,
    Observation,
    Outcome,
    Prediction,
    Record,
    Statement,
    Succession,
)

if TYPE_CHECKING:
    from database.answer_columns import SaidChances

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

DAY_MICROS = 86_400_000_000

EVERY_DAY = -1_000_000
"""Stands for all days since 1970; the first one of the calendar is day -719,162."""

Flat = str | int | bool | None
Stored = Record | BatchRow
"""What a store keeps under one of the `KINDS`."""

AS_JSON = frozenset(
    {"inputs", "answers", "targets", "scores", "lineage", "document", "details", "value", "body"}
    | {"arguments", "progress", "result", "problem", "content"}
)
"""Fields kept as JSON text: they nest, or hold a number or a text. Keys with dots, dollars and any letters survive."""

TIMES = frozenset({"at", "due", "expires", "started", "finished", "happened_at"})
"""Fields kept as whole microseconds; None where there is no such time."""

MOSTLY_EMPTY = frozenset({"shadow"})
"""Tuples kept as JSON text, or as no text where they are empty, so that a prediction without a challenger costs next to
nothing (None would cost more: sqlite3 looks for an adapter of every None). None reads as empty, too: it stands in rows
from before there was such a field."""

EMPTY_LIST = "[]"

ANSWERS = msgspec.json.Decoder(tuple[Answer, ...])
encode = msgspec.json.Encoder().encode
encode_lines = msgspec.json.Encoder().encode_lines
CANONICAL = msgspec.json.Encoder(order="sorted")


class Unreadable(bytes):
    """In the place of a row's JSON where none can be made of it: what is wrong with which column, without its value."""


class Layout:
    """The flat form of one record type. `names`: its columns, in the order of `pack` and `unpack`."""

    def __init__(self, record: type[Any]) -> None:
        fields = msgspec.structs.fields(record)
        self.record = record
        self.names = tuple(field.name for field in fields)
        self._values = attrgetter(*self.names)
        self._times = [place for place, name in enumerate(self.names) if name in TIMES]
        self._json = [
            (place, msgspec.json.Decoder(field.type)) for place, field in enumerate(fields) if field.name in AS_JSON
        ]
        self._lists = [
            (place, msgspec.json.Decoder(list[field.type]))  # type: ignore[name-defined]  # the type of a field
            for place, field in enumerate(fields)
            if field.name in AS_JSON
        ]
        self._mostly_empty = [
            (place, msgspec.json.Decoder(field.type))
            for place, field in enumerate(fields)
            if field.name in MOSTLY_EMPTY
        ]
        # Takes its fields by place, in a tenth of the time, and is written as the record is.
        self._written = msgspec.defstruct(record.__name__, [(name, Any) for name in self.names], gc=False)

    def pack(self, record: Any) -> list[Flat]:
        """The flat values of `record`."""
        values = list(self._values(record))
        for place in self._times:
            values[place] = values[place] and micros(values[place])
        for place, _ in self._json:
            values[place] = encode(values[place]).decode()
        for place, _ in self._mostly_empty:
            values[place] = encode(values[place]).decode() if values[place] else ""
        return values

    def pack_columns(self, records: Sequence[Any]) -> list[Sequence[Flat]]:
        """The flat values of `records` by column, a third of the work of `pack` for each; at least one record."""
        columns: list[Sequence[Any]] = list(zip(*map(self._values, records), strict=True))
        for place in self._times:
            known = {at: micros(at) for at in set(columns[place])}  # rows of one batch have one time
            columns[place] = [known[at] for at in columns[place]]
        for place, _ in self._json:
            columns[place] = json_texts(columns[place])
        for place, _ in self._mostly_empty:
            texts = json_texts(columns[place]) if any(columns[place]) else [EMPTY_LIST] * len(records)
            columns[place] = ["" if text == EMPTY_LIST else text for text in texts]
        return columns

    def unpack(self, values: Sequence[Any]) -> Any:
        """The record that `values` came from. Raises Damaged when they came from none."""
        full = list(values)
        try:
            for place in self._times:
                full[place] = None if full[place] is None else instant(full[place])
            for place, decoder in self._json:
                full[place] = decoder.decode(full[place])
            for place, decoder in self._mostly_empty:
                full[place] = decoder.decode(full[place]) if full[place] else ()
        except (ValueError, TypeError, OverflowError) as error:
            raise _damaged(f"{self.record.__name__} ({self.names[0]} {values[0]})") from error
        return self.record(**dict(zip(self.names, full, strict=True)))

    def unpack_many(self, rows: Sequence[Sequence[Any]]) -> list[Any]:
        """As `unpack` of each, by column: texts of a column are read at once, which takes half the time."""
        if not rows:
            return []
        try:
            columns, record, names = self._unpack_columns(rows), self.record, self.names
            return [record(**dict(zip(names, values, strict=True))) for values in zip(*columns, strict=True)]
        except (ValueError, TypeError, OverflowError):
            return [self.unpack(row) for row in rows]  # which says whose row cannot be read

    def write_rows(self, rows: Sequence[Sequence[Any]], *, unreadable: bool = False) -> tuple[list[Any], list[bytes]]:
        """What has the fields of the records of these rows, and `write_json` of each, without making records: in a
        third of the time. JSON writes a line break within a text as an escape. unreadable: rows that cannot be read are
        `Unreadable`; else they raise Damaged."""
        if not rows:
            return [], []
        try:
            alike = list(map(self._written, *self._unpack_columns(rows)))
            return alike, CANONICAL.encode_lines(alike).split(b"\n")[:-1]
        except (ValueError, TypeError, OverflowError):
            if not unreadable:
                alike = [self.unpack(row) for row in rows]
                return alike, CANONICAL.encode_lines(alike).split(b"\n")[:-1]
        told = [self._written_or_told(row) for row in rows]
        return [one for one, _ in told], [content for _, content in told]

    def _written_or_told(self, row: Sequence[Any]) -> tuple[Any, bytes]:
        try:
            record = self.unpack(row)
            return record, write_json(record)
        except (Damaged, ValueError, TypeError, OverflowError):
            return self._written(*row), Unreadable("; ".join(self._faults(row)).encode(errors="replace"))

    def _faults(self, row: Sequence[Any]) -> Iterator[str]:
        """Of a row that cannot be read."""
        readers: dict[int, Callable[[Any], object]] = dict.fromkeys(self._times, instant)
        readers |= {place: decoder.decode for place, decoder in (*self._json, *self._mostly_empty)}
        for place, (name, value) in enumerate(zip(self.names, row, strict=True)):
            try:
                encode(readers.get(place, encode)(value))
            except (ValueError, TypeError, OverflowError) as error:
                yield f"{name}: {error}"

    def _unpack_columns(self, rows: Sequence[Sequence[Any]]) -> list[Sequence[Any]]:
        columns: list[Sequence[Any]] = list(zip(*rows, strict=True))
        for place in self._times:
            columns[place] = instants(columns[place])
        for place, decoder in self._lists:
            columns[place] = decoder.decode(f"[{','.join(columns[place])}]")
        for place, one in self._mostly_empty:
            columns[place] = [one.decode(text) if text else () for text in columns[place]]
        return columns


def _damaged(what: str) -> Damaged:
    return Damaged(f"{what} cannot be read: the database was damaged or changed by hand; put a backup in its place")


def json_texts(values: Sequence[Any]) -> list[str]:
    """Each value as JSON: a text without a line break, since JSON writes those as an escape."""
    return encode_lines(values).decode().split("\n")[:-1]


LAYOUTS: dict[str, Layout] = {
    "predictions": Layout(Prediction),
    "outcomes": Layout(Outcome),
    "batches": Layout(Batch),
    "batch_rows": Layout(BatchRow),
    "models": Layout(ModelVersion),
    "successions": Layout(Succession),
    "drift_reports": Layout(DriftRecord),
    "decisions": Layout(DecisionRecord),
    "events": Layout(Event),
    "documents": Layout(Document),
    "accesses": Layout(Access),
    "jobs": Layout(Job),
    "chunks": Layout(BlobChunk),
    "observations": Layout(Observation),
}


def pack_rows(rows: Iterable[BatchRow]) -> Iterator[PackedRows]:
    """Rows of a batch by column, some at a time."""
    for part in parts(rows, ROWS_AT_ONCE):
        yield PackedRows._make(LAYOUTS["batch_rows"].pack_columns(part))


class PackedBlock(NamedTuple):
    """A block of predictions. id: of its first prediction. body: what they were asked and answered. alike, columns: the
    flat values of their rows, those that are the same in all once; `block` and `place` say where the rest is found."""

    id: str
    body: bytes
    alike: Mapping[str, Flat]
    columns: Mapping[str, Sequence[Flat]]


ELSEWHERE = ""
"""Stands in a row for what its block holds."""


def pack_blocks(predictions: PackedPredictions) -> Iterator[PackedBlock]:
    """Predictions in blocks, with their rows."""
    from database.blocks import write_blocks  # with numpy, which opening a store does without

    common = predictions.common
    given = {"student": predictions.students, "group": predictions.groups, "period": predictions.periods}
    placing = {name: column for name, column in given.items() if column is not None}
    alike: dict[str, Flat] = dict.fromkeys(("inputs", "answers", "shadow"), ELSEWHERE)
    alike |= {"domain": common.domain, "moment": common.moment, "source": common.source, "at": micros(common.at)}
    alike |= {} if common.actor is None else {"actor": common.actor}
    for places, body in write_blocks(predictions):
        block, part = predictions.ids[places.start], slice(places.start, places.stop)
        columns: dict[str, Sequence[Flat]] = {"id": predictions.ids[part], "place": range(len(places))}
        columns |= {name: column[part] for name, column in placing.items()}
        yield PackedBlock(block, body, alike | {"block": block}, columns)


def unpack_block(block: str, body: bytes | None, rows: Sequence[Sequence[Any]]) -> list[Prediction]:
    """The predictions of `rows` of one block: flat values in the layout's order, then the place in the block. body:
    None where there is no such block. Raises Damaged."""
    from database.blocks import read_block

    if body is None:
        raise _damaged(f"block {block} of predictions is missing, and what it held")
    try:
        said = read_block(body, [row[-1] for row in rows])
    except ValueError as error:
        raise _damaged(f"block {block} of predictions") from error
    names = LAYOUTS["predictions"].names
    found = []
    for values, (inputs, answers, shadow) in zip(rows, said, strict=True):
        fields = dict(zip(names, values, strict=False))
        fields |= {"inputs": inputs, "answers": answers, "shadow": shadow, "at": instant(fields["at"])}
        found.append(Prediction(**fields))
    return found


def cut_block(block: str, body: bytes | None, places: Sequence[int]) -> bytes | None:
    """A block without the rows at `places`, which leave nothing in it; None where no other is left. Raises Damaged."""
    from database.blocks import without_places

    if body is None:
        return None
    try:
        return without_places(body, places)
    except ValueError as error:
        raise _damaged(f"block {block} of predictions") from error


def unpack_answers(id: str, text: str) -> tuple[Answer, ...]:
    """The answers of a prediction that stands in no block. Raises Damaged."""
    try:
        return ANSWERS.decode(text)
    except ValueError as error:
        raise _damaged(f"Prediction (id {id})") from error


def unpack_chances(block: str, body: bytes | None, places: Sequence[int]) -> "list[SaidChances]":
    """What the answers at `places` of a block say of chances, by column. Raises Damaged."""
    from database.blocks import read_chances

    if body is None:
        raise _damaged(f"block {block} of predictions is missing, and what it held")
    try:
        return read_chances(body, places)
    except ValueError as error:
        raise _damaged(f"block {block} of predictions") from error


T = TypeVar("T")

PAGE = 500
"""Records read at a time: small enough for every database's limit on the values of one question."""


ROWS_AT_ONCE = 5_000
"""Rows that go to a database together: some megabytes, and a tenth of a second."""

EVENTS_AT_ONCE = 250
"""Observed events that are asked for by their keys together."""


def parts(items: Iterable[T], size: int | None = None) -> Iterator[list[T]]:
    """`items` in lists of at most `size`, `PAGE` by default."""
    part: list[T] = []
    for item in items:
        part.append(item)
        if len(part) == (size or PAGE):
            yield part
            part = []
    if part:
        yield part


KEY_START = 8
"""Characters by which pseudonyms and ids of records are found. They come in no order, so that each changes a page of
its index: one of eight characters has a quarter of the pages that whole pseudonyms fill. Then the whole decides."""


def keyed(values: Iterable[str]) -> dict[str, list[str]]:
    """Keys that are looked for, and how they begin.

    >>> keyed(["6f1c0a7e91b2", "6f1c0a7e04d5"])
    {'values': ['6f1c0a7e91b2', '6f1c0a7e04d5'], 'starts': ['6f1c0a7e']}
    """
    found = list(values)
    return {"values": found, "starts": sorted({value[:KEY_START] for value in found})}


def newest_rows(receipts: Mapping[str, int], rows: Iterable[tuple[str, BatchRow]]) -> list[BatchRow]:
    """Of the rows that are one record, each with the id of its batch, the newest; `receipts` has those that count."""
    newest: dict[str, tuple[tuple[int, str, int], BatchRow]] = {}
    for batch, row in rows:
        rank = (receipts.get(batch, -1), batch, row.number)
        if batch in receipts and (row.record not in newest or newest[row.record][0] < rank):
            newest[row.record] = rank, row
    return [row for _, row in newest.values()]


SEPARATOR = "\t"
"""Between the parts of a composed key: below every letter, so that composed keys sort as their parts do."""


def micros(at: datetime) -> int:
    """Whole microseconds since 1970, UTC. Raises ValueError for a time without a zone."""
    if at.tzinfo is None:
        raise ValueError(f"time {at} has no zone: records hold aware UTC times")
    since = at - EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def instant(at: int) -> datetime:
    """The aware UTC time of `micros`."""
    return EPOCH + timedelta(microseconds=at)


def instants(given: Sequence[int | None]) -> list[datetime | None]:
    """`instant` of each that there is."""
    if None in given:
        return [None if at is None else instant(at) for at in given]
    return list(map(EPOCH.__add__, map(timedelta, repeat(0), repeat(0), given)))  # type: ignore[arg-type]  # no None


def calendar_day(number: int) -> date:
    """The day (UTC) that begins so many days after 1970 does."""
    return EPOCH.date() + timedelta(days=number)


def pack_ids(ids: Iterable[str]) -> bytes:
    """Ids of records in their order, 16 bytes each."""
    return b"".join(bytes.fromhex(one) for one in sorted(ids))


def unpack_ids(packed: bytes) -> list[str]:
    """The ids that `pack_ids` packed, ascending."""
    digits = packed.hex()
    return [digits[i : i + 32] for i in range(0, len(digits), 32)]


def write_json(record: Stored | LabeledRecord) -> bytes:
    """Canonical JSON: equal records give equal bytes, whatever the order of their mappings."""
    return msgspec.json.encode(record, order="sorted")


def read_json(kind: str, document: bytes) -> Any:
    """The record of `kind` that `write_json` wrote. Raises ValueError when it is none."""
    return msgspec.json.decode(document, type=LAYOUTS[kind].record)


RECEIPTS: Mapping[str, tuple[str, ...]] = {
    "predictions": ("receipt",),
    "outcomes": ("receipt", "changed"),
    "batches": ("receipt",),
    "observations": ("receipt",),
}
"""Numbers that stand beside records of a kind. Uploads (outcomes, batches, observations) are counted as they come in,
whatever clocks say; receipt: of the upload that the record came with, or of a prediction the newest upload before it.
changed: of the upload that gave an outcome its present value."""


STATEMENTS = "said"
"""Where the statements stand beside an outcome that was corrected."""


class Beside(msgspec.Struct, frozen=True):
    """What stands beside a record in an exported document. Receipts of one from before there were any are None."""

    receipt: int | None = None
    changed: int | None = None
    said: tuple[Statement, ...] = ()


def write_kept(record: Stored, numbers: Mapping[str, int], said: str | None = None) -> bytes:
    """As `write_json`, with what stands beside it. said: as `write_statements` wrote it."""
    if not numbers:
        return write_json(record)
    beside: dict[str, Any] = dict(numbers) | ({STATEMENTS: msgspec.Raw(said.encode())} if said else {})
    return msgspec.json.encode(msgspec.to_builtins(record) | beside, order="sorted")


def read_numbers(kind: str, document: bytes) -> tuple[int | None, ...]:
    """The numbers that `write_kept` wrote beside a record of `kind`, in the order of `RECEIPTS`."""
    if kind not in RECEIPTS:
        return ()
    found = msgspec.json.decode(document, type=Beside)
    return tuple(getattr(found, name) for name in RECEIPTS[kind])


def read_said(kind: str, document: bytes) -> tuple[Statement, ...]:
    """The statements that `write_kept` wrote beside a record of `kind`."""
    return msgspec.json.decode(document, type=Beside).said if kind == "outcomes" else ()


def write_statements(said: Sequence[Statement]) -> str | None:
    """JSON text, the same for the same statements; None for none."""
    return msgspec.json.encode(said, order="sorted").decode() if said else None


def read_statements(text: str | None) -> tuple[Statement, ...]:
    """What `write_statements` wrote. Raises Damaged."""
    try:
        return msgspec.json.decode(text, type=tuple[Statement, ...]) if text else ()
    except msgspec.MsgspecError as error:
        raise _damaged("what was said of an outcome") from error


class OfDomain(msgspec.Struct, frozen=True):
    """The domain of an exported document."""

    domain: str | None = None


def domains_of_pairs(kind: str, documents: Iterable[bytes]) -> list[str]:
    """The domains whose pairs change when documents of `kind` are loaded."""
    if kind not in ("predictions", "outcomes"):
        return []
    found = {msgspec.json.decode(document, type=OfDomain).domain for document in documents}
    return sorted(domain for domain in found if domain is not None)


def row_key(batch: str, number: int) -> str:
    """The export key of a batch row: sorts by batch, then by number."""
    return f"{batch}{SEPARATOR}{number:09d}"


def split_row_key(key: str) -> tuple[str, int]:
    """(batch, number) of a `row_key`. Raises ValueError for anything else."""
    batch, _, number = key.rpartition(SEPARATOR)
    return batch, int(number)


def succession_key(domain: str, target: str, moment: str, generation: int) -> str:
    """The export key of a succession: sorts by champion key, then by generation."""
    return SEPARATOR.join((domain, target, moment, f"{generation:09d}"))


def split_succession_key(key: str) -> tuple[str, str, str, int]:
    """(domain, target, moment, generation) of a `succession_key`. Raises ValueError for anything else."""
    domain, target, moment, generation = key.split(SEPARATOR)
    return domain, target, moment, int(generation)


def observation_key(one: Observation) -> str:
    """The export key of an observation: sorts by student, kind and event, then by version."""
    return SEPARATOR.join((one.domain, one.student, one.kind, one.event, f"{one.version:020d}"))


def split_observation_key(key: str) -> tuple[str, str, str, str, int]:
    """(domain, student, kind, event, version) of an `observation_key`. Raises ValueError for anything else."""
    domain, student, kind, event, version = key.split(SEPARATOR)
    return domain, student, kind, event, int(version)


def document_key(kind: str, name: str) -> str:
    """The export key of a document."""
    return f"{kind}{SEPARATOR}{name}"


def split_document_key(key: str) -> tuple[str, str]:
    """(kind, name) of a `document_key`. Raises ValueError for anything else."""
    kind, name = key.split(SEPARATOR)
    return kind, name


_ID: Callable[[Any], str] = attrgetter("id")

KEYS: Mapping[str, Callable[[Any], str]] = {
    "successions": lambda one: succession_key(one.domain, one.target, one.moment, one.generation),
    "documents": lambda one: document_key(one.kind, one.name),
    "chunks": lambda one: row_key(one.blob, one.number),
    "observations": observation_key,
    "models": attrgetter("version"),
}
"""The export key of a record of a kind; its id where the kind is not named."""


def keys_of(kind: str, records: Iterable[Any]) -> list[str]:
    """`key_of` each."""
    return list(map(KEYS.get(kind, _ID), records))


def key_of(kind: str, record: Any) -> str:
    """The export key of a record of any kind but batch_rows, whose key also needs the batch."""
    return KEYS.get(kind, _ID)(record)


def check_finite(predictions: Sequence[Prediction]) -> None:
    """Raises ValueError when an answer is NaN or infinite: JSON has no word for it, and no reader would get it back."""
    for prediction in predictions:
        for answer in prediction.answers + prediction.shadow:
            for value in (answer.value, answer.naive):
                if isinstance(value, float) and value - value != 0:
                    raise ValueError(f"prediction {prediction.id}: {answer.target!r} is answered with {value}")

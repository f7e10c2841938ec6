"""How a record lies in a database row: flat values (text, whole numbers, true or false, None), and back.

Both stores use the same layouts, so that they keep the same things. Nothing here knows a database.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from operator import attrgetter
from typing import Any, overload

import msgspec

from database.records import (
    Access,
    Answer,
    Batch,
    BatchRow,
    DecisionRecord,
    Document,
    DriftRecord,
    Event,
    LabeledRecord,
    ModelVersion,
    Outcome,
    Prediction,
    Record,
    Succession,
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Flat = str | int | bool | None
Stored = Record | BatchRow
"""What a store keeps under one of the `KINDS`."""

AS_JSON = frozenset({"inputs", "answers", "targets", "scores", "lineage", "document", "details", "value", "body"})
"""Fields kept as JSON text: they nest, or hold a number or a text. Keys with dots, dollars and any letters survive."""

MOSTLY_EMPTY = frozenset({"shadow"})
"""Tuples kept as JSON text, or as no text where they are empty, so that a prediction without a challenger costs next to
nothing (None would cost more: sqlite3 looks for an adapter of every None). None reads as empty, too: it stands in rows
from before there was such a field."""

EMPTY = "[]"

encode = msgspec.json.Encoder().encode
encode_lines = msgspec.json.Encoder().encode_lines


class Layout:
    """The flat form of one record type. `names`: its columns, in the order of `pack` and `unpack`."""

    def __init__(self, record: type[Any]) -> None:
        fields = msgspec.structs.fields(record)
        self.record = record
        self.names = tuple(field.name for field in fields)
        self._values = attrgetter(*self.names)
        self._times = [place for place, name in enumerate(self.names) if name == "at"]
        self._json = [
            (place, msgspec.json.Decoder(field.type)) for place, field in enumerate(fields) if field.name in AS_JSON
        ]
        self._mostly_empty = [
            (place, msgspec.json.Decoder(field.type))
            for place, field in enumerate(fields)
            if field.name in MOSTLY_EMPTY
        ]

    def pack(self, record: Any) -> list[Flat]:
        """The flat values of `record`."""
        values = list(self._values(record))
        for place in self._times:
            values[place] = micros(values[place])
        for place, _ in self._json:
            values[place] = encode(values[place]).decode()
        for place, _ in self._mostly_empty:
            values[place] = encode(values[place]).decode() if values[place] else ""
        return values

    def pack_columns(self, records: Sequence[Any]) -> list[Sequence[Flat]]:
        """The flat values of `records` by column, a third of the work of `pack` for each; at least one record."""
        if isinstance(records, PackedPredictions):
            return list(records.columns.values())
        columns: list[Sequence[Any]] = list(zip(*map(self._values, records), strict=True))
        for place in self._times:
            known = {at: micros(at) for at in set(columns[place])}  # rows of one batch have one time
            columns[place] = [known[at] for at in columns[place]]
        for place, _ in self._json:
            columns[place] = json_texts(columns[place])
        for place, _ in self._mostly_empty:
            texts = json_texts(columns[place]) if any(columns[place]) else [EMPTY] * len(records)
            columns[place] = ["" if text == EMPTY else text for text in texts]
        return columns

    def unpack(self, values: Sequence[Any]) -> Any:
        """The record that `values` came from."""
        full = list(values)
        for place in self._times:
            full[place] = moment(full[place])
        for place, decoder in self._json:
            full[place] = decoder.decode(full[place])
        for place, decoder in self._mostly_empty:
            full[place] = decoder.decode(full[place]) if full[place] else ()
        return self.record(**dict(zip(self.names, full, strict=True)))


def json_texts(values: Sequence[Any]) -> list[str]:
    """Each value as JSON: a text without a line break, since JSON writes those as an escape."""
    return encode_lines(values).decode().split("\n")[:-1]


def object_texts(columns: Mapping[str, Sequence[Any]]) -> list[str]:
    """The JSON objects whose values stand in `columns`, by key: what `json_texts` gives for as many mappings, without
    making them."""
    return json_texts(list(map(_object_type(tuple(columns)), *columns.values())))


@lru_cache(maxsize=64)
def _object_type(keys: tuple[str, ...]) -> Any:
    fields = [f"field_{place}" for place in range(len(keys))]  # a key need not be a Python name
    return msgspec.defstruct("Object", fields, rename=dict(zip(fields, keys, strict=True)), gc=False)


class PackedPredictions(Sequence[Prediction]):
    """Predictions in the flat form of their layout, by column: whoever wants one by itself gets it unpacked.

    columns: by name, in the layout's order. Whoever packs them has looked that every answer is finite.
    """

    def __init__(self, columns: Mapping[str, Sequence[Flat]]) -> None:
        self.columns = columns

    def __len__(self) -> int:
        return len(self.columns["id"])

    @overload
    def __getitem__(self, place: int) -> Prediction: ...
    @overload
    def __getitem__(self, place: slice) -> "PackedPredictions": ...
    def __getitem__(self, place: int | slice) -> "Prediction | PackedPredictions":
        if isinstance(place, slice):
            return PackedPredictions({name: column[place] for name, column in self.columns.items()})
        unpacked: Prediction = LAYOUTS["predictions"].unpack([column[place] for column in self.columns.values()])
        return unpacked


def moments_of(predictions: Sequence[Prediction]) -> Sequence[Any]:
    """The moment of each prediction."""
    if isinstance(predictions, PackedPredictions):
        return predictions.columns["moment"]
    return [prediction.moment for prediction in predictions]


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
}

SEPARATOR = "\t"
"""Between the parts of a composed key: below every letter, so that composed keys sort as their parts do."""


def micros(at: datetime) -> int:
    """Whole microseconds since 1970, UTC. Raises ValueError for a time without a zone."""
    if at.tzinfo is None:
        raise ValueError(f"time {at} has no zone: records hold aware UTC times")
    since = at - EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def moment(at: int) -> datetime:
    """The aware UTC time of `micros`."""
    return EPOCH + timedelta(microseconds=at)


def write_json(record: Stored | LabeledRecord) -> bytes:
    """Canonical JSON: equal records give equal bytes, whatever the order of their mappings."""
    return msgspec.json.encode(record, order="sorted")


def read_json(kind: str, document: bytes) -> Any:
    """The record of `kind` that `write_json` wrote. Raises ValueError when it is none."""
    return msgspec.json.decode(document, type=LAYOUTS[kind].record)


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


def document_key(kind: str, name: str) -> str:
    """The export key of a document."""
    return f"{kind}{SEPARATOR}{name}"


def split_document_key(key: str) -> tuple[str, str]:
    """(kind, name) of a `document_key`. Raises ValueError for anything else."""
    kind, name = key.split(SEPARATOR)
    return kind, name


def key_of(kind: str, record: Any) -> str:
    """The export key of a record of any kind but batch_rows, whose key also needs the batch."""
    if kind == "successions":
        return succession_key(record.domain, record.target, record.moment, record.generation)
    if kind == "documents":
        return document_key(record.kind, record.name)
    return str(record.version if kind == "models" else record.id)


def check_finite(predictions: Sequence[Prediction]) -> None:
    """Raises ValueError when an answer is NaN or infinite: JSON has no word for it, and no reader would get it back."""
    if not isinstance(predictions, PackedPredictions):
        check_answers((prediction.id, prediction.answers + prediction.shadow) for prediction in predictions)


def check_answers(rows: Iterable[tuple[str, Sequence[Answer]]]) -> None:
    """As `check_finite`, of ids and what is answered under them."""
    for name, answers in rows:
        for answer in answers:
            for value in (answer.value, answer.naive):
                if isinstance(value, float) and value - value != 0:
                    raise ValueError(f"prediction {name}: {answer.target!r} is answered with {value}")

"""Writes predictions that stand in columns as JSON, byte for byte as their records are, and without making those."""

from collections.abc import Iterable, Sequence
from itertools import repeat
from typing import Any

from msgspec import Raw
from msgspec.structs import replace

from api.schemas import PredictionResponse, PredictionsResponse, encoder
from database.answer_columns import AnswerColumn
from database.packed import PackedPredictions
from database.records import Answer
from model.service import Remarks
from preprocessing.columns import Column, Levels

HOLE = b"\0"
"""What no JSON holds: in a text it is written in another way."""

JsonCells = Iterable[bytes]


def write_many(batches: Sequence[PackedPredictions], remarks: Remarks, note: str | None) -> bytes:
    """`PredictionsResponse` as JSON, in the order of the rows of a request."""
    rows: Any = Raw(HOLE)
    count = sum(map(len, batches))
    whole = PredictionsResponse(
        count=count,
        predictions=rows,
        warning=remarks.warning,
        naive_rules=remarks.naive_rules,
        band_rules=remarks.band_rules,
        note=note,
    )
    head, tail = encoder.encode(whole).split(HOLE)
    parts = _write_all(batches, b",", Remarks(), None)
    parts[0] = head + b"[" + parts[0]
    parts[-1] = parts[-1].removesuffix(b",") + b"]" + tail
    return b"".join(parts)


def write_lines(batches: Sequence[PackedPredictions], remarks: Remarks, note: str | None) -> bytes:
    """`PredictionResponse` of each prediction as a line of JSON, in the order of the rows of a request."""
    return b"".join(_write_all(batches, b"\n", remarks, note))


def _write_all(batches: Sequence[PackedPredictions], end: bytes, remarks: Remarks, note: str | None) -> list[bytes]:
    """The parts of all predictions. Ids ascend in the order of the rows."""
    if len(batches) == 1:
        return _write(batches[0], end, remarks, note)[0]
    rows: list[tuple[str, bytes]] = []
    for batch in batches:
        parts, width = _write(batch, end, remarks, note)
        rows += zip(batch.ids, [b"".join(parts[at : at + width]) for at in range(0, len(parts), width)], strict=True)
    return [row for _, row in sorted(rows)]


def _write(predictions: PackedPredictions, end: bytes, remarks: Remarks, note: str | None) -> tuple[list[bytes], int]:
    """The parts of the JSON of each prediction, with `end` behind it, and how many each has.

    One record is encoded, with a hole in place of what differs from row to row; then each row is what stands between
    the holes, and its cells. Rows about which there is more to say are encoded by themselves.
    """
    form, common, students = _Template(), predictions.common, predictions.students
    record = PredictionResponse(
        id=form.hole(map(encoder.encode, predictions.ids)),
        domain=common.domain,
        moment=common.moment,
        at=common.at,
        answers=tuple([_answer(form, column) for column in predictions.answers]),
        student=None if students is None else form.hole(map(encoder.encode, students)),
        warning=remarks.warning,
        naive_rules=remarks.naive_rules,
        band_rules=remarks.band_rules,
        note=note,
    )
    parts, width = form.fill(encoder.encode(record) + end, len(predictions))
    places = sorted({place for column in predictions.answers for place in column.others})
    others = zip(*[column.take(places).answers() for column in predictions.answers], strict=True)
    for place, said in zip(places, others, strict=True):
        student = students[place] if students else None
        alone = replace(record, id=predictions.ids[place], answers=said, student=student)
        parts[place * width : (place + 1) * width] = [*[b""] * (width - 1), encoder.encode(alone) + end]
    return parts, width


class _Template:
    """What all rows have in common, with holes for the rest."""

    def __init__(self) -> None:
        self._columns: list[JsonCells] = []

    def hole(self, column: JsonCells) -> Any:
        """What stands in a record in place of the cells of `column`, each as JSON."""
        self._columns.append(column)
        return Raw(b"%b%d%b" % (HOLE, len(self._columns) - 1, HOLE))

    def fill(self, text: bytes, rows: int) -> tuple[list[bytes], int]:
        """What stands between the holes of an encoded record, and the cells, of each row; and how many parts a row
        has."""
        between = text.split(HOLE)
        width = len(between)
        parts = [b""] * (width * rows)
        for place, part in enumerate(between):
            parts[place::width] = self._columns[int(part)] if place % 2 else repeat(part, rows)
        return parts, width


def _answer(form: _Template, column: AnswerColumn) -> Answer:
    ends = [form.hole(_cells(end)) for end in (column.low, column.high) if end is not None]
    shares = None if column.shares is None else {name: form.hole(_cells(one)) for name, one in column.shares.items()}
    below = None if column.below_pass is None else form.hole(_cells(column.below_pass))
    return Answer(
        target=column.target,
        value=form.hole(_cells(column.value)),
        naive=form.hole(_cells(column.naive)),
        model=column.model,
        generation=column.generation,
        interval=(ends[0], ends[1]) if ends else None,
        coverage=column.coverage,
        probabilities=shares,
        below_pass=below,
    )


def _cells(column: Column) -> JsonCells:
    """Every cell as JSON."""
    if isinstance(column, Levels):
        names = [encoder.encode(name) for name in column.names]
        return map(names.__getitem__, column.codes.tolist())
    written: Sequence[bytes] = encoder.encode(column.values.tolist())[1:-1].split(b",")
    return written

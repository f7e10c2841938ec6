"""The answers of a file that a worker has scored, read from the log and written piece by piece."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from api.fast.json_columns import HOLE
from api.fast.predict import QueryParameters, prediction_response
from api.schemas import PredictionsResponse, encoder
from api.state import ServiceState
from database.records import Job, Prediction
from jobs.queue import prediction_id
from model.service import Remarks

ANSWERS_JSON, ANSWERS_LINES = "application/json", "application/x-ndjson"
ANSWERS_AT_ONCE = 1_000
"""Predictions that are read and written together."""


def logged_answers(state: ServiceState, job: Job) -> Iterator[Sequence[Prediction]]:
    """What the rows of a job's file were answered, in their order, in pieces."""
    count: int = (job.result or {})["rows"]
    for start in range(0, count, ANSWERS_AT_ONCE):
        ids = [prediction_id(job.id, row) for row in range(start, min(count, start + ANSWERS_AT_ONCE))]
        yield state.workspace.store.predictions_of(ids)


def written_answers(state: ServiceState, job: Job, *, lines: bool) -> Iterator[bytes]:
    """The same as a `PredictionsResponse`, or as JSON lines, each of which says everything by itself."""
    note, remarks = note_of(job), state.predictions.remarks(frozenset((job.result or {})["models"]))
    if lines:
        for piece in logged_answers(state, job):
            yield encoder.encode_lines([prediction_response(one, remarks, note) for one in piece])
        return
    rows: Any = msgspec.Raw(HOLE)
    whole = PredictionsResponse(
        count=(job.result or {})["rows"],
        predictions=rows,
        warning=remarks.warning,
        naive_rules=remarks.naive_rules,
        band_rules=remarks.band_rules,
        note=note,
    )
    head, tail = encoder.encode(whole).split(HOLE)
    for place, piece in enumerate(logged_answers(state, job)):
        yield b"," if place else head + b"["
        yield encoder.encode([prediction_response(one, Remarks()) for one in piece])[1:-1]
    yield b"]" + tail


def note_of(job: Job) -> str | None:
    """How factors are to be read, which columns of the file were not, and what to know of how it was read."""
    result = job.result or {}
    unread = tuple(result.get("ignored_columns", ()))
    said = QueryParameters(explain=job.arguments.get("explain", 0), unread=unread).note
    return "; ".join([*result.get("notes", ()), *([said] if said else [])]) or None

"""The answers of a file that a worker has scored, read from the log and written piece by piece."""

from collections.abc import Iterator, Mapping
from itertools import chain, repeat
from typing import Any

import msgspec

from api.fast.json_columns import HOLE
from api.fast.predict import QueryParameters, prediction_response
from api.schemas import PredictionResponse, PredictionsResponse, encoder
from api.state import ServiceState
from database.records import Job, Prediction
from jobs.queue import prediction_id
from model.service import Remarks
from preprocessing.validation.rules import Problem, left_out

ANSWERS_JSON, ANSWERS_LINES = "application/json", "application/x-ndjson"
ANSWERS_AT_ONCE = 1_000
"""Predictions that are read and written together."""
RowNumber = int | msgspec.UnsetType


def logged_answers(state: ServiceState, job: Job) -> Iterator[Iterator[tuple[Prediction, RowNumber]]]:
    """What the rows of a job's file were answered, each with its row's number, in their order, in pieces."""
    result: Mapping[str, Any] = job.result or {}
    count: int = result["rows"]
    known = (range(first, last + 1) for first, last in result.get("row_numbers", ()))  # older jobs do not say it
    numbers: Iterator[RowNumber] = chain(chain.from_iterable(known), repeat(msgspec.UNSET))
    for start in range(0, count, ANSWERS_AT_ONCE):
        ids = [prediction_id(job.id, row) for row in range(start, min(count, start + ANSWERS_AT_ONCE))]
        rows = dict(zip(ids, numbers, strict=False))
        yield ((one, rows[one.id]) for one in state.workspace.store.predictions_of(ids))  # some may be withdrawn


def written_answers(state: ServiceState, job: Job, *, lines: bool) -> Iterator[bytes]:
    """The same as a `PredictionsResponse`, or as JSON lines, each of which says everything by itself."""
    note, remarks = note_of(job), state.predictions.remarks(frozenset((job.result or {})["models"]))
    if lines:
        for piece in logged_answers(state, job):
            yield encoder.encode_lines([_answer_of(one, row, remarks, note) for one, row in piece])
        return
    problems = (job.result or {}).get("problems")
    rows: Any = msgspec.Raw(HOLE)
    whole = PredictionsResponse(
        count=(job.result or {})["rows"],
        predictions=rows,
        warning=remarks.warning,
        naive_rules=remarks.naive_rules,
        band_rules=remarks.band_rules,
        note=note,
        problems=msgspec.convert(problems, list[Problem]) if problems else msgspec.UNSET,
    )
    head, tail = encoder.encode(whole).split(HOLE)
    yield head + b"["
    between = b""
    for piece in logged_answers(state, job):
        if told := encoder.encode([_answer_of(one, row, Remarks()) for one, row in piece])[1:-1]:
            yield between + told
            between = b","
    yield b"]" + tail


def _answer_of(prediction: Prediction, row: RowNumber, remarks: Remarks, note: str | None = None) -> PredictionResponse:
    return msgspec.structs.replace(prediction_response(prediction, remarks, note), row=row)


def note_of(job: Job) -> str | None:
    """How factors are to be read, which columns of the file were not, and what to know of how it was read."""
    result = job.result or {}
    unread = tuple(result.get("ignored_columns", ()))
    said = QueryParameters(explain=job.arguments.get("explain", 0), unread=unread).note
    skipped = [left_out(result["skipped"])] if result.get("skipped") else []
    return "; ".join([*result.get("notes", ()), *skipped, *([said] if said else [])]) or None

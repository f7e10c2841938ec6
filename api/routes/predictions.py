"""Predictions: many from a file, and those that were logged. One row and JSON batches are answered by
`api.fast.predict`."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request, Response

from api.fast.parameters import moment_of
from api.fast.predict import EXPLAINED_ROWS, QueryParameters, row_limit, wants_lines
from api.jobs import done, idempotency_key
from api.request.body import MEGABYTE
from api.request.headers import REQUEST_HEADERS, form_of
from api.routes.answers import written_answers
from api.routes.dependencies import (
    HEX,
    CurrentState,
    Instant,
    Later,
    at_utc,
    groups_of,
    logged_prediction,
    needs,
    noted,
    principal_of,
    pseudonym_of,
    schema_of,
)
from api.routes.openapi import answers, takes, takes_file
from api.routes.uploads import OfSheet, WithoutBadRows, read_command, read_uploads
from api.schemas import Find, FoundPredictions, PredictionResponse, PredictionsResponse, respond
from api.state import ServiceState
from database.records import Prediction
from jobs.queue import SCORING, JobFile, JobRequest
from model.explain import MOST_FACTORS
from preprocessing.validation.json_bodies import MalformedBody
from preprocessing.validation.pii import pseudonym

router = APIRouter(prefix="/api/v1/{domain}", tags=["predict"])
Moment = Annotated[str | None, Query(description="answer as of this moment; each row's own by default")]
Explain = Annotated[
    int,
    Query(ge=0, le=MOST_FACTORS, description=f"name so many factors per answer; then at most {EXPLAINED_ROWS:,} rows"),
]
MOST_LISTED = 1000

MAY_PREDICT, MAY_READ = [needs("predict")], [needs("read")]


@router.post("/predict", responses=answers(PredictionResponse, words="logged, then answered"), dependencies=MAY_PREDICT)
async def predict(
    domain: str,
    state: CurrentState,
    moment: Moment = None,  # noqa: ARG001 (shown on the page)
    explain: Explain = 0,  # noqa: ARG001
) -> Response:
    """Predict one row: its fields as a JSON object."""
    schema_of(state, domain)
    raise MalformedBody("expected one JSON object with the fields of a row; many rows go to …/predict/batch")


@router.post(
    "/predict/batch",
    responses=answers(PredictionsResponse, words="logged, then answered", later=True),
    openapi_extra=takes_file(),
    dependencies=MAY_PREDICT,
)
async def predict_batch(
    domain: str,
    request: Request,
    state: CurrentState,
    moment: Moment = None,
    explain: Explain = 0,
    sheet: OfSheet = "",
    skip_bad_rows: WithoutBadRows = False,
    later: Later = None,
) -> Response:
    """Predict many rows: a JSON list, {"students": list}, JSON lines, or a CSV, Excel, Parquet or Arrow file. An answer
    to a row of a file names it as you count (`row`), so that your own columns can be put beside it."""
    schema = schema_of(state, domain)
    parameters = QueryParameters(moment_of(schema, moment), explain, wants_lines(request.scope[REQUEST_HEADERS]))
    uploads = await read_uploads(request, state.settings.max_upload_mb * MEGABYTE)
    await asyncio.to_thread(_check_json, state, request, domain, parameters, uploads["file"].content)
    whoever, groups = principal_of(request), groups_of(request)
    arguments: dict[str, Any] = {"moment": parameters.moment, "explain": explain, "limit": row_limit(state, parameters)}
    arguments |= {"groups": None if groups is None else list(groups), "sheet": sheet, "skip_bad_rows": skip_bad_rows}
    files = {"file": JobFile(uploads["file"].name, rows_alone(uploads["file"].content))}
    wanted = JobRequest(SCORING, domain, whoever.name, arguments, files=files, key=idempotency_key(request))
    later = state.settings.predict_async if later is None else later
    job = await done(request, state.background, wanted, state.settings, later=later)
    if isinstance(job, Response):
        return job
    for at, count in (job.result or {})["moments"].items():
        state.metrics.predicted(domain, at, count)
    body = await asyncio.to_thread(lambda: b"".join(written_answers(state, job, lines=parameters.lines)))
    return Response(body, media_type=parameters.answered_as.decode())


def _check_json(state: ServiceState, request: Request, domain: str, parameters: QueryParameters, body: bytes) -> None:
    """Rows as JSON that are answered later are checked at once, as those are that are answered at once; files are the
    worker's to read. Raises BadData, MalformedBody."""
    kind = form_of(request.scope[REQUEST_HEADERS]).kind
    if kind != "file":
        reader = state.readers[domain]
        read = reader.lines if kind == "lines" else reader.many
        read(body, moment=parameters.moment, limit=row_limit(state, parameters))


class _Students(msgspec.Struct, forbid_unknown_fields=True):
    students: msgspec.Raw


def rows_alone(body: bytes) -> bytes:
    """What is in {"students": list}, which is no file; any other body as it is.

    >>> rows_alone(b'{"students": [{"a": 1}]}'), rows_alone(b"a,b")
    (b'[{"a": 1}]', b'a,b')
    """
    if body[:100].lstrip()[:1] != b"{":
        return body
    try:
        return bytes(msgspec.json.decode(body, type=_Students).students)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return body


@router.get("/predictions", responses=answers(FoundPredictions), dependencies=MAY_READ)
def predictions(
    domain: str,
    request: Request,
    state: CurrentState,
    student: Annotated[str | None, Query(description="pseudonym, as answers give it", json_schema_extra=HEX)] = None,
    since: Annotated[Instant | None, Query(description="from then on, with its zone")] = None,
    until: Annotated[Instant | None, Query(description="before then, with its zone")] = None,
    limit: Annotated[int, Query(ge=1, le=MOST_LISTED)] = 100,
) -> Response:
    """Logged predictions, newest first."""
    schema_of(state, domain)
    found = state.workspace.store.predictions(
        domain,
        since=at_utc(since),
        until=at_utc(until),
        student=pseudonym_of(student),
        groups=groups_of(request),
        limit=limit,
    )
    if student is None:  # a list; of one student it is a look-up
        found = [one for one in found if one.student not in state.workspace.objections]
    noted(request, "predictions listed", domain, student=student, groups=groups_of(request), found=len(found))
    return respond(FoundPredictions(predictions=_shown(request, found)))


def _shown(request: Request, found: Sequence[Prediction]) -> Sequence[Prediction]:
    """Logged predictions as whoever asks may see them: what a challenger said in shadow is for those who judge models,
    and nobody acts on it."""
    if principal_of(request).may("compare"):
        return found
    return [msgspec.structs.replace(one, shadow=()) for one in found]


@router.post("/predictions/find", responses=answers(FoundPredictions), openapi_extra=takes(Find), dependencies=MAY_READ)
async def find_predictions(domain: str, request: Request, state: CurrentState) -> Response:
    """Logged predictions of a student, by the institution's own key, newest first."""
    schema_of(state, domain)
    wanted = await read_command(request, Find)
    student, limit = pseudonym(str(wanted.student), state.workspace.secret), max(1, min(wanted.limit, MOST_LISTED))
    found = await asyncio.to_thread(
        state.workspace.store.predictions, domain, student=student, groups=groups_of(request), limit=limit
    )
    await asyncio.to_thread(noted, request, "student looked up", domain, student=student, found=len(found))
    return respond(FoundPredictions(predictions=_shown(request, found)))


@router.get("/predictions/{id}", responses=answers(Prediction), dependencies=MAY_READ)
def prediction(domain: str, id: str, request: Request) -> Response:
    """One logged prediction."""
    found = logged_prediction(request, domain, id)
    noted(request, "prediction read", domain, prediction=found.id, student=found.student)
    [shown] = _shown(request, [found])
    return respond(shown)

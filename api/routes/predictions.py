"""Predictions: many from a file, and those that were logged. One row and JSON batches are answered by
`api.fast.predict`."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Query, Request, Response

from access.roles import Principal, require_groups
from api.fast.parameters import moment_of
from api.fast.predict import EXPLAINED, Question, row_limit, say_many, wants_lines
from api.needs import needs, principal_of
from api.request.body import MEGABYTE
from api.request.head import HEAD
from api.routes.dependencies import PSEUDONYM_LENGTH, Instant, NotFound, at_utc, noted, pseudonym_of, running, schema_of
from api.routes.openapi import answers, takes, takes_file
from api.routes.uploads import read_command, read_uploads
from api.schemas import Find, FoundPredictions, Said, SaidMany, respond
from api.state import Running
from database.layout import count_moments
from database.records import Prediction
from model.explain import MOST_FACTORS
from model.microbatch import SOURCE
from preprocessing.validation.json_bodies import MalformedBody, TooManyRows, too_many_rows
from preprocessing.validation.pii import pseudonym

router = APIRouter(prefix="/api/v1/{domain}", tags=["predictions"])
Service = Annotated[Running, Depends(running)]
Moment = Annotated[str | None, Query(description="answer as of this moment; each row's own by default")]
Explain = Annotated[
    int,
    Query(ge=0, le=MOST_FACTORS, description=f"name so many factors per answer; then at most {EXPLAINED:,} rows"),
]
MOST = 1000
HEX: dict[str, Any] = {"pattern": f"^[0-9a-f]{{{PSEUDONYM_LENGTH}}}$"}


PREDICT, READ = [needs("predict")], [needs("read")]


@router.post("/predict", responses=answers(Said, words="logged, then answered"), dependencies=PREDICT)
async def predict(
    domain: str,
    service: Service,
    moment: Moment = None,  # noqa: ARG001 (shown on the page)
    explain: Explain = 0,  # noqa: ARG001
) -> Response:
    """Predict one row: its fields as a JSON object."""
    schema_of(service, domain)
    raise MalformedBody("expected one JSON object with the fields of a row; many rows go to …/predict/batch")


@router.post(
    "/predict/batch",
    responses=answers(SaidMany, words="logged, then answered"),
    openapi_extra=takes_file(),
    dependencies=PREDICT,
)
async def predict_batch(
    domain: str, request: Request, service: Service, moment: Moment = None, explain: Explain = 0
) -> Response:
    """Predict many rows: a JSON list, {"students": list}, JSON lines, or a CSV, Excel, Parquet or Arrow file."""
    schema = schema_of(service, domain)
    question = Question(moment_of(schema, moment), explain, wants_lines(request.scope[HEAD]))
    uploads = await read_uploads(request, service.settings.max_upload_mb * MEGABYTE)
    name, content = uploads["file"]
    predictions, unread = await asyncio.to_thread(
        _predict_file, service, domain, content, name, question, principal_of(request)
    )
    for at, count in count_moments(predictions).items():
        request.app.state.service.metrics.predicted(domain, at, count)
    answer = await asyncio.to_thread(say_many, service, question._replace(unread=unread), predictions)
    return Response(answer, media_type=question.answered_as.decode())


def _predict_file(
    service: Running, domain: str, content: bytes, name: str, question: Question, principal: Principal
) -> tuple[Sequence[Prediction], tuple[str, ...]]:
    """The predictions of a file's rows, and its columns that were not read."""
    from preprocessing.reading.files import read_table
    from preprocessing.validation.validate import rows_of, validate_table

    schema = service.predictions.schema(domain)
    raw, limit = read_table(content, name=name), row_limit(service, question)
    if raw.frame.height > limit:
        raise TooManyRows(too_many_rows(raw.frame.height, limit))
    secret = service.workspace.secret
    validated = validate_table(
        raw, schema, secret=secret, moment=question.moment, with_targets="ignored"
    ).require_clean()
    rows = rows_of(validated.frame, schema)
    require_groups(principal, (row.group for row in rows))
    answer = service.predictions.answer
    predictions = answer(schema, rows, source=SOURCE, actor=principal.name, explain=question.explain)
    return predictions, validated.ignored_columns


@router.get("/predictions", responses=answers(FoundPredictions), dependencies=READ)
def predictions(
    domain: str,
    request: Request,
    service: Service,
    student: Annotated[str | None, Query(description="pseudonym, as answers give it", json_schema_extra=HEX)] = None,
    since: Annotated[Instant | None, Query(description="from then on, with its zone")] = None,
    until: Annotated[Instant | None, Query(description="before then, with its zone")] = None,
    limit: Annotated[int, Query(ge=1, le=MOST)] = 100,
) -> Response:
    """Logged predictions, newest first."""
    schema_of(service, domain)
    found = service.workspace.store.predictions(
        domain,
        since=at_utc(since),
        until=at_utc(until),
        student=pseudonym_of(student),
        groups=_groups(request),
        limit=limit,
    )
    noted(request, "predictions listed", domain, student=student, found=len(found))
    return respond(FoundPredictions(predictions=_shown(request, found)))


def _shown(request: Request, found: Sequence[Prediction]) -> Sequence[Prediction]:
    """Logged predictions as whoever asks may see them: what a challenger said in shadow is for those who judge models,
    and nobody acts on it."""
    if principal_of(request).may("compare"):
        return found
    return [msgspec.structs.replace(one, shadow=()) for one in found]


def _groups(request: Request) -> Sequence[str] | None:
    """The groups whose rows whoever asks may see; None: all."""
    confined = principal_of(request).groups
    return sorted(confined) if confined is not None else None


@router.post("/predictions/find", responses=answers(FoundPredictions), openapi_extra=takes(Find), dependencies=READ)
async def find_predictions(domain: str, request: Request, service: Service) -> Response:
    """Logged predictions of a student, by the institution's own key, newest first."""
    schema_of(service, domain)
    wanted = await read_command(request, Find)
    student, limit = pseudonym(str(wanted.student), service.workspace.secret), max(1, min(wanted.limit, MOST))
    found = await asyncio.to_thread(
        service.workspace.store.predictions, domain, student=student, groups=_groups(request), limit=limit
    )
    await asyncio.to_thread(noted, request, "student looked up", domain, student=student, found=len(found))
    return respond(FoundPredictions(predictions=_shown(request, found)))


@router.get("/predictions/{id}", responses=answers(Prediction), dependencies=READ)
def prediction(domain: str, id: str, request: Request, service: Service) -> Response:
    """One logged prediction."""
    schema_of(service, domain)
    found = service.workspace.store.prediction(id)
    if found is None or found.domain != domain:
        raise NotFound(f"no prediction of that id in {domain}")
    require_groups(principal_of(request), [found.group])
    noted(request, "prediction read", domain, prediction=found.id, student=found.student)
    [shown] = _shown(request, [found])
    return respond(shown)

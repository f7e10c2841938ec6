"""What really happened, and how good the answers were in its light."""

import asyncio
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request, Response

from access.roles import require
from api.jobs import done, idempotency_key
from api.request.body import MEGABYTE
from api.request.headers import REQUEST_HEADERS, form_of
from api.routes.dependencies import (
    CurrentState,
    Instant,
    at_utc,
    groups_of,
    keys_of,
    needs,
    noted,
    principal_of,
    schema_of,
    service_state,
)
from api.routes.openapi import answers, takes_file
from api.routes.uploads import OfSheet, WithoutBadRows, read_told, read_uploads, rules_of
from api.schemas import respond
from database.ingest import (
    MatchedOutcomes,
    OwnGroups,
    StoredOutcomes,
    match_outcomes,
    of_another,
    outcomes,
    store_outcomes,
)
from jobs.queue import MATCHING, OUTCOMES_FILE, JobFile, JobRequest
from monitoring.domain_performance import DomainPerformance, measure
from monitoring.error_timeline import By, NothingToFollow
from monitoring.evidence_archive import Selection
from monitoring.results import Results, ResultsQuestion, results_of
from preprocessing.validation.json_bodies import MalformedBody
from preprocessing.validation.json_rows import plain_outcomes
from preprocessing.validation.rules import BadData, Problem

router = APIRouter(prefix="/api/v1/{domain}")
PLAIN_BYTES = 1_000_000  # of a body that is read here
Row = dict[str, str | int | float | None]
NO_ROWS = "outcomes as JSON are a list of one object or more, each with texts, numbers or null by column"


@router.post(
    "/outcomes",
    tags=["outcomes"],
    responses=answers(StoredOutcomes, later=True, instead=MatchedOutcomes),
    openapi_extra=takes_file(json=True),
    dependencies=[needs("upload")],
)
async def add_outcomes(
    domain: str,
    request: Request,
    state: CurrentState,
    sheet: OfSheet = "",
    skip_bad_rows: WithoutBadRows = False,
    dry: Annotated[bool, Query(description="say what would match, and store nothing")] = False,
) -> Response:
    """Store outcomes: a JSON list or a file, each row with a prediction_id or a student key (and period) and the
    value of one target or more; happened_at says when that was known, else it is the time of this request. Rows of
    groups that are not the sender's are left out. A later outcome about the same corrects the earlier. A plain list is
    answered at once, whatever is preferred, and stands in no history of uploads; neither does what is asked with dry,
    which is answered with how many would belong to a prediction."""
    schema_of(state, domain)
    largest = state.settings.max_upload_mb * MEGABYTE
    uploads = await (read_uploads(request, largest) if dry else read_told(request, domain, "outcomes"))
    file = JobFile(*uploads["file"])
    asked = {"sheet": sheet, "skip_bad_rows": skip_bad_rows}
    whoever, key, rows = principal_of(request).name, idempotency_key(request), _rows_of(request, file.content)
    plain = not any(asked.values())
    if rows and plain and key is None:
        at_once = await asyncio.to_thread(take_plain, request, domain, rows, dry=dry)
        if at_once is not None:
            return respond(at_once)
    kind, arguments = MATCHING if dry else OUTCOMES_FILE, {**rules_of(request), **asked}
    wanted = JobRequest(kind, domain, whoever, arguments, files={"file": file}, key=key)
    job = await done(request, state.background, wanted, state.settings)
    if isinstance(job, Response):
        return job
    return respond(msgspec.convert(job.result, MatchedOutcomes if dry else StoredOutcomes))


def _rows_of(request: Request, body: bytes) -> list[Row] | None:
    """The rows of a JSON body, read here; None for files, which a worker reads. Raises MalformedBody for one that is no
    list, or holds no rows."""
    if form_of(request.scope[REQUEST_HEADERS]).kind != "json" or len(body) > PLAIN_BYTES:
        return None
    try:
        rows = msgspec.json.decode(body, type=list[Row])
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise MalformedBody(NO_ROWS) from None
    if not rows:
        raise MalformedBody(NO_ROWS)
    return rows


def take_plain(request: Request, domain: str, rows: list[Row], *, dry: bool) -> StoredOutcomes | MatchedOutcomes | None:
    """What became, or with dry would become, of outcomes in which nothing is unusual; None for others, which a worker
    reads: the library for files would stay in this process's memory."""
    state = service_state(request)
    plain = plain_outcomes(rows, state.predictions.schema(domain), secret=state.workspace.secret)
    if plain is None:
        return None
    schema, store, groups = state.predictions.schema(domain), state.workspace.store, groups_of(request)
    problems: list[Problem] = []
    if groups is not None:
        own = OwnGroups(store, domain, groups)
        outside = own.outside([one.row.group for one in plain], [one.prediction for one in plain])
        problems = [of_another("", plain[place].row.row, schema) for place in outside]
        if len(outside) == len(plain):
            raise BadData(problems)
        plain = [one for place, one in enumerate(plain) if place not in set(outside)]
    found = outcomes([one.row for one in plain], domain, [one.prediction for one in plain], [one.at for one in plain])
    if dry:
        matched = match_outcomes(store, schema, found)
        return msgspec.structs.replace(matched, skipped=len(problems), problems=tuple(problems))
    noted(request, "outcomes uploaded", domain, outcomes=len(found))
    stored = store_outcomes(store, schema, found)
    return msgspec.structs.replace(stored, skipped=len(problems), problems=tuple(problems))


@router.get("/performance", tags=["results"], responses=answers(DomainPerformance), dependencies=[needs("see")])
def performance(
    domain: str,
    request: Request,
    state: CurrentState,
    target: Annotated[str | None, Query(description="all of the domain by default")] = None,
    since: Annotated[Instant | None, Query(description="of predictions made from then on")] = None,
    limit: Annotated[int | None, Query(ge=1, le=100_000, description="the newest so many per target, else all")] = None,
    top: Annotated[
        int | None,
        Query(ge=1, le=1_000_000, description="warn of so many, the largest chances first, not by the policy in use"),
    ] = None,
) -> Response:
    """How far answers were from what happened, beside the plain rule on the same rows; and at each moment, whom a
    warning by the policy in use (or of the `top` so many) found and how groups fared. Of fewer than ten students no
    figure is told; to choose by `since`, `limit` or `top` takes the permission to read predictions. Whoever is confined
    to groups is told of these alone."""
    if any(
        choice is not None for choice in (since, limit, top)
    ):  # two choices that differ by one student would tell of that one
        require(principal_of(request), "read", domain)
    schema = schema_of(state, domain)
    keys_of(schema, target, None)
    targets = [target] if target else list(schema.target_by_name)
    choice: Any = {"since": at_utc(since), "limit": limit, "groups": groups_of(request), "top": top}
    return respond(measure(state.workspace.store, schema, targets, learned=state.workspace.learned, **choice))


@router.get(
    "/results",
    tags=["results"],
    responses=answers(Results),
    dependencies=[needs("see")],
)
def results(  # noqa: PLR0913, PLR0917 (query parameters, each by its name)
    domain: str,
    request: Request,
    state: CurrentState,
    target: Annotated[str | None, Query(description="the domain's first if none")] = None,
    moment: Annotated[str | None, Query(description="the one whose outcomes are the newest if none")] = None,
    by: Annotated[By, Query(description="length of a window")] = "week",
    since: Annotated[Instant | None, Query(description="of predictions made from then on")] = None,
    top: Annotated[int | None, Query(ge=1, le=1_000_000, description="as of performance")] = None,
    within: Annotated[
        int | None, Query(ge=1, le=520, description="horizon of figures by school week; the longest if none")
    ] = None,
) -> Response:
    """How the answers about one target at one moment turned out: misses by window beside training and the plain rule,
    ranges beside what they promise, what waits and which error is to be expected of it, warnings and groups; of school
    weeks chances beside what happened, by week, school and grade. Told, and to whom, as performance; other windows than
    weeks take the permission to read predictions."""
    if by != "week" or any(one is not None for one in (since, top)):
        require(principal_of(request), "read", domain)
    schema = schema_of(state, domain)
    keys_of(schema, target, moment)
    asked = Selection(at_utc(since), groups=groups_of(request))
    about = target or schema.targets[0].name
    question = ResultsQuestion(target=about, moment=moment, asked=asked, by=by, top=top, within=within)
    found = results_of(state.workspace, domain, question)
    if found is None:
        raise NothingToFollow(f"{domain} has no answer about {about} so far")
    return respond(found)

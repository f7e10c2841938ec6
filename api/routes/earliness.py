"""From when on answers can be trusted: what was found last, and having it found again by a job."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from api.jobs import done, idempotency_key, status_of_job
from api.routes.dependencies import CurrentState, Later, NotFound, needs, principal_of, schema_of, target_of
from api.routes.openapi import answers, takes
from api.routes.uploads import read_command
from api.schemas import FindEarliness, JobStatus, respond
from jobs.queue import EARLINESS, JobRequest
from monitoring.earliness import KeptEarliness, kept_earliness
from preprocessing.schema import DomainSchema

router = APIRouter(prefix="/api/v1/{domain}/earliness", tags=["results"])


@router.get("", responses=answers(KeptEarliness), dependencies=[needs("see")])
def earliness(
    domain: str,
    state: CurrentState,
    target: Annotated[str | None, Query(description="the domain's first if none")] = None,
) -> Response:
    """From which moment, or week, on answers can be trusted, as it was found last: error, precision among the tenth
    that is put first, chance and lead, beside the plain rule. 404 until it was asked for."""
    about = _target(schema_of(state, domain), target)
    found = kept_earliness(state.workspace.store, domain, about)
    if found is None:
        raise NotFound(f"nobody has asked for the earliness of {domain}/{about} yet; POST to this address")
    return respond(found)


@router.post(
    "",
    status_code=202,
    responses=answers(JobStatus, 202, "started") | answers(JobStatus, 200, "found"),
    openapi_extra=takes(FindEarliness),
    dependencies=[needs("compare")],
)
async def find_earliness(domain: str, request: Request, state: CurrentState, later: Later = None) -> Response:
    """Find it, in the stored records with outcomes: models learn from all periods but the last one, for each moment,
    and are judged on that. A job, which takes minutes: see Location."""
    wanted = await read_command(request, FindEarliness)
    target = _target(schema_of(state, domain), wanted.target)
    asked = JobRequest(EARLINESS, domain, principal_of(request).name, {"target": target}, key=idempotency_key(request))
    later = state.settings.train_async if later is None else later
    job = await done(request, state.background, asked, state.settings, later=later, alone=True)
    return job if isinstance(job, Response) else respond(status_of_job(job))


def _target(schema: DomainSchema, name: str | None) -> str:
    return target_of(schema, name) or schema.targets[0].name

"""Students' requests, as an officer answers them: all that is known, erasing it, an objection. Keys stand in bodies."""

import asyncio

from fastapi import APIRouter, Request, Response

from access.hand_out import hand_out
from access.known import known_everywhere
from api.jobs import accepted
from api.routes.dependencies import CurrentState, needs, noted, principal_of, schema_of, service_state
from api.routes.openapi import answers, takes
from api.routes.uploads import read_command
from api.schemas import EraseStudent, Erasures, JobStatus, ObjectFor, OfStudent, respond
from clock import now
from database.records import Job
from jobs.erasures import ask_to_erase, erasures
from jobs.holdings import files_about
from model.objections import Objection
from preprocessing.validation.pii import pseudonym

router = APIRouter(prefix="/api/v1/{domain}/students", tags=["rights"])
MAY_ANSWER = [needs("rights")]
ZIP_TYPE = "application/zip"
ARCHIVE = {200: {"description": "a ZIP of JSON and CSV", "content": {ZIP_TYPE: {"schema": {"type": "string"}}}}}


def _student(request: Request, domain: str, key: str | int) -> str:
    """The pseudonym of a key. Raises UnknownDomain."""
    schema_of(service_state(request), domain)
    return pseudonym(str(key), service_state(request).workspace.secret)


@router.post("/export", responses=ARCHIVE, openapi_extra=takes(OfStudent), dependencies=MAY_ANSWER)  # type: ignore[arg-type]
async def export_student(domain: str, request: Request) -> Response:
    """All that is known of a student in the domain, as one archive."""
    student = _student(request, domain, (await read_command(request, OfStudent)).student)
    content = await asyncio.to_thread(_export, request, domain, student)
    headers = {"content-disposition": 'attachment; filename="student.zip"', "cache-control": "no-store"}
    return Response(content, headers=headers, media_type=ZIP_TYPE)


def _export(request: Request, domain: str, student: str) -> bytes:
    workspace = service_state(request).workspace
    known = known_everywhere(workspace, student, [domain])
    noted(request, "student exported", domain, student=student)
    return hand_out(known, files_about(workspace.store, [domain], student), now())


@router.post(
    "/erase",
    status_code=202,
    responses=answers(JobStatus, 202, "a job does it; it asks for another, which makes again what the student was in"),
    openapi_extra=takes(EraseStudent),
    dependencies=MAY_ANSWER,
)
async def erase_student(domain: str, request: Request) -> Response:
    """Erase a student from the domain. The reason is kept for good, and names nobody."""
    wanted = await read_command(request, EraseStudent)
    student, who = _student(request, domain, wanted.student), principal_of(request).name
    return accepted(await asyncio.to_thread(_erase, request, domain, student, wanted, who))


def _erase(request: Request, domain: str, student: str, wanted: EraseStudent, who: str) -> Job:
    workspace = service_state(request).workspace
    known_everywhere(workspace, student, [domain])
    job = ask_to_erase(workspace.store, domain, student, reason=wanted.reason, actor=who, retrain=wanted.retrain)
    noted(request, "student erased", domain, job=job.id)
    return job


@router.get("/erasures", responses=answers(Erasures), dependencies=MAY_ANSWER)
def list_erasures(domain: str, state: CurrentState) -> Response:
    """What was erased, and the proof of it; none says who it was."""
    schema_of(state, domain)
    return respond(Erasures(erasures=[one.told() for one in erasures(state.workspace.store, domain)]))


@router.post(
    "/object",
    status_code=201,
    responses=answers(Objection, 201, "recorded: in no list and never scored from now on, in any domain"),
    openapi_extra=takes(ObjectFor),
    dependencies=MAY_ANSWER,
)
async def object_for_student(domain: str, request: Request) -> Response:
    """Record that a student objects to being scored."""
    wanted = await read_command(request, ObjectFor)
    student = _student(request, domain, wanted.student)
    made = await asyncio.to_thread(_object, request, domain, student, wanted.reason)
    return respond(made, 201)


def _object(request: Request, domain: str, student: str, reason: str) -> Objection:
    workspace = service_state(request).workspace
    made = workspace.objections.add(student, workspace.schemas, actor=principal_of(request).name, reason=reason)
    noted(request, "objection recorded", domain)
    return made

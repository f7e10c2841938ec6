"""What was done about a student: noted by who may, read by who may, within the groups of whoever asks."""

import asyncio
from typing import Annotated

import msgspec
from fastapi import APIRouter, Path, Query, Request, Response

from access.roles import require_groups
from advice.case_files import TakenSteps
from advice.case_steps import CaseStep, NewStep, Stage
from advice.cases import CaseList, StudentCase, Writer, case_of, list_cases, take_step
from advice.positions import Place
from api.jobs import done, idempotency_key
from api.request.body import MEGABYTE
from api.routes.dependencies import (
    HEX,
    CurrentState,
    groups_of,
    needs,
    noted,
    principal_of,
    pseudonym_of,
    schema_of,
    service_state,
    target_of,
)
from api.routes.openapi import answers, takes, takes_file
from api.routes.uploads import OfSheet, WithoutBadRows, read_command, read_uploads, rules_of
from api.schemas import TakeStep, respond
from jobs.queue import STEPS_FILE, JobFile, JobRequest

router = APIRouter(prefix="/api/v1/{domain}", tags=["students"])
NOTES_PATH = "/students/{student}/notes"
MAY_NOTE = [needs("note")]
Student = Annotated[str, Path(description="pseudonym, as answers give it", json_schema_extra=HEX)]


@router.get(NOTES_PATH, responses=answers(StudentCase), dependencies=MAY_NOTE)
def student_case(domain: str, student: Student, request: Request, state: CurrentState) -> Response:
    """What was done about a student, every note, the newest first, and where the case stands."""
    schema_of(state, domain)
    who = pseudonym_of(student)
    noted(request, "notes read", domain, student=who)
    return respond(case_of(state.workspace.store, domain, student, groups_of(request)))


@router.post(
    NOTES_PATH,
    status_code=201,
    responses=answers(CaseStep, 201, "kept, beside the newest answer about the student"),
    openapi_extra=takes(TakeStep),
    dependencies=MAY_NOTE,
)
async def note_step(domain: str, student: Student, request: Request) -> Response:
    """Note what was done about a student. It is handed out, and erased, with the student."""
    pseudonym_of(student)
    wanted = await read_command(request, TakeStep)
    return respond(await asyncio.to_thread(_take, request, domain, student, wanted), 201)


def _take(request: Request, domain: str, student: str, wanted: TakeStep) -> CaseStep:
    state, place = service_state(request), None
    schema = schema_of(state, domain)
    target_of(schema, wanted.target)
    if wanted.group is not None:
        require_groups(principal_of(request), [wanted.group])
        place = Place(wanted.group, wanted.period)
    workspace = state.workspace
    step = NewStep(wanted.done, wanted.text, wanted.target, place, wanted.help, wanted.at)
    by = Writer(principal_of(request).name, groups_of(request), workspace.objections, state.catalogue.by_id)
    made = take_step(workspace.store, schema, student, step, by)
    noted(request, "student noted", domain, student=student, done=made.done)
    return made


@router.post("/cases", responses=answers(TakenSteps, later=True), openapi_extra=takes_file(), dependencies=MAY_NOTE)
async def import_steps(
    domain: str, request: Request, state: CurrentState, sheet: OfSheet = "", skip_bad_rows: WithoutBadRows = False
) -> Response:
    """Keep what was done about students as another system exports it: a file with a row for each step, with `student`,
    `done`, `when`; `text`, `kind`, `start`, `end`, `dose`, `owner`, `group`, `period`. All or nothing; the same file
    again changes nothing."""
    schema_of(state, domain)
    uploads = await read_uploads(request, state.settings.max_upload_mb * MEGABYTE)
    arguments = {**rules_of(request), "sheet": sheet, "skip_bad_rows": skip_bad_rows}
    files, key = {"file": JobFile(*uploads["file"])}, idempotency_key(request)
    wanted = JobRequest(STEPS_FILE, domain, principal_of(request).name, arguments, files=files, key=key)
    job = await done(request, state.background, wanted, state.settings)
    return job if isinstance(job, Response) else respond(msgspec.convert(job.result, TakenSteps))


@router.get("/cases", responses=answers(CaseList), dependencies=MAY_NOTE)
def cases(
    domain: str,
    request: Request,
    state: CurrentState,
    stage: Annotated[list[Stage] | None, Query(description="only cases that stand there; all if none")] = None,
) -> Response:
    """Where the cases of a domain stand, that with the oldest newest step first."""
    schema_of(state, domain)
    found = list_cases(state.workspace.store, domain, stage or (), groups_of(request))
    noted(request, "notes read", domain, found=len(found.cases))
    return respond(found)

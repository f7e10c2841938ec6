"""What one student is told of itself, to the student or a guardian, and the objection that they may raise.

Nothing here takes a student's key: whoever asks sees the one student that an officer linked them to.
"""

import asyncio

from fastapi import APIRouter, Request, Response

import language
from access.roles import linked_student
from advice.own_view import own_prediction, own_view
from advice.own_words import contact_words, limits_words, objected_words, view_words
from api.routes.dependencies import CurrentState, NotFound, needs, noted, principal_of, schema_of
from api.routes.openapi import answers
from api.routes.sheets import IN_FORMS, AsSheet, locale_of, sheet_answer
from api.schemas import OwnObjection, OwnPage, respond
from api.state import ServiceState

router = APIRouter(prefix="/api/v1/me", tags=["one's own"])
MAY_SEE_OWN = [needs("own")]


@router.get("", responses=answers(OwnPage), dependencies=MAY_SEE_OWN)
async def own_page(request: Request, state: CurrentState) -> Response:
    """What is expected of you, or of your child: marks and grade with their range, subjects to work on, a study plan,
    what the numbers are not, and whom to ask; the sentences in the language of Accept-Language."""
    return respond(await asyncio.to_thread(_own_page, request, state))


def _own_page(request: Request, state: ServiceState) -> OwnPage:
    whoever, workspace = principal_of(request), state.workspace
    student = linked_student(whoever)
    domains = [name for name in workspace.schemas if whoever.may("own", name)]
    found = own_view(workspace, domains, state.catalogue, student)
    for one in found.domains:
        noted(request, "own record read", one.domain, student=student)
    with language.use(locale_of(request.headers.get("accept-language", ""))):
        child = whoever.role == "guardian"
        told = tuple(view_words(found, child=child))
        contact = contact_words(state.settings.contact)
        return OwnPage(view=found, told=told, limits=tuple(limits_words(child=child)), contact=contact)


@router.get("/sheets/{id}", responses=IN_FORMS, dependencies=MAY_SEE_OWN)  # type: ignore[arg-type]
def own_sheet(id: str, request: Request, state: CurrentState, form: AsSheet = "html") -> Response:
    """One page about what was predicted of you, or of your child (`sheet` of a place): its range, the main reasons,
    what is not known, which data it rests on, what it may be used for, whom to ask, and how to object."""
    whoever, workspace = principal_of(request), state.workspace
    student, domains = linked_student(whoever), [name for name in workspace.schemas if whoever.may("own", name)]
    found = own_prediction(workspace, domains, student, id)
    if found is None:
        raise NotFound("there is no sheet of that number about you")
    noted(request, "own record read", found.domain, student=student, prediction=found.id)
    return sheet_answer(request, state, schema_of(state, found.domain), found, form)


@router.post(
    "/objection",
    status_code=201,
    responses=answers(OwnObjection, 201, "recorded: in no list and never scored from now on, in any domain"),
    dependencies=MAY_SEE_OWN,
)
async def object_to_scoring(request: Request, state: CurrentState) -> Response:
    """Object to being scored. It holds at once, as when an officer records it; an officer alone lifts it."""
    return respond(await asyncio.to_thread(_object, request, state), 201)


def _object(request: Request, state: ServiceState) -> OwnObjection:
    whoever, workspace = principal_of(request), state.workspace
    student = linked_student(whoever)
    made = workspace.objections.add(student, workspace.schemas, actor=f"role:{whoever.role}")
    noted(request, "objection recorded")
    with language.use(locale_of(request.headers.get("accept-language", ""))):
        return OwnObjection(at=made.at, told=objected_words(made.at, child=whoever.role == "guardian"))

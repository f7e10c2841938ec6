"""What one student is told of itself, to the student or a guardian, and the objection that they may raise.

Nothing here takes a student's key: whoever asks sees the one student that an officer linked them to.
"""

import asyncio

from fastapi import APIRouter, Request, Response

import language
from access.roles import linked_student
from advice.own_view import own_view
from advice.own_words import contact_words, limits_words, objected_words, view_words
from api.routes.dependencies import CurrentState, needs, noted, principal_of
from api.routes.openapi import answers
from api.schemas import OwnObjection, OwnPage, respond
from api.state import ServiceState
from language.speech import languages

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


def locale_of(accepted: str) -> str:
    """The locale that a reader likes best of those that are spoken here; English where none is (RFC 9110, 12.5.4).

    >>> locale_of("fr-CH, de;q=0.5"), locale_of("pt, *;q=0.1"), locale_of("")
    ('fr-CH', 'en', 'en')
    """
    weighed: list[tuple[float, str]] = []
    for part in accepted.split(","):
        name, _, weight = part.strip().partition(";q=")
        try:
            weighed.append((float(weight or 1), name.strip()))
        except ValueError:
            continue
    liked = sorted(weighed, key=lambda one: -one[0])
    return next((name for weight, name in liked if weight > 0 and name.split("-")[0].lower() in languages()), "en")

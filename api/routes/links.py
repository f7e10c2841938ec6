"""Whom a user of the role student or guardian sees: an officer links it to one student, by the institution's key."""

import asyncio

from fastapi import APIRouter, Request, Response

from access.known import known_everywhere
from access.records import USER_KIND, User, user_of
from access.users import link_user, unlink_user
from api.routes.dependencies import CurrentState, NotFound, needs, principal_of
from api.routes.openapi import answers, takes
from api.routes.uploads import read_command
from api.schemas import LinkedUser, LinkStudent, respond
from api.state import ServiceState
from preprocessing.validation.pii import pseudonym

router = APIRouter(prefix="/api/v1/users/{name}/link", tags=["rights"])
MAY_LINK = [needs("rights")]


@router.post("", responses=answers(LinkedUser), openapi_extra=takes(LinkStudent), dependencies=MAY_LINK)
async def link(name: str, request: Request, state: CurrentState) -> Response:
    """Have a user see what is said of a student of whom something is known, in place of the one before."""
    wanted = await read_command(request, LinkStudent)
    return respond(_told(await asyncio.to_thread(_link, request, state, name, wanted)))


def _link(request: Request, state: ServiceState, name: str, wanted: LinkStudent) -> User:
    whoever, workspace = principal_of(request), state.workspace
    _user(state, name)
    student = pseudonym(str(wanted.student), workspace.secret)
    mine = [domain for domain in workspace.schemas if whoever.may("rights", domain)]
    known = known_everywhere(workspace, student, mine)
    return link_user(workspace.store, name, student, domains=list(known), actor=whoever.name)


@router.delete("", responses=answers(LinkedUser), dependencies=MAY_LINK)
def unlink(name: str, request: Request, state: CurrentState) -> Response:
    """End a user's link: it sees nothing any more."""
    if not _user(state, name).student:
        raise NotFound(f"user {name} is linked to no student")
    return respond(_told(unlink_user(state.workspace.store, name, actor=principal_of(request).name)))


def _user(state: ServiceState, name: str) -> User:
    """Raises NotFound, which names nobody else."""
    kept = state.workspace.store.document(USER_KIND, name)
    if kept is None:
        raise NotFound("there is no user of that name")
    return user_of(kept)


def _told(user: User) -> LinkedUser:
    return LinkedUser(user=user.name, role=user.grant.role, linked=bool(user.student))

"""Signing in, and the record of who looked at what. Keys and users are made on the command line, never over HTTP."""

import asyncio
from collections.abc import Callable
from typing import Annotated
from urllib.parse import parse_qs

from fastapi import APIRouter, Query, Request, Response

from access.journal import note
from access.rates import Limit
from access.records import User
from access.roles import ANONYMOUS, ROLES, Unauthenticated
from access.sign_on import signed_on
from access.users import is_password
from api.request.admission import PRINCIPAL, TooManyRequests, address, network
from api.request.body import COMMAND_BYTES, read_body
from api.request.credentials import Credentials
from api.routes.dependencies import OPEN, CurrentState, Instant, NotFound, at_utc, needs
from api.routes.openapi import answers
from api.schemas import Accesses, SignIn, Token, respond
from api.state import ServiceState
from clock import now
from errors import GradewatchError
from settings import OFF

router = APIRouter(prefix="/api/v1", tags=["operation"])

LONGEST_NAME = 64  # characters of a user's name; what else is tried is counted by its beginning
BY_NAME, BY_ADDRESS = Limit(10, 60), Limit(60, 60)  # attempts to sign in a minute
ID_TOKEN = "urn:ietf:params:oauth:grant-type:jwt-bearer"  # noqa: S105 (RFC 7523, 2.1)
FIELDS_OF = {"password": ("username", "password"), ID_TOKEN: ("assertion",)}
"""Grants of OAuth 2 that are taken, and what a form has with each."""

SIGN_IN_FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "application/x-www-form-urlencoded": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "grant_type": {"type": "string", "enum": list(FIELDS_OF)},
                        "username": {"type": "string"},
                        "password": {"type": "string", "format": "password"},
                        "assertion": {"type": "string", "description": "an ID token of the provider of sign-on"},
                    },
                    "anyOf": [{"required": list(fields)} for fields in FIELDS_OF.values()],
                }
            }
        },
    }
}


class BadForm(GradewatchError):
    """A form without what it must have; the message says what that is."""


@router.post("/token", responses=answers(Token, words="signed in"), openapi_extra=SIGN_IN_FORM, dependencies=[OPEN])
async def token(request: Request, state: CurrentState) -> Response:
    """Sign in: an access token for a user's name and password (the password flow of OAuth 2), or for an ID token of the
    provider by which people sign on here (RFC 7523)."""
    credentials = _credentials(state)
    grant, fields = _form(await read_body(request.receive, COMMAND_BYTES))
    if grant == ID_TOKEN:
        return _answer(credentials, await _sign_on(request, state, credentials, fields["assertion"]))
    return _answer(credentials, await _sign_in(request, state, credentials, SignIn(**fields)))


async def sign_in(request: Request, state: ServiceState, read: Callable[[bytes], SignIn]) -> Response:
    """An access token for whom the body names, by `read`. Raises NotFound where nobody signs in, what `read` raises,
    Unauthenticated, TooManyRequests."""
    credentials = _credentials(state)
    asked = read(await read_body(request.receive, COMMAND_BYTES))
    return _answer(credentials, await _sign_in(request, state, credentials, asked))


def _credentials(state: ServiceState) -> Credentials:
    if state.credentials is None:
        raise NotFound("nobody has to sign in here: GRADEWATCH_AUTH is off")
    return state.credentials


def _answer(credentials: Credentials, user: User) -> Response:
    seconds = int(credentials.tokens.lifetime.total_seconds())
    told = Token(access_token=credentials.tokens.issue(user, now()), expires_in=seconds)
    return respond(told, headers={"cache-control": "no-store"})


def _count(state: ServiceState, counted: str, limit: Limit) -> None:
    spent = state.limiter.hit(counted, limit)
    if not spent.allowed:
        raise TooManyRequests(spent)


async def _sign_in(request: Request, state: ServiceState, credentials: Credentials, asked: SignIn) -> User:
    peer, name = address(request.scope), asked.username
    _count(state, f"sign in from {network(peer)}", BY_ADDRESS)
    _count(state, f"sign in as {name[:LONGEST_NAME]}", BY_NAME)
    known = credentials.directory.user(name)
    if known is not None:  # whoever it is: the name is what the attempt was made under
        request.scope[PRINCIPAL] = ANONYMOUS.named(known.principal.name)
    user, loop = known.user if known else None, asyncio.get_running_loop()
    right = await loop.run_in_executor(credentials.hashing, is_password, user, asked.password)
    if known is None or not right:
        raise Unauthenticated("no user of that name and password may sign in")
    await asyncio.to_thread(note, state.workspace.store, known.principal.name, "signed in", address=peer)
    return known.user


async def _sign_on(request: Request, state: ServiceState, credentials: Credentials, id_token: str) -> User:
    """The user whom an ID token is of. Whoever is new, or may now do something else, waits until every worker knows."""
    tokens, peer, store = credentials.id_tokens, address(request.scope), state.workspace.store
    if tokens is None:
        raise BadForm("people sign in by name and password here: GRADEWATCH_SIGN_ON is not set")
    _count(state, f"sign in from {network(peer)}", BY_ADDRESS)
    try:
        claims = await asyncio.to_thread(tokens.claims, id_token)
        user, changed = await asyncio.to_thread(signed_on, store, tokens.sign_on, claims, state.workspace.schemas)
    except Unauthenticated as error:
        if error.actor is not None:
            request.scope[PRINCIPAL] = ANONYMOUS.named(error.actor)
        raise
    if ROLES[user.grant.role].linked and state.settings.student_view == OFF:
        raise Unauthenticated("students and guardians do not sign in here", user.principal().name)
    await asyncio.to_thread(note, store, user.principal().name, "signed in", address=peer, by="sign-on")
    if changed:
        await asyncio.to_thread(credentials.directory.refresh)
        await asyncio.sleep(state.settings.poll_seconds)
    return user


def _form(body: bytes) -> tuple[str, dict[str, str]]:
    """The grant that a form asks for, and its fields. Raises BadForm, which repeats none."""
    try:
        fields = parse_qs(body.decode(), keep_blank_values=True, strict_parsing=True, max_num_fields=10)
    except ValueError:
        raise BadForm("send a form: username=…&password=… as application/x-www-form-urlencoded") from None
    grant, *more = fields.get("grant_type", ["password"])
    needed = FIELDS_OF.get(grant, ())
    if more or not needed:
        raise BadForm(f"a grant_type can only be one of {', '.join(FIELDS_OF)}, once")
    if any(len(fields.get(name, [])) != 1 for name in needed):
        raise BadForm(f"with the grant_type {grant} the form must have {' and '.join(needed)}, each once")
    return grant, {name: fields[name][0] for name in needed}


@router.get("/accesses", responses=answers(Accesses), dependencies=[needs("audit")])
def accesses(
    state: CurrentState,
    actor: Annotated[str | None, Query(description='as entries name it: "user:anna", "key:lms"')] = None,
    domain: str | None = None,
    action: str | None = None,
    since: Annotated[Instant | None, Query(description="from then on, with its zone")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Response:
    """Who looked at or changed what about students, signed in, or was refused; newest first."""
    found = state.workspace.store.accesses(actor=actor, domain=domain, action=action, since=at_utc(since), limit=limit)
    return respond(Accesses(accesses=found))

"""Signing in, and the record of who looked at what. Keys and users are made on the command line, never over HTTP."""

import asyncio
from collections.abc import Callable
from typing import Annotated
from urllib.parse import parse_qs

from fastapi import APIRouter, Query, Request, Response

from access.journal import note
from access.rates import Limit
from access.roles import ANONYMOUS, Unauthenticated
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

router = APIRouter(prefix="/api/v1", tags=["operation"])

LONGEST_NAME = 64  # characters of a user's name; what else is tried is counted by its beginning
BY_NAME, BY_ADDRESS = Limit(10, 60), Limit(60, 60)  # attempts to sign in a minute
SIGN_IN_FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "application/x-www-form-urlencoded": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "grant_type": {"type": "string", "enum": ["password"]},
                        "username": {"type": "string"},
                        "password": {"type": "string", "format": "password"},
                    },
                    "required": ["username", "password"],
                }
            }
        },
    }
}


class BadForm(GradewatchError):
    """A form without what it must have; the message says what that is."""


@router.post("/token", responses=answers(Token, words="signed in"), openapi_extra=SIGN_IN_FORM, dependencies=[OPEN])
async def token(request: Request, state: CurrentState) -> Response:
    """Sign in: an access token for a user's name and password (the password flow of OAuth 2)."""
    return await sign_in(request, state, lambda body: SignIn(**_form(body)))


async def sign_in(request: Request, state: ServiceState, read: Callable[[bytes], SignIn]) -> Response:
    """An access token for whom the body names, by `read`. Raises NotFound where nobody signs in, what `read` raises,
    Unauthenticated, TooManyRequests."""
    if state.credentials is None:
        raise NotFound("nobody has to sign in here: GRADEWATCH_AUTH is off")
    asked = read(await read_body(request.receive, COMMAND_BYTES))
    text = await _sign_in(request, state, state.credentials, asked.username, asked.password)
    seconds = int(state.credentials.tokens.lifetime.total_seconds())
    return respond(Token(access_token=text, expires_in=seconds), headers={"cache-control": "no-store"})


async def _sign_in(request: Request, state: ServiceState, credentials: Credentials, name: str, password: str) -> str:
    peer = address(request.scope)
    for counted, limit in (
        (f"sign in from {network(peer)}", BY_ADDRESS),
        (f"sign in as {name[:LONGEST_NAME]}", BY_NAME),
    ):
        spent = state.limiter.hit(counted, limit)
        if not spent.allowed:
            raise TooManyRequests(spent)
    known = credentials.directory.user(name)
    if known is not None:  # whoever it is: the name is what the attempt was made under
        request.scope[PRINCIPAL] = ANONYMOUS.named(known.principal.name)
    user, loop = known.user if known else None, asyncio.get_running_loop()
    right = await loop.run_in_executor(credentials.hashing, is_password, user, password)
    if known is None or not right:
        raise Unauthenticated("no user of that name and password may sign in")
    await asyncio.to_thread(note, state.workspace.store, known.principal.name, "signed in", address=peer)
    return credentials.tokens.issue(known.user, now())


def _form(body: bytes) -> dict[str, str]:
    """Name and password in a form. Raises BadForm, which repeats neither."""
    try:
        fields = parse_qs(body.decode(), keep_blank_values=True, strict_parsing=True, max_num_fields=10)
    except ValueError:
        raise BadForm("send a form: username=…&password=… as application/x-www-form-urlencoded") from None
    given = [fields.get(name, []) for name in ("username", "password")]
    if any(len(values) != 1 for values in given) or fields.get("grant_type", ["password"]) != ["password"]:
        raise BadForm("the form must have username and password, each once; a grant_type can only be password")
    return {"username": given[0][0], "password": given[1][0]}


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

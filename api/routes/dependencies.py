"""What the framework's routes depend on: the service's state, what a request names, what it needs of whoever asks.

Who asks is found before (`api.request.admission`); the fast path asks `access.roles` itself.
"""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Annotated, Any

from fastapi import Depends, Query, Request, Security
from fastapi.dependencies.models import Dependant
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase
from pydantic import BeforeValidator

from access.journal import Action, note
from access.roles import MEANING, Permission, Principal, require, require_groups
from api.fast.parameters import BadQueryParameter, moment_of, refuse_unknown
from api.request.admission import PRINCIPAL
from api.state import ServiceState
from database.records import ChampionKey, Prediction
from errors import Category, GradewatchError
from preprocessing.schema import DomainSchema, TaskKind
from preprocessing.validation.pii import PSEUDONYM_LENGTH, is_pseudonym

WRITTEN_OUT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
EARLIEST, LATEST = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)
MIDDLE_YEAR = 5000  # a year between them


class NotFound(GradewatchError):
    """No record of that id."""

    category = Category.UNKNOWN


def service_state(request: Request) -> ServiceState:
    """The open parts of the service, as a FastAPI dependency."""
    found: ServiceState = request.app.state.service_state
    return found


CurrentState = Annotated[ServiceState, Depends(service_state)]
"""The open parts of the service, as a route's parameter."""


def noted(request: Request, action: Action, domain: str | None = None, **details: Any) -> None:
    """Record that whoever asks does this, before it is done or answered. Waits for the database; raises
    StoreUnavailable."""
    note(service_state(request).workspace.store, principal_of(request).name, action, domain, **details)


def schema_of(state: ServiceState, domain: str) -> DomainSchema:
    """The schema of `domain`. Raises UnknownDomain."""
    return state.predictions.schema(domain)


def target_of(schema: DomainSchema, target: str | None) -> str | None:
    """The one that a request means, None for the usual one. Raises BadQueryParameter."""
    if target is not None and target not in schema.target_by_name:
        raise BadQueryParameter(f"target {target!r:.80} is none of {', '.join(schema.target_by_name)}")
    return target


def keys_of(schema: DomainSchema, target: str | None, moment: str | None, task: TaskKind = "both") -> list[ChampionKey]:
    """The champions that a request means: one, those of a target, a moment or a task, or all. Raises
    BadQueryParameter."""
    moment_of(schema, moment)
    target_of(schema, target)
    targets = [name for name in schema.targets_of(task) if target in (None, name)]
    if not targets:
        there = ", ".join(schema.targets_of(task)) or "none"
        raise BadQueryParameter(f"no target of {task} is meant; {schema.name} has {there}")
    return [ChampionKey(schema.name, name, at) for name in targets for at in ([moment] if moment else schema.moments)]


Later = Annotated[
    bool | None,
    Query(alias="async", description="answer at once, with where to look (202); if not said, as the service is set"),
]
"""Whether the caller waits, as a route's parameter."""


def _written_out(value: str) -> str:
    if not WRITTEN_OUT.match(value):
        raise ValueError("must be a date and time: 2026-02-01T08:00:00Z")  # a number would be taken as seconds
    return value


Instant = Annotated[datetime, BeforeValidator(_written_out)]
"""A time in an address."""


def _whole_day(value: str) -> str:
    if not WRITTEN_OUT.fullmatch(value):
        raise ValueError("must be a day: 2026-02-01")  # a number would be taken as seconds
    return value


Day = Annotated[date, BeforeValidator(_whole_day)]
"""A day in an address."""


def at_utc(at: datetime | None) -> datetime | None:
    """`at` in UTC; one without a zone is meant as local to the server. Outside the years that there are: the nearest
    time within."""
    if at is None:
        return None
    try:
        return at.astimezone(UTC)
    except (OverflowError, ValueError):
        return EARLIEST if at.year < MIDDLE_YEAR else LATEST


def pseudonym_of(student: str | None) -> str | None:
    """`student`, if it is a pseudonym as answers give it. Raises BadQueryParameter: a raw key must not stand in an
    address, where every log on the way keeps it."""
    if student is None:
        return None
    if not is_pseudonym(student):
        raise BadQueryParameter(
            "student must be the pseudonym of an answer; to search by a student key, POST it to …/find"
        )
    return student


HEX: dict[str, Any] = {"pattern": f"^[0-9a-f]{{{PSEUDONYM_LENGTH}}}$"}
"""What an address's pseudonym looks like, for the API's page."""


def principal_of(request: Request) -> Principal:
    """Whoever asks, as a FastAPI dependency."""
    found: Principal = request.scope[PRINCIPAL]
    return found


def logged_prediction(request: Request, domain: str, id: str) -> Prediction:
    """The prediction of that id. Raises UnknownDomain, NotFound, Forbidden for another's group."""
    state = service_state(request)
    schema_of(state, domain)
    found = state.workspace.store.prediction(id)
    if found is None or found.domain != domain:
        raise NotFound(f"no prediction of that id in {domain}")
    require_groups(principal_of(request), [found.group])
    return found


SCHEME = "permission"
"""Under which FastAPI's page has a route's permission; `api.routes.openapi` writes the ways to show one in its
place."""


class Needs(SecurityBase):
    """What a route needs, as its dependency: the permission, in the domain that the address names, if it names one."""

    def __init__(self, permission: Permission) -> None:
        self.permission = permission
        self.model = HTTPBearer(description=MEANING[permission])
        self.scheme_name = SCHEME

    async def __call__(self, request: Request) -> None:
        domain = request.path_params.get("domain", request.query_params.get("domain"))
        require(principal_of(request), self.permission, domain)
        check_parameters(request)


async def anyone(request: Request) -> None:
    """States of a route that it needs no permission."""
    check_parameters(request)


def check_parameters(request: Request) -> None:
    """Raises BadQueryParameter where an address asks for what its route does not know: it would be passed over."""
    if not request.scope["query_string"]:
        return
    known = _names_of(request.scope["route"].dependant)
    refuse_unknown(request.query_params, known)


def _names_of(dependant: Dependant) -> list[str]:
    """The query parameters of a route and of all that it depends on."""
    own = [one.alias for one in dependant.query_params]
    return [*own, *(name for one in dependant.dependencies for name in _names_of(one))]


OPEN = Depends(anyone)
"""For the `dependencies` of a route that needs no permission: every route has this or `needs`."""


def needs(permission: Permission) -> Any:
    """For a route's `dependencies`: whoever asks must have `permission`."""
    return Security(Needs(permission), scopes=[permission])


def groups_of(request: Request) -> Sequence[str] | None:
    """The groups whose rows whoever asks may see; None: all."""
    confined = principal_of(request).groups
    return sorted(confined) if confined is not None else None

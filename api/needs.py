"""What the framework's routes need of whoever asks, stated once, as a dependency of each.

Who asks is found before (`api.admission`); the hot road asks `access.roles` itself.
"""

from typing import Any

from fastapi import Depends, Request, Security
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase

from access.roles import MEANING, Permission, Principal, require
from api.admission import PRINCIPAL


def principal_of(request: Request) -> Principal:
    """Whoever asks, as a FastAPI dependency."""
    found: Principal = request.scope[PRINCIPAL]
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


async def anyone() -> None:
    """States of a route that it needs no permission."""


OPEN = Depends(anyone)
"""For the `dependencies` of a route that needs no permission: every route has this or `needs`."""


def needs(permission: Permission) -> Any:
    """For a route's `dependencies`: whoever asks must have `permission`."""
    return Security(Needs(permission), scopes=[permission])

"""Every route states what it needs, and whoever has it is let in, and nobody else."""

import re
from typing import Any

import pytest
from fastapi.routing import APIRoute

from access.roles import PERMISSIONS, ROLES, Role
from api.fast.older_forms import OLDER_PATHS
from api.routes.dependencies import OPEN, Needs
from clock import now
from tests.api.guarded import Guarded, every_route


def needed(route: Any) -> str | None:
    """The permission that a route states."""
    return next((one.dependency.permission for one in route.dependencies if isinstance(one.dependency, Needs)), None)


ROUTES = [
    (route.path, method, needed(route))
    for route in every_route()
    if isinstance(route, APIRoute)
    for method in sorted(route.methods)
]


ROUTES += [(seed, "POST", "predict") for seed in OLDER_PATHS]


SECURED = [(path, method, permission) for path, method, permission in ROUTES if permission]


def test_every_route_states_what_it_needs_once() -> None:
    assert len(ROUTES) > 30
    for route in every_route():
        stated = [d for d in getattr(route, "dependencies", []) if isinstance(d.dependency, Needs) or d is OPEN]
        assert len(stated) == 1, f"{route.path} says {len(stated)} times who may use it"


def test_what_needs_no_permission_is_a_short_list() -> None:
    without = [path for path, _, permission in ROUTES if permission is None]
    assert without == [
        "/health",
        "/ready",
        "/api/v1/token",
        "/login",
        "/auth/login",
        "/v2",
        "/v2/health/live",
        "/v2/health/ready",
        "/",
        "/docs",
        "/openapi.json",
        "/docs/openapi.json",
        "/docs/{name}",
    ]


@pytest.mark.parametrize("role", [None, *(role for role, row in ROLES.items() if not row.linked)])
def test_each_role_is_let_in_where_the_table_says_and_nowhere_else(guarded: Guarded, role: Role | None) -> None:
    allowed = PERMISSIONS[role] if role else frozenset()
    for path, method, permission in SECURED:
        address = re.sub(r"{\w+}", "nothing", path.replace("{domain}", "engagement"))
        body = (
            {} if method == "GET" else {"content": b'{"nonsense": 1}', "headers": {"content-type": "application/json"}}
        )
        answer = guarded.ask(method, address, guarded.keys[role] if role else None, **body)
        wanted = "in" if permission in allowed else 401 if role is None else 403
        got = "in" if answer.status_code not in (401, 403) else answer.status_code
        assert got == wanted, f"{role} {method} {address}: {answer.status_code} {answer.text[:200]}"
        assert answer.status_code < 500, answer.text
        if wanted == 401:
            assert answer.headers["www-authenticate"].startswith("Bearer")
    if any(permission not in allowed for _, _, permission in SECURED):
        ended = now()  # so many at once leave no room in the record for the next test's
        guarded.ask("GET", "/api/v1/accesses", "gw_nobody")  # one after them, so that there is one to wait for
        guarded.recorded(lambda entry: entry.action == "refused" and entry.at >= ended)


def test_the_page_shows_how_to_say_who_asks_and_what_may_come_of_it(guarded: Guarded) -> None:
    page = guarded.server.get("/openapi.json")
    assert set(page["components"]["securitySchemes"]) == {"key", "bearer", "login"}
    by_route = {(path, method.lower()): permission for path, method, permission in ROUTES}
    seen = 0
    for path, item in page["paths"].items():
        for method, operation in item.items():
            template = re.sub(r"^/api/v1/(engagement|university|school|course|k12)(?=/|$)", "/api/v1/{domain}", path)
            template = re.sub(
                r"^/(api/v1/domains|v2/models)/(engagement|university|school|course|k12)", r"/\1/{domain}", template
            )
            permission = by_route[template, method]
            assert operation.get("x-permission") == permission, path
            assert bool(operation.get("security")) == bool(permission), path
            assert {"401", "403", "429", "431"} <= operation["responses"].keys()
            seen += 1
    assert seen >= len(SECURED)


def test_who_may_see_no_row_may_not_choose_of_which_rows_the_performance_is_told(guarded: Guarded) -> None:
    address = "/api/v1/university/performance"
    for choice in ("?limit=1", "?top=1", "?since=2026-01-01T00:00:00Z", "?limit=30&since=2026-01-01T00:00:00Z"):
        refused = guarded.ask("GET", address + choice, guarded.keys["viewer"])
        assert (refused.status_code, refused.json()["title"]) == (403, "Forbidden")
        assert guarded.ask("GET", address + choice, guarded.keys["teacher"]).status_code == 200
    assert guarded.ask("GET", address, guarded.keys["viewer"]).status_code == 200
    shown = "/api/v1/university/results"
    for choice in ("?by=day", "?top=1", "?since=2026-01-01T00:00:00Z"):
        assert guarded.ask("GET", shown + choice, guarded.keys["viewer"]).status_code == 403
    assert guarded.ask("GET", shown, guarded.keys["viewer"]).status_code in (200, 404)  # as others predicted, or not

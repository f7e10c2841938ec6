"""The framework behind the pipeline: every route but the fast ones, their refusals, and the API's page.

A worker makes it when it is first asked for something that needs it: loading it takes longer than all else at start,
and most workers of a busy service do nothing but predict. It computes nothing.
"""

import gc
from collections.abc import Iterator
from importlib.metadata import version
from typing import Literal, get_args, get_origin

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import NOT_ALLOWED, refuse, refused
from api.routes import (
    access,
    batches,
    changes,
    conditions,
    domains,
    drift,
    earliness,
    effects,
    events,
    exports,
    health,
    inference,
    jobs,
    links,
    models,
    notes,
    older,
    older_reports,
    older_weeks,
    outcomes,
    own,
    pauses,
    predictions,
    reports,
    retraining,
    rights,
    sheets,
    students,
    training,
    trials,
    upload_history,
    warning_policies,
    weeks,
    withdrawals,
)
from api.routes.docs_page import router as pages
from api.routes.openapi import describe
from api.state import ServiceState
from preprocessing.validation.rules import BadData, Problem

ROUTERS = (
    health,
    access,
    own,
    links,
    domains,
    conditions,
    models,
    pauses,
    jobs,
    trials,
    predictions,
    sheets,
    students,
    weeks,
    changes,
    warning_policies,
    notes,
    reports,
    rights,
    batches,
    upload_history,
    outcomes,
    events,
    exports,
    withdrawals,
    drift,
    earliness,
    effects,
    training,
    retraining,
    older,
    older_reports,
    older_weeks,
    inference,
)


def create_framework(state: ServiceState | None) -> FastAPI:
    """The routes of a service, which find its `state` in the framework's. None describes them only."""
    app = FastAPI(title="Gradewatch", version=version("gradewatch"), openapi_url=None, docs_url=None, redoc_url=None)
    app.state.service_state = state
    for module in ROUTERS:
        app.include_router(module.router)
    app.include_router(pages)
    app.add_middleware(Refusals)  # within the framework too, which else answers in words of its own
    app.add_exception_handler(HTTPException, _refuse)
    app.add_exception_handler(RequestValidationError, _refuse_parameters)
    app.openapi = lambda: describe(app)  # type: ignore[method-assign]  # as FastAPI's manual says
    gc.freeze()  # it stays: no later collection needs to look through it
    return app


class Refusals:
    """Answers every exception of the application inside it that has not begun to answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:  # whatever it is, the caller gets an answer
            if begun or scope["type"] != "http":
                raise
            await refuse(error, scope, receive, send)


DAY_WORDS = "must be a day: 2026-02-01"
TIME_WORDS = "must be a date and time: 2026-02-01T08:00:00Z"
PARAMETER_WORDS = {
    "missing": "is needed: add it to the address{choices}",
    "value_error": "{error}",  # a rule of ours, in its own words
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a whole number of fewer digits",
    "int_from_float": "must be a whole number",
    "float_parsing": "must be a number",
    "finite_number": "must be a number",
    "greater_than_equal": "must be {ge} or more",
    "less_than_equal": "must be {le} or less",
    "bool_parsing": "must be true or false",
    "literal_error": "must be {expected}",
    "datetime_parsing": TIME_WORDS,
    "datetime_from_date_parsing": TIME_WORDS,
    "date_from_datetime_parsing": DAY_WORDS,
    "date_from_datetime_inexact": DAY_WORDS,
    "date_parsing": DAY_WORDS,
    "timezone_aware": TIME_WORDS,
}
"""What is asked of a parameter, by the kind of fault that the framework finds."""
NOT_UNDERSTOOD = "is not understood here; /docs says what it may be"


class BadParameter(BadData):
    """What is wrong with an address or its query parameters."""


async def _refuse(request: Request, error: Exception) -> Response:
    answer = refused(error, request.scope)
    if answer.status_code == NOT_ALLOWED:  # the framework names the methods of one route of that address, not of all
        answer.headers["allow"] = ", ".join(_methods_at(request.url.path))
    return answer


async def _refuse_parameters(request: Request, error: Exception) -> Response:
    return refused(BadParameter(tuple(_parameter_problems(request, error))), request.scope)


def _parameter_problems(request: Request, error: Exception) -> Iterator[Problem]:
    """Values are not repeated."""
    for fault in error.errors() if isinstance(error, RequestValidationError) else ():
        place, *names = (str(part) for part in fault["loc"])
        told = {"choices": "", **fault.get("ctx", {})}
        if fault["type"] == "missing" and (choices := _choices(request, ".".join(names))):
            told["choices"] = f", {' or '.join(choices)}"
        rule = PARAMETER_WORDS.get(fault["type"], NOT_UNDERSTOOD).format_map(told)
        yield Problem(file=place, row=None, column=".".join(names) or None, value=None, rule=rule)


def _choices(request: Request, name: str) -> list[str]:
    """What a parameter of the route may be, where it is one of a few words."""
    route = request.scope.get("route")
    known = route.dependant.query_params if isinstance(route, APIRoute) else ()
    kinds = (one.field_info.annotation for one in known if one.alias == name)
    return [f"{name}={word}" for kind in kinds if get_origin(kind) is Literal for word in get_args(kind)]


def _methods_at(path: str) -> list[str]:
    """What the routes take at an address: those of the first path that fits it."""
    first = next((one.path for one in _routes() if one.path_regex.match(path)), None)
    return [method for one in _routes() if one.path == first for method in sorted(one.methods or ())]


def _routes() -> Iterator[APIRoute]:
    for module in ROUTERS:
        yield from (route for route in module.router.routes if isinstance(route, APIRoute))

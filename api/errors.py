"""Which error is which answer: one table from exceptions to HTTP statuses, and the form that every refusal has.

The packages below raise what is the case and know no HTTP. Answers follow RFC 9457 (problem details) and never hold
student data: values that may identify a person are left out where the problems are made.
"""

import logging
import traceback
from http import HTTPStatus
from typing import NamedTuple

import msgspec
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from preprocessing.validation.rules import BadData, Problem

log = logging.getLogger("gradewatch.api")


class Refusal(NamedTuple):
    """How an exception is answered. retry_after: seconds after which trying again makes sense; None: never."""

    status: int
    retry_after: int | None = None


TABLE: dict[str, Refusal] = {
    "preprocessing.validation.rules:BadData": Refusal(422),
    "preprocessing.reading.files:UnreadableFile": Refusal(422),
    "preprocessing.validation.json_bodies:MalformedBody": Refusal(400),
    "preprocessing.validation.json_bodies:TooManyRows": Refusal(413),
    "preprocessing.schema:SchemaError": Refusal(500),
    "api.request.body:BodyTooLarge": Refusal(413),
    "api.request.body:NoFile": Refusal(400),
    "api.request.body:CutOff": Refusal(400),
    "starlette.requests:ClientDisconnect": Refusal(400),
    "api.request.body:UnsupportedBody": Refusal(415),
    "api.request.origin:UnknownHost": Refusal(403),
    "api.request.origin:ForeignPage": Refusal(403),
    "api.admission:NotLocal": Refusal(403),
    "api.request.head:TooManyHeaders": Refusal(431),
    "api.admission:TooManyRequests": Refusal(429),
    "access.roles:Unauthenticated": Refusal(401),
    "access.roles:Forbidden": Refusal(403),
    "access.directory:Stale": Refusal(503, 5),
    "api.request.deadlines:SlowBody": Refusal(408),
    "api.request.deadlines:TookTooLong": Refusal(503, 30),
    "api.request.deadlines:Stopping": Refusal(503, 2),
    "api.jobs:Busy": Refusal(409, 30),
    "api.routes.dependencies:NotFound": Refusal(404),
    "model.service:UnknownDomain": Refusal(404),
    "model.registry:NoSuchModel": Refusal(404),
    "model.registry:NoChampion": Refusal(409),
    "model.trial:NoSuchTrial": Refusal(404),
    "model.trial:TrialRefused": Refusal(409),
    "model.artifacts:MissingArtifact": Refusal(409),
    "model.artifacts:CorruptArtifact": Refusal(409),
    "model.bundle:BrokenBundle": Refusal(409),
    "database.group_commit:LogFull": Refusal(503, 1),
    "database.redis:SharedMemoryGone": Refusal(503, 5),
    "database.store:StoreUnavailable": Refusal(503, 2),
    "database.store:Conflict": Refusal(409),
    "database.store:Damaged": Refusal(500),
    "database.store:Unkeepable": Refusal(422),
    "drift.report:SameSample": Refusal(422),
    "drift.report:NotComparable": Refusal(422),
    "drift.column:ProfileError": Refusal(422),
    "retraining.first_champions:UnknownChampion": Refusal(404),
    "api.fast.parameters:BadQuestion": Refusal(422),
}
"""By name, since some live in modules that a process serving JSON never imports."""

ERROR = "gradewatch.error"
"""Key of a scope under which the name of the exception stands that its request ended in."""

NOT_FOUND, NOT_ALLOWED = 404, 405
UNAVAILABLE = "the database does not answer; nothing of this request was kept; try again"


class ProblemDocument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why a request was refused (RFC 9457). title: the kind of refusal. problems: the first 10,000 of problem_count."""

    title: str
    status: int
    detail: str
    problems: tuple[Problem, ...] = ()
    problem_count: int = 0


def refusal_of(error: BaseException) -> Refusal | None:
    """The row of the table that fits `error`, or None: then it is a fault of ours."""
    for kind in type(error).__mro__:
        if found := TABLE.get(f"{kind.__module__}:{kind.__qualname__}"):
            return found
    return None


def answer_error(error: Exception) -> Response:
    """The answer to a request that ended in `error`; a fault of ours is logged and not described."""
    if isinstance(error, HTTPException):
        document = ProblemDocument(title=name_of(error), status=error.status_code, detail=_framework_words(error))
        return _respond(document, dict(error.headers or {}))
    refusal = refusal_of(error)
    if refusal is None:
        log.error("request failed", extra={"fields": {"error": _places(error)}})
        detail = "something went wrong here; the log says what"
        return _respond(ProblemDocument(title="InternalError", status=500, detail=detail))
    headers = {} if refusal.retry_after is None else {"retry-after": str(refusal.retry_after)}
    headers |= getattr(error, "headers", {})
    title = type(error).__name__
    if isinstance(error, BadData):
        return _respond(_bad_data(title, error), headers)
    if title == "StoreUnavailable":
        log.warning("the database does not answer: %s", error)
    if title == "Damaged":
        log.error("what the database keeps is damaged: %s", error)
    detail = UNAVAILABLE if title == "StoreUnavailable" else str(error.args[0] if error.args else title)
    return _respond(ProblemDocument(title=title, status=refusal.status, detail=detail), headers)


def name_of(error: BaseException) -> str:
    """What kind of refusal `error` is, in one word: an answer's `title` and the metrics' `reason`."""
    if isinstance(error, HTTPException):  # the framework's own, which has one name for all of them
        return HTTPStatus(error.status_code).phrase.title().replace(" ", "").replace("-", "")
    return type(error).__name__


def _framework_words(error: HTTPException) -> str:
    if error.status_code == NOT_FOUND:
        return "there is no such address; /docs lists those there are"
    if error.status_code == NOT_ALLOWED:
        return "this address does not take that method; the header Allow names those that it does"
    return str(error.detail)


def _places(error: BaseException) -> str:
    """Where `error` came from and what led to it, without its words: they may hold a student's values."""
    before = error.__cause__ or error.__context__
    led = f"{_places(before)}\n" if before is not None else ""
    return f"{led}{''.join(traceback.format_tb(error.__traceback__))}{type(error).__name__}"


def _bad_data(title: str, error: BadData) -> ProblemDocument:
    detail = f"{error.total:,} problem{'s' if error.total != 1 else ''}; nothing of this request was kept"
    return ProblemDocument(title=title, status=422, detail=detail, problems=error.problems, problem_count=error.total)


def _respond(document: ProblemDocument, headers: dict[str, str] | None = None) -> Response:
    body = msgspec.json.encode(document)
    return Response(body, document.status, headers, media_type="application/problem+json")


async def refuse(error: Exception, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request that ended in `error`, and note under ERROR which it was."""
    await refused(error, scope)(scope, receive, send)


def refused(error: Exception, scope: Scope) -> Response:
    """What `refuse` answers, noted as it does."""
    scope[ERROR] = name_of(error)
    return _problems_file(scope, error) or answer_error(error)


def _problems_file(scope: Scope, error: Exception) -> Response | None:
    """All problems as a CSV file for a caller that asks for text/csv; None for everything else."""
    if not isinstance(error, BadData) or b"text/csv" not in dict(scope["headers"]).get(b"accept", b""):
        return None
    from preprocessing.render import problems_csv

    headers = {"content-disposition": 'attachment; filename="problems.csv"'}
    return Response(problems_csv(error.problems), 422, headers, media_type="text/csv")

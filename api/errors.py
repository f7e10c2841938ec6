"""Which error is which answer: one table from categories to HTTP statuses, and the form that every refusal has.

The packages below raise what is the case and know no HTTP. Answers follow RFC 9457 (problem details) and never hold
student data: values that may identify a person are left out where the problems are made.
"""

import logging
import traceback
from http import HTTPStatus

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from database.errors import Damaged, StoreUnavailable
from database.read_only import ReadOnly
from errors import Category, GradewatchError
from preprocessing.validation.rules import BadData, Problem

log = logging.getLogger("gradewatch.api")


STATUS: dict[Category, int] = {
    Category.INVALID: 422,
    Category.MALFORMED: 400,
    Category.MISUSED: 500,
    Category.UNKNOWN: 404,
    Category.CONFLICT: 409,
    Category.UNAUTHENTICATED: 401,
    Category.FORBIDDEN: 403,
    Category.TOO_LARGE: 413,
    Category.TOO_MANY: 429,
    Category.UNAVAILABLE: 503,
    Category.DAMAGED: 500,
}

REFUSED_AS = "gradewatch.error"
"""Key of a scope under which the name of the exception stands that its request ended in."""

INFERENCE = "/v2"
"""Before the addresses of the Open Inference Protocol, which has a form of refusals of its own."""

PROBLEMS_IN_TEXT = 20
NOT_FOUND, NOT_ALLOWED = 404, 405
UNAVAILABLE = "the database does not answer; nothing of this request was kept; try again"


class ProblemDocument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why a request was refused (RFC 9457). title: the kind of refusal. problems: the first 10,000 of problem_count."""

    title: str
    status: int
    detail: str
    problems: tuple[Problem, ...] = ()
    problem_count: int = 0


class InferenceError(msgspec.Struct, frozen=True, kw_only=True):
    """Why a request was refused, as the Open Inference Protocol has it."""

    error: str


def status_of(error: BaseException) -> int | None:
    """The status that answers `error`, or None: then it is a fault of ours.

    What only HTTP knows (too slow a body, a form that is not read) says its own `status`, which refines the category's.
    """
    if isinstance(error, GradewatchError):
        own: int | None = getattr(error, "status", None)
        return own or STATUS[error.category]
    return 400 if isinstance(error, ClientDisconnect) else None


def answer_error(error: Exception) -> Response:
    """The answer to a request that ended in `error`; a fault of ours is logged and not described."""
    if isinstance(error, HTTPException):
        document = ProblemDocument(title=name_of(error), status=error.status_code, detail=_framework_words(error))
        return _respond(document, dict(error.headers or {}))
    status = status_of(error)
    if status is None:
        log.error("request failed", extra={"fields": {"error": _places(error)}})
        detail = "something went wrong here; the log says what"
        return _respond(ProblemDocument(title="InternalError", status=500, detail=detail))
    headers = _headers_of(error)
    title = type(error).__name__
    if isinstance(error, BadData):
        return _respond(_bad_data(title, error), headers)
    away = isinstance(error, StoreUnavailable) and not isinstance(error, ReadOnly)
    if away:
        log.warning("the database does not answer: %s", error)
    if isinstance(error, Damaged):
        log.error("what the database keeps is damaged: %s", error)
    detail = UNAVAILABLE if away else str(error.args[0] if error.args else title)
    return _respond(ProblemDocument(title=title, status=status, detail=detail), headers)


def _headers_of(error: Exception) -> dict[str, str]:
    if not isinstance(error, GradewatchError):
        return {}
    again = {} if error.retry_after is None else {"retry-after": str(error.retry_after)}
    return again | dict(error.headers)


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
    scope[REFUSED_AS] = name_of(error)
    if speaks_inference(scope):
        return _as_inference_error(answer_error(error))
    return _problems_file(scope, error) or answer_error(error)


def speaks_inference(scope: Scope) -> bool:
    """Whether a request is to an address of the Open Inference Protocol."""
    path: str = scope["path"].removeprefix(scope.get("root_path", ""))
    return path == INFERENCE or path.startswith(f"{INFERENCE}/")


def _as_inference_error(answer: Response) -> Response:
    """A refusal as that protocol has it: one text."""
    document = msgspec.json.decode(bytes(answer.body), type=ProblemDocument)
    said = "; ".join([document.detail, *map(str, document.problems[:PROBLEMS_IN_TEXT])])
    kept = {name: value for name, value in answer.headers.items() if name not in ("content-type", "content-length")}
    body = msgspec.json.encode(InferenceError(error=said))
    return Response(body, answer.status_code, kept, media_type="application/json")


def _problems_file(scope: Scope, error: Exception) -> Response | None:
    """All problems as a CSV file for a caller that asks for text/csv; None for everything else."""
    if not isinstance(error, BadData) or b"text/csv" not in dict(scope["headers"]).get(b"accept", b""):
        return None
    from preprocessing.render import problems_csv

    headers = {"content-disposition": 'attachment; filename="problems.csv"'}
    return Response(problems_csv(error.problems), 422, headers, media_type="text/csv")

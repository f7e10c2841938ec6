"""The two routes that take nearly all requests: predict one and predict many, past the framework's routing.

Body → type made for the domain → encoder → graph → logged → answer. FastAPI and pydantic are not on this road; the
API's page describes it from the same types (`api.routes.openapi`).
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple
from urllib.parse import parse_qs

from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope

from access.roles import Principal, require, require_groups
from api.admission import PRINCIPAL
from api.fast.json_columns import write_lines, write_many
from api.fast.parameters import BadQuestion, moment_of
from api.observe.metrics import Metrics
from api.observe.route_templates import template_of
from api.observe.tracing import MARKS
from api.request.body import MEGABYTE, Form, UnsupportedBody, form_of, read_body
from api.request.head import Head
from api.request.headers import Headers
from api.schemas import FACTORS_NOTE, SaidMany, encoder, say
from api.state import Running
from database.layout import count_moments
from database.packed import PackedPredictions
from database.records import Prediction
from model.explain import MOST_FACTORS
from model.microbatch import SOURCE, Answered
from preprocessing.columns import groups_of
from preprocessing.schema import DomainSchema
from preprocessing.validation.json_bodies import RowReader
from preprocessing.validation.json_rows import ValidRow

ROUTE = "gradewatch.route"
"""Key of a scope under which the hot road says which route it is; the framework says it in its own way."""

PREFLIGHT = "gradewatch.preflight"
"""Key of a scope in which a browser asks whether a page of another site may ask; it leads past all routes."""

JSON, LINES = b"application/json", b"application/x-ndjson"
ONE_ROW = "one row is taken as application/json; many, and files, at …/predict/batch"
SMALL = 65_536  # bytes; reading and scoring a larger body is moved off the event loop
EXPLAINED = 1_000  # rows of one request that are explained: half a second of scoring
ROW_BYTES = MEGABYTE  # of a body that holds one row
FEW = 500  # rows; empty ones are small, and all that is wrong with each is said
TOLD = 1_000  # characters of the names of columns that were not read
MANY = 100  # predictions; encoding an answer with more is moved off it too

SEED_ROUTES = {"/predict": "/api/v1/engagement/predict", "/predict/batch": "/api/v1/engagement/predict/batch",
               "/api/predict/": "/api/v1/university/predict"}  # fmt: skip
"""Addresses that callers of the systems before this one know, each with the canonical one that answers."""


@dataclass(frozen=True)
class Road:
    """Where a hot address leads: to one row, or to many. route: its name in metrics."""

    reader: RowReader
    many: bool

    @property
    def route(self) -> str:
        return "/api/v1/{domain}/predict/batch" if self.many else "/api/v1/{domain}/predict"


class Question(NamedTuple):
    """What is asked beside the body. explain: at most so many factors per answer. lines: answers as JSON lines. unread:
    columns of a file that are no input."""

    moment: str | None = None
    explain: int = 0
    lines: bool = False
    unread: tuple[str, ...] = ()

    @property
    def answered_as(self) -> bytes:
        """The content type of the answer."""
        return LINES if self.lines else b"application/json"

    @property
    def note(self) -> str | None:
        """What must be said with factors, and of columns that were not read."""
        said = [FACTORS_NOTE] if self.explain else []
        said += [f"columns that are no input, not read: {', '.join(self.unread)[:TOLD]}"] if self.unread else []
        return "; ".join(said) or None


ONLY_ANSWER = Question()
"""Nothing but the answer is asked for."""


class Asked(NamedTuple):
    """What a request asks, apart from its body, and who asks it."""

    principal: Principal
    form: Form
    question: Question


class Reply(NamedTuple):
    """The body of an answer, and its content type."""

    body: bytes
    kind: bytes

    @property
    def headers(self) -> Headers:
        """Those of its own."""
        return [(b"content-type", self.kind), (b"content-length", b"%d" % len(self.body))]


class Encoded(NamedTuple):
    """The body of an answer; marks: when (perf_counter) its rows were scored, logged and encoded."""

    body: bytes
    marks: tuple[float, float, float]


def roads(running: Running) -> dict[str, Road]:
    """Every hot address of the domains that are loaded."""
    found: dict[str, Road] = {}
    for name, reader in running.readers.items():
        found[f"/api/v1/{name}/predict"] = Road(reader, many=False)
        found[f"/api/v1/{name}/predict/batch"] = Road(reader, many=True)
    return found | {seed: found[canonical] for seed, canonical in SEED_ROUTES.items() if canonical in found}


class HotRoad:
    """Answers the hot addresses of one running service."""

    def __init__(self, running: Running, metrics: Metrics) -> None:
        self._running = running
        self._metrics = metrics
        self._roads = roads(running)
        self.addresses = frozenset(path.encode() for path, road in self._roads.items() if not road.many)
        """Those of one row, as they stand in a request without a question."""

    def find(self, scope: Scope, head: Head) -> Road | None:
        """Where a request leads, if this answers it. Raises UnsupportedBody, HTTPException for another method."""
        path: str = scope["path"]
        if root := scope.get("root_path"):  # a server that was told of a proxy's prefix puts it before the path
            path = path.removeprefix(root)
        road = self._roads.get(path)
        if road is None:
            return None
        if scope["method"] != "POST":
            if path in SEED_ROUTES and PREFLIGHT not in scope:
                raise HTTPException(405, headers={"allow": "POST"})
            return None
        if head.given.get(b"content-type", JSON) != JSON and form_of(head).kind == "file":
            if road.many:
                return None
            raise UnsupportedBody(ONE_ROW)
        return road

    def takes(self, body: bytes) -> bool:
        """Whether `ask` may be asked about a body of one row: reading it holds nobody up."""
        return len(body) <= SMALL and not self._running.cache.waits

    def ask(self, scope: Scope, head: Head, body: bytes, tell: Callable[[Reply | Exception], None]) -> None:
        """What `find` and `answer` do, for one row that has come whole, told in a later turn of the loop. Raises what
        they raise before that."""
        road = self.find(scope, head)
        if road is None or road.many:
            raise LookupError(f"one row is not answered at {scope['path']}")
        asked = self._enter(road, scope, head)
        begun = time.perf_counter()
        row = _row(road, body, asked)
        tell_here = partial(self._tell, scope, asked.question, begun, tell)
        self._running.together.ask(road.reader.schema, row, asked.principal.name, tell_here)

    def _tell(
        self,
        scope: Scope,
        question: Question,
        begun: float,
        tell: Callable[[Reply | Exception], None],
        told: Answered | Exception,
    ) -> None:
        if isinstance(told, Exception):
            tell(told)
            return
        try:
            reply = self._reply(scope, question, (begun, begun), self._encode(told, question))
        except Exception as error:  # the caller gets an answer
            tell(error)
            return
        tell(reply)

    async def answer(self, road: Road, scope: Scope, head: Head, receive: Receive) -> Reply:
        """The answer to a request that leads to `road`: what it asks for is logged when this returns."""
        asked = self._enter(road, scope, head)
        begun = time.perf_counter()
        most = self._running.settings.max_upload_mb * MEGABYTE
        body = await read_body(receive, most if road.many else min(most, ROW_BYTES), asked.form.declared)
        read = time.perf_counter()
        if road.many or asked.question.explain or not self.takes(body):
            encoded = await self._many(road, asked.form, body, asked.question, asked.principal)
        else:
            encoded = await self._one(road, body, asked)
        return self._reply(scope, asked.question, (begun, read), encoded)

    def _enter(self, road: Road, scope: Scope, head: Head) -> Asked:
        """What is asked, of whoever may ask it. Raises Unauthenticated, Forbidden, UnsupportedBody, BadQuestion."""
        scope[ROUTE] = road.route
        principal: Principal = scope[PRINCIPAL]
        require(principal, "predict", road.reader.schema.name)
        form = form_of(head)
        if not road.many and form.kind != "json":
            raise UnsupportedBody(ONE_ROW)
        question = ONLY_ANSWER if not scope["query_string"] else read_question(scope, road.reader.schema)
        if road.many and wants_lines(head):
            question = question._replace(lines=True)
        return Asked(principal, form, question)

    def _reply(self, scope: Scope, question: Question, came: tuple[float, float], encoded: Encoded) -> Reply:
        """came: when a request's body was waited for, and when it was here."""
        scope[MARKS] = marks = came + encoded.marks
        self._metrics.staged(marks)
        return Reply(encoded.body, question.answered_as)

    async def _one(self, road: Road, body: bytes, asked: Asked) -> Encoded:
        row = _row(road, body, asked)
        answered = await self._running.together.answer(road.reader.schema, row, asked.principal.name)
        return self._encode(answered, asked.question)

    def _encode(self, answered: Answered, question: Question) -> Encoded:
        prediction, scored, logged = answered
        self._metrics.predicted(prediction.domain, prediction.moment)
        body = encoder.encode(say(prediction, self._running.remarks(prediction), question.note))
        return Encoded(body, (scored, logged, time.perf_counter()))

    async def _many(self, road: Road, form: Form, body: bytes, question: Question, principal: Principal) -> Encoded:
        running = self._running
        predictions = await _score(running, road, form, body, question, principal)
        scored = time.perf_counter()
        await running.log.append(predictions)
        logged = time.perf_counter()
        for moment, count in count_moments(predictions).items():
            self._metrics.predicted(road.reader.schema.name, moment, count)
        if len(predictions) > MANY:
            answer = await asyncio.to_thread(_say, running, road, question, predictions)
        else:
            answer = _say(running, road, question, predictions)
        return Encoded(answer, (scored, logged, time.perf_counter()))


def _row(road: Road, body: bytes, asked: Asked) -> ValidRow:
    """The row in a body, which whoever asks may ask about. Raises as `RowReader.one`, and Forbidden."""
    row = road.reader.one(body, moment=asked.question.moment)
    require_groups(asked.principal, (row.group,))
    return row


def _say(running: Running, road: Road, question: Question, predictions: Sequence[Prediction]) -> bytes:
    if road.many:
        return say_many(running, question, predictions)
    return encoder.encode(say(predictions[0], running.remarks(predictions[0]), question.note))


async def _score(
    running: Running, road: Road, form: Form, body: bytes, question: Question, principal: Principal
) -> Sequence[Prediction]:
    """The predictions of a body's rows; in a thread where they could hold up the event loop."""
    few = len(body) <= SMALL and body.count(b"{") <= FEW
    if few and not running.cache.waits and not question.explain:
        return _score_here(running, road, form, body, question, principal)
    return await asyncio.to_thread(_score_here, running, road, form, body, question, principal)


def _score_here(
    running: Running, road: Road, form: Form, body: bytes, question: Question, principal: Principal
) -> Sequence[Prediction]:
    reader, explain = road.reader, question.explain
    rows: Sequence[ValidRow]
    if road.many:
        read = reader.lines if form.kind == "lines" else reader.many
        rows = read(body, moment=question.moment, limit=row_limit(running, question))
    else:
        rows = [reader.one(body, moment=question.moment)]
    require_groups(principal, groups_of(rows))
    return running.predictions.score(reader.schema, rows, source=SOURCE, actor=principal.name, explain=explain)


def say_many(running: Running, question: Question, predictions: Sequence[Prediction]) -> bytes:
    """The answer to many rows, as the caller asked for it; as JSON lines each prediction says all by itself."""
    note = question.note
    if isinstance(predictions, PackedPredictions):
        write = write_lines if question.lines else write_many
        return write(predictions, running.remarks(*predictions[:1]), note)  # all are answered by the same models
    remarks = warning, rules = running.remarks(*predictions)
    if question.lines:
        return encoder.encode_lines([say(one, remarks, note) for one in predictions])
    said = [say(one) for one in predictions]
    return encoder.encode(SaidMany(count=len(said), predictions=said, warning=warning, naive_rules=rules, note=note))


def read_question(scope: Scope, schema: DomainSchema) -> Question:
    """What the address asks for. Raises BadQuestion for another question, an unknown moment or too many factors."""
    asked = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    if asked.keys() - {"moment", "explain"} or any(len(values) > 1 for values in asked.values()):
        raise BadQuestion("the only questions here are ?moment= and ?explain=, each once")
    (explain,) = asked.get("explain", ["0"])
    if not (explain.isascii() and explain.isdigit() and len(explain) < 4 and int(explain) <= MOST_FACTORS):
        raise BadQuestion(f"explain is a number of factors, 0 to {MOST_FACTORS}")
    (moment,) = asked.get("moment", [None])
    return Question(moment_of(schema, moment), int(explain))


def row_limit(running: Running, question: Question) -> int:
    """How many rows one request may hold; fewer where each is to be explained."""
    most = running.settings.max_rows
    return min(most, EXPLAINED) if question.explain else most


def asked_for(scope: Scope) -> str:
    """The route that a request was meant for, which it did not reach."""
    path: str = scope["path"].removeprefix(scope.get("root_path", ""))
    return template_of(SEED_ROUTES.get(path, path))


def wants_lines(head: Head) -> bool:
    """Whether the caller asks for JSON lines."""
    return LINES in head.given.get(b"accept", b"")

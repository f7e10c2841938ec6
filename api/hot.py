"""The two routes that take nearly all requests: predict one and predict many, past the framework's routing.

Body → type made for the domain → encoder → graph → logged → answer. FastAPI and pydantic are not on this road; the
API's page describes it from the same types (`api.openapi`).
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import parse_qs

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from access.roles import Principal, require, require_groups
from api.admission import PRINCIPAL
from api.bodies import MEGABYTE, Head, UnsupportedBody, read_body, read_head
from api.door import ROUTE
from api.lookup import BadQuestion, moment_of
from api.running import Running
from api.telemetry import MARKS
from api.together import SOURCE
from api.wire import FACTORS_NOTE, SaidMany, encoder, say
from database.records import Prediction
from model.explain import MOST_FACTORS
from preprocessing.bodies import RowReader
from preprocessing.schema import DomainSchema

LINES = b"application/x-ndjson"
SMALL = 65_536  # bytes; reading and scoring a larger body is moved off the event loop
EXPLAINED = 1_000  # rows of one request that are explained: half a second of scoring
FEW = 500  # rows; empty ones are small, and all that is wrong with each is said
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
    """What is asked beside the body. explain: at most so many factors per answer. lines: answers as JSON lines."""

    moment: str | None = None
    explain: int = 0
    lines: bool = False

    @property
    def answered_as(self) -> bytes:
        """The content type of the answer."""
        return LINES if self.lines else b"application/json"

    @property
    def note(self) -> str | None:
        """What must be said with factors."""
        return FACTORS_NOTE if self.explain else None


def roads(running: Running) -> dict[str, Road]:
    """Every hot address of the domains that are loaded."""
    found: dict[str, Road] = {}
    for name, reader in running.readers.items():
        found[f"/api/v1/{name}/predict"] = Road(reader, many=False)
        found[f"/api/v1/{name}/predict/batch"] = Road(reader, many=True)
    return found | {seed: found[canonical] for seed, canonical in SEED_ROUTES.items() if canonical in found}


class HotRoad:
    """Answers hot addresses itself and passes everything else to the application inside it."""

    def __init__(self, app: ASGIApp, service: Any) -> None:
        self._app = app
        self._service = service
        self._roads: dict[str, Road] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST":
            if scope["type"] == "http" and scope["path"] in SEED_ROUTES:
                raise HTTPException(405, headers={"allow": "POST"})
            await self._app(scope, receive, send)
            return
        running: Running = self._service.state.running
        if not self._roads:
            self._roads = roads(running)
        road = self._roads.get(scope["path"])
        if road is None:
            await self._app(scope, receive, send)
            return
        head = read_head(scope)
        if road.many and head.kind == "file":
            await self._app(scope, receive, send)
            return
        scope[ROUTE] = road.route
        require(scope[PRINCIPAL], "predict", road.reader.schema.name)
        if not road.many and head.kind != "json":
            raise UnsupportedBody("one row is taken as application/json; many, and files, at …/predict/batch")
        question = read_question(scope, road.reader.schema) if scope["query_string"] else Question()
        if road.many and wants_lines(scope):
            question = question._replace(lines=True)
        body = await self._answer(running, road, scope, receive, head, question)
        headers = [(b"content-type", question.answered_as), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answer(
        self, running: Running, road: Road, scope: Scope, receive: Receive, head: Head, question: Question
    ) -> bytes:
        begun = time.perf_counter()
        body = await read_body(receive, running.settings.max_upload_mb * MEGABYTE, head.declared)
        read = time.perf_counter()
        principal: Principal = scope[PRINCIPAL]
        if not road.many and len(body) <= SMALL and not running.cache.waits and not question.explain:
            row = road.reader.one(body, moment=question.moment)
            require_groups(principal, (row.group,))
            prediction, scored, logged = await running.together.answer(road.reader.schema, row, principal.name)
            predictions = [prediction]
        else:
            predictions = await _score(running, road, head, body, question, principal)
            scored = time.perf_counter()
            await running.log.append(predictions)
            logged = time.perf_counter()
        if len(predictions) > MANY:
            answer = await asyncio.to_thread(say_many, running, question, predictions)
        elif road.many:
            answer = say_many(running, question, predictions)
        else:
            answer = encoder.encode(say(predictions[0], running.warning(predictions[0]), question.note))
        scope[MARKS] = marks = (begun, read, scored, logged, time.perf_counter())
        self._service.metrics.predicted(predictions, marks)
        return answer


async def _score(
    running: Running, road: Road, head: Head, body: bytes, question: Question, principal: Principal
) -> list[Prediction]:
    """The predictions of a body's rows; in a thread where they could hold up the event loop."""
    few = len(body) <= SMALL and body.count(b"{") <= FEW
    if few and not running.cache.waits and not question.explain:
        return _score_here(running, road, head, body, question, principal)
    return await asyncio.to_thread(_score_here, running, road, head, body, question, principal)


def _score_here(
    running: Running, road: Road, head: Head, body: bytes, question: Question, principal: Principal
) -> list[Prediction]:
    reader, explain = road.reader, question.explain
    if road.many:
        read = reader.lines if head.kind == "lines" else reader.many
        rows = read(body, moment=question.moment, limit=row_limit(running, question))
    else:
        rows = [reader.one(body, moment=question.moment)]
    require_groups(principal, (row.group for row in rows))
    return running.predictions.score(reader.schema, rows, source=SOURCE, actor=principal.name, explain=explain)


def say_many(running: Running, question: Question, predictions: Sequence[Prediction]) -> bytes:
    """The answer to many rows, as the caller asked for it; as JSON lines each prediction says all by itself."""
    warning, note = running.warning(predictions[0]), question.note
    if question.lines:
        return encoder.encode_lines([say(one, warning, note) for one in predictions])
    said = [say(one) for one in predictions]
    return encoder.encode(SaidMany(count=len(said), predictions=said, warning=warning, note=note))


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


def wants_lines(scope: Scope) -> bool:
    """Whether the caller asks for JSON lines."""
    return any(name == b"accept" and LINES in value for name, value in scope["headers"])

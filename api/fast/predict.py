"""The two routes that take nearly all requests: predict one and predict many, past the framework's routing.

Body → type made for the domain → encoder → graph → logged → answer, with neither FastAPI nor pydantic; the API's page
describes it from the same types (`api.routes.openapi`).
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

from access.journal import note
from access.roles import Principal, require, require_groups
from advice.advise import advise
from api.fast.json_columns import write_lines, write_many
from api.fast.older_forms import (
    FORM,
    MAY_NOT_READ,
    NOT_ADVISED,
    OLDER_CALLS,
    OLDER_PATHS,
    OURS,
    AdvisedFields,
    OlderCall,
    OlderForm,
    advised_fields,
    fields_of,
    read_ours,
)
from api.fast.parameters import BadQueryParameter, moment_of, refuse_unknown
from api.observe.route_templates import template_of
from api.observe.tracing import MARKS
from api.request.admission import PRINCIPAL
from api.request.body import MEGABYTE, read_body
from api.request.headers import Form, Headers, RequestHeaders, UnsupportedBody, form_of
from api.schemas import FACTORS_NOTE, OlderQueued, PredictionResponse, encoder
from api.state import ServiceState
from database.errors import StoreUnavailable
from database.packed import PackedPredictions
from database.records import Prediction
from jobs.queue import SCORING, JobFile, JobRequest
from model.explain import MOST_FACTORS
from model.microbatch import API_SOURCE, Answered
from model.service import Remarks
from preprocessing.schema import DomainSchema
from preprocessing.validation.json_bodies import RowReader
from preprocessing.validation.json_rows import ValidRow

ROUTE = "gradewatch.route"
"""Key of a scope under which the fast path says which route it is; the framework says it in its own way."""

PREFLIGHT = "gradewatch.preflight"
"""Key of a scope in which a browser asks whether a page of another site may ask; it leads past all routes."""

JSON_TYPE, LINES_TYPE = b"application/json", b"application/x-ndjson"
ONE_ROW = "one row is taken as application/json; many, and files, at …/predict/batch"
BYTES_ON_LOOP = 65_536  # bytes; reading and scoring a larger body is moved off the event loop
EXPLAINED_ROWS = 1_000  # rows of one request that are explained: half a second of scoring
ROW_BYTES = MEGABYTE  # of a body that holds one row
ROWS_ON_LOOP = 500  # rows; empty ones are small, and all that is wrong with each is said
OF_MANY = ("sheet", "skip_bad_rows", "async")  # parameters of many rows: how a file is read, when it is answered
FALSE = ("false", "0", "no", "off", "f", "n")  # as the framework reads it
SHOWN_UNREAD = 1_000  # characters of the names of columns that were not read
ANSWERS_ON_LOOP = 100  # predictions; encoding an answer with more is moved off it too


@dataclass(frozen=True)
class PredictRoute:
    """A route that the fast path answers: one row, or many."""

    reader: RowReader
    many: bool
    form: OlderForm | None = None

    @property
    def template(self) -> str:
        """Its address in metrics and logs."""
        return "/api/v1/{domain}/predict/batch" if self.many else "/api/v1/{domain}/predict"


@dataclass(frozen=True)
class OlderRoute:
    """An address of a system before this one, and the routes that may be meant by it."""

    call: OlderCall
    routes: Sequence[PredictRoute]

    @property
    def many(self) -> bool:
        return self.call.many

    def choose(self, body: bytes) -> PredictRoute:
        """The route that knows most of the fields of a body; the first of those that know as many."""
        if len(self.routes) == 1:
            return self.routes[0]
        fields = fields_of(body)
        return max(self.routes, key=lambda one: len(fields & one.reader.schema.feature_by_name.keys()))


class QueryParameters(NamedTuple):
    """What is asked in the address. explain: at most so many factors per answer. lines: answers as JSON lines. unread:
    columns of a file that are no input. ours: in our form, at an older system's address too."""

    moment: str | None = None
    explain: int = 0
    lines: bool = False
    unread: tuple[str, ...] = ()
    ours: bool = False

    @property
    def answered_as(self) -> bytes:
        """The content type of the answer."""
        return LINES_TYPE if self.lines else b"application/json"

    @property
    def note(self) -> str | None:
        """What must be said with factors, and of columns that were not read."""
        said = [FACTORS_NOTE] if self.explain else []
        said += [f"columns that are no input, not read: {', '.join(self.unread)[:SHOWN_UNREAD]}"] if self.unread else []
        return "; ".join(said) or None


NO_PARAMETERS = QueryParameters()
"""Nothing but the answer is asked for."""


class Asked(NamedTuple):
    """What a request asks, apart from its body, and who asks it."""

    principal: Principal
    form: Form
    parameters: QueryParameters


class Reply(NamedTuple):
    """The body of an answer, and its content type. location: where to look later."""

    body: bytes
    kind: bytes
    location: bytes = b""

    @property
    def status(self) -> int:
        return 202 if self.location else 200

    @property
    def headers(self) -> Headers:
        """Those of its own."""
        where = [(b"location", self.location)] if self.location else []
        return [(b"content-type", self.kind), (b"content-length", b"%d" % len(self.body)), *where]


class Encoded(NamedTuple):
    """The body of an answer; marks: when (perf_counter) its rows were scored, logged and encoded."""

    body: bytes
    marks: tuple[float, float, float]


TellReply = Callable[[Reply | Exception], None]


def predict_routes(state: ServiceState) -> dict[str, PredictRoute]:
    """By path, of the domains that are loaded."""
    found: dict[str, PredictRoute] = {}
    for name, reader in state.readers.items():
        found[f"/api/v1/{name}/predict"] = PredictRoute(reader, many=False)
        found[f"/api/v1/{name}/predict/batch"] = PredictRoute(reader, many=True)
    return found


def older_routes(state: ServiceState) -> dict[str, OlderRoute]:
    """By path, those of which a domain is loaded."""
    found = {}
    for call in OLDER_CALLS:
        readers = [(state.readers[name], form) for name, form in call.forms.items() if name in state.readers]
        if readers:
            found[call.path] = OlderRoute(call, [PredictRoute(one, call.many, form) for one, form in readers])
    return found


class FastPath:
    """Answers predictions of one running service; the one entry of this package."""

    def __init__(self, state: ServiceState) -> None:
        self._state = state
        self._metrics = state.metrics
        own = predict_routes(state)
        self._routes: dict[str, PredictRoute | OlderRoute] = {**own, **older_routes(state)}
        self.paths = frozenset(path.encode() for path, route in own.items() if not route.many)
        """Those of one row, as they stand in a request without query parameters."""

    def find(self, scope: Scope, headers: RequestHeaders) -> PredictRoute | OlderRoute | None:
        """Where a request leads, if this answers it. Raises UnsupportedBody, HTTPException for another method."""
        path: str = scope["path"]
        if root := scope.get("root_path"):  # a server that was told of a proxy's prefix puts it before the path
            path = path.removeprefix(root)
        route = self._routes.get(path)
        if route is None:
            return None
        if scope["method"] != "POST":
            if path in OLDER_PATHS and PREFLIGHT not in scope:
                raise HTTPException(405, headers={"allow": "POST"})
            return None
        by_file = headers.given.get(b"content-type", JSON_TYPE) != JSON_TYPE and form_of(headers).kind == "file"
        if by_file and not route.many:
            raise UnsupportedBody(ONE_ROW)
        usual = self._state.settings.predict_async and isinstance(route, PredictRoute)
        if by_file or (route.many and wants_later(scope, default=usual)):
            _lead_on(scope, path)
            return None
        return route

    def takes(self, body: bytes) -> bool:
        """Whether `ask` may be asked about a body of one row: reading it holds nobody up."""
        return len(body) <= BYTES_ON_LOOP and not self._state.cache.waits

    def ask(self, scope: Scope, headers: RequestHeaders, body: bytes, tell: TellReply) -> None:
        """What `find` and `answer` do, for one row that has come whole, told in a later turn of the loop. Raises what
        they raise before that."""
        route = self.find(scope, headers)
        if not isinstance(route, PredictRoute) or route.many:
            raise LookupError(f"one row is not answered at {scope['path']}")
        asked = self._enter(route, scope, headers)
        begun = time.perf_counter()
        row = _row(route, body, asked)
        tell_here = partial(self._tell, scope, asked.parameters, begun, tell)
        self._state.microbatch.ask(route.reader.schema, row, asked.principal.name, tell_here)

    def _tell(
        self,
        scope: Scope,
        parameters: QueryParameters,
        begun: float,
        tell: TellReply,
        told: Answered | Exception,
    ) -> None:
        if isinstance(told, Exception):
            tell(told)
            return
        try:
            reply = self._reply(scope, parameters, (begun, begun), self._encode(told, parameters))
        except Exception as error:  # the caller gets an answer
            tell(error)
            return
        tell(reply)

    async def answer(
        self, route: PredictRoute | OlderRoute, scope: Scope, headers: RequestHeaders, receive: Receive
    ) -> Reply:
        """The answer to a request that leads to `route`: what it asks for is logged when this returns."""
        if isinstance(route, OlderRoute):
            return await self._answer_older(route, scope, headers, receive)
        asked = self._enter(route, scope, headers)
        begun = time.perf_counter()
        body = await self._body(route.many, receive, asked.form)
        read = time.perf_counter()
        encoded = await self._encoded(route, body, asked)
        return self._reply(scope, asked.parameters, (begun, read), encoded)

    async def _answer_older(self, older: OlderRoute, scope: Scope, headers: RequestHeaders, receive: Receive) -> Reply:
        """As `answer`, of whoever asks as a system before this one was asked, and in its form."""
        scope[ROUTE] = older.routes[0].template
        require(scope[PRINCIPAL], "predict")  # in which domain, the body says
        begun = time.perf_counter()
        body, later = older.call.take(await self._body(older.many, receive, form_of(headers)))
        read, route = time.perf_counter(), older.choose(body)
        asked = self._enter(route, scope, headers)
        if later:
            return await self._later(route, body, asked)
        if asked.parameters.ours or asked.parameters.lines:
            return self._reply(scope, asked.parameters, (begun, read), await self._encoded(route, body, asked))
        asked = asked._replace(parameters=asked.parameters._replace(lines=route.many))
        encoded = await self._encoded(route, body, asked)
        assert route.form is not None  # noqa: S101 (each route of an older address has one)
        advised = NOT_ADVISED
        if route.form.advised:
            advised = await asyncio.to_thread(self._advise, route, encoded.body, asked)
        write = partial(route.form.write, encoded.body, time.perf_counter() - begun, advised)
        written = write() if len(encoded.body) <= BYTES_ON_LOOP else await asyncio.to_thread(write)
        return self._reply(scope, NO_PARAMETERS, (begun, read), encoded._replace(body=written))

    def _advise(self, route: PredictRoute, body: bytes, asked: Asked) -> AdvisedFields:
        """What whoever was answered about may do next, by records that whoever asks may read."""
        principal, schema, store = asked.principal, route.reader.schema, self._state.workspace.store
        if not principal.may("read", schema.name):
            return MAY_NOT_READ
        logged = store.prediction(read_ours(body).id)
        if logged is None:  # withdrawn this very moment
            return NOT_ADVISED
        note(store, principal.name, "prediction read", schema.name, prediction=logged.id, student=logged.student)
        groups = None if principal.groups is None else sorted(principal.groups)
        advice = advise(store, schema, self._state.catalogue, logged, groups=groups)
        return advised_fields(advice, schema, logged.answers)

    async def _later(self, route: PredictRoute, body: bytes, asked: Asked) -> Reply:
        """Where a worker's answer to one row will be found."""
        principal, parameters, schema = asked.principal, asked.parameters, route.reader.schema
        _row(route, body, asked)  # what is wrong with it is said now
        arguments = {"moment": parameters.moment, "explain": parameters.explain, "limit": 1, "sheet": "",
                     "groups": None if principal.groups is None else sorted(principal.groups)}  # fmt: skip
        file = JobFile("row.json", b"[" + body + b"]")
        wanted = JobRequest(SCORING, schema.name, principal.name, arguments, files={"file": file})
        job = await self._state.background.ask(wanted)
        address = f"/api/v1/jobs/{job.id}"
        queued = OlderQueued(task_id=job.id, status_url=address)
        return Reply(encoder.encode(queued), JSON_TYPE, address.encode())

    async def _body(self, many: bool, receive: Receive, form: Form) -> bytes:
        most = self._state.settings.max_upload_mb * MEGABYTE
        return await read_body(receive, most if many else min(most, ROW_BYTES), form.declared)

    async def _encoded(self, route: PredictRoute, body: bytes, asked: Asked) -> Encoded:
        if route.many:
            return await self._many(route, body, asked)
        if asked.parameters.explain or not self.takes(body):
            return await self._one_in_thread(route, body, asked)
        return await self._one(route, body, asked)

    def _enter(self, route: PredictRoute, scope: Scope, headers: RequestHeaders) -> Asked:
        """What is asked, of whoever may ask it. Raises Unauthenticated, Forbidden, UnsupportedBody,
        BadQueryParameter."""
        scope[ROUTE] = route.template
        principal: Principal = scope[PRINCIPAL]
        require(principal, "predict", route.reader.schema.name)
        if (fault := self._state.health.fault) is not None:  # an answer that could never be found again is none
            raise StoreUnavailable(fault)
        form = form_of(headers)
        if not route.many and form.kind != "json":
            raise UnsupportedBody(ONE_ROW)
        known = ("moment", "explain", *(OF_MANY if route.many else ()), *((FORM,) if route.form else ()))
        parameters = NO_PARAMETERS if not scope["query_string"] else read_parameters(scope, route.reader.schema, known)
        if route.many and wants_lines(headers):
            parameters = parameters._replace(lines=True)
        return Asked(principal, form, parameters)

    def _reply(self, scope: Scope, parameters: QueryParameters, came: tuple[float, float], encoded: Encoded) -> Reply:
        """came: when a request's body was waited for, and when it was here."""
        scope[MARKS] = marks = came + encoded.marks
        self._metrics.staged(marks)
        return Reply(encoded.body, parameters.answered_as)

    async def _one(self, route: PredictRoute, body: bytes, asked: Asked) -> Encoded:
        row = _row(route, body, asked)
        answered = await self._state.microbatch.answer(route.reader.schema, row, asked.principal.name)
        return self._encode(answered, asked.parameters)

    def _encode(self, answered: Answered, parameters: QueryParameters) -> Encoded:
        prediction, scored, logged = answered
        self._metrics.predicted(prediction.domain, prediction.moment)
        remarks = self._state.predictions.remarks(frozenset([answer.model for answer in prediction.answers]))
        body = encoder.encode(prediction_response(prediction, remarks, parameters.note))
        return Encoded(body, (scored, logged, time.perf_counter()))

    async def _one_in_thread(self, route: PredictRoute, body: bytes, asked: Asked) -> Encoded:
        """As `_one`, of what could hold up the event loop."""

        def score() -> Sequence[Prediction]:
            row, schema, explain = _row(route, body, asked), route.reader.schema, asked.parameters.explain
            actor = asked.principal.name
            return self._state.predictions.score(schema, [row], source=API_SOURCE, actor=actor, explain=explain)

        [prediction] = await asyncio.to_thread(score)
        scored = time.perf_counter()
        await self._state.log.append([prediction])
        return self._encode(Answered(prediction, scored, time.perf_counter()), asked.parameters)

    async def _many(self, route: PredictRoute, body: bytes, asked: Asked) -> Encoded:
        state, few = self._state, len(body) <= BYTES_ON_LOOP and body.count(b"{") <= ROWS_ON_LOOP
        if few and not asked.parameters.explain:
            batches = score_many(state, route, body, asked)
        else:
            batches = await asyncio.to_thread(score_many, state, route, body, asked)
        scored = time.perf_counter()
        await state.log.append(batches=batches)
        logged = time.perf_counter()
        for batch in batches:
            self._metrics.predicted(batch.common.domain, batch.common.moment, len(batch))
        if sum(map(len, batches)) > ANSWERS_ON_LOOP:
            answer = await asyncio.to_thread(predictions_body, state, asked.parameters, batches)
        else:
            answer = predictions_body(state, asked.parameters, batches)
        return Encoded(answer, (scored, logged, time.perf_counter()))


def _lead_on(scope: Scope, path: str) -> None:
    """The framework answers, which knows the canonical addresses alone."""
    scope["path"] = scope.get("root_path", "") + canonical_path(path)


def _row(route: PredictRoute, body: bytes, asked: Asked) -> ValidRow:
    """The row in a body, which whoever asks may ask about. Raises as `RowReader.one`, and Forbidden."""
    row = route.reader.one(body, moment=asked.parameters.moment)
    require_groups(asked.principal, (row.group,))
    return row


def score_many(state: ServiceState, route: PredictRoute, body: bytes, asked: Asked) -> list[PackedPredictions]:
    """A prediction for each row of a body, not logged. Raises as `RowReader.many`, and Forbidden."""
    reader, parameters = route.reader, asked.parameters
    read = reader.lines if asked.form.kind == "lines" else reader.many
    tables = read(body, moment=parameters.moment, limit=row_limit(state, parameters))
    for table in tables:
        require_groups(asked.principal, (None,) if table.groups is None else table.groups)
    score, actor = state.predictions.score_columns, asked.principal.name
    return score(reader.schema, tables, source=API_SOURCE, actor=actor, explain=parameters.explain)


def prediction_response(prediction: Prediction, remarks: Remarks, note: str | None = None) -> PredictionResponse:
    """A prediction as its asker sees it."""
    return PredictionResponse(
        id=prediction.id,
        domain=prediction.domain,
        moment=prediction.moment,
        at=prediction.at,
        answers=prediction.answers,
        student=prediction.student,
        warning=remarks.warning,
        naive_rules=remarks.naive_rules,
        band_rules=remarks.band_rules,
        note=note,
    )


def predictions_body(state: ServiceState, parameters: QueryParameters, batches: Sequence[PackedPredictions]) -> bytes:
    """The answer to many rows, as the caller asked for it; as JSON lines each prediction says all by itself."""
    models = frozenset(column.model for batch in batches for column in batch.answers)
    write = write_lines if parameters.lines else write_many
    return write(batches, state.predictions.remarks(models), parameters.note)


def read_parameters(scope: Scope, schema: DomainSchema, known: Sequence[str]) -> QueryParameters:
    """What the address asks for, of the parameters that are `known`. Raises BadQueryParameter for another one, an
    unknown moment, too many factors, and what only files have."""
    asked = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    refuse_unknown(asked, known)
    if any(len(values) > 1 for values in asked.values()):
        raise BadQueryParameter(f"{', '.join(known)} are taken once each")
    if any(asked.get("sheet", [""])) or asked.get("skip_bad_rows", ["no"])[0].lower() not in FALSE:
        raise BadQueryParameter(
            "sheet and skip_bad_rows are for files: JSON has no sheets, and each bad row of it is named"
        )
    (explain,) = asked.get("explain", ["0"])
    if not (explain.isascii() and explain.isdigit() and len(explain) < 4 and int(explain) <= MOST_FACTORS):
        raise BadQueryParameter(f"explain is a number of factors, 0 to {MOST_FACTORS}")
    (moment,), (form,) = asked.get("moment", [None]), asked.get(FORM, [""])
    if form not in ("", OURS):
        raise BadQueryParameter(f"form can only be {OURS}: answers in this service's own form")
    return QueryParameters(moment_of(schema, moment), int(explain), ours=form == OURS)


def wants_later(scope: Scope, *, default: bool) -> bool:
    """Whether the caller wants to be told where to look for the answer, not to wait for it. What is no yes or no is the
    framework's to refuse."""
    if b"async" not in scope["query_string"]:
        return default
    said = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True).get("async")
    return default if said is None else any(one.lower() not in FALSE for one in said)


def row_limit(state: ServiceState, parameters: QueryParameters) -> int:
    """How many rows one request may hold; fewer where each is to be explained."""
    most = state.settings.max_rows
    return min(most, EXPLAINED_ROWS) if parameters.explain else most


def asked_for(scope: Scope) -> str:
    """The route that a request was meant for, which it did not reach."""
    path: str = scope["path"].removeprefix(scope.get("root_path", ""))
    return template_of(canonical_path(path))


def canonical_path(path: str) -> str:
    """Where the same is asked of us; of several domains that an older address may mean, of the first."""
    older = OLDER_PATHS.get(path)
    return older.canonical(next(iter(older.forms))) if older else path


def wants_lines(headers: RequestHeaders) -> bool:
    """Whether the caller asks for JSON lines."""
    return LINES_TYPE in headers.given.get(b"accept", b"")

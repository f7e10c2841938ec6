"""The Open Inference Protocol, version 2 (REST): whoever speaks it asks for predictions in tensors, a column each.

Rows are read, scored, logged and limited as at the canonical addresses. Of the protocol's extensions none is spoken:
tensors are JSON. Refusals have the protocol's form (`api.errors`).
"""

import asyncio
import math
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from itertools import chain
from typing import Any, NamedTuple

import msgspec
from fastapi import APIRouter, Request, Response

from api.errors import INFERENCE
from api.fast.parameters import moment_of
from api.fast.predict import Asked, PredictRoute, QueryParameters, score_many
from api.fast.probes import readiness
from api.request.body import MEGABYTE, read_body
from api.request.headers import Form
from api.routes.dependencies import OPEN, CurrentState, needs, principal_of, schema_of
from api.routes.openapi import answers, takes
from api.schemas import (
    InferenceInput,
    InferenceOutput,
    InferenceRequest,
    InferenceResponse,
    ModelMetadata,
    ModelReady,
    ServerLive,
    ServerMetadata,
    ServerReady,
    TensorMetadata,
    encoder,
    respond,
)
from api.state import ServiceState
from database.errors import StoreUnavailable
from database.records import Answer, Prediction
from errors import GradewatchError
from preprocessing.schema import DomainSchema, Target
from preprocessing.validation.json_bodies import MalformedBody

router = APIRouter(prefix=INFERENCE, tags=["inference"])

NUMBER_TYPES = frozenset(
    {*(f"{kind}{size}" for kind in ("INT", "UINT") for size in (8, 16, 32, 64)), "FP16", "FP32", "FP64"}
)
TEXT_TYPE, NUMBER_TYPE, WHOLE_TYPE = "BYTES", "FP64", "INT64"
PLATFORM = "gradewatch"
ANY_ROWS = (-1,)
BINARY_HEADER = "inference-header-content-length"
"""The header by which the extension of binary tensors says where they begin."""

MAY_INFER = [needs("predict")]


class BadTensor(GradewatchError):
    """Tensors that are no rows of a domain; the message names the tensor and what was expected."""


class OutputTensor(NamedTuple):
    """A tensor of an answer: what of each prediction, or of its answer about `target`, stands in it. width: of a row;
    None for a single value."""

    part: str
    datatype: str
    target: str = ""
    width: int | None = None

    @property
    def name(self) -> str:
        return ".".join(filter(None, [self.target, "" if self.part == "value" else self.part]))

    @property
    def shape(self) -> tuple[int, ...]:
        return ANY_ROWS if self.width is None else (*ANY_ROWS, self.width)


@router.get("", responses=answers(ServerMetadata), dependencies=[OPEN])
async def server_metadata() -> Response:
    """What serves here, and the protocol's extensions that it speaks: none."""
    return respond(ServerMetadata(name="gradewatch", version=version("gradewatch")))


@router.get("/health/live", responses=answers(ServerLive), dependencies=[OPEN])
async def live() -> Response:
    """The process lives."""
    return respond(ServerLive(live=True))


@router.get("/health/ready", responses=answers(ServerReady), dependencies=[OPEN])
async def server_ready(request: Request, state: CurrentState) -> Response:
    """Whether requests can be answered: 503 where not. /ready says why."""
    loop = asyncio.get_running_loop()
    found = await loop.run_in_executor(state.prober, readiness, state, principal_of(request))
    return respond(ServerReady(ready=found.ready), 200 if found.ready else 503)


@router.get("/models/{domain}", responses=answers(ModelMetadata), dependencies=MAY_INFER)
async def model_metadata(domain: str, state: CurrentState) -> Response:
    """The tensors of a domain: a column each. versions: of the models that answer, by target and moment."""
    schema = schema_of(state, domain)
    placing = [TensorMetadata(name=name, datatype=TEXT_TYPE, shape=ANY_ROWS) for name in schema.context_names]
    columns = [
        TensorMetadata(
            name=feature.name,
            datatype=TEXT_TYPE if feature.kind == "categorical" else WHOLE_TYPE if feature.integer else NUMBER_TYPE,
            shape=ANY_ROWS,
        )
        for feature in schema.features
    ]
    said = [TensorMetadata(name=one.name, datatype=one.datatype, shape=one.shape) for one in _outputs(schema)]
    serving = {one.predictor.version for key, one in state.workspace.champions.loaded.items() if key.domain == domain}
    return respond(
        ModelMetadata(
            name=domain, versions=sorted(serving), platform=PLATFORM, inputs=[*columns, *placing], outputs=said
        )
    )


@router.get("/models/{domain}/ready", responses=answers(ModelReady), dependencies=MAY_INFER)
async def model_ready(domain: str, state: CurrentState) -> Response:
    """Whether a domain has a model that answers: 503 where not."""
    schema_of(state, domain)
    found = any(key.domain == domain for key in state.workspace.champions.loaded)
    return respond(ModelReady(name=domain, ready=found), 200 if found else 503)


@router.post(
    "/models/{domain}/infer",
    responses=answers(InferenceResponse, words="logged, then answered"),
    openapi_extra=takes(InferenceRequest),
    dependencies=MAY_INFER,
)
async def infer(domain: str, request: Request, state: CurrentState) -> Response:
    """Predict rows that come as tensors, one for each column, all of one length. The parameter `moment` asks as of one;
    a value that is not known is null."""
    schema = schema_of(state, domain)
    if (fault := state.health.fault) is not None:  # an answer that could never be found again is none
        raise StoreUnavailable(fault)
    wanted = _read(await read_body(request.receive, state.settings.max_upload_mb * MEGABYTE), request)
    outputs = _chosen(_outputs(schema), wanted)
    said = await _answer(request, state, schema, wanted)
    warning = state.predictions.remarks(frozenset(one.model for row in said for one in row.answers)).warning
    return respond(
        InferenceResponse(
            model_name=domain,
            id=wanted.id,
            parameters={"warning": warning} if warning else {},
            outputs=[_tensor(one, said, schema) for one in outputs],
        )
    )


async def _answer(
    request: Request, state: ServiceState, schema: DomainSchema, wanted: InferenceRequest
) -> Sequence[Prediction]:
    """A prediction for each row, logged. Raises BadTensor, and as the canonical address does."""
    route = PredictRoute(state.readers[schema.name], many=True)
    moment = wanted.parameters.get("moment")
    parameters = QueryParameters(moment_of(schema, None if moment is None else str(moment)))
    asked = Asked(principal_of(request), Form("json", 0), parameters)
    batches = await asyncio.to_thread(lambda: score_many(state, route, encoder.encode(_rows(wanted)), asked))
    await state.log.append(batches=batches)
    for batch in batches:
        state.metrics.predicted(batch.common.domain, batch.common.moment, len(batch))
    return sorted(chain.from_iterable(batches), key=lambda one: one.id)


# Tensors in -----------------------------------------------------------------------------------------------------------


def _read(body: bytes, request: Request) -> InferenceRequest:
    if BINARY_HEADER in request.headers:
        raise BadTensor("tensors are taken as JSON: send them without the extension of binary data (binary_data=False)")
    try:
        return msgspec.json.decode(body, type=InferenceRequest)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        shown = str(error) if isinstance(error, msgspec.MsgspecError) else "it cannot be read"
        raise MalformedBody(f"expected an inference request of the Open Inference Protocol: {shown}") from None


def _rows(wanted: InferenceRequest) -> list[dict[str, Any]]:
    """The rows whose columns the tensors are. Raises BadTensor."""
    names = [one.name for one in wanted.inputs]
    if len(set(names)) < len(names) or not names:
        raise BadTensor("inputs are the columns of rows: one tensor or more, each name once")
    columns = [_column(one) for one in wanted.inputs]
    if len({len(column) for column in columns}) > 1:
        lengths = ", ".join(
            f"{one.name!r:.40} {len(column)}" for one, column in zip(wanted.inputs, columns, strict=True)
        )
        raise BadTensor(f"all tensors have a value for each row, so they are of one length: {lengths:.400}")
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]


def _column(tensor: InferenceInput) -> list[Any]:
    """The values of a tensor of shape [n] or [n, 1], row by row. Raises BadTensor."""
    what = f"tensor {tensor.name!r:.40}"
    if tensor.datatype not in NUMBER_TYPES and tensor.datatype != TEXT_TYPE:
        raise BadTensor(
            f"{what}: datatype {tensor.datatype!r:.40} is none of {TEXT_TYPE}, {', '.join(sorted(NUMBER_TYPES))}"
        )
    if not tensor.shape or any(size < 0 for size in tensor.shape) or math.prod(tensor.shape[1:]) != 1:
        raise BadTensor(f"{what}: a column has the shape [rows] or [rows, 1], not {list(tensor.shape)!s:.60}")
    values = list(_flat(tensor.data))
    if len(values) != tensor.shape[0]:
        raise BadTensor(f"{what}: {len(values):,} values came where its shape says {tensor.shape[0]:,}")
    if tensor.datatype in NUMBER_TYPES and any(isinstance(value, str | bool) for value in values):
        raise BadTensor(f"{what}: {tensor.datatype} is numbers; texts are {TEXT_TYPE}")
    return values


def _flat(data: Sequence[Any], deep: int = 0) -> Iterator[Any]:
    """The values of a tensor in their order, however they are nested."""
    for value in data:
        if isinstance(value, list) and deep < 2:
            yield from _flat(value, deep + 1)
        else:
            yield value


# Tensors out ----------------------------------------------------------------------------------------------------------


def _outputs(schema: DomainSchema) -> list[OutputTensor]:
    """The tensors that a domain's answers have; `TARGET` itself, then what is said of it."""
    found = [OutputTensor("prediction_id", TEXT_TYPE), OutputTensor("moment", TEXT_TYPE)]
    return [*found, *chain.from_iterable(map(_of_target, schema.targets))]


def _of_target(target: Target) -> Iterator[OutputTensor]:
    kind, name = TEXT_TYPE if target.levels else NUMBER_TYPE, target.name
    yield OutputTensor("value", kind, name)
    yield OutputTensor("naive", kind, name)
    if target.pass_mark is not None:
        yield OutputTensor("below_pass", NUMBER_TYPE, name)
    if target.levels:
        yield OutputTensor("probabilities", NUMBER_TYPE, name, len(target.levels))
    else:
        yield OutputTensor("interval", NUMBER_TYPE, name, 2)
    for part in ("model", "insufficient", "out_of_range"):
        yield OutputTensor(part, TEXT_TYPE, name)


def _chosen(there: Sequence[OutputTensor], wanted: InferenceRequest) -> Sequence[OutputTensor]:
    """Those that were asked for, in that order; all where none is named. Raises BadTensor."""
    by_name = {one.name: one for one in there}
    for one in wanted.outputs:
        if one.name not in by_name:
            raise BadTensor(f"no output is called {one.name!r:.60}; there are {', '.join(by_name)}")
    return [by_name[one.name] for one in wanted.outputs] or there


def _tensor(output: OutputTensor, said: Sequence[Prediction], schema: DomainSchema) -> InferenceOutput:
    """What of each prediction stands in a tensor, row by row; null where nothing is said."""
    data = [value for one in said for value in _cells(output, one, schema)]
    shape = (len(said),) if output.width is None else (len(said), output.width)
    return InferenceOutput(name=output.name, shape=shape, datatype=output.datatype, data=data)


def _cells(output: OutputTensor, said: Prediction, schema: DomainSchema) -> Sequence[Any]:
    if not output.target:
        return (said.id if output.part == "prediction_id" else said.moment,)
    answer = next((one for one in said.answers if one.target == output.target), None)
    return (None,) * (output.width or 1) if answer is None else _of_answer(output.part, answer, schema)


def _of_answer(part: str, answer: Answer, schema: DomainSchema) -> Sequence[Any]:
    if part == "interval":
        return answer.interval or (None, None)
    if part == "probabilities":
        shares: Mapping[str, float] = answer.probabilities or {}
        return [shares.get(level) for level in schema.target_by_name[answer.target].levels]
    if part in ("insufficient", "out_of_range"):
        return (", ".join(getattr(answer, part)),)
    return (getattr(answer, part),)

"""The API's description: what FastAPI says of its routes, with every domain's fields, ranges and examples.

It is made from the same types that read requests, so that it cannot say something else. There are two of it: for
programs, with the addresses of each domain, and for the page, with each address once.
"""

import copy
from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api.errors import INFERENCE, InferenceError, ProblemDocument
from api.fast.older_forms import FORM, OLDER_CALLS, OURS, OlderCall
from api.routes.dependencies import SCHEME
from api.schemas import DESCRIBED
from api.state import ServiceState
from model.purpose import IntendedPurpose
from preprocessing.schema import DomainSchema, Target
from preprocessing.validation.row_type import example_row, row_type, type_name

REF = "#/components/schemas/"
WAYS_IN: dict[str, Any] = {
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "gradewatch keys create"},
    "bearer": {"type": "http", "scheme": "bearer", "description": "an API key, or a token of POST /api/v1/token"},
    "login": {"type": "oauth2", "flows": {"password": {"tokenUrl": "/api/v1/token", "scopes": {}}}},
}
Document = dict[str, Any]

TAGS = {
    "domains": "What can be predicted here: columns with their ranges, an empty file to fill in.",
    "predict": "Answers for one row or a file, each logged before it is sent; and those that were logged.",
    "students": "Who is likeliest to end below the pass mark, what stands out, and a study plan.",
    "outcomes": "Files in: rows to learn from, what really happened, what became of each upload, taking it back.",
    "results": "How answers turned out, beside the plain rule; reports on a course and period.",
    "drift": "Whether the data are still what the models learned from.",
    "models": "Which models there are and who answers; training, retraining, going back.",
    "trials": "A challenger beside the model in use, unheard or for a share of the students.",
    "rights": "What an officer answers a student: all that is known, erasing it, an objection, who may look.",
    "one's own": "What is said of oneself, or of one's child: for users whom an officer linked to one student.",
    "operation": "Health, work in the background, the cache, metrics, signing in, who looked at what.",
    "older systems": "Addresses of systems before this one, for programs that were written for them.",
    "inference": "The same models for programs that speak the Open Inference Protocol, version 2.",
}
"""Under which the page lists the addresses, in the order of work, each in a sentence."""

ABOUT = """How students will do, with the range and the plain rule beside each answer; whether that is still right; and
who answers. In five lines, from nothing to how good it was:

```sh
curl {base}/api/v1/domains  # what can be predicted
curl -H 'Content-Type: application/json' -d '{row}' {base}/api/v1/{domain}/predict  # one student
curl -F file=@rows.csv {base}/api/v1/{domain}/predict/batch  # a file of them
curl -F file=@outcomes.csv {base}/api/v1/{domain}/outcomes  # what really happened
curl {base}/api/v1/{domain}/performance  # how far answers were from it
```

Where callers say who they are, each line takes `-H 'Authorization: Bearer KEY'`. Every refusal is a problem document
(RFC 9457) that says what was wrong and what was expected.

{purpose}"""

MOST_SUMMARY = 130
"""Characters of an operation's first sentence that stand beside its address."""


def answers(
    kind: type, status: int = 200, words: str = "done", *, later: bool = False, instead: type | None = None
) -> dict[int | str, Document]:
    """A route's `responses`: a record of `kind` on success, or of `instead` where the request says so. later: or, where
    that takes long, the job that does it."""
    waits = {"description": "a worker does it; Location says where to look", "content": json_of("JobStatus")}
    content = json_of(kind.__name__)
    if instead is not None:
        content["application/json"] = {"schema": {"anyOf": [{"$ref": REF + one.__name__} for one in (kind, instead)]}}
    done: dict[int | str, Document] = {status: {"description": words, "content": content}}
    return done | ({202: waits} if later else {})


def takes(kind: type) -> Document:
    """A route's `openapi_extra` for a body read as a record of `kind`."""
    required = any(field.required for field in msgspec.structs.fields(kind))
    return {"requestBody": {"required": required, "content": json_of(kind.__name__)}}


def takes_file(*beside: str, json: bool = False) -> Document:
    """A route's `openapi_extra` for an uploaded file, as a form or as the body itself. beside: a form's other files."""
    file = {"type": "string", "format": "binary", "minLength": 1, "description": "CSV, Excel, Parquet or JSON"}
    properties = dict.fromkeys(("file", *beside), file)
    form = {"type": "object", "properties": properties, "required": ["file"]}
    content: Document = {"multipart/form-data": {"schema": form}, "application/octet-stream": {"schema": file}}
    if json:
        row = {"type": "object", "additionalProperties": {"type": ["string", "number", "null"]}}
        content["application/json"] = {"schema": {"type": "array", "items": row, "minItems": 1}}
    return {"requestBody": {"required": True, "content": content}}


def json_of(name: str) -> Document:
    """The content of a body: the component `name` as JSON."""
    return {"application/json": {"schema": {"$ref": REF + name}}}


def describe(app: FastAPI) -> Document:
    """The OpenAPI document for programs: the addresses of each domain, with its own types. Made once per process."""
    if app.openapi_schema is None:
        app.openapi_schema = _described(app, once=False)
    return app.openapi_schema


def describe_page(app: FastAPI, base: str) -> Document:
    """The same for people: an address of all domains once, by what it is for. base: where the service is reached."""
    document = _described(app, once=True)
    state: ServiceState | None = app.state.service_state
    schemas = state.workspace.schemas.values() if state else ()
    short = min(schemas, key=lambda one: len(one.features), default=None)
    row = msgspec.json.encode(example_row(short)).decode() if short else "{}"
    about = ABOUT.replace("{base}", base).replace("{row}", row).replace("{domain}", short.name if short else "DOMAIN")
    purpose = state.settings.intended_purpose() if state else IntendedPurpose()
    document["info"]["description"] = about.replace("{purpose}", str(purpose))
    document["tags"] = [{"name": name, "description": words} for name, words in TAGS.items()]
    return document


def _described(app: FastAPI, *, once: bool) -> Document:
    document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    state: ServiceState | None = app.state.service_state
    schemas = list(state.workspace.schemas.values()) if state else []
    purpose = state.settings.intended_purpose() if state else IntendedPurpose()
    document["info"]["x-intended-purpose"] = purpose.told()
    return _complete(document, schemas, signing_in=state is None or state.credentials is not None, once=once)


def _complete(document: Document, schemas: list[DomainSchema], *, signing_in: bool, once: bool) -> Document:
    rows = [row_type(schema) for schema in schemas]
    _, components = msgspec.json.schema_components(
        [*DESCRIBED, ProblemDocument, InferenceError, *rows], ref_template=REF + "{name}"
    )
    components = {name: _json_ready(component) for name, component in components.items()}
    for schema in schemas:
        components |= _domain_components(schema)
        components[type_name(schema.name, "Row")]["examples"] = [example_row(schema)]
    document.setdefault("components", {}).setdefault("schemas", {})
    document["components"]["securitySchemes"] = WAYS_IN if signing_in else {}
    paths: Document = {}
    for path, item in document["paths"].items():
        for operation in item.values():
            _secures(operation, signing_in)
            _refuses(operation, path)
        if "{domain}" in path and schemas:
            meant = [schema for schema in schemas if _is_of(path, schema)]
            each = {path.replace("{domain}", s.name): _of_domain(path, item, s) for s in meant}
            paths |= {path: _of_domains(path, item, meant)} if once else each
        else:
            paths[path] = item
    for call in OLDER_CALLS:
        known = [schema for schema in schemas if schema.name in call.forms]
        if known:
            canonical = call.canonical("{domain}" if once else known[0].name)
            paths[call.path] = _older_item(call, known, paths[canonical])
            components |= _older_components(call, known, components)
    if once:
        for path, item in paths.items():
            for operation in item.values():
                _summarise(operation, path)
    document["paths"] = paths
    document["components"]["schemas"] |= components
    return document


def _is_of(path: str, schema: DomainSchema) -> bool:
    """Whether an address has a meaning in a domain: there are reports on groups in periods alone, and events and weeks
    where rows are made of observations."""
    if path.endswith(("/events", "/exports", "/week")):
        return schema.panel is not None
    return "/reports" not in path or bool(schema.student and schema.group and schema.period)


def _json_ready(component: Any) -> Any:
    """Tuples as lists, so that the document is what its JSON is."""
    return msgspec.json.decode(msgspec.json.encode(component))


def _secures(operation: Document, signing_in: bool) -> None:
    """How to show who asks, in place of the permission that the route needs, which `x-permission` names."""
    needed = [permission for entry in operation.pop("security", []) for permission in entry.get(SCHEME, [])]
    if not signing_in:
        return
    words = {"401": "who asks is not known", "429": "too many requests; try again after Retry-After"}
    operation["responses"] |= {code: _refusal(text) for code, text in words.items()}
    if needed:
        operation["security"] = [{"key": []}, {"bearer": []}, {"login": []}]
        operation["x-permission"] = needed[0]


def _refuses(operation: Document, path: str) -> None:
    """Every operation's refusals: one form for all, and one for the Open Inference Protocol's."""
    words = {"400": "the request cannot be read",
             "403": "not from here, or not with this role, domain or group",
             "404": "there is no such thing", "408": "the body did not come in time", "409": "not in this state",
             "413": "larger than allowed; the answer names the limit",
             "415": "a body in a form that is not read here", "422": "bad data: every problem at once",
             "431": "too many headers, or one that is too long",
             "503": "not logged, so not answered, or not in time; try again after Retry-After"}  # fmt: skip
    operation["responses"] |= {code: _refusal(text) for code, text in words.items()}
    if path.startswith(INFERENCE):
        for code, answer in operation["responses"].items():
            answer["content"] = answer["content"] if code == "200" else json_of(InferenceError.__name__)


def _refusal(words: str) -> Document:
    content = {"application/problem+json": {"schema": {"$ref": REF + "ProblemDocument"}}}
    return {"description": words, "content": content}


def _of_domain(path: str, item: Document, schema: DomainSchema) -> Document:
    """A path's item as it is for one domain: its name in the address, its own types in body and answer."""
    own = copy.deepcopy(item)
    for operation in own.values():
        operation["parameters"] = [p for p in operation.get("parameters", []) if p["name"] != "domain"]
        operation["operationId"] = f"{operation['operationId']}_{schema.name}"
        operation["tags"] = [schema.name]
        for parameter in operation["parameters"]:
            _narrow(parameter, schema)
    if path.endswith("/predict"):
        _describe_predict(own["post"], schema, "Row", "Prediction")
    elif path.endswith("/predict/batch"):
        _describe_predict(own["post"], schema, "Rows", "Predictions")
    return own


def _of_domains(path: str, item: Document, schemas: list[DomainSchema]) -> Document:
    """A path's item as it is for all domains: which there are, and a row of each."""
    own = copy.deepcopy(item)
    named = "; ".join(f"`{schema.name}`: {schema.title}" for schema in schemas)
    for operation in own.values():
        for parameter in operation.get("parameters", []):
            if parameter["name"] == "domain":
                names = [schema.name for schema in schemas]
                parameter |= {"description": named, "schema": {"type": "string", "enum": names}, "example": names[0]}
    many = path.endswith("/predict/batch")
    if many or path.endswith("/predict"):
        kinds = [{"$ref": REF + type_name(schema.name, "Rows" if many else "Row")} for schema in schemas]
        rows = {schema.name: example_row(schema) for schema in schemas}
        shown = {name: {"value": [row] if many else row} for name, row in rows.items()}
        body = own["post"].setdefault("requestBody", {"required": True, "content": {}})
        body["content"] = {"application/json": {"schema": {"anyOf": kinds}, "examples": shown}, **body["content"]}
    return own


def _summarise(operation: Document, path: str) -> None:
    """The first sentence beside the address and the others below it; of a long one, what it says before a colon. All
    refusals as one."""
    first, _, rest = " ".join(operation.get("description", "").split()).partition(". ")
    if first and len(first) <= MOST_SUMMARY:
        operation |= {"summary": first.rstrip("."), "description": rest}
    elif ": " in first:
        operation["summary"] = first.partition(": ")[0]
    refused = _refusal("refused: the title says why, the detail what was expected")
    refused |= {"content": json_of(InferenceError.__name__)} if path.startswith(INFERENCE) else {}
    done = {code: answer for code, answer in operation["responses"].items() if code.startswith("2")}
    operation["responses"] = {**done, "default": refused}


def _narrow(parameter: Document, schema: DomainSchema) -> None:
    """A parameter that names a moment or a target can only be one of the domain's."""
    choices = {"moment": list(schema.moments), "target": list(schema.target_by_name)}.get(parameter["name"])
    if choices and parameter.get("in") == "query":
        parameter["schema"] = {"type": "string", "enum": choices}


def _describe_predict(operation: Document, schema: DomainSchema, body: str, answer: str) -> None:
    content = json_of(type_name(schema.name, body))
    known = operation.get("requestBody", {}).get("content", {})
    operation["requestBody"] = {"required": True, "content": content | known}
    operation["responses"]["200"]["content"] = json_of(type_name(schema.name, answer))
    operation["description"] = schema.description


def _older_item(call: OlderCall, schemas: list[DomainSchema], item: Document) -> Document:
    """An address of a system before this one: what its callers send, and their form of an answer or ours."""
    own = copy.deepcopy(item)
    to = " or ".join(call.canonical(schema.name) for schema in schemas)
    operation = own["post"]
    operation["operationId"] += call.path.replace("/", "_")
    operation["tags"] = ["older systems"]
    operation["description"] = f"What {to} answers, in the form that earlier callers of this address read."
    words = "this service's own form of the answer, instead of the older one"
    choice = {"type": "string", "enum": [OURS]}
    kept = [one for one in operation["parameters"] if one["name"] in ("moment", "explain")]
    for one in kept:
        one["schema"] = {"type": "string"} if len(schemas) > 1 and one["name"] == "moment" else one["schema"]
    form = {"name": FORM, "in": "query", "required": False, "schema": choice, "description": words}
    operation["parameters"] = [*kept, form]
    operation["requestBody"] = {"required": True, "content": json_of(_older_name(call, "Body"))}
    operation["responses"]["200"]["content"] = json_of(_older_name(call, "Answer"))
    operation["responses"].pop("202", None)
    if call.later:
        queued = {"description": "a worker answers; status_url says where", "content": json_of("OlderQueued")}
        operation["responses"]["202"] = queued
    return own


def _older_name(call: OlderCall, suffix: str) -> str:
    return type_name("older" + call.path.replace("/", "_").rstrip("_"), suffix)


def _older_components(call: OlderCall, schemas: list[DomainSchema], components: Document) -> Document:
    """The types of body and answer at an address of a system before this one."""
    bodies, said = [], []
    for schema in schemas:
        row = components[type_name(schema.name, "Row")]
        if call.later:
            row = row | {"properties": row["properties"] | {call.later: {"type": "boolean"}}}
            bodies.append(row)
        else:
            bodies.append({"$ref": REF + type_name(schema.name, "Rows" if call.many else "Row")})
        ours = {"$ref": REF + type_name(schema.name, "Predictions" if call.many else "Prediction")}
        older = {"$ref": REF + call.forms[schema.name].kind.__name__}
        said += [older if call.many else {"allOf": [older, ours]}, ours]
    return {_older_name(call, "Body"): {"anyOf": bodies}, _older_name(call, "Answer"): {"anyOf": said}}


def _domain_components(schema: DomainSchema) -> Document:
    """The types of one domain's answers, and of its batch requests."""
    row, one = type_name(schema.name, "Row"), type_name(schema.name, "Prediction")
    rows: Document = {"type": "array", "items": {"$ref": REF + row}, "minItems": 1}
    students = {"type": "object", "properties": {"students": rows}, "required": ["students"]}
    said = {"type": "array", "items": {"$ref": REF + one}}
    return {
        type_name(schema.name, "Rows"): {"anyOf": [rows, students | {"additionalProperties": False}]},
        one: {"allOf": [{"$ref": REF + "PredictionResponse"}, {"properties": {"answers": _answers(schema)}}]},
        type_name(schema.name, "Predictions"): {
            "allOf": [{"$ref": REF + "PredictionsResponse"}, {"properties": {"predictions": said}}]
        },
    }


def _answers(schema: DomainSchema) -> Document:
    kinds = [
        {"allOf": [{"$ref": REF + "Answer"}, {"properties": {"target": {"const": t.name}, "value": _value(t)}}]}
        for t in schema.targets
    ]
    return {"type": "array", "items": kinds[0] if len(kinds) == 1 else {"anyOf": kinds}}


def _value(target: Target) -> Document:
    """What an answer about a target may be; null where the row lacks too much."""
    if target.kind == "ordered_class":
        return {"type": ["string", "null"], "enum": [*target.levels, None], "description": target.description}
    ends = {"minimum": target.minimum, "maximum": target.maximum}
    known = {name: end for name, end in ends.items() if end is not None}
    unit = {"unit": target.unit} if target.unit else {}
    return {"type": ["number", "null"], "description": target.description} | known | unit

"""What happens in schools, event by event, for domains whose rows are made of observations by week."""

import asyncio

import msgspec
from fastapi import APIRouter, Request, Response

from access.roles import Forbidden
from api.request.body import read_body
from api.request.headers import REQUEST_HEADERS, form_of
from api.routes.dependencies import groups_of, needs, noted, schema_of, service_state
from api.routes.openapi import answers, takes
from api.schemas import StoredEvents, TakeEvents, respond
from clock import now
from database.observed import store_events
from preprocessing.panel.live import given_events, panel_of
from preprocessing.validation.json_bodies import MalformedBody
from preprocessing.validation.rules import BadData

router = APIRouter(prefix="/api/v1/{domain}/events", tags=["outcomes"])
EVENTS_BYTES = 1_000_000
"""Of a body: some thousand events."""


@router.post("", responses=answers(StoredEvents), openapi_extra=takes(TakeEvents), dependencies=[needs("upload")])
async def add_events(domain: str, request: Request) -> Response:
    """Store events of attendance, marks, incidents, enrolment and calendar, all or none; the same ones again change
    nothing, and a later version takes the place of an earlier one, whichever comes first. Students are pseudonyms from
    here on. They are of no group yet, so that whoever is confined to groups may send none."""
    schema = schema_of(service_state(request), domain)
    panel_of(schema)
    if groups_of(request) is not None:
        raise Forbidden("events are of no group: whoever is confined to groups sends none")
    body = await read_body(request.receive, EVENTS_BYTES, form_of(request.scope[REQUEST_HEADERS]).declared)
    try:
        sent = msgspec.json.decode(body, type=TakeEvents)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise MalformedBody(str(error)) from None
    return respond(await asyncio.to_thread(_take, request, domain, sent))


def _take(request: Request, domain: str, sent: TakeEvents) -> StoredEvents:
    workspace = service_state(request).workspace
    events, problems = given_events(sent.events, panel_of(workspace.schemas[domain]))
    if problems:
        raise BadData(problems)
    counts = store_events(workspace.store, domain, events, secret=workspace.secret, at=now())
    noted(request, "events sent", domain, events=len(events))
    return StoredEvents(events=len(events), **counts._asdict())

"""Model versions and who is champion: the registry, its history, and changing it by hand."""

import asyncio
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Query, Request, Response

from access.required_reading import require_read
from access.roles import Forbidden, require
from api.jobs import ask_tracking
from api.routes.dependencies import (
    CurrentState,
    groups_of,
    keys_of,
    needs,
    noted,
    principal_of,
    schema_of,
    service_state,
)
from api.routes.openapi import answers, takes
from api.routes.uploads import read_command
from api.schemas import Activate, Models, Promote, Rollback, Successions, respond
from database.records import ChampionKey, Succession
from model.bundle_file import file_name, zip_bundle
from model.card import ModelCard, card_of
from model.card_forms import CARD_FORMS, write_card
from model.registry import activate, find_model, promote, rollback
from model.version_names import version_names

router = APIRouter(prefix="/api/v1/models", tags=["models"])


@router.get("", responses=answers(Models), dependencies=[needs("see")])
def models(request: Request, state: CurrentState, domain: Annotated[str | None, Query()] = None) -> Response:
    """Every model version, newest first, with the names (v3) that people and commands call them by, and the champions,
    with their generation."""
    if domain is not None:
        schema_of(state, domain)
    store = state.workspace.store
    may = principal_of(request).may
    kept = [one for one in store.models() if domain in (None, one.domain) and may("see", one.domain)]
    champions = [one for one in store.champions() if domain in (None, one.domain) and may("see", one.domain)]
    return respond(Models(models=kept, names=version_names(kept), champions=champions))


@router.get("/history", responses=answers(Successions), dependencies=[needs("see")])
def history(state: CurrentState, domain: str, target: str | None = None, moment: str | None = None) -> Response:
    """Every change of champion in a domain, oldest first, with who did it and why."""
    keys = keys_of(schema_of(state, domain), target, moment)
    found = [succession for key in keys for succession in state.workspace.store.successions(key)]
    return respond(Successions(successions=sorted(found, key=lambda one: one.at)))


@router.get(
    "/{version}/download",
    responses={200: {"description": "the files of the bundle", "content": {"application/zip": {}}}},
    dependencies=[needs("download")],
)
def download(version: str, domain: str, request: Request, state: CurrentState) -> Response:
    """A model (its version, or the beginning) as one file: a ZIP of its bundle. It tells of every group that it learned
    from: whoever is confined to groups gets one only where the installation allows it."""
    schema_of(state, domain)
    if principal_of(request).groups is not None and state.settings.group_downloads == "off":
        raise Forbidden("a model tells of all groups that it learned from, and you are confined to some")
    model = find_model(state.workspace.store, version, domain)
    files = state.workspace.artifacts.load(model.version)
    noted(request, "model downloaded", domain, version=model.version)
    name = quote(file_name(model))
    headers = {"content-disposition": f"attachment; filename*=UTF-8''{name}"}
    return Response(zip_bundle(files), headers=headers, media_type="application/zip")


CardFormName = Literal["json", "html", "text"]
AsCard = Annotated[CardFormName, Query(alias="format", description="the record, a page that prints, or text")]


def _in_card_forms() -> dict[int | str, dict[str, Any]]:
    """The `responses` of a card: the record, or the same in another form."""
    found = answers(ModelCard)
    for form in CARD_FORMS.values():
        found[200]["content"].setdefault(form.media.partition(";")[0], {"schema": {"type": "string"}})
    return found


@router.get("/{version}/card", responses=_in_card_forms(), dependencies=[needs("see")])
def card(version: str, domain: str, request: Request, state: CurrentState, form: AsCard = "json") -> Response:
    """A model's card: what it is for and what it is not for, what it learned from, how good it was beside others on the
    same unseen rows, and where it ends. Of groups, whoever is confined to some is told of these alone."""
    schema, workspace = schema_of(state, domain), state.workspace
    model = find_model(workspace.store, version, domain)
    found = card_of(workspace.store, workspace.artifacts, schema, model, groups=groups_of(request))
    return Response(write_card(found, form), media_type=CARD_FORMS[form].media)


CHANGE = [needs("change")]  # and in the domain that the body names


@router.post("/promote", responses=answers(Successions), openapi_extra=takes(Promote), dependencies=CHANGE)
async def promote_version(request: Request, state: CurrentState) -> Response:
    """Make a version champion that never was, with those of its task, where people decide and no contest did. Whoever
    does has to have read within a day whose answers it moves (`changes?version=`)."""
    wanted = await read_command(request, Promote)
    require(principal_of(request), "change", wanted.domain)
    schema_of(state, wanted.domain)
    return respond(await asyncio.to_thread(_promote, request, wanted))


def _promote(request: Request, wanted: Promote) -> Successions:
    workspace = service_state(request).workspace
    require_read(
        workspace.store, principal_of(request).name, find_model(workspace.store, wanted.version, wanted.domain)
    )
    done = promote(
        workspace.store,
        wanted.domain,
        wanted.version,
        actor=principal_of(request).name,
        reason=wanted.reason,
        generation=wanted.generation,
        artifacts=workspace.artifacts,
        schemas=workspace.schemas,
    )
    noted(request, "champion promoted", wanted.domain, version=wanted.version)
    return _refreshed(request, done)


@router.post("/activate", responses=answers(Successions), openapi_extra=takes(Activate), dependencies=CHANGE)
async def activate_version(request: Request, state: CurrentState) -> Response:
    """Make an earlier version champion: for its own target, or all-or-none with every model of its training run."""
    wanted = await read_command(request, Activate)
    require(principal_of(request), "change", wanted.domain)
    schema_of(state, wanted.domain)
    return respond(await asyncio.to_thread(_activate, request, wanted))


def _activate(request: Request, wanted: Activate) -> Successions:
    state = service_state(request)
    done = activate(
        state.workspace.store,
        wanted.domain,
        wanted.version,
        all_targets=wanted.all_targets,
        actor=principal_of(request).name,
        reason=wanted.reason,
        artifacts=state.workspace.artifacts,
        schemas=state.workspace.schemas,
    )
    noted(request, "champion activated", wanted.domain, version=wanted.version)
    return _refreshed(request, done)


@router.post("/rollback", responses=answers(Successions), openapi_extra=takes(Rollback), dependencies=CHANGE)
async def roll_back(request: Request, state: CurrentState) -> Response:
    """Bring back the champions before the present ones, all or none."""
    wanted = await read_command(request, Rollback)
    require(principal_of(request), "change", wanted.domain)
    keys = keys_of(schema_of(state, wanted.domain), wanted.target, wanted.moment)
    return respond(await asyncio.to_thread(_roll_back, request, wanted, keys))


def _roll_back(request: Request, wanted: Rollback, keys: list[ChampionKey]) -> Successions:
    state, actor = service_state(request), principal_of(request).name
    workspace = state.workspace
    done = rollback(
        workspace.store,
        keys,
        actor=actor,
        reason=wanted.reason,
        artifacts=workspace.artifacts,
        schemas=workspace.schemas,
    )
    noted(request, "champion rolled back", wanted.domain, keys=[str(key) for key in keys])
    return _refreshed(request, done)


def _refreshed(request: Request, done: list[Succession]) -> Successions:
    """This worker serves the change at once; the others find it at their next look."""
    workspace = service_state(request).workspace
    workspace.champions.refresh()
    ask_tracking(workspace, done[0].domain, principal_of(request).name)
    return Successions(successions=done)

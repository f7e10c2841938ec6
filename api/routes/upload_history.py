"""The history of uploaded files: how far each is, what it brought, and why one was refused."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from api.routes.dependencies import CurrentState, needs, principal_of, schema_of
from api.routes.openapi import answers
from api.schemas import Uploads, respond
from database.uploads import UnknownUpload, Upload, find_upload, uploads_of

router = APIRouter(prefix="/api/v1/{domain}/uploads", tags=["outcomes"])
UPLOADERS = [needs("upload")]
MOST_UPLOADS = 200


def only_whose(request: Request) -> str | None:
    """Whose uploads alone whoever asks may see: their own, where they are confined to groups."""
    whoever = principal_of(request)
    return None if whoever.groups is None else whoever.name


@router.get("", responses=answers(Uploads), dependencies=UPLOADERS)
def uploads(
    domain: str,
    request: Request,
    state: CurrentState,
    before: Annotated[str | None, Query(description="the last id of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=MOST_UPLOADS)] = 50,
) -> Response:
    """Uploaded files, newest first, refused ones as well; of whoever is confined to groups, their own."""
    schema_of(state, domain)
    store, whose = state.workspace.store, only_whose(request)
    place = None if before is None else _upload(request, state, domain, before)
    return respond(Uploads(uploads=uploads_of(store, domain, actor=whose, before=place, limit=limit)))


@router.get("/{id}", responses=answers(Upload), dependencies=UPLOADERS)
def upload(domain: str, id: str, request: Request, state: CurrentState) -> Response:
    """One uploaded file."""
    schema_of(state, domain)
    return respond(_upload(request, state, domain, id))


def _upload(request: Request, state: CurrentState, domain: str, id: str) -> Upload:
    found, whose = find_upload(state.workspace.store, domain, id), only_whose(request)
    if whose not in (None, found.actor):
        raise UnknownUpload(f"no upload {id!r:.80} in {domain}; its list names those that there are")
    return found

"""The sheet about one prediction for the person whom it is about, as a page or as PDF."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response

import language
from api.routes.dependencies import CurrentState, logged_prediction, needs, noted, schema_of
from api.routes.own import locale_of
from reports.sheet_forms import SHEET_FORMS, sheet_about

router = APIRouter(prefix="/api/v1/{domain}/predictions", tags=["students"])
IN_FORMS = {
    200: {
        "description": "the sheet, in the language of Accept-Language",
        "content": {form.media.partition(";")[0]: {"schema": {"type": "string"}} for form in SHEET_FORMS.values()},
    }
}


@router.get("/{id}/sheet", responses=IN_FORMS, dependencies=[needs("read")])  # type: ignore[arg-type]
def sheet(
    domain: str,
    id: str,
    request: Request,
    state: CurrentState,
    form: Annotated[Literal["html", "pdf"], Query(alias="format", description="a page, or a paper")] = "html",
) -> Response:
    """One page for the person: what was predicted, its range, the main reasons, what is not known, which data it rests
    on, what it may be used for, whom to ask, and how to object."""
    found, settings, wanted = logged_prediction(request, domain, id), state.settings, SHEET_FORMS[form]
    noted(request, "prediction read", domain, prediction=found.id, student=found.student)
    with language.use(locale_of(request.headers.get("accept-language", ""))):
        purpose, schema = settings.intended_purpose(), schema_of(state, domain)
        content = wanted.write(sheet_about(state.workspace, schema, found, purpose, settings.contact))
    headers = {"cache-control": "no-store", "content-language": locale_of(request.headers.get("accept-language", ""))}
    return Response(content, headers=headers, media_type=wanted.media)

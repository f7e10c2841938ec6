"""The sheet about one prediction for the person whom it is about, as a page or as PDF."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response

import language
from api.routes.dependencies import CurrentState, logged_prediction, needs, noted, schema_of
from api.state import ServiceState
from database.records import Prediction
from language.speech import languages
from preprocessing.schema import DomainSchema
from reports.sheet_forms import SHEET_FORMS, sheet_about

router = APIRouter(prefix="/api/v1/{domain}/predictions", tags=["students"])
IN_FORMS = {
    200: {
        "description": "the sheet, in the language of Accept-Language",
        "content": {form.media.partition(";")[0]: {"schema": {"type": "string"}} for form in SHEET_FORMS.values()},
    }
}


AsSheet = Annotated[Literal["html", "pdf"], Query(alias="format", description="a page, or a paper")]


@router.get("/{id}/sheet", responses=IN_FORMS, dependencies=[needs("read")])  # type: ignore[arg-type]
def sheet(domain: str, id: str, request: Request, state: CurrentState, form: AsSheet = "html") -> Response:
    """One page for the person: what was predicted, its range, the main reasons, what is not known, which data it rests
    on, what it may be used for, whom to ask, and how to object."""
    found = logged_prediction(request, domain, id)
    noted(request, "prediction read", domain, prediction=found.id, student=found.student)
    return sheet_answer(request, state, schema_of(state, domain), found, form)


def sheet_answer(
    request: Request, state: ServiceState, schema: DomainSchema, said: Prediction, form: Literal["html", "pdf"]
) -> Response:
    """The sheet about a prediction, in the language of Accept-Language."""
    settings, wanted, locale = state.settings, SHEET_FORMS[form], locale_of(request.headers.get("accept-language", ""))
    with language.use(locale):
        made = sheet_about(state.workspace, schema, said, settings.intended_purpose(), settings.contact)
        content = wanted.write(made)
    headers = {"cache-control": "no-store", "content-language": locale}
    return Response(content, headers=headers, media_type=wanted.media)


def locale_of(accepted: str) -> str:
    """The locale that a reader likes best of those that are spoken here; English where none is (RFC 9110, 12.5.4).

    >>> locale_of("fr-CH, de;q=0.5"), locale_of("pt, *;q=0.1"), locale_of("")
    ('fr-CH', 'en', 'en')
    """
    weighed: list[tuple[float, str]] = []
    for part in accepted.split(","):
        name, _, weight = part.strip().partition(";q=")
        try:
            weighed.append((float(weight or 1), name.strip()))
        except ValueError:
            continue
    liked = sorted(weighed, key=lambda one: -one[0])
    return next((name for weight, name in liked if weight > 0 and name.split("-")[0].lower() in languages()), "en")

"""The domains: what is predicted from which columns, and upload templates."""

from typing import Any, Literal

from fastapi import APIRouter, Request, Response

from api.routes.dependencies import CurrentState, needs, principal_of, schema_of
from api.routes.openapi import answers
from api.schemas import Domains, DomainSummary, respond
from api.state import ServiceState
from preprocessing.schema import DomainSchema

router = APIRouter(prefix="/api/v1/domains", tags=["domains"])
SPREADSHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
FILE = {"schema": {"type": "string", "format": "binary"}}
TEMPLATE: dict[str, Any] = {"description": "the file", "content": {"text/csv": FILE, SPREADSHEET: FILE}}


@router.get("", responses=answers(Domains), dependencies=[needs("see")])
async def domains(request: Request, state: CurrentState) -> Response:
    """Every domain that you may see, with its moments, targets and loaded champions."""
    may = principal_of(request).may
    shown = [_summary(state, one) for one in state.workspace.schemas.values() if may("see", one.name)]
    return respond(Domains(domains=shown))


def _summary(state: ServiceState, schema: DomainSchema) -> DomainSummary:
    champions = [key for key in state.workspace.champions.loaded if key.domain == schema.name]
    return DomainSummary(
        name=schema.name,
        title=schema.title,
        description=schema.description,
        moments=schema.moments,
        targets=tuple(schema.target_by_name),
        champions=tuple(f"{key.target}@{key.moment}" for key in sorted(champions)),
    )


@router.get("/{domain}", dependencies=[needs("see")])
async def domain(domain: str, state: CurrentState) -> Response:
    """One domain: every column with its kind, range, unit, levels and the moment from which it is known."""
    return respond(schema_of(state, domain))


@router.get("/{domain}/template", response_class=Response, responses={200: TEMPLATE}, dependencies=[needs("see")])
def domain_template(domain: str, state: CurrentState, format: Literal["csv", "xlsx"] = "csv") -> Response:
    """An upload template with example rows."""
    from preprocessing.template import template

    schema = schema_of(state, domain)
    headers = {"content-disposition": f'attachment; filename="{schema.name}.{format}"'}
    media = SPREADSHEET if format == "xlsx" else "text/csv; charset=utf-8"
    return Response(template(schema, format=format), headers=headers, media_type=media)

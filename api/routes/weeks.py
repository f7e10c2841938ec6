"""How students stand this week, by what is observed of them, for domains whose rows are made of observations."""

import asyncio
from collections.abc import Sequence
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from api.routes.dependencies import (
    HEX,
    Day,
    groups_of,
    needs,
    noted,
    principal_of,
    pseudonym_of,
    schema_of,
    service_state,
)
from api.routes.openapi import answers, takes
from api.routes.uploads import read_command
from api.schemas import AskStudents, StudentsThisWeek, respond
from api.state import ServiceState
from model.microbatch import API_SOURCE
from monitoring.weekly_answers import WeeklyAnswer, WeeklyAnswers
from preprocessing.validation.pii import pseudonym

router = APIRouter(prefix="/api/v1/{domain}/students", tags=["students"])


@router.post("", responses=answers(StudentsThisWeek), openapi_extra=takes(AskStudents), dependencies=[needs("predict")])
async def ask_about_students(domain: str, request: Request) -> Response:
    """Risk within each horizon, level, plain rule and completeness of students by their keys, by what is observed of
    them until now; on request what moved it. Where there is no answer, why. Each answer is logged before it is given.
    """
    asked = await read_command(request, AskStudents)
    secret = service_state(request).workspace.secret
    students = [pseudonym(str(one), secret) for one in asked.students]
    noted(request, "students listed", domain, groups=groups_of(request), found=len(students))
    return respond(await asyncio.to_thread(_ask, request, domain, students, asked.as_of, factors=asked.factors))


@router.get("/{student}/week", responses=answers(WeeklyAnswer), dependencies=[needs("predict")])
def student_this_week(
    domain: str,
    student: Annotated[str, Path(description="pseudonym, as answers give it", json_schema_extra=HEX)],
    request: Request,
    factors: Annotated[bool, Query(description="with what moved the answer, and what moved since last week")] = True,
    as_of: Annotated[Day | None, Query(description="by what is known at the end of that day")] = None,
) -> Response:
    """The same of one student."""
    who = pseudonym_of(student) or ""
    noted(request, "student looked up", domain, student=who)
    return respond(_ask(request, domain, [who], as_of, factors=factors).students[0])


def weekly_answers(state: ServiceState, domain: str) -> WeeklyAnswers:
    """Whoever answers about students of a domain. Raises UnknownDomain, NoPanel, NoPassMark."""
    schema = schema_of(state, domain)
    return WeeklyAnswers(state.workspace.store, state.predictions, schema, state.workspace.weeks)


def _ask(
    request: Request, domain: str, students: Sequence[str], as_of: date | None, *, factors: bool
) -> StudentsThisWeek:
    weekly = weekly_answers(service_state(request), domain)
    told = weekly.answers(
        students,
        source=API_SOURCE,
        actor=principal_of(request).name,
        as_of=as_of,
        factors=factors,
        groups=groups_of(request),
    )
    return StudentsThisWeek(domain=domain, target=weekly.target.name, within=weekly.target.within, students=told)

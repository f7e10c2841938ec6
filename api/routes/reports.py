"""Reports on the students of a group in a period, in the forms that people and programs read.

They are made by a worker; here they are found, and written in the form that is asked for.
"""

import asyncio
from typing import Annotated, Any, Literal, NamedTuple

from fastapi import APIRouter, Depends, Query, Request, Response

from access.roles import require_groups
from api.fast.parameters import BadQueryParameter
from api.jobs import done, idempotency_key
from api.routes.dependencies import CurrentState, NotFound, groups_of, needs, noted, principal_of, schema_of
from api.routes.openapi import answers, takes
from api.routes.uploads import read_command
from api.schemas import ClassList, MakeReport, ReportSummaries, ReportSummary, respond
from api.state import ServiceState
from clock import now
from jobs.queue import COHORT_REPORT, JobRequest
from preprocessing.validation.pii import pseudonym
from preprocessing.validation.rules import plain_key
from reports.archive import ReportEntry, list_reports, read_report, reports_of
from reports.forms import FORMS, write_report
from reports.records import CohortReport, require_cohorts
from reports.schedule import occasion_on, require_latest
from reports.tables import NO_CLASS_LIST, Named

router = APIRouter(prefix="/api/v1/{domain}/reports", tags=["results"])
MOST_REPORTS = 500
READERS = [needs("read")]
FormName = Literal["json", "html", "csv", "xlsx", "pdf"]
AsForm = Annotated[FormName, Query(alias="format", description="a page, a table, a workbook, or the record")]


class Cohort(NamedTuple):
    """A group and a period, either of them only where it is named."""

    group: str | None
    period: str | None


def cohort_of(
    request: Request,
    group: Annotated[str | None, Query(description="the group, such as a course")] = None,
    course: Annotated[str | None, Query(description="the same as group")] = None,
    period: Annotated[str | None, Query(description="the period")] = None,
) -> Cohort:
    """What is asked about, as a FastAPI dependency. Raises Forbidden for another's group, BadQueryParameter."""
    if group is not None and course is not None and group != course:
        raise BadQueryParameter("course is another word for group: say one of them")
    named = group if group is not None else course
    if named is not None:
        require_groups(principal_of(request), [named])
    return Cohort(named, period)


def in_forms() -> dict[int | str, dict[str, Any]]:
    """The `responses` of a report: the record, or the same in another form."""
    found = answers(CohortReport)
    for form in FORMS.values():
        found[200]["content"].setdefault(form.media.partition(";")[0], {"schema": {"type": "string"}})
    return found


@router.get("", responses=answers(ReportSummaries), dependencies=READERS)
def reports(
    domain: str,
    request: Request,
    state: CurrentState,
    cohort: Annotated[Cohort, Depends(cohort_of)],
    limit: Annotated[int, Query(ge=1, le=MOST_REPORTS)] = 100,
) -> Response:
    """Which reports there are, the newest first; of groups, only one's own."""
    require_cohorts(schema_of(state, domain))
    groups = groups_of(request) if cohort.group is None else [cohort.group]
    found = [one for one in list_reports(state.workspace.store, domain, groups) if cohort.period in (None, one.period)]
    return respond(ReportSummaries(reports=[_summary(one) for one in found[:limit]]))


@router.post(
    "",
    responses=answers(ReportSummary, later=True),
    openapi_extra=takes(MakeReport),
    dependencies=[needs("predict")],
)
async def make(domain: str, request: Request, state: CurrentState) -> Response:
    """Have a report made, once for a day: whoever asks again is given the same one."""
    require_cohorts(schema_of(state, domain))
    asked, whoever, store = await read_command(request, MakeReport), principal_of(request), state.workspace.store
    require_groups(whoever, [asked.group])
    found = await asyncio.to_thread(occasion_on, store, domain, asked.group, asked.period, now().date())
    arguments = {"group": asked.group, "period": asked.period, "due": str(asked.due or found.due), "every": found.every}
    wanted = JobRequest(COHORT_REPORT, domain, whoever.name, arguments, key=idempotency_key(request))
    job = await done(request, state.background, wanted, state.settings)
    if isinstance(job, Response):
        return job
    made = await asyncio.to_thread(reports_of, store, domain, asked.group, asked.period)
    return respond(_summary(next(one for one in made if one.id == (job.result or {})["report"])))


@router.get("/latest", responses=in_forms(), dependencies=READERS)
def latest(
    domain: str,
    request: Request,
    state: CurrentState,
    cohort: Annotated[Cohort, Depends(cohort_of)],
    form: AsForm = "json",
) -> Response:
    """The newest report of a group and period. Where there is none, the refusal says when the next one is due."""
    require_cohorts(schema_of(state, domain))
    if cohort.group is None or cohort.period is None:
        raise BadQueryParameter("say whose report: group=… (or course=…) and period=…")
    entry = require_latest(state.workspace.store, domain, cohort.group, cohort.period, now().date())
    return _handed_out(request, state, entry, form)


@router.get("/{id}", responses=in_forms(), dependencies=READERS)
def report(domain: str, id: str, request: Request, state: CurrentState, form: AsForm = "json") -> Response:
    """One report."""
    return _handed_out(request, state, _entry(request, state, domain, id), form)


@router.post("/{id}", responses=in_forms(), openapi_extra=takes(ClassList), dependencies=READERS)
async def report_with_keys(
    domain: str, id: str, request: Request, state: CurrentState, form: AsForm = "html"
) -> Response:
    """One report, with the institution's own keys in the place of pseudonyms, by a class list: who sends it knows them.
    Nothing of the list is kept."""
    listed = await read_command(request, ClassList)
    secret = state.workspace.secret
    keys = {pseudonym(plain_key(str(key)), secret): plain_key(str(key)) for key in listed.keys}

    def handed_out() -> Response:
        return _handed_out(request, state, _entry(request, state, domain, id), form, keys)

    return await asyncio.to_thread(handed_out)


def _entry(request: Request, state: ServiceState, domain: str, id: str) -> ReportEntry:
    require_cohorts(schema_of(state, domain))
    found = next((one for one in list_reports(state.workspace.store, domain) if one.id == id), None)
    if found is None:
        raise NotFound(f"no report of that id in {domain}")
    require_groups(principal_of(request), [found.group])
    return found


def _handed_out(
    request: Request, state: ServiceState, entry: ReportEntry, form: FormName, keys: Named = NO_CLASS_LIST
) -> Response:
    noted(request, "report read", entry.domain, report=entry.id)
    content = write_report(read_report(state.workspace.store, entry), form, keys)
    name = f'attachment; filename="report-{entry.due}.{form}"'
    headers = {"content-disposition": name} if form in ("csv", "xlsx", "pdf") else {}
    return Response(content, 200, headers, media_type=FORMS[form].media)


def _summary(entry: ReportEntry) -> ReportSummary:
    return ReportSummary(
        id=entry.id,
        group=entry.group,
        period=entry.period,
        due=entry.due,
        made=entry.made,
        edition=entry.edition,
        withdrawn=entry.withdrawn,
        students=entry.students,
        next_due=entry.next,
        address=f"/api/v1/{entry.domain}/reports/{entry.id}",
    )

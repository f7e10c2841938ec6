"""A course's CSV sent at any time, and the newest report on its period, at the addresses of the system that made them.

Its callers name a period by two days and no course: their rows are one group of the domain. The upload is checked,
told and stored as any other, and the report is a cohort report; here both get the older form.
"""

import asyncio
import csv
import io
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Annotated, Any, NamedTuple

from fastapi import APIRouter, Depends, Query, Request, Response

from access.roles import require, require_groups
from api.errors import REFUSED_AS
from api.fast.parameters import BadQueryParameter
from api.jobs import done
from api.routes.dependencies import CurrentState, Day, needs, noted, principal_of, schema_of
from api.routes.openapi import answers, takes_file
from api.routes.uploads import read_told, rules_of
from api.schemas import OlderTaken, respond
from api.state import ServiceState
from clock import now
from database.newest import Standing
from database.records import BatchKind, Cell, Prediction
from jobs.queue import BATCH_FILE, JobFile, JobRequest
from model.readable import rounded_value
from preprocessing.schema import DomainSchema
from preprocessing.validation.rules import is_missing, match_columns
from reports.archive import read_report
from reports.records import USUAL_DAYS, CohortReport, ReportedStudent, reported_targets
from reports.schedule import ReportSchedule, plan_reports, require_latest, schedule_of
from reports.sentences import silence_words
from reports.tables import CHANCE_DECIMALS

router = APIRouter(tags=["older systems"])

REPORTED = "course"
"""The domain that the older reports were about."""

WHOLE = "all"
"""The group of rows that name no course."""

OLDER_NAMES = {"extracurricular_activities": "extracurricular_activities_count"}
"""Of columns that are called otherwise here."""

CELL_SEPARATORS = (",", ";", "\t")
STANDINGS_OF_PAGE = 500
CSV_TYPE = "text/csv; charset=utf-8"
AS_CSV: dict[int | str, dict[str, Any]] = {
    200: {"description": "the report", "content": {"text/csv": {"schema": {"type": "string"}}}}
}


class CoursePeriod(NamedTuple):
    """From the first day of a period to its last, and the course in it."""

    begins: date
    ends: date
    course: str

    @property
    def name(self) -> str:
        """As rows name it: an interval of days, which sorts."""
        return f"{self.begins}/{self.ends}"


def period_of(
    request: Request,
    begins: Annotated[Day, Query(alias="start_date_period", description="the first day of the period")],
    ends: Annotated[Day, Query(alias="end_date_period", description="the last day of the period")],
    course: Annotated[str, Query(description="of which course, where there are several")] = WHOLE,
) -> CoursePeriod:
    """The period that is asked about, as a FastAPI dependency. Raises BadQueryParameter, Forbidden."""
    if ends < begins:
        raise BadQueryParameter(f"a period that begins on {begins} cannot end on {ends}")
    require_groups(principal_of(request), [course])
    return CoursePeriod(begins, ends, course)


TOOK_FILE = answers(OlderTaken) | answers(OlderTaken, 202, "a worker does it; Location says where to look")
InPeriod = Annotated[CoursePeriod, Depends(period_of)]


@router.post("/update-csv", responses=TOOK_FILE, openapi_extra=takes_file(), dependencies=[needs("upload")])
async def update_csv(request: Request, state: CurrentState, period: InPeriod) -> Response:
    """Rows of students in a period, in place of what was known of them; those with a final grade are learned from.
    Reports on the period are made every three weeks from then on, where none are scheduled."""
    require(principal_of(request), "upload", REPORTED)
    schema = schema_of(state, REPORTED)
    sent = (await read_told(request, REPORTED, "unlabeled"))["file"]
    parts = await asyncio.to_thread(split_by_grade, sent.content, schema, period)
    taken: dict[BatchKind, Mapping[str, Any]] = {}
    for kind, content in parts.items():
        arguments = {"kind": kind, "sheet": "", "skip_bad_rows": False, **rules_of(request)}
        files = {"file": JobFile(sent.name, content)}
        wanted = JobRequest(BATCH_FILE, REPORTED, principal_of(request).name, arguments, files=files)
        job = await done(request, state.background, wanted, state.settings)
        if isinstance(job, Response):
            return job if REFUSED_AS in request.scope else respond(_on_its_way(job), 202, {"location": _location(job)})
        taken[kind] = job.result or {}
    await asyncio.to_thread(_plan, state, period)
    return respond(_told(taken))


def _location(accepted: Response) -> str:
    return accepted.headers["location"]


def _on_its_way(accepted: Response) -> OlderTaken:
    return OlderTaken(message=f"the file came; {_location(accepted)} tells what becomes of it")


def _told(taken: Mapping[BatchKind, Mapping[str, Any]]) -> OlderTaken:
    rows = {kind: int(one["batch"]["rows"]) for kind, one in taken.items()}
    graded = rows.get("labeled", 0)
    message = f"{sum(rows.values()):,} rows are up to date, {graded:,} of them with a final grade"
    uploads = [one["upload"]["id"] for one in taken.values()]
    return OlderTaken(message=message, uploads=uploads, notes=[note for one in taken.values() for note in one["notes"]])


def split_by_grade(content: bytes, schema: DomainSchema, period: CoursePeriod) -> dict[BatchKind, bytes]:
    """The rows of a CSV, each with its period and group, apart by whether they have a final grade. A row of the other
    part is an empty line, so that problems name rows as the sender counts them."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252", errors="replace")
    separator = max(CELL_SEPARATORS, key=text.partition("\n")[0].count)
    head, *rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator)) or [[]]
    known = match_columns(head, schema).found
    graded = known.get(reported_targets(schema)[0].name)
    grade = None if graded is None else head.index(graded)
    lacking = {schema.group[0]: period.course, schema.period or "": period.name}
    told = {name: value for name, value in lacking.items() if name not in known}
    kinds = dict.fromkeys(_kind(row, grade) for row in rows if any(row)) or {"unlabeled": None}
    parts = {kind: [row if any(row) and _kind(row, grade) == kind else [] for row in rows] for kind in kinds}
    values = list(told.values())
    return {
        kind: _written([[*head, *told], *([*row, *values] if row else [] for row in part)], separator)
        for kind, part in parts.items()
    }


def _kind(row: list[str], grade: int | None) -> BatchKind:
    there = grade is not None and grade < len(row) and not is_missing(row[grade])
    return "labeled" if there else "unlabeled"


def _written(rows: list[list[str]], separator: str) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=separator, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def _plan(state: ServiceState, period: CoursePeriod) -> None:
    """Reports until the period ends, the first one three weeks after it began, where nobody has said when."""
    store = state.workspace.store
    if schedule_of(store, REPORTED, period.course, period.name) is None:
        begins = min(period.begins + timedelta(days=USUAL_DAYS), period.ends)
        plan = ReportSchedule(domain=REPORTED, group=period.course, period=period.name, begins=begins, ends=period.ends)
        plan_reports(store, plan)


@router.get("/get-report", responses=AS_CSV, dependencies=[needs("read")])
def get_report(request: Request, state: CurrentState, period: InPeriod) -> Response:
    """The newest report on a period as a table. Where there is none, the refusal says when the next one is due."""
    require(principal_of(request), "read", REPORTED)
    schema, store = schema_of(state, REPORTED), state.workspace.store
    entry = require_latest(store, REPORTED, period.course, period.name, now().date())
    noted(request, "report read", REPORTED, report=entry.id)
    report = read_report(store, entry)
    asked = store.predictions_of([one.prediction for one in report.students if one.prediction])
    content = _table(report, schema, period, {one.id: one for one in asked}, _standings(state, period))
    headers = {"content-disposition": f'attachment; filename="report-{entry.due}.csv"'}
    return Response(content, 200, headers, media_type=CSV_TYPE)


def _standings(state: ServiceState, period: CoursePeriod) -> dict[str, Standing]:
    """By student, the newest row of each."""
    found: dict[str, Standing] = {}
    after: str | None = None
    while page := state.workspace.store.standings(
        REPORTED, period.course, period.name, after=after, limit=STANDINGS_OF_PAGE
    ):
        found |= {one.student: one for one in page}
        after = page[-1].student
    return found


def _table(
    report: CohortReport,
    schema: DomainSchema,
    period: CoursePeriod,
    asked: Mapping[str, Prediction],
    standings: Mapping[str, Standing],
) -> bytes:
    """The older columns, a row of each student, and after them what that form cannot say."""
    lines = [_line(one, report, asked, standings) for one in report.students]
    days = {"start_date_period": period.begins, "end_date_period": period.ends}
    key = schema.student.name if schema.student else "student"
    features = [one.name for one in schema.features]
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([key, *days, *(OLDER_NAMES.get(one, one) for one in features), *(lines[0][1] if lines else ())])
    for student, (inputs, said) in zip(report.students, lines, strict=True):
        writer.writerow([student.student, *days.values(), *(inputs.get(name) for name in features), *said.values()])
    return text.getvalue().encode()


def _line(
    student: ReportedStudent,
    report: CohortReport,
    asked: Mapping[str, Prediction],
    standings: Mapping[str, Standing],
) -> tuple[Mapping[str, Cell], dict[str, object]]:
    """What was known of a student when it was answered, and what was said; the grade is what is known by now."""
    target, standing = report.target, standings.get(student.student)
    answer, prediction = student.answer(target.name), asked.get(student.prediction or "")
    low, high = (answer.interval if answer else None) or (None, None)
    inputs = prediction.inputs if prediction else standing.row.inputs if standing else {}
    numbers = {"": answer and answer.value, "_low": low, "_high": high, "_plain_rule": answer and answer.naive}
    below = answer.below_pass if answer else None
    said = {end: rounded_value(one, target) if isinstance(one, float | int) else one for end, one in numbers.items()}
    return inputs, {
        target.name: standing.row.targets.get(target.name) if standing else None,
        f"prediction_{target.name}": said[""],
        "prediction_report_date": report.due,
        **{f"prediction_{target.name}{end}": one for end, one in said.items() if end},
        f"prediction_{target.name}_below_pass": below if below is None else round(below, CHANCE_DECIMALS),
        "remark": silence_words(student, report),
        "model_version": answer and answer.model,
    }

"""Reports on the students of a group in a period: `gradewatch reports …`."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.apps import reports_app
from cli.inputs import actor, opened_workspace
from cli.options import Domain, Groups, Locale, OneDomain
from cli.output import err, out, steps, write_json
from settings import Settings

if TYPE_CHECKING:
    from model.workspace import Workspace
    from reports.archive import ReportEntry

Group = Annotated[str, typer.Option("--group", "--course", "-g", help="The group (a course), as rows name it.")]
Period = Annotated[str, typer.Option("--period", "-p", help="The period, as rows name it.")]
ReportFile = Annotated[
    list[Path] | None,
    typer.Option("--output", "-o", help="Write it to a .html, .csv, .xlsx, .pdf or .json file (repeatable)."),
]
DAYS_WRITTEN = ["%Y-%m-%d"]
ClassList = Annotated[
    Path | None,
    typer.Option(
        exists=True, dir_okay=False, help="A file with your student keys, shown in place of pseudonyms; never stored."
    ),
]


@reports_app.command("make")
def make(
    domain: Domain,
    group: Group,
    period: Period,
    due: Annotated[
        datetime | None,
        typer.Option(
            formats=DAYS_WRITTEN, help="The day that it is for; the one that is due, or today (UTC), if none."
        ),
    ] = None,
    output: ReportFile = None,
    class_list: ClassList = None,
    locale: Locale = "auto",
) -> None:
    """Make the report of a group and period for a day, once: whoever asks again is given the same one."""
    from advice.catalogue import load_catalogue
    from clock import now
    from reports.make import make_report
    from reports.schedule import occasion_on

    with opened_workspace() as workspace, steps() as progress:
        progress("asking about the students")
        occasion = occasion_on(workspace.store, domain, group, period, now().date())
        occasion = occasion._replace(due=due.date()) if due else occasion
        catalogue = load_catalogue(Settings().study_catalogue)
        entry, new = make_report(workspace, domain, occasion, actor=actor(), catalogue=catalogue)
        _note(workspace, "report made" if new else "report read", entry)
        _hand_out(workspace, entry, output, class_list, locale)
    said = "made" if new else "there already; nothing changed"
    whom = f"{entry.students:,} student{'' if entry.students == 1 else 's'}"
    err.print(f"report {entry.id[:12]} for {entry.due}: {whom}, {said}; the next on {entry.next}")


@reports_app.command("latest")
def latest(
    domain: Domain,
    group: Group,
    period: Period,
    output: ReportFile = None,
    class_list: ClassList = None,
    locale: Locale = "auto",
) -> None:
    """The newest report of a group and period, printed or written to files."""
    from clock import now
    from reports.schedule import require_latest

    with opened_workspace() as workspace:
        workspace.service.schema(domain)
        entry = require_latest(workspace.store, domain, group, period, now().date())
        _note(workspace, "report read", entry)
        _hand_out(workspace, entry, output, class_list, locale, shown=True)


@reports_app.command("list")
def list_made(
    domain: Domain,
    group: Groups = None,
    period: Annotated[str | None, typer.Option("--period", "-p", help="Only of this period.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print them as JSON.")] = False,
) -> None:
    """The reports that there are, the newest first."""
    from reports.archive import list_reports
    from reports.render import entries_table

    with opened_workspace() as workspace:
        workspace.service.schema(domain)
        found = list_reports(workspace.store, domain, group or None)
    kept = [one for one in found if period in (None, one.period)]
    if as_json:
        write_json(kept)
        return
    out.print(entries_table(kept))


@reports_app.command("schedule")
def schedule(
    domain: Domain,
    group: Group,
    period: Period,
    begins: Annotated[datetime, typer.Option(formats=DAYS_WRITTEN, help="The day that the first one is due on.")],
    ends: Annotated[datetime, typer.Option(formats=DAYS_WRITTEN, help="The last day that one may be due on.")],
    every: Annotated[int, typer.Option(help="Days from one to the next, 14 to 28.")] = 21,
    mail: Annotated[
        list[str] | None,
        typer.Option(help="Tell this address when one is there (repeatable), by GRADEWATCH_SMTP_URL."),
    ] = None,
) -> None:
    """Have reports on a group and period made from a day on, in place of its schedule of before."""
    from clock import now
    from reports.records import require_cohorts
    from reports.schedule import ReportSchedule, plan_reports

    with opened_workspace() as workspace:
        require_cohorts(workspace.service.schema(domain))
        wanted = ReportSchedule(
            domain=domain,
            group=group,
            period=period,
            begins=begins.date(),
            ends=ends.date(),
            every=every,
            mail=tuple(mail or ()),
        )
        plan_reports(workspace.store, wanted)
        today = now().date()
    err.print(f"reports on {group} in {period}: the next one is due on {wanted.due(today) or wanted.following(today)}")


@reports_app.command("unschedule")
def unschedule(domain: Domain, group: Group, period: Period) -> None:
    """Have no more reports made on a group and period; those that there are stay."""
    from reports.schedule import end_schedule

    with opened_workspace() as workspace:
        end_schedule(workspace.store, domain, group, period)
    err.print(f"no more reports on {group} in {period} will be made")


@reports_app.command("schedules")
def schedules(domain: OneDomain = None) -> None:
    """When reports are due."""
    from clock import now
    from reports.render import schedules_table
    from reports.schedule import report_schedules

    with opened_workspace() as workspace:
        found = report_schedules(workspace.store, domain)
    out.print(schedules_table(found, now().date()))


def _note(workspace: "Workspace", action: str, entry: "ReportEntry") -> None:
    from access.journal import note

    made = action == "report made"
    note(workspace.store, actor(), "report made" if made else "report read", entry.domain, report=entry.id)


def _hand_out(
    workspace: "Workspace",
    entry: "ReportEntry",
    outputs: list[Path] | None,
    class_list: Path | None,
    locale: str,
    *,
    shown: bool = False,
) -> None:
    """Write the report to files, or print it where there are none and it is to be shown."""
    from model.answer_files import dialect_of
    from reports.archive import read_report
    from reports.class_list import read_class_list
    from reports.forms import write_report
    from reports.render import report_table

    schema = workspace.service.schema(entry.domain)
    keys = read_class_list(class_list, schema, secret=workspace.secret) if class_list else {}
    report = read_report(workspace.store, entry)
    for path in outputs or ():
        content = write_report(report, path.suffix.lstrip(".").casefold(), keys, dialect_of(locale))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        err.print(f"wrote {path}", highlight=False, soft_wrap=True)
    if shown and not outputs:
        out.print(report_table(report, keys))
    if keys and (unknown := len(keys.keys() - {one.student for one in report.students})):
        err.print(f"{unknown:,} of {len(keys):,} in your class list stand in no row of this report")

"""A scheduled report is asked for by the tick, made once however its worker dies, and told to whom it concerns."""

from datetime import timedelta
from functools import partial

import pytest
from msgspec.structs import replace

from clock import now
from jobs.queue import COHORT_REPORT, DELIVERY
from jobs.tick import Pass, tick
from model.workspace import Workspace
from monitoring.channels import open_channels
from reports.archive import read_report, reports_of
from reports.records import REPORT_SOURCE
from reports.schedule import ReportSchedule, plan_reports
from tests.jobs import test_kinds
from tests.jobs.test_kinds import die
from tests.monitoring.receivers import Inbox
from tests.reports.making import COURSE

HEAD = "head@school.example"
PLANNED = ReportSchedule(
    domain=COURSE.name,
    group="algebra",
    period="2026-1",
    begins=now().date() - timedelta(days=30),
    ends=now().date() + timedelta(days=60),
    mail=(HEAD,),
)
WHERE = (COURSE.name, "algebra", "2026-1")


@pytest.mark.parametrize("method", ["add_predictions", "put_document", "add_accesses"])
def test_a_report_of_a_job_that_was_killed_is_there_once_and_told_once(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    inbox = Inbox().start()
    settings = replace_settings(monkeypatch, inbox)
    try:
        plan_reports(workspace.store, PLANNED)
        for _ in range(2):  # nobody works: it is asked for once
            tick(Pass(workspace.store, settings, at=now()))
        [job] = workspace.store.jobs(kind=COHORT_REPORT)
        assert job.arguments["due"] == str(PLANNED.due(now().date()))
        die(workspace, method, after=True)
        ended = test_kinds.do(workspace)
        assert (ended.id, ended.state, ended.attempts) == (job.id, "done", 2)
        tick(Pass(workspace.store, settings, at=now()))
        assert [one.state for one in workspace.store.jobs(kind=COHORT_REPORT)] == ["done"]
        assert workspace.store.jobs(kind=DELIVERY)
        assert test_kinds.do(workspace).kind == DELIVERY
    finally:
        inbox.stop()
    [entry] = reports_of(workspace.store, *WHERE)
    report = read_report(workspace.store, entry)
    logged = [one for one in workspace.store.predictions(COURSE.name) if one.source == REPORT_SOURCE]
    assert sorted(one.id for one in logged) == sorted(one.prediction or "" for one in report.students)
    assert [one.details["report"] for one in workspace.store.accesses(action="report made")] == [entry.id]
    [mail] = inbox.got
    assert (mail["To"], f"/reports/{entry.id}" in mail.get_content()) == (HEAD, True)
    assert not any(one.student[:12] in mail.get_content() for one in report.students)


def replace_settings(monkeypatch: pytest.MonkeyPatch, inbox: Inbox) -> "test_kinds.JobSettings":
    """Settings with a server for mail, with which the jobs of this test are done."""
    mail_to = lambda receivers: open_channels(email=",".join(receivers), smtp_url=inbox.url)  # noqa: E731
    monkeypatch.setattr(test_kinds, "JobSettings", partial(test_kinds.JobSettings, mail_to=mail_to))
    return test_kinds.JobSettings(1000)


def test_what_has_no_rows_yet_is_tried_again_the_next_day(workspace: Workspace) -> None:
    plan_reports(workspace.store, replace(PLANNED, group="logic", mail=()))
    for day in (0, 0, 1):
        tick(Pass(workspace.store, at=now() + timedelta(days=day)))
        job = workspace.store.jobs(kind=COHORT_REPORT)[0]
        if job.state == "waiting":
            assert test_kinds.do(workspace).problem is not None
    assert [one.state for one in workspace.store.jobs(kind=COHORT_REPORT)] == ["failed"] * 2

"""That a report is there, as a message to whom its schedule names. It holds counts and no student; how it is sent is
`monitoring.alerts`'s.

The report itself is not sent: no erasure would reach a mailbox.
"""

from collections.abc import Callable, Mapping, Sequence

from database.store import Documents
from monitoring.alerts import Alert, post
from monitoring.channels import Channel
from monitoring.performance import FEWEST_TOLD
from reports.records import CohortReport
from reports.schedule import report_schedules, schedule_of
from reports.sentences import class_words, edition_words, next_due

MailTo = Callable[[Sequence[str]], Mapping[str, Channel]]
"""The channels to these addresses; none where no server for mail is set."""


def post_notice(store: Documents, report: CohortReport, mail_to: MailTo) -> int:
    """Put the notice of a report into the outbox, for whom its schedule names; how many are new."""
    planned = schedule_of(store, report.domain, report.group, report.period)
    return post(store, [notice_of(report)], mail_to(planned.mail)) if planned and planned.mail else 0


def channels_of_reports(store: Documents, mail_to: MailTo) -> Mapping[str, Channel]:
    """The ways to everybody whom a schedule names."""
    named = sorted({address for one in report_schedules(store) for address in one.mail})
    return mail_to(named) if named else {}


def notice_of(report: CohortReport) -> Alert:
    """What is told of a report, once however often it is asked for. Of a small class only that it is there."""
    subject = f"report on {report.group}, {report.period}, for {report.due}"
    told = class_words(report) if len(report.students) >= FEWEST_TOLD else []
    where = f"/api/v1/{report.domain}/reports/{report.id}"
    ask = f'gradewatch reports latest --domain {report.domain} --group "{report.group}" --period "{report.period}"'
    lines = [
        f"The report on {report.group} in {report.period} for {report.due} is there.",
        *filter(None, [edition_words(report)]),
        *told,
        f"Read it at {where}?format=html, or by {ask}. The next one is due on {next_due(report)}.",
    ]
    body = {"kind": "cohort report", "report": report.id, "due": str(report.due), "summary": lines[0]}
    return Alert(
        about=f"cohort report {report.id}",
        domain=report.domain,
        subject=f"[gradewatch] {subject}",
        text="\n\n".join(lines) + "\n",
        body=body,
        at=report.made,
    )

"""When reports are due: for a group in a period every two to four weeks from a day on, until the period ends.

It makes none and sends nothing; who asks what is due makes what it is told.
"""

from datetime import date, timedelta

import msgspec

from clock import now
from database.records import Document
from database.store import Documents, RecordStore
from errors import Category, GradewatchError
from reports.archive import NoReport, ReportEntry, latest_report, reports_of, shelf_name
from reports.names import REPORT_SCHEDULE
from reports.records import USUAL_DAYS, Occasion

LEAST_DAYS, MOST_DAYS = 14, 28


class BadReportSchedule(GradewatchError):
    """No schedule of reports; the message says what to write."""

    category = Category.INVALID


class NoReportSchedule(GradewatchError):
    """Nobody has said when reports on this group and period are due."""

    category = Category.UNKNOWN


class ReportSchedule(msgspec.Struct, frozen=True, kw_only=True):
    """Reports on a group in a period are due on the day `begins`, then every so many days, the last one on the day
    `ends` at the latest. mail: who is told that one is there."""

    domain: str
    group: str
    period: str
    begins: date
    ends: date
    every: int = USUAL_DAYS
    mail: tuple[str, ...] = ()

    def due(self, day: date) -> date | None:
        """The newest day that a report is due on and that is not after `day`; None before the first."""
        last = min(day, self.ends)
        return None if last < self.begins else self.begins + (last - self.begins) // self._span * self._span

    def following(self, day: date) -> date | None:
        """The first day that a report is due on and that is after `day`; None where there is none any more."""
        slot = self.due(day)
        found = self.begins if slot is None else slot + self._span
        return found if found <= self.ends else None

    @property
    def _span(self) -> timedelta:
        return timedelta(days=self.every)


def plan_reports(store: Documents, wanted: ReportSchedule) -> None:
    """Have reports made on a schedule, in place of the group's and period's earlier one. Raises BadReportSchedule."""
    if not LEAST_DAYS <= wanted.every <= MOST_DAYS:
        raise BadReportSchedule(f"reports come every {LEAST_DAYS} to {MOST_DAYS} days; {wanted.every} is neither")
    if wanted.ends < wanted.begins:
        raise BadReportSchedule(f"a period that begins on {wanted.begins} cannot end on {wanted.ends}")
    if wrong := [one for one in wanted.mail if one.count("@") != 1 or not one.isprintable() or " " in one]:
        raise BadReportSchedule(f"{len(wrong)} of those to be told are no e-mail addresses")
    name = shelf_name(wanted.domain, wanted.group, wanted.period)
    found = store.document(REPORT_SCHEDULE, name)
    body, revision = msgspec.to_builtins(wanted), found.revision + 1 if found else 1
    store.put_document(
        Document(kind=REPORT_SCHEDULE, name=name, revision=revision, at=now(), domain=wanted.domain, body=body)
    )


def end_schedule(store: Documents, domain: str, group: str, period: str) -> None:
    """Have no more reports made. Raises NoReportSchedule."""
    if not store.remove_document(REPORT_SCHEDULE, shelf_name(domain, group, period)):
        raise NoReportSchedule(f"no reports on {group} in {period} are scheduled in {domain}")


def schedule_of(store: Documents, domain: str, group: str, period: str) -> ReportSchedule | None:
    """When reports on a group and period are due, where somebody said it."""
    found = store.document(REPORT_SCHEDULE, shelf_name(domain, group, period))
    return _read(found) if found else None


def report_schedules(store: Documents, domain: str | None = None) -> list[ReportSchedule]:
    """All that there are, by domain, period and group."""
    found = [_read(document) for document in store.documents(REPORT_SCHEDULE, domain=domain)]
    return sorted(found, key=lambda one: (one.domain, one.period, one.group))


def due_reports(store: RecordStore, day: date) -> list[tuple[ReportSchedule, Occasion]]:
    """The reports that are due on a day and have not been made. Of several that were missed, the newest: what came in
    meanwhile would make the others alike."""
    found = []
    for one in report_schedules(store):
        slot = one.due(day)
        made = reports_of(store, one.domain, one.group, one.period) if slot else []
        if slot and not any(entry.due >= slot for entry in made):
            found.append((one, Occasion(one.group, one.period, slot, one.every)))
    return found


def occasion_on(store: RecordStore, domain: str, group: str, period: str, day: date) -> Occasion:
    """The report that is to be made where nobody says for which day: the one that is due and not made, else one for
    `day` itself."""
    planned = schedule_of(store, domain, group, period)
    slot, made = planned.due(day) if planned else None, reports_of(store, domain, group, period)
    every = planned.every if planned else USUAL_DAYS
    due = slot if slot and not any(entry.due >= slot for entry in made) else day
    return Occasion(group, period, due, every)


def require_latest(store: RecordStore, domain: str, group: str, period: str, day: date) -> ReportEntry:
    """The newest report of a group and period. Raises NoReport, which says when one is due."""
    try:
        return latest_report(store, domain, group, period)
    except NoReport as error:
        planned = schedule_of(store, domain, group, period)
        slot = planned and (planned.due(day) or planned.following(day))
        when = f"the next one is due on {slot}" if slot else "none is scheduled (gradewatch reports schedule)"
        raise NoReport(f"{error}; {when}") from None


def _read(document: Document) -> ReportSchedule:
    return msgspec.convert(dict(document.body), ReportSchedule)

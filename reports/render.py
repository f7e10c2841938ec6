"""Cohort reports as text for a terminal. Computes nothing."""

from collections.abc import Sequence
from datetime import date

from rich import box
from rich.console import RenderableType
from rich.table import Table

from language.ending_words import ending_words
from reports.archive import ReportEntry
from reports.effect_report import EffectReport
from reports.figures import ranked
from reports.page import student_line
from reports.records import CohortReport
from reports.schedule import ReportSchedule
from reports.sentences import change_words, class_words, edition_words, mark_words, next_due, target_words
from reports.tables import NO_CLASS_LIST, Named


def entries_table(entries: Sequence[ReportEntry]) -> Table:
    """Which reports there are."""
    table = Table(box=box.SIMPLE)
    for head in ("group", "period", "for", "made (UTC)", "students", "edition", "next due", "report"):
        table.add_column(head, overflow="fold")
    for one in entries:
        made, count = f"{one.made:%Y-%m-%d %H:%M}", f"{one.students:,}"
        table.add_row(one.group, one.period, str(one.due), made, count, str(one.edition), str(one.next), one.id[:12])
    return table


def effect_tables(found: EffectReport) -> tuple[RenderableType, ...]:
    """What help did in each way, those that show nothing with equal weight, and how far answers missed for whom."""
    unit = f" ({found.unit})" if found.unit else ""
    title = f"{found.domain}/{found.target}: what help did, {found.students:,} students"
    nothing = "" if found.effects else "Not enough data: of too few is it known that help came, and how it ended."
    table = Table(box=box.SIMPLE, title=title, caption=nothing, caption_justify="left")
    for head in ("way", f"effect{unit}", "helped, or above", "others", "trust", "warnings"):
        table.add_column(head, overflow="fold")
    for one in found.effects:
        told = "too few to tell"
        if one.effect is not None:
            told = f"{one.effect:+.3g} [{one.low:+.3g}, {one.high:+.3g}]" + ("" if one.shown else ": none shown")
        table.add_row(one.way, told, f"{one.helped:,}", f"{one.others:,}", one.trust, "; ".join(one.warnings))
    misses = Table("answers to who was", "students", f"missed by{unit}", box=box.SIMPLE)
    for part in found.misses:
        misses.add_row(part.who, f"{part.students:,}" if part.students else "too few", str(part.miss or ""))
    return table, misses


def schedules_table(schedules: Sequence[ReportSchedule], today: date) -> Table:
    """When reports are due, as of a day."""
    table = Table(box=box.SIMPLE)
    for head in ("domain", "group", "period", "from", "until", "days", "due last", "next"):
        table.add_column(head, overflow="fold")
    for one in schedules:
        days = [
            str(day or "") for day in (one.begins, one.ends, f"{one.every} days", one.due(today), one.following(today))
        ]
        table.add_row(one.domain, one.group, one.period, *days)
    return table


def report_table(report: CohortReport, keys: Named = NO_CLASS_LIST) -> Table:
    """The students of a report, those at risk first; what it says of the class stands below."""
    target = report.target
    words = [*filter(None, [edition_words(report)]), *report.notes, *class_words(report), *change_words(report)]
    caption = "\n".join([*words, f"The next report is due on {next_due(report)}."])
    title = f"{report.title}: {report.group}, {report.period}, for {report.due}"
    table = Table(box=box.SIMPLE, title=title, caption=caption, caption_justify="left")
    marks = (
        [ending_words(event=target.is_event).below.format(mark=mark_words(target))]
        if target.pass_mark is not None
        else []
    )
    for head in (
        "student",
        target_words(target),
        "interval",
        *marks,
        "what moved it most",
        "since the last report",
    ):
        table.add_column(head, overflow="fold")
    for line in (student_line(one, report, keys) for one in ranked(report)):
        why = [*filter(None, [line.remark]), *line.reasons]
        below = [line.below] if marks else []
        table.add_row(line.name, line.answer, line.interval, *below, "\n".join(why), line.change)
    return table

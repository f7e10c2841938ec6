"""`gradewatch weeks …`: students answered by what is observed of them, week by week."""

from datetime import datetime
from typing import Annotated

import typer
from rich.table import Table

from cli.apps import weeks_app
from cli.inputs import actor, opened_workspace
from cli.options import Domain
from cli.output import err, out, steps, write_json

AsOf = Annotated[
    datetime | None,
    typer.Option("--as-of", formats=["%Y-%m-%d"], help="By what is known at the end of that day; today if none."),
]


@weeks_app.command("close")
def close_a_week(domain: Domain, as_of: AsOf = None) -> None:
    """Compute and answer all students in the newest week that is over, and keep what schools have together."""
    from monitoring.week_close import close_week, last_day_over
    from monitoring.weekly_answers import today
    from preprocessing.panel.live import panel_of

    with opened_workspace() as workspace, steps() as step:
        panel = panel_of(workspace.service.schema(domain))
        day = as_of.date() if as_of else last_day_over(today(panel))
        done = close_week(workspace, domain, day, actor=actor(), heard=lambda words, _: step(words))
    out.print(f"{done.week}: {done.answered:,} of {done.students:,} students answered", highlight=False)
    for one in done.silent:
        err.print(one.words, markup=False, highlight=False, soft_wrap=True)


@weeks_app.command("refresh")
def refresh_students(domain: Domain, as_of: AsOf = None) -> None:
    """Answer those anew of whom something was observed since the last close or refresh."""
    from monitoring.week_close import refresh

    with opened_workspace() as workspace, steps() as step:
        day = as_of.date() if as_of else None
        done = refresh(workspace, domain, as_of=day, actor=actor(), heard=lambda words, _: step(words))
    told = f"{done.cells:,} weeks of {done.students:,} students changed; {done.answered:,} are answered anew"
    out.print(told, highlight=False)


@weeks_app.command("show")
def show_student(
    key: Annotated[str, typer.Argument(metavar="KEY", help="The student's key, or the pseudonym of an answer.")],
    domain: Domain,
    as_of: AsOf = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Answer one student: risk within each horizon, what moved it, what moved since last week; or why not."""
    from access.journal import note
    from monitoring.weekly_answers import WeeklyAnswers
    from preprocessing.validation.pii import is_pseudonym, pseudonym

    with opened_workspace() as workspace:
        schema, student = (
            workspace.service.schema(domain),
            key if is_pseudonym(key) else pseudonym(key, workspace.secret),
        )
        note(workspace.store, actor(), "student looked up", schema.name, student=student)
        weekly = WeeklyAnswers(workspace.store, workspace.service, schema, workspace.weeks)
        day = as_of.date() if as_of else None
        [told] = weekly.answers([student], source="cli", actor=actor(), as_of=day, factors=True)
    if as_json:
        write_json(told)
        return
    if told.why_not:
        out.print(f"no answer: {told.told}", highlight=False)
        return
    chances = ", ".join(f"{share:.0%}{_range(told.ranges.get(weeks))} within {weeks} weeks"
                        for weeks, share in told.risks.items())  # fmt: skip
    out.print(f"{told.week}, {told.school}: {chances} ({told.level}); plain rule: {told.rule}", highlight=False)
    table = Table("theme", "points of risk", "column", "value", "usual")
    for one in told.factors:
        table.add_row(one.theme, f"{one.points:+.1%}", one.column, _plain(one.value), _plain(one.reference))
    out.print(table)
    if told.since:
        moved = ", ".join(f"{theme} {points:+.1%}" for theme, points in told.since.themes.items())
        out.print(f"since {told.since.week}: {told.since.risk:+.1%} ({moved})", highlight=False)


def _range(ends: tuple[float, float] | None) -> str:
    return "" if ends is None else f" ({ends[0]:.0%} to {ends[1]:.0%})"


def _plain(value: float | str | None) -> str:
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else value

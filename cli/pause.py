"""Pausing answers: `gradewatch pause set`, `resume` and `list`."""

from typing import Annotated, Literal

import typer

from cli.apps import pause_app
from cli.inputs import actor, opened_workspace
from cli.output import out
from settings import Settings

PausedDomain = Annotated[
    str | None, typer.Option("--domain", "-d", help="Only this domain; every one of this installation if none.")
]
WhyPaused = Annotated[str, typer.Option(help="Why; everybody who asks is told, so name nobody.")]


@pause_app.command("set")
def pause_set(
    reason: WhyPaused,
    domain: PausedDomain = None,
    answers: Annotated[
        Literal["plain rule", "none"], typer.Option(help="What is given in the place of the models' answers.")
    ] = "plain rule",
) -> None:
    """Let no model answer any more, at once: all that serve notice within seconds, as they notice a promotion."""
    from access.journal import note
    from model.pauses import EVERY_DOMAIN, pause
    from monitoring.alerts import post_pause

    with opened_workspace() as workspace:
        if domain is not None:
            workspace.service.schema(domain)
        made = pause(workspace.store, domain or EVERY_DOMAIN, answers, reason=reason, actor=actor())
        note(workspace.store, actor(), "answers paused", domain, answers=answers)
        post_pause(workspace.store, made, Settings().for_jobs().channels())
    out.print(f"{domain or 'every domain'} {made}", highlight=False, soft_wrap=True)


@pause_app.command("resume")
def pause_resume(
    domain: PausedDomain = None,
    reason: Annotated[str, typer.Option(help="Why; kept in the history, so name nobody.")] = "resumed by hand",
) -> None:
    """Let the models answer again."""
    from access.journal import note
    from model.pauses import EVERY_DOMAIN, resume

    with opened_workspace() as workspace:
        resume(workspace.store, domain or EVERY_DOMAIN, reason=reason, actor=actor())
        note(workspace.store, actor(), "answers resumed", domain)
    out.print(f"{domain or 'every domain'}: the models answer again")


@pause_app.command("list")
def pause_list() -> None:
    """List what is paused, since when, by whom and why."""
    from model.pauses import EVERY_DOMAIN, pauses

    with opened_workspace() as workspace:
        found = pauses(workspace.store)
    for name, one in found.items():
        out.print(f"{'every domain' if name == EVERY_DOMAIN else name} {one} ({one.actor})", highlight=False)
    if not found:
        out.print("nothing is paused")

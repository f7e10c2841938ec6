"""What is done by itself: `gradewatch tick`, which looks what is due, and `schedules …`, which say what that is."""

from typing import Annotated, Any

import typer

from cli.apps import app, schedules_app
from cli.inputs import opened_workspace
from cli.options import At, Every
from cli.output import err, explain, out, say


@app.command()
def tick(
    ask_only: Annotated[bool, typer.Option("--ask-only", help="Leave the work to workers, seen or not.")] = False,
) -> None:
    """Look once what is due by itself and ask for it, as often as you like: nothing is done twice.

    A worker does the same each minute, so this is for machines without one (cron, systemd, Kubernetes): where no worker
    is seen that would do what waits, it is done here.
    """
    from deployment.work import pass_once

    passed = pass_once(say, ask_only=ask_only)
    codes = [0]
    for name, error in passed.failed.items():
        err.print(f"{name}:", style="red", end=" ")
        codes.append(explain(error))
    raise typer.Exit(max(codes))


@schedules_app.command("list")
def schedules_list() -> None:
    """List what stands on a schedule: when it is due next, and how the last time ended."""
    from clock import now
    from jobs.render import schedules_table
    from jobs.schedules import last_jobs, schedules

    with opened_workspace() as workspace:
        found = schedules(workspace.store)
        out.print(schedules_table(found, last_jobs(workspace.store, found), now()))


@schedules_app.command("set")
def schedules_set(
    kind: Annotated[str, typer.Argument(help="A kind of jobs, such as retraining.")],
    domain: Annotated[str, typer.Option("--domain", "-d", help="Of this domain.")] = "",
    every: Every = None,
    at: At = None,
    name: Annotated[str | None, typer.Option(help="Its name; KIND of DOMAIN if none.")] = None,
    arguments: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="An argument of the job (repeatable).")
    ] = None,
) -> None:
    """Have a job done on a schedule, in place of what has its name. For drift: gradewatch drift watch."""
    from access.keys import lifetime_of
    from jobs.kinds import JOB_KINDS
    from jobs.schedule import plan_schedule
    from jobs.schedules import ScheduledJob, put_schedule

    recurring = [known for known, one in JOB_KINDS.items() if one.recurring]
    if kind not in recurring:
        raise typer.BadParameter(f"KIND is one of {', '.join(recurring)}")
    when, _ = plan_schedule(lifetime_of(every) if every else None, at)
    given, named = _arguments(arguments or ()), name or (f"{kind} of {domain}" if domain else kind)
    with opened_workspace() as workspace:
        if domain:
            workspace.service.schema(domain)
        wanted = ScheduledJob(name=named, kind=kind, when=when, domain=domain, arguments=given)
        put_schedule(workspace.store, wanted)
    out.print(f"{named}: {when}")


def _arguments(given: "tuple[str, ...] | list[str]") -> dict[str, Any]:
    """NAME=VALUE, a value as JSON has it where it is JSON, else a text."""
    import msgspec

    found: dict[str, Any] = {}
    for one in given:
        name, sign, value = one.partition("=")
        if not (name and sign):
            raise typer.BadParameter(f"{one!r:.80}: write --set NAME=VALUE")
        try:
            found[name] = msgspec.json.decode(value)
        except msgspec.DecodeError:
            found[name] = value
    return found


@schedules_app.command("remove")
def schedules_remove(name: Annotated[str, typer.Argument(help="Its name (gradewatch schedules list).")]) -> None:
    """Have it done no more."""
    from jobs.schedules import remove_schedule

    with opened_workspace() as workspace:
        remove_schedule(workspace.store, name)
    out.print(f"{name}: removed")

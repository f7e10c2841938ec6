"""What needs a person and what happened: `gradewatch conditions …` and `history`."""

from typing import Annotated

import typer

from cli.apps import app, conditions_app
from cli.inputs import actor, opened_workspace
from cli.options import OneDomain
from cli.output import err, out, write_json

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@conditions_app.command("list")
def conditions_list(domain: OneDomain = None, as_json: AsJson = False) -> None:
    """What needs a person now, the most harmful first, and what somebody has seen."""
    from access.roles import LOCAL
    from overview.conditions import find_conditions
    from overview.describing import tell_condition
    from overview.render import condition_lines

    with opened_workspace() as workspace:
        found = find_conditions(workspace, LOCAL, [] if domain is None else [domain])
        if as_json:
            write_json([tell_condition(one, workspace.schemas) for one in found])
            return
        for line in condition_lines(found, workspace.schemas):
            out.print(line, highlight=False, soft_wrap=True)
    if not found:
        out.print("nothing needs you")


@conditions_app.command("acknowledge")
def conditions_acknowledge(
    condition: Annotated[str, typer.Argument(help="The beginning of its id, as the list has it.")],
    note: Annotated[str, typer.Option(help="Why that is enough; kept for good, so name nobody.")] = "",
) -> None:
    """Say for all that a condition is known. It is shown again when it gets worse, or comes back."""
    from access.roles import LOCAL
    from overview.acknowledgements import acknowledge, find_condition
    from overview.conditions import find_conditions
    from overview.describing import describe

    with opened_workspace() as workspace:
        found = find_condition(find_conditions(workspace, LOCAL), condition)
        acknowledge(workspace.store, found, LOCAL.named(actor()), note)
        err.print(f"seen: {describe(found, workspace.schemas).sentence}", highlight=False, soft_wrap=True)


@app.command()
def history(
    domain: OneDomain = None,
    kind: Annotated[list[str] | None, typer.Option(help="Only entries of this kind (repeatable).")] = None,
    who: Annotated[str, typer.Option(help="Only what this person or program did.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="At most so many entries, the newest.")] = 50,
    full: Annotated[bool, typer.Option("--full", help="With the whole text of each.")] = False,
    as_json: AsJson = False,
) -> None:
    """Everything that happened, one line each, the newest last: files, models, champions, trials, decisions, drift,
    alerts, reports, refusals, withdrawals, and what somebody said to have seen."""
    from access.roles import LOCAL
    from overview.feed import FeedFilter, kinds_named, read_feed
    from overview.render import feed_lines

    with opened_workspace() as workspace:
        domains = [] if domain is None else [workspace.service.schema(domain).name]
        asked = FeedFilter(domains, kinds_named(kind or ()), who)
        entries = read_feed(workspace.store, workspace.schemas, LOCAL, asked, limit=limit)
    if as_json:
        write_json(entries)
        return
    for line in feed_lines(entries, full=full):
        out.print(line, highlight=False, soft_wrap=True)

"""A log that cannot be edited unseen: `gradewatch audit verify`, `seal` and `anchors`."""

from typing import Annotated

import typer

from cli.apps import audit_app
from cli.inputs import opened_workspace
from cli.output import EXIT_CODES, err, out, steps, write_json
from errors import Category


@audit_app.command("verify")
def audit_verify(
    anchor: Annotated[
        str | None, typer.Option(metavar="NUMBER:DIGEST", help="A block's digest that was kept elsewhere.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was found as JSON.")] = False,
) -> None:
    """Compare every entry of access, event, decision and change of champion with what was sealed, and all anchors.

    Exit code 74 where a row was changed, dropped, put in behind, or a block is not what it was.
    """
    from jobs.anchors import read_anchor, verify_all
    from jobs.render import verified_lines

    given = read_anchor(anchor) if anchor else None
    with opened_workspace() as workspace, steps() as progress:
        progress("comparing every row with its seal")
        found, wrong = verify_all(workspace.store, workspace.artifacts, given)
    if as_json:
        write_json({"verified": found, "anchors": wrong})
    else:
        out.print(*verified_lines(found, wrong), sep="\n", highlight=False, soft_wrap=True)
    if wrong or not found.whole:
        raise typer.Exit(EXIT_CODES[Category.DAMAGED])


@audit_app.command("seal")
def audit_seal(
    every: Annotated[
        bool, typer.Option("--all", help="Every row that is not sealed, however old: after loading another database.")
    ] = False,
) -> None:
    """Seal what came in since it was done last, and note the end of the chain among the models; workers do it
    themselves, each minute and each day."""
    from clock import now
    from database.seals import seal_all
    from jobs.anchors import anchor

    with opened_workspace() as workspace, steps() as progress:
        if every:
            seal_all(workspace.store, now(), progress=lambda rows: progress(f"{rows:,} rows sealed"))
        noted = anchor(workspace.store, workspace.artifacts, now(), {}, lambda rows: progress(f"{rows:,} rows sealed"))
    out.print(f"sealed up to block {noted}", highlight=False, soft_wrap=True)


@audit_app.command("anchors")
def audit_anchors() -> None:
    """List what was noted of the chain, the oldest first."""
    from jobs.anchors import anchors

    with opened_workspace() as workspace:
        found = anchors(workspace.store)
    for name, one in found:
        out.print(f"{one.at:%Y-%m-%d %H:%M} UTC  {one}  artifact {name[:12]}", highlight=False, soft_wrap=True)
    if not found:
        err.print("nothing is anchored so far: gradewatch audit seal, or a worker by itself each day")

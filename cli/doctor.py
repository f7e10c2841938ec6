"""Is it fit to work? `gradewatch doctor`."""

from typing import Annotated

import typer

from cli.apps import app
from cli.output import out
from settings import Settings


@app.command()
def doctor(
    only: Annotated[
        list[str] | None, typer.Option("--only", help="Look at this alone (repeatable), such as database or disk.")
    ] = None,
) -> None:
    """Look at this installation from this machine, and say in one line of each thing whether it is well, or what to do.

    Settings, database, artifacts, Redis, Kafka, clocks, disk, permissions, versions, certificates, workers. It mends
    nothing. Exit code 1 on a finding.
    """
    from deployment.doctor import examine

    wrong = 0
    for finding in examine(Settings(), only or ()):
        wrong += not finding.safe
        state, remedy = ("ok", "") if finding.safe else ("WRONG", f" -> {finding.advice}")
        out.print(f"{state:<6} {finding.check:<13} {finding.found}{remedy}", soft_wrap=True, highlight=False)
    raise typer.Exit(1 if wrong else 0)

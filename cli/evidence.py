"""The evidence of a time in one file: `gradewatch evidence`."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from cli.apps import app
from cli.inputs import actor, opened_workspace
from cli.options import Domains
from cli.output import err, out, steps
from clock import now
from settings import Settings


@app.command()
def evidence(
    since: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="The first day (UTC).")],
    until: Annotated[datetime, typer.Option("--to", formats=["%Y-%m-%d"], help="The day after the last (UTC).")],
    output: Annotated[Path, typer.Option("--output", "-o", dir_okay=False, help="The file, a ZIP.")],
    domain: Domains = None,
) -> None:
    """Write what was used, how good and fair it was, what was decided, who looked and stepped in, what went wrong, and
    the proof of the log; with a table of which law asks for what. A time that is over gives the same bytes again."""
    from access.journal import note
    from overview.evidence_pack import PackQuestion, make_pack

    if since >= until:
        raise typer.BadParameter("--to is the day after the last: it comes after --from")
    settings = Settings()
    with opened_workspace() as workspace, steps() as progress:
        names = domain or sorted(workspace.schemas)
        for name in names:
            workspace.service.schema(name)
        progress("reading what is kept")
        asked = PackQuestion(
            since.replace(tzinfo=UTC), until.replace(tzinfo=UTC), names, settings.intended_purpose(), settings.running()
        )
        content = make_pack(workspace, asked)
        note(workspace.store, actor(), "evidence written", since=f"{since:%Y-%m-%d}", until=f"{until:%Y-%m-%d}")
    output.write_bytes(content)
    if asked.until > now():
        err.print("the time is not over: what comes in until then will be in a later file alone")
    out.print(f"wrote {output}: {len(content):,} bytes", highlight=False, soft_wrap=True)

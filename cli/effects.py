"""What help did: `gradewatch effects`."""

from datetime import UTC
from typing import Annotated

import typer

from cli.apps import app
from cli.inputs import opened_workspace
from cli.options import Domain, Since
from cli.output import out, write_json


@app.command()
def effects(
    domain: Domain,
    target: Annotated[str | None, typer.Option("--target", help="The first with a pass mark if none.")] = None,
    kind: Annotated[
        str | None, typer.Option(help="What help of this kind of the catalogue did, beside who got none.")
    ] = None,
    since: Since = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Say what help did to outcomes, in each way that there is, with how far it may be trusted and what speaks against
    it; and how far answers missed for who was helped and who was not."""
    from monitoring.at_risk import ranked_target
    from reports.effect_report import report_effects
    from reports.render import effect_tables

    with opened_workspace() as workspace:
        schema = workspace.service.schema(domain)
        day = since.replace(tzinfo=UTC) if since else None
        found = report_effects(workspace.store, schema, ranked_target(schema, target), since=day, kind=kind)
    write_json(found) if as_json else out.print(*effect_tables(found))

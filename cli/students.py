"""Students by their newest answers: `gradewatch students list`."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from cli.apps import students_app
from cli.inputs import actor, opened_workspace
from cli.options import Domain, Groups
from cli.output import out


@students_app.command("list")
def list_students(
    domain: Domain,
    below_pass: Annotated[
        bool, typer.Option("--below-pass", help="Only those who are likelier than not to end below the pass mark.")
    ] = False,
    top: Annotated[int, typer.Option(min=1, help="So many, the likeliest to end below the pass mark first.")] = 100,
    target: Annotated[str | None, typer.Option(help="The first one with a pass mark if none.")] = None,
    group: Groups = None,
    period: Annotated[str | None, typer.Option(help="Only of this period.")] = None,
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Only answers from this day on (UTC).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print them as JSON.")] = False,
) -> None:
    """The newest answer of each student (a pseudonym), in each group and period, those most at risk first."""
    import msgspec

    from access.journal import note
    from database.newest import Which
    from monitoring.at_risk import LIKELIER_THAN_NOT, at_risk
    from monitoring.render import students_table

    with opened_workspace() as workspace:
        schema, store = workspace.service.schema(domain), workspace.store
        if target is not None and target not in schema.target_by_name:
            raise typer.BadParameter(f"--target is one of {', '.join(schema.target_by_name)}")
        which = Which(group or None, period, since.replace(tzinfo=UTC) if since else None)
        least = LIKELIER_THAN_NOT if below_pass else 0.0
        found = at_risk(store, schema, target, which=which, least=least, limit=top)
        note(store, actor(), "students listed", domain, found=len(found.students))
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
        return
    out.print(students_table(found, schema.target_by_name[found.target]))

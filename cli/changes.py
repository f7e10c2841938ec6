"""Whose answers changed, by new data, another model or another warning policy: `gradewatch changes`."""

from datetime import UTC
from typing import Annotated

import typer

from cli.apps import app
from cli.inputs import actor, opened_workspace
from cli.options import Domain, Groups, Since
from cli.output import out, write_json


@app.command()
def changes(
    domain: Domain,
    target: Annotated[str | None, typer.Option("--target", help="The domain's first if none.")] = None,
    since: Since = None,
    model: Annotated[
        str | None, typer.Option(help="A version that would answer: what it would change beside the one in use.")
    ] = None,
    group: Groups = None,
    period: Annotated[str | None, typer.Option(help="Only of this period.")] = None,
    top: Annotated[int, typer.Option(min=0, help="So many of the largest moves.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Say whose newest answers moved since a day (a week ago if none), by how much by new data and by another model,
    and who came onto the list of those to warn of, or left it, by these and by another policy; or what a version would
    change. Every part is exact: models of then and of now are asked again, and nothing is logged."""
    from access.required_reading import note_read
    from clock import now
    from database.newest import Which
    from model.registry import find_model
    from monitoring.render import changes_tables
    from monitoring.what_changed import A_WEEK, what_changed

    with opened_workspace() as workspace:
        schema, store = workspace.service.schema(domain), workspace.store
        if target is not None and target not in schema.target_by_name:
            raise typer.BadParameter(f"--target is one of {', '.join(schema.target_by_name)}")
        chosen = None if model is None else find_model(store, model, domain)
        about = schema.target_by_name[chosen.target if chosen else target or schema.targets[0].name]
        store.catch_up_newest()
        begun = since.replace(tzinfo=UTC) if since else now() - A_WEEK
        which = Which(group or None, period)
        found = what_changed(workspace, schema, about, begun, which, most=top, model=chosen)
        note_read(store, actor(), found, which)
    write_json(found) if as_json else out.print(*changes_tables(found, about))

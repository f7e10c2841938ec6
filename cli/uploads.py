"""The history of uploaded files: `gradewatch uploads list` and `show`."""

from typing import Annotated

import typer

from cli.apps import uploads_app
from cli.inputs import opened_workspace
from cli.options import Domain
from cli.output import out, write_json


@uploads_app.command("list")
def list_uploads(
    domain: Domain,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the newest first.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Print them as JSON.")] = False,
) -> None:
    """Uploaded files, newest first, refused ones as well: state, who, when, and what rows they brought."""
    from database.uploads import uploads_of
    from jobs.render import uploads_table

    with opened_workspace() as workspace:
        workspace.service.schema(domain)
        found = uploads_of(workspace.store, domain, limit=limit)
    if as_json:
        write_json(found)
        return
    out.print(uploads_table(found))


@uploads_app.command("show")
def show_upload(
    upload: Annotated[str, typer.Argument(help="Its id, or the beginning of it.")],
    domain: Domain,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """One uploaded file: what became of it, and every reason why it or some of its rows were refused."""
    from database.uploads import find_upload
    from jobs.render import upload_lines

    with opened_workspace() as workspace:
        workspace.service.schema(domain)
        found = find_upload(workspace.store, domain, upload)
    if as_json:
        write_json(found)
        return
    for line in upload_lines(found):
        out.print(line, markup=False, highlight=False, soft_wrap=True)

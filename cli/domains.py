"""`gradewatch domain …`: the domains there are, a draft of a new one, and upload templates."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from cli.apps import domain_app
from cli.inputs import schema_of
from cli.options import DataFile
from cli.output import err, out, write
from settings import Settings


@domain_app.command("list")
def domain_list() -> None:
    """List the domains, shipped and your own (GRADEWATCH_DOMAINS_DIR)."""
    from preprocessing.schema import load_domains

    table = Table("domain", "title", "targets", "moments", "columns")
    for schema in load_domains(Settings().domains_dir).values():
        targets = ", ".join(target.name for target in schema.targets)
        table.add_row(schema.name, schema.title, targets, " → ".join(schema.moments), str(len(schema.features)))
    out.print(table)


@domain_app.command("show")
def domain_show(name: str) -> None:
    """Show every column of a domain with its range or levels, unit and moment."""
    from preprocessing.render import render_schema

    out.print(render_schema(schema_of(name)))


@domain_app.command("infer")
def domain_infer(
    file: DataFile,
    name: Annotated[str, typer.Option(help="Name of the new domain.")] = "",
    target: Annotated[str | None, typer.Option(help="Column to predict.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write here instead of printing.")] = None,
) -> None:
    """Draft a domain file from a data file; read it over before you use it."""
    from preprocessing.infer import infer_schema
    from preprocessing.reading.files import read_table

    draft = infer_schema(read_table(file), name=name or file.stem, target=target)
    write(draft, output)
    for line in draft.splitlines():
        if line.startswith("# Left out"):
            err.print(line.removeprefix("# "), markup=False)


@domain_app.command("template")
def domain_template(
    name: str, output: Annotated[Path, typer.Option("--output", "-o", help="A .csv or .xlsx file.")]
) -> None:
    """Write an upload template with example rows."""
    from preprocessing.template import template

    output.write_bytes(template(schema_of(name), format="xlsx" if output.suffix == ".xlsx" else "csv"))
    out.print(f"wrote {output}")

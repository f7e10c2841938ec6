"""`gradewatch domain …`: the domains there are, a draft of a new one, upload templates, and samples."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from cli.apps import app, domain_app
from cli.inputs import schema_of
from cli.options import DataFile, Domain, Sheet
from cli.output import err, out, steps, write
from preprocessing.stories import StoryName
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
    sheet: Sheet = "",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write here instead of printing.")] = None,
) -> None:
    """Draft a domain file from a data file; read it over before you use it."""
    from preprocessing.infer import infer_schema
    from preprocessing.reading.files import read_table

    draft = infer_schema(read_table(file, sheet=sheet), name=name or file.stem, target=target)
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


@app.command()
def sample(
    domain: Domain,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A .csv, .parquet or .xlsx file.")] = None,
    rows: Annotated[int | None, typer.Option(min=1, help="How many rows; 1,000 if neither is said.")] = None,
    students: Annotated[
        int | None, typer.Option(min=1, help="How many students, each in every period the sample has.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Another seed, other rows; the same, the same.")] = 1,
    drift: Annotated[StoryName | None, typer.Option(help="What happened to the data.")] = None,
    truth_file: Annotated[
        Path | None, typer.Option("--truth", help="Write what is true of the rows to this JSON file.")
    ] = None,
) -> None:
    """Invent rows of a domain, with or without a drift that is known: to try things, show things, test things."""
    from preprocessing.samples import sample as invent
    from preprocessing.samples import tell_changes, truth, write_sample

    if rows and students:
        raise typer.BadParameter("say --rows or --students, not both")
    schema = schema_of(domain)
    with steps() as progress:
        progress("inventing rows")
        invented = invent(schema, rows=rows or (None if students else 1_000), students=students, seed=seed, story=drift)
        progress(f"writing {invented.frame.height:,} rows")
        text = write_sample(invented.frame, output)
    if text is not None:
        typer.echo(text, nl=False)
    if truth_file:
        truth_file.write_bytes(truth(schema, invented, seed=seed, story=drift))
    for line in (f"what is true: {invented.says}", *tell_changes(invented.changes)):
        err.print(line, highlight=False, soft_wrap=True)
    where = f"; wrote {output}" if output else ""
    err.print(
        f"{invented.frame.height:,} invented rows, none of a real student{where}", highlight=False, soft_wrap=True
    )

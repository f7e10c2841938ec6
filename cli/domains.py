"""`gradewatch domain …`: the domains there are, a draft of a new one, upload templates, and samples."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from cli.apps import app, domain_app
from cli.inputs import say_notes, schema_of
from cli.options import DataFile, Domain, Sheet
from cli.output import err, out, steps, write
from preprocessing.stories import StoryName
from settings import Settings

if TYPE_CHECKING:
    from preprocessing.drafting.draft import Wishes
    from preprocessing.reading.raw_table import RawTable
    from preprocessing.schema import DomainSchema


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
    student: Annotated[str | None, typer.Option(help="Column that tells students apart.")] = None,
    period: Annotated[str | None, typer.Option(help="Column that says when a row is from.")] = None,
    group: Annotated[list[str] | None, typer.Option(help="Column of the class or course; may be repeated.")] = None,
    ask: Annotated[bool, typer.Option("--ask", help="Ask about each of these, with what was found.")] = False,
    sheet: Sheet = "",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write here instead of printing.")] = None,
) -> None:
    """Draft a domain file from a data file, and say what was found; read it over before you use it."""
    from preprocessing.drafting.domain_file import draft_domain
    from preprocessing.drafting.draft import Wishes
    from preprocessing.reading.files import read_table

    raw = read_table(file, sheet=sheet)
    say_notes(raw.notes)
    wishes = Wishes(target, student, period, tuple(group or ()))
    wishes = _asked(raw, wishes) if ask else wishes
    draft, findings = draft_domain(raw, name=name or file.stem, wishes=wishes)
    write(draft, output)
    for finding in findings:
        err.print(finding, soft_wrap=True)


def _asked(raw: "RawTable", wishes: "Wishes") -> "Wishes":
    """The wishes after asking on the terminal: Enter takes what was found, a column's name another, - none."""
    from preprocessing.drafting.draft import NoDraft, Wishes, find_domain

    if not sys.stdin.isatty():
        raise typer.BadParameter("--ask needs a terminal; say --target, --student, --period and --group instead")
    try:
        found = find_domain(raw, wishes)
    except NoDraft as error:
        err.print(str(error), style="yellow")
        target = typer.prompt("Column to predict")
        found = find_domain(raw, replace(wishes, target=target))
    placement = found.placement
    return Wishes(
        target=typer.prompt(f"Predict ({found.choice.why})", default=found.target.name),
        student=typer.prompt("Student key", default=placement.student or "-"),
        period=typer.prompt("Period", default=placement.period or "-"),
        group=tuple(typer.prompt("Groups, by commas", default=",".join(placement.group) or "-").split(",")),
    )


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
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="A .csv, .parquet or .xlsx file; of weekly rows also a folder."),
    ] = None,
    rows: Annotated[int | None, typer.Option(min=1, help="How many rows; 1,000 if neither is said.")] = None,
    students: Annotated[
        int | None, typer.Option(min=1, help="How many students, each in every period the sample has.")
    ] = None,
    years: Annotated[int | None, typer.Option(min=1, help="Of a folder: how many school years; 1 if none.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Another seed, other rows; the same, the same.")] = 1,
    drift: Annotated[StoryName | None, typer.Option(help="What happened to the data.")] = None,
    truth_file: Annotated[
        Path | None, typer.Option("--truth", help="Write what is true of the rows to this JSON file.")
    ] = None,
) -> None:
    """Invent rows of a domain, with or without a drift that is known: to try things, show things, test things."""
    from preprocessing.panel.weekly_files import takes_weeks
    from preprocessing.samples import sample as invent
    from preprocessing.samples import tell_changes, truth, write_sample

    if rows and students:
        raise typer.BadParameter("say --rows or --students, not both")
    schema = schema_of(domain)
    if output and not output.suffix and takes_weeks(schema):
        if rows or drift or truth_file:
            raise typer.BadParameter("a folder takes --students, --years and --seed; its truth lies in it")
        _district(schema, output, students or 1_000, years or 1, seed)
        return
    if years:
        raise typer.BadParameter("--years is for a folder of observations (-o FOLDER) of a domain of weekly rows")
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


def _district(schema: "DomainSchema", folder: Path, students: int, years: int, seed: int) -> None:
    from preprocessing.panel.example import write_district

    with steps() as progress:
        progress(f"inventing a district of {students:,} students")
        written = write_district(folder, schema, students=students, seed=seed, years=years)
    err.print(
        f"{written.rows:,} weekly rows and the observations they are computed of, of {students:,} invented students a "
        f"year, none of them real; wrote {folder}",
        highlight=False,
        soft_wrap=True,
    )

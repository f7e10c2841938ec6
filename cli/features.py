"""`gradewatch features`: observations of students to weekly rows of a domain."""

from pathlib import Path
from typing import Annotated

import typer

from cli.apps import app
from cli.inputs import schema_of
from cli.options import Cluster, Domain
from cli.output import err, out, steps


@app.command()
def features(
    folder: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="Of Parquet files, one for each kind.")],
    domain: Domain,
    output: Annotated[Path, typer.Option("--output", "-o", help="A .parquet or .csv file for the rows.")],
    labelled: Annotated[bool, typer.Option("--labelled", help="Only rows with an outcome, to learn from.")] = False,
    cluster: Cluster = None,
) -> None:
    """Compute the weekly features of every student in a folder of observations: a row for each school week."""
    from preprocessing.panel.weekly_files import write_weekly_rows

    with steps() as progress:
        schema = schema_of(domain)
        written = write_weekly_rows(folder, schema, output, labelled=labelled, cluster=cluster, tell=progress)
    out.print(f"{written.rows:,} rows of {written.students:,} students in {written.weeks} school weeks; wrote {output}")
    if written.thin:
        err.print(f"no row for {written.thin:,} weeks of students of whom too little was recorded by then")

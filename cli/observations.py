"""`gradewatch observations …`: what is observed of students week by week."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from cli.apps import observations_app
from cli.output import out


@observations_app.command("check")
def observations_check(
    folder: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="Of Parquet files, one for each kind.")],
) -> None:
    """Say what a folder of observations holds, or everything that is wrong in it."""
    from preprocessing.panel.folder import read_folder
    from preprocessing.panel.observations import span

    found = Table("kind", "rows", "students", "first day", "last day")
    for kind, frame in read_folder(folder).frames():
        students = f"{frame['student'].n_unique():,}" if "student" in frame.columns else ""
        found.add_row(kind, f"{frame.height:,}", students, *(str(day or "") for day in span(kind, frame)))
    out.print(found)

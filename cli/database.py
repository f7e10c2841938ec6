"""The database itself: `gradewatch database`."""

import typer

from cli.apps import app
from cli.output import out
from settings import Settings

database = typer.Typer(help="The database itself.", no_args_is_help=True)
app.add_typer(database, name="database")


@database.command()
def partition() -> None:
    """Bring a large log of predictions on PostgreSQL into months, which go whole when they were kept long enough."""
    from database.open import part_log

    done = part_log(Settings().database_url)
    out.print("the log is parted: what is there is its first part" if done else "the log is in months already")

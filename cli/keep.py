"""Removing what was kept long enough: `gradewatch keep`."""

import typer

from cli.apps import app
from cli.inputs import opened_workspace
from cli.output import out
from settings import Settings


@app.command()
def keep() -> None:
    """Remove what is older than GRADEWATCH_KEEP_… allow: predictions, outcomes, files, reports, observations, looks."""
    from clock import now
    from jobs.keeping import keep as remove_old

    periods = Settings().periods()
    if not periods:
        raise typer.BadParameter("nothing is to be removed: set GRADEWATCH_KEEP_PREDICTIONS, …_OUTCOMES, …_BATCHES, "
                                 "…_REPORTS, …_COHORT_REPORTS, …_OBSERVATIONS or …_ACCESSES to days")  # fmt: skip
    with opened_workspace() as workspace:
        for kind, removed in remove_old(workspace.store, list(workspace.schemas), periods, now()).items():
            out.print(f"{kind}: {removed:,} removed, which were kept for {getattr(periods, kind):,} days")

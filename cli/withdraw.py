"""Taking back what came in by mistake: `gradewatch withdraw`."""

from pathlib import Path
from typing import Annotated

import typer

from cli.apps import app
from cli.inputs import actor, opened_workspace, say_notes, say_skipped, told_problems
from cli.options import Domain, Problems, Sheet, SkipBadRows
from cli.output import err, out


@app.command()
def withdraw(
    domain: Domain,
    reason: Annotated[str, typer.Option(help="Why; kept for good, so name nobody.")],
    batch: Annotated[str | None, typer.Option(help="A batch, by its id or the beginning of it.")] = None,
    outcomes: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="The outcomes in this file, as it was stored.")
    ] = None,
    answers: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="The predictions of a run, by its file of answers.")
    ] = None,
    sheet: Sheet = "",
    skip_bad_rows: SkipBadRows = False,
    problems: Problems = None,
) -> None:
    """Take back a batch, outcomes or predictions that came in by mistake; figures follow, the reason is kept."""
    if sum(one is not None for one in (batch, outcomes, answers)) != 1:
        raise typer.BadParameter("say one of --batch, --outcomes and --answers")
    from functools import partial

    from database.ingest import read_outcomes
    from database.withdrawal import withdraw_batch, withdraw_outcomes, withdraw_predictions
    from model.registry import learned_from_batch
    from preprocessing.reading.files import read_table

    with opened_workspace() as workspace:
        schema, store, who = workspace.service.schema(domain), workspace.store, actor()
        if batch is not None:
            learned = partial(learned_from_batch, store, workspace.artifacts, domain)
            done = withdraw_batch(store, domain, batch, reason=reason, actor=who, learned=learned)
        elif outcomes is not None:
            with told_problems(problems, skip_bad_rows):
                read = read_outcomes(
                    outcomes, schema, secret=workspace.secret, sheet=sheet, skip_bad_rows=skip_bad_rows
                )
            say_notes(read.notes)
            say_skipped(read.skipped, read.problems, problems)
            done = withdraw_outcomes(store, domain, read.outcomes, reason=reason, actor=who)
        elif answers is not None:
            table = read_table(answers, sheet=sheet).frame
            ids = table["prediction_id"].drop_nulls().to_list() if "prediction_id" in table.columns else []
            done = withdraw_predictions(store, domain, [str(one) for one in ids], reason=reason, actor=who)
    for version, rows in done.models.items():
        err.print(f"model {version[:12]} learned {rows:,} of these rows")
    if done.models:
        err.print(
            f"a champion most of whose rows are gone gives way to a model of others: gradewatch retrain -d {domain}"
        )
    if done.kind == "outcomes":
        follow = f"gradewatch models list --domain {domain}"
        err.print(f"models that learned from them, if any, serve on until others take their places: {follow}")
    out.print(f"withdrawn: {done.count:,} {'rows of batch ' + done.which if done.kind == 'batch' else done.kind}")

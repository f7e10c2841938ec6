"""Whom answers serve less well, and whether leaving a column out would change whom we help: `gradewatch fairness`."""

from datetime import UTC
from typing import Annotated

import typer

from cli.apps import app
from cli.inputs import opened_workspace, policies_of
from cli.options import Domain, Moments, PolicyFile, Since, Targets, WarnedOf
from cli.output import err, out, steps, write_json
from settings import Settings


@app.command()
def fairness(
    domain: Domain,
    target: Targets = None,
    moment: Moments = None,
    since: Since = None,
    top: WarnedOf = None,
    without: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Train with and without it: whom would a warning find?")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of --without: same data and seed give the same models.")] = 0,
    policy: PolicyFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Groups of students by the warning policy in use, or --top: who fails, is warned of, found, alarmed for nothing,
    missed by how much; or what would change without a column. Fewer than 10 students are never told of."""
    from monitoring.domain_performance import measure
    from monitoring.render import fairness_tables, group_table
    from retraining.first_champions import keys_of
    from retraining.render import render_without
    from retraining.run import Run
    from retraining.without import leave_out

    settings, rules = Settings(), policies_of(policy)
    with opened_workspace() as workspace, steps() as progress:
        schema = workspace.service.schema(domain)
        if without is not None:
            window = rules.training.window or settings.window
            run = Run(workspace, schema, window, policy=rules.promotion, seed=seed, progress=progress)
            keys = keys_of(schema, target, moment or [schema.moments[-1]], "both")
            compared = [leave_out(run, key, without) for key in keys]
        else:
            day = since.replace(tzinfo=UTC) if since else None
            progress("answers with an outcome")
            found = measure(workspace.store, schema, target, learned=workspace.learned, since=day, top=top).fairness
            found = tuple(one for one in found if moment is None or one.moment in moment)
    if as_json:
        write_json(compared if without is not None else found)
    elif without is not None:
        out.print(*(render_without(one) for one in compared))
    else:
        for one in found:
            out.print(*fairness_tables(one), *group_table(one))
        if not found:
            err.print(f"no answers of {domain} with an outcome that may be told of so far")

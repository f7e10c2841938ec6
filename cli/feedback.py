"""What became of answers: `gradewatch feedback`."""

from datetime import timedelta
from typing import Annotated

import typer

from cli.apps import app
from cli.inputs import opened_workspace
from cli.options import OneDomain, Targets
from cli.output import NOT_ENOUGH_DATA, err, out, write_json


@app.command()
def feedback(
    domain: OneDomain = None,
    lookback_days: Annotated[int, typer.Option(min=1, help="Answers of so many days, until now.")] = 180,
    min_samples: Annotated[int, typer.Option(min=2, help="Answers with an outcome from which there are figures.")] = 30,
    target: Targets = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Outcomes beside answers: errors, classes and promises by version, moment and course. Exit code 6: not enough."""
    from clock import now
    from monitoring.chances import keep_chances
    from monitoring.feedback import feed_back
    from monitoring.render import feedback_tables

    since, found = now() - timedelta(days=lookback_days), []
    with opened_workspace() as workspace:
        for schema in [workspace.service.schema(domain)] if domain else workspace.schemas.values():
            known = [name for name in target or schema.target_by_name if name in schema.target_by_name]
            if target and len(known) < len(target) and domain:
                raise typer.BadParameter(f"--target is one of {', '.join(schema.target_by_name)}")
            one = feed_back(workspace.store, schema, known, learned=workspace.learned, since=since, fewest=min_samples)
            keep_chances(workspace.store, one, now())
            found += [one] if domain or any(part.parts[0].n for part in one.targets) else []
    if as_json:
        write_json(found)
    for one in found if not as_json else ():
        out.print(*feedback_tables(one))
    if not found or not all(one.enough for one in found):
        lacking = [f"{one.domain}/{part.target}" for one in found for part in one.targets if not part.enough]
        what = ", ".join(lacking) or "any domain"
        err.print(f"not enough data: under {min_samples} answers with an outcome, or too few students, of {what}")
        raise typer.Exit(NOT_ENOUGH_DATA)

"""The service, and what is asked of it: `gradewatch setup`, `serve`, `run`, `loadtest` and `security-check`."""

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.apps import app
from cli.inputs import opened_workspace, say_notes, say_skipped, told_problems
from cli.options import Domain, Problems, Sheet, SkipBadRows
from cli.output import err, out, steps
from deployment.server import HOST, PORT
from settings import Settings

if TYPE_CHECKING:
    from preprocessing.validation.results import Validated

GENTLY = 10  # by how much a training beside a running service gives way


@app.command()
def setup(
    models: Annotated[bool, typer.Option(help="Train first models, where a domain has none.")] = True,
    demo: Annotated[bool, typer.Option("--demo", help="In a new folder, put the invented school beside it.")] = False,
    gently: Annotated[bool, typer.Option("--gently", help="Leave the processors to others meanwhile.")] = False,
) -> None:
    """Make the database, and train a champion on generated data for every domain that has none.

    Exit code 1 where there are champions whose files cannot be had on this machine.
    """
    from retraining.missing import missing_champions, unservable

    settings, started = Settings(), time.monotonic()
    if gently and hasattr(os, "nice"):
        os.nice(GENTLY)
    if demo:
        _add_demo_at_first(settings)
    with opened_workspace() as workspace, steps() as progress:
        if given := workspace.publish_models():
            out.print(f"{len(given)} models of this machine given to all")
        for key, why in (broken := unservable(workspace)).items():
            err.print(f"{key} cannot be served here: {why}")
        if broken:
            err.print("run `gradewatch setup` where these models lie, or `gradewatch restore` a backup")
            raise typer.Exit(1)
        missing = missing_champions(workspace) if models else []
        for schema in missing:
            from retraining.examples import train_examples

            for one in train_examples(workspace, schema, settings.data_dir / "examples", progress=progress):
                out.print(f"trained {one.key}: {one.model.candidate if one.model else one.reason}")
    if missing or not gently:
        out.print(f"ready in {time.monotonic() - started:.0f} s")


def _add_demo_at_first(settings: Settings) -> None:
    """The demo in a folder that nothing was kept in before, or in the place of an earlier version's; one that was
    removed does not come back."""
    from demo.installation import add_demo, renew_demo

    new = not settings.data_dir.is_dir() or not any(settings.data_dir.iterdir())
    if new and settings.may_show_demo:
        settings.make_data_dir()
        add_demo(settings.data_dir)
    elif settings.may_show_demo and renew_demo(settings.data_dir):
        out.print("the invented school is now this version's; what was done in the earlier one is gone")


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for every one of this machine.")] = HOST,
    port: Annotated[int, typer.Option(help="Port to listen on.")] = PORT,
    workers: Annotated[int, typer.Option(help="Processes that answer.")] = 1,
) -> None:
    """Serve the API; refuses to where it would be open to others without asking who they are."""
    from deployment.server import announcement, serve_api

    Settings().require_safe(host)
    err.print(announcement(host, port))
    serve_api(host=host, port=port, workers=workers)


@app.command()
def worker(
    kinds: Annotated[
        list[str] | None, typer.Option("--kinds", help="Only jobs of this kind (repeatable); all if none.")
    ] = None,
    places: Annotated[int, typer.Option(min=1, help="Jobs at once; the last place is kept for short ones.")] = 2,
    poll: Annotated[float, typer.Option(min=0.01, help="Seconds between two looks into the queue.")] = 0.2,
    once: Annotated[bool, typer.Option("--once", help="End when nothing is left to do.")] = False,
) -> None:
    """Do background work: retraining, drift reports, scoring of files; each job in a process of its own."""
    from deployment.work import work

    work(kinds=kinds or (), places=places, poll=poll, once=once)


@app.command()
def loadtest(
    url: Annotated[str, typer.Argument(help="Address of the service, such as http://127.0.0.1:8000.")],
    domain: Domain = "engagement",
    rows: Annotated[int, typer.Option(help="Rows of one request; more than one go to the batch route.")] = 1,
    file: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="Send these rows.")] = None,
    connections: Annotated[int, typer.Option(help="Connections at once.")] = 16,
    seconds: Annotated[float, typer.Option(help="End after so many seconds, 600 at most.")] = 10.0,
    requests: Annotated[int | None, typer.Option(help="End after so many requests.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="It is mine to burden, although it is another machine.")] = False,
    sheet: Sheet = "",
    skip_bad_rows: SkipBadRows = False,
    problems: Problems = None,
) -> None:
    """Send predictions for a bounded time, and print latencies, throughput and errors. They are logged as others are.

    The API key is read from GRADEWATCH_API_KEY. Exit code 1 when any request failed.
    """
    from deployment.loadtest import RowsFile, key_of_environment, plan_load, require_consent, run_load
    from deployment.render import load_table

    require_consent(url, consent=yes)

    def tell(read: "Validated") -> None:
        say_notes(read.notes)
        say_skipped(read.skipped, read.problems, problems)

    with told_problems(problems, skip_bad_rows):
        load = plan_load(
            url,
            domain,
            rows=rows,
            file=RowsFile(file, sheet, skip_bad_rows, tell) if file else None,
            key=key_of_environment(),
            connections=connections,
            seconds=seconds,
            requests=requests,
        )
    result = run_load(load)
    out.print(load_table(result))
    raise typer.Exit(1 if result.errors else 0)


@app.command("security-check")
def security_check(
    url: Annotated[str, typer.Argument(help="Address of the service, such as http://127.0.0.1:8000.")],
    yes: Annotated[bool, typer.Option("--yes", help="It is mine to test, although it is another machine.")] = False,
    every: Annotated[bool, typer.Option("--all", help="Print what is well, too.")] = False,
) -> None:
    """Look at a running service as a stranger would, and print what to mend. It changes nothing.

    The API key of GRADEWATCH_API_KEY is used where a stranger would be turned away at once. Exit code 1 on a finding.
    """
    from deployment.loadtest import key_of_environment, require_consent
    from deployment.render import findings_table
    from deployment.security import check_service

    require_consent(url, consent=yes)
    findings = check_service(url, key=key_of_environment())
    wrong = [finding for finding in findings if not finding.safe]
    if every or wrong:
        out.print(findings_table(findings if every else wrong))
    out.print(f"{len(wrong)} finding{'' if len(wrong) == 1 else 's'} in {len(findings)} checks of {url}")
    raise typer.Exit(0 if all(finding.safe for finding in findings) else 1)


@app.command()
def run(
    api_port: Annotated[int, typer.Option(help="Port of the API.")] = 8000,
    dashboard_port: Annotated[int, typer.Option(help="Port of the dashboard.")] = 8501,
) -> None:
    """Serve the API and the dashboard, with a worker, until Ctrl-C; meanwhile train what `setup` would."""
    from deployment import local

    raise typer.Exit(local.run(api_port=api_port, dashboard_port=dashboard_port))

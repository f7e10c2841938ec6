"""`gradewatch`: the command line. Each verb calls one function of a package and prints what it returned.

Nothing is computed here. Exit codes: 0 done, 1 refused or failed with a reason, 2 wrong usage, 75 busy, try later.
"""

import getpass
import json
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from deployment.server import HOST, PORT
from errors import Category, GradewatchError
from settings import Settings, variable

SAYS = (
    "Predict how students will do, watch whether that still holds, and replace a model only with proof.\n\n"
    "Exit codes: 0 done, 1 refused or failed with a reason, 2 wrong usage; 74 what was kept is damaged, "
    "75 busy or out of reach, try later, 77 not allowed, 78 the settings cannot be used."
)
app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=SAYS)
domain_app = typer.Typer(no_args_is_help=True, help="The domains: what is predicted from which columns.")
models_app = typer.Typer(no_args_is_help=True, help="Model versions and who is champion.")
app.add_typer(domain_app, name="domain")
app.add_typer(models_app, name="models")
trials_app = typer.Typer(no_args_is_help=True, help="Challengers tried next to champions.")
app.add_typer(trials_app, name="trials")
drift_app = typer.Typer(invoke_without_command=True)
app.add_typer(drift_app, name="drift")
alerts_app = typer.Typer(no_args_is_help=True, help="What was told to whom when drift began or ended.")
app.add_typer(alerts_app, name="alerts")
keys_app = typer.Typer(no_args_is_help=True, help="API keys: who may call the service.")
users_app = typer.Typer(no_args_is_help=True, help="Users: who may sign in, at the service and the dashboard.")
app.add_typer(keys_app, name="keys")
app.add_typer(users_app, name="users")

# Without markup: file names, cells and reasons may hold [brackets], which Rich would take for styles.
out, err = Console(markup=False), Console(markup=False, stderr=True)

Domain = Annotated[str, typer.Option("--domain", "-d", help="Name of the domain (gradewatch domain list).")]
SkipBadRows = Annotated[bool, typer.Option(help="Keep the good rows of a file and leave out the bad ones.")]
Problems = Annotated[Path | None, typer.Option(help="Write every problem of a refused file to this CSV.")]
PolicyFile = Annotated[
    Path | None,
    typer.Option("--policy", exists=True, dir_okay=False, help="Rules, a TOML file; the defaults if none."),
]
Reason = Annotated[str, typer.Option(help="Why; kept in the history.")]
DataFile = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV, Excel, Parquet or JSON.")]


@contextmanager
def _workspace() -> Iterator[Any]:
    """The open installation that the settings describe."""
    workspace = Settings().open_workspace()
    try:
        yield workspace
    finally:
        workspace.close()


@contextmanager
def _progress() -> Iterator[Any]:
    """A spinner that names the step at hand; silent when the output is no terminal."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task("starting", total=None)
        yield lambda step: bar.update(task, description=step)


@contextmanager
def _shares() -> Iterator[Any]:
    """A bar per step, filled as far as the step is done; silent when the output is no terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True) as bar:
        tasks: dict[str, Any] = {}

        def show(step: str, share: float) -> None:
            if step not in tasks:
                tasks[step] = bar.add_task(step, total=1.0)
            bar.update(tasks[step], completed=share)

        yield show


# Domains ---------------------------------------------------------------------------------------------------------


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

    out.print(render_schema(_schema(name)))


@domain_app.command("infer")
def domain_infer(
    file: DataFile,
    name: Annotated[str, typer.Option(help="Name of the new domain.")] = "",
    target: Annotated[str | None, typer.Option(help="Column to predict.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write here instead of printing.")] = None,
) -> None:
    """Draft a domain file from a data file; read it over before you use it."""
    from preprocessing.infer import infer_schema
    from preprocessing.reading.files import read_table

    draft = infer_schema(read_table(file), name=name or file.stem, target=target)
    _write(draft, output)
    for line in draft.splitlines():
        if line.startswith("# Left out"):
            err.print(line.removeprefix("# "), markup=False)


@domain_app.command("template")
def domain_template(
    name: str, output: Annotated[Path, typer.Option("--output", "-o", help="A .csv or .xlsx file.")]
) -> None:
    """Write an upload template with example rows."""
    from preprocessing.template import template

    output.write_bytes(template(_schema(name), format="xlsx" if output.suffix == ".xlsx" else "csv"))
    out.print(f"wrote {output}")


def _schema(name: str) -> Any:
    from model.service import UnknownDomain
    from preprocessing.schema import load_domains

    schemas = load_domains(Settings().domains_dir)
    if name not in schemas:
        raise UnknownDomain(f"no domain {name!r}; there are: {', '.join(sorted(schemas))}")
    return schemas[name]


def _write(text: str, output: Path | None) -> None:
    if output is None:
        typer.echo(text)
    else:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(text, encoding="utf-8")
        err.print(f"wrote {output}")


# Data ------------------------------------------------------------------------------------------------------------


@app.command()
def ingest(
    file: DataFile,
    domain: Domain,
    kind: Annotated[
        Literal["labeled", "unlabeled"], typer.Option(help="labeled: with outcomes, to learn from.")
    ] = "labeled",
    skip_bad_rows: SkipBadRows = False,
    problems: Problems = None,
) -> None:
    """Store a file as a batch; the same content twice is stored once."""
    from monitoring.profile_archive import store_batch

    with _workspace() as workspace:
        intake = _read(workspace, domain, file, kind, skip_bad_rows, problems)
        schema = workspace.service.schema(domain)
        batch, new = store_batch(workspace, schema, intake.rows, kind, name=file.name, skipped=intake.skipped)
    out.print(f"batch {batch.id[:12]}: {batch.rows} rows {'stored' if new else 'were there already; nothing changed'}")


@app.command()
def outcomes(file: DataFile, domain: Domain) -> None:
    """Store what really happened, matched to predictions by prediction_id or by student (and period)."""
    from database.ingest import count_strays, read_outcomes

    with _workspace() as workspace:
        found = read_outcomes(file, workspace.service.schema(domain), secret=workspace.secret)
        new, corrected = workspace.store.add_outcomes(found)
        strays = count_strays(workspace.store, found)
    out.print(f"{len(found)} outcomes: {new} new, {corrected} corrected, {len(found) - new - corrected} known already")
    if strays:
        err.print(f"{strays} of them belong to no prediction so far: check the keys (and group and period)")


def _read(workspace: Any, domain: str, file: Path, kind: Any, skip_bad_rows: bool, problems: Path | None) -> Any:
    """The rows of a file for a batch; its problems written to a CSV where one is asked for."""
    from database.ingest import read_batch
    from preprocessing.render import problems_csv
    from preprocessing.validation.rules import BadData

    schema = workspace.service.schema(domain)
    try:
        intake = read_batch(file, schema, kind, secret=workspace.secret, name=file.name, skip_bad_rows=skip_bad_rows)
    except BadData as error:
        if problems:
            problems.write_text(problems_csv(error.problems), encoding="utf-8")
        if not skip_bad_rows:
            error.add_note("or leave out bad rows with --skip-bad-rows")
        raise
    if intake.ignored_columns:
        err.print(f"columns that are not needed, not read: {', '.join(intake.ignored_columns)}")
    if intake.skipped:
        err.print(f"{intake.skipped} bad rows left out")
    return intake


# Models ----------------------------------------------------------------------------------------------------------


@app.command()
def train(
    domain: Domain,
    data: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="Labelled file to learn from.")],
    target: Annotated[list[str] | None, typer.Option(help="Only this target (repeatable).")] = None,
    moment: Annotated[list[str] | None, typer.Option(help="Only this moment (repeatable).")] = None,
    seed: Annotated[int, typer.Option(help="Same data and seed give the same model.")] = 0,
    skip_bad_rows: SkipBadRows = False,
    problems: Problems = None,
) -> None:
    """Train on a labelled file; what it learns serves where no model of real records serves yet."""
    from retraining.first_champions import keys_of, train_file

    with _workspace() as workspace, _progress() as progress:
        intake = _read(workspace, domain, data, "labeled", skip_bad_rows, problems)
        keys = keys_of(workspace.service.schema(domain), target, moment)
        trained = list(train_file(workspace, domain, intake, keys, name=data.name, seed=seed, progress=progress))
    _print_trained(trained)


def _print_trained(trained: list[Any]) -> None:
    from training.render import render_training

    for one in trained:
        out.rule(str(one.key), align="left")
        if one.bundle:
            out.print(render_training(one.bundle.manifest))
            out.print(f"version {one.model.version[:12]}: {'now serves: ' if one.installed else ''}{one.reason}")
            for remark in one.remarks:
                out.print(f"make sure that this is known by then: {remark}", style="yellow")
        else:
            out.print(f"refused: {one.reason}", style="red")
    if not any(one.bundle for one in trained):
        raise typer.Exit(1)


@app.command()
def predict(
    file: DataFile,
    domain: Domain,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write the answers to this CSV.")] = None,
    moment: Annotated[str | None, typer.Option(help="Answer as of this moment; each row's own by default.")] = None,
    explain: Annotated[int, typer.Option(min=0, max=20, help="Name so many factors that moved each answer.")] = 0,
) -> None:
    """Predict every row of a file, log each prediction, and print or write the answers."""
    from model.answer_frame import answers_csv
    from model.predict_file import predict_file

    with _workspace() as workspace, _progress() as progress:
        options: Any = {"secret": workspace.secret, "moment": moment, "explain": explain, "progress": progress}
        answered = predict_file(workspace.service, domain, file, **options)
        text = answers_csv(*answered, workspace.schemas[domain].targets)
        learned = _learned_from_examples(workspace, domain)
    _write(text, output)
    err.print(f"{len(answered.predictions):,} predictions logged")
    err.print(learned, style="yellow", end="")


@app.command()
def score(
    file: DataFile,
    domain: Domain,
    output: Annotated[Path, typer.Option("--output", "-o", help="A .csv or .parquet file for the answers.")],
    moment: Annotated[str | None, typer.Option(help="Answer as of this moment; each row's own by default.")] = None,
    log: Annotated[
        bool, typer.Option("--log/--no-log", help="Log every prediction before its answer is written.")
    ] = True,
    skip_bad_rows: SkipBadRows = False,
    problems: Problems = None,
) -> None:
    """Predict millions of rows in little memory: the whole file is checked first, then answered, logged and written."""
    from model.score_file import score_file
    from preprocessing.render import problems_csv
    from preprocessing.validation.rules import BadData

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that what is half done is swept away
    try:
        with _workspace() as workspace, _shares() as progress:
            scored = score_file(
                workspace, domain, file, output, moment=moment, log=log, skip_bad_rows=skip_bad_rows, progress=progress
            )
            learned = _learned_from_examples(workspace, domain)
    except BadData as error:
        if problems:
            problems.write_text(problems_csv(error.problems), encoding="utf-8")
        if not skip_bad_rows:
            error.add_note("or leave out bad rows with --skip-bad-rows")
        raise
    if problems and scored.problems:
        problems.write_text(problems_csv(scored.problems), encoding="utf-8")
    for line in scored.remarks:
        err.print(line)
    err.print(f"{scored.rows:,} rows answered{', logged' if log else ', not logged'}; wrote {output}")
    err.print(learned, style="yellow", end="")


def _learned_from_examples(workspace: Any, domain: str) -> str:
    """A line to print where a champion of the domain learned from generated examples; else nothing."""
    from model.bundle import EXAMPLES

    serving = {one.version for one in workspace.store.champions() if one.domain == domain}
    sources = {model.lineage.get("source") for model in workspace.store.models() if model.version in serving}
    if EXAMPLES not in sources:
        return ""
    return (
        f"not for real students: {domain} is answered by a model of generated examples; "
        f"train it on your own records: gradewatch train --domain {domain} --data FILE\n"
    )


@drift_app.callback()
def drift(
    context: typer.Context,
    domain: Annotated[str | None, typer.Option("--domain", "-d", help="Name of the domain.")] = None,
    current: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="The data to judge.")] = None,
    reference: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Compared with this; the champion's data if none.")
    ] = None,
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Judge what is stored from this day on (UTC).")
    ] = None,
    until: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The day after the last; tomorrow if none.")
    ] = None,
    source: Annotated[
        Literal["predictions", "labeled", "unlabeled"], typer.Option(help="Predictions, or batches of a kind.")
    ] = "predictions",
    moment: Annotated[str | None, typer.Option(help="The moment with the most rows if none.")] = None,
    against: Annotated[
        Literal["auto", "champion", "past"],
        typer.Option(
            help="The champion's data, or the same weeks of earlier periods; auto: these if there are enough."
        ),
    ] = "auto",
    exact: Annotated[bool, typer.Option("--exact", help="Read the rows again instead of stored profiles.")] = False,
    by: Annotated[str | None, typer.Option(help="Also by this column: each of its values on its own.")] = None,
    policy: PolicyFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    html: Annotated[Path | None, typer.Option(help="Write the report as one self-contained page.")] = None,
) -> None:
    """Compare a file (--current), or the days from --since on, with what came before, and store the report."""
    from monitoring.drift_days import days_of
    from monitoring.drift_monitor import report_days, report_file

    if context.invoked_subcommand:
        return
    if domain is None:
        raise typer.BadParameter("name the domain: --domain D (gradewatch domain list)")
    if (current is None) == (since is None) or (reference and since):
        raise typer.BadParameter("give --current FILE (with or without --reference FILE), or --since DAY")
    rules = _policies(policy).drift
    with _workspace() as workspace:
        if current:
            watched = report_file(workspace, domain, current, reference, by=by, policy=rules)
        elif since:
            choices = {"source": source, "moment": moment, "against": against, "exact": exact}
            window = days_of(since.date(), until.date() if until else None, **choices)
            watched = report_days(workspace, domain, window, by=by, policy=rules)
    _print_drift(watched, as_json, html)


@drift_app.command("watch")
def drift_watch(
    domain: Domain,
    every: Annotated[str | None, typer.Option(help="How often to look: 12h, 1d (the default), 1w.")] = None,
    at: Annotated[str | None, typer.Option(help="Look daily at this time, UTC: 06:00.")] = None,
    days: Annotated[int | None, typer.Option(min=1, help="Whole days judged together; as many as lie between.")] = None,
    against: Annotated[Literal["auto", "champion", "past"], typer.Option(help="As for gradewatch drift.")] = "auto",
    policy: PolicyFile = None,
    retrain: Annotated[bool, typer.Option("--retrain", help="Carry proposed retrainings out.")] = False,
    once: Annotated[bool, typer.Option("--once", help="Look once at the days before today, and end.")] = False,
) -> None:
    """Look for drift on a schedule, in a process of its own; announce changes; propose or run retrainings."""
    import signal
    import threading

    from access.keys import lifetime_of
    from retraining.schedule import Plan, plan_schedule, watch, watch_once

    settings, stop = Settings(), threading.Event()
    channels = settings.channels()
    schedule, between = plan_schedule(lifetime_of(every) if every else None, at, once=once)
    with _workspace() as workspace:
        workspace.service.schema(domain)
        plan = Plan(domain, schedule, days or between, _policies(policy), against, retrain, settings.window)
        if once:
            watch_once(workspace, plan, channels, _say)
            return
        for sign in (signal.SIGTERM, signal.SIGINT):
            signal.signal(sign, lambda *_: stop.set())
        _say(
            f"watching {domain}, {plan.days} days at a time; alerts by {', '.join(channels) or 'nothing: none is set'}"
        )
        watch(workspace, plan, channels, stop, _say)
        _say("stopped")


def _say(line: str) -> None:
    """A line of a process that runs for long."""
    err.print(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} {line}", highlight=False, soft_wrap=True)


NO_CHANNEL = "no channel is set: GRADEWATCH_ALERT_WEBHOOK and _ALERT_SECRET, or GRADEWATCH_ALERT_EMAIL and _SMTP_URL"


@alerts_app.command("test")
def alerts_test() -> None:
    """Send a test message by every channel that is set."""
    from monitoring.alerts import deliveries
    from monitoring.channels import BadChannel
    from retraining.schedule import deliver_patiently, post_test

    channels = Settings().channels()
    if not channels:
        raise BadChannel(NO_CHANNEL)
    with _workspace() as workspace:
        post_test(workspace, channels)
        deliver_patiently(workspace, channels, _say, 20.0)
        failed = [one for one in deliveries(workspace.store, limit=len(channels)) if one.state != "sent"]
    if failed:
        raise typer.Exit(1)


@alerts_app.command("list")
def alerts_list(
    domain: Annotated[str | None, typer.Option("--domain", "-d")] = None,
    limit: Annotated[int, typer.Option(help="At most so many.")] = 50,
) -> None:
    """List alerts, newest first: to whom, whether they arrived, and why not."""
    from monitoring.alerts import deliveries
    from monitoring.render import deliveries_table

    with _workspace() as workspace:
        out.print(deliveries_table(deliveries(workspace.store, domain=domain, limit=limit)))


def _print_drift(watched: Any, as_json: bool, html: Path | None) -> None:
    from drift.render import render_html, render_segments, render_table

    if html:
        html.write_text(render_html(*watched[:3]), encoding="utf-8")
        err.print(f"wrote {html}")
    if as_json:
        typer.echo(json.dumps(watched.report.to_document(), indent=2))
        return
    if watched.report.by:
        out.print(render_segments(watched.report))
    out.print(render_table(watched.report))


def _policies(path: Path | None) -> Any:
    """The rules in a file, or the defaults."""
    from retraining.policies import Policies, read_policies

    return read_policies(path) if path else Policies()


@app.command()
def performance(
    domain: Domain,
    target: Annotated[list[str] | None, typer.Option(help="Only this target (repeatable).")] = None,
    moment: Annotated[list[str] | None, typer.Option(help="Only this moment (repeatable).")] = None,
    by: Annotated[Literal["day", "week", "month", "period"], typer.Option(help="Length of a window.")] = "week",
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Only predictions from this day on (UTC).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Errors and promises by window, against training; and the errors to expect where outcomes are not in yet."""
    import msgspec

    from monitoring.error_timeline import follow_domain
    from monitoring.render import timeline_tables

    with _workspace() as workspace:
        start = since.replace(tzinfo=UTC) if since else None
        timelines = follow_domain(workspace, domain, target, moment, by=by, since=start)
    if as_json:
        typer.echo(json.dumps(msgspec.to_builtins(timelines), indent=2))
        return
    for timeline in timelines:
        out.print(*timeline_tables(timeline))
    if not timelines:
        err.print(f"no predictions of {domain} so far")


@app.command()
def retrain(
    domain: Domain,
    data: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="New labelled file.")] = None,
    target: Annotated[list[str] | None, typer.Option(help="Only this target (repeatable).")] = None,
    moment: Annotated[list[str] | None, typer.Option(help="Only this moment (repeatable).")] = None,
    seed: Annotated[int, typer.Option(help="Same data and seed give the same decision.")] = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Decide, print, change nothing.")] = False,
    wait: Annotated[float, typer.Option(help="Seconds to wait for another run to finish.")] = 0.0,
    policy: PolicyFile = None,
    skip_bad_rows: SkipBadRows = False,
    problems: Problems = None,
) -> None:
    """Train a challenger on the newest labelled records and promote it if it is better, and not by luck."""
    from retraining.first_champions import keys_of
    from retraining.render import render_result
    from retraining.run import Run, retrain_patiently

    settings = Settings()
    with _workspace() as workspace, _progress() as progress:
        schema = workspace.service.schema(domain)
        rows = _read(workspace, domain, data, "labeled", skip_bad_rows, problems).rows if data else ()
        rules = _policies(policy)
        run = Run(
            workspace,
            schema,
            rules.training.window or settings.window,
            policy=rules.promotion,
            drift_policy=rules.drift,
            seed=seed,
            dry=dry_run,
            progress=progress,
        )
        keys, name = keys_of(schema, target, moment), data.name if data else ""
        results = retrain_patiently(run, keys, data=rows, name=name, wait=wait)
    for result in results:
        out.print(render_result(result, dry=dry_run))


@app.command()
def backtest(
    domain: Domain,
    data: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="Labelled history of several periods.")],
    policy: Annotated[
        list[Path], typer.Option(exists=True, dir_okay=False, help="Rules to try, a TOML file each (repeatable).")
    ],
    target: Annotated[str | None, typer.Option(help="What is predicted; the domain's first if none.")] = None,
    moment: Annotated[str | None, typer.Option(help="When; the domain's last moment if none.")] = None,
    first: Annotated[int, typer.Option(min=1, help="Periods that the first model learns from.")] = 1,
    period_days: Annotated[float, typer.Option(help="Days from one period's start to the next.")] = 182.0,
    seed: Annotated[int, typer.Option(help="Same data and seed give the same result.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    html: Annotated[Path | None, typer.Option(help="Write the result as one self-contained page.")] = None,
) -> None:
    """Replay past periods: what each policy would have done, beside never and always retraining. Stores nothing."""
    import msgspec

    from retraining.backtest.render import render_backtest, render_page
    from retraining.backtest.replay import Replay
    from retraining.backtest.run import backtest as replay_history
    from retraining.backtest.run import read_history, read_strategies
    from retraining.first_champions import keys_of

    schema, strategies = _schema(domain), read_strategies(policy)
    key = keys_of(schema, [target] if target else None, [moment or schema.moments[-1]])[0]
    with _shares() as show:
        options: Any = {"window": Settings().window, "first": first, "period_days": period_days, "seed": seed}
        replay = Replay(schema, key, **options, progress=lambda _, share: show("replaying", share))
        found = replay_history(replay, read_history(data, schema, name=data.name), strategies)
    if html:
        html.write_text(render_page(found), encoding="utf-8")
        err.print(f"wrote {html}")
    typer.echo(json.dumps(msgspec.to_builtins(found), indent=2)) if as_json else out.print(render_backtest(found))


@models_app.command("list")
def models_list(domain: Annotated[str | None, typer.Option("--domain", "-d")] = None) -> None:
    """List model versions, newest first; champions are marked."""
    from model.render import models_table

    with _workspace() as workspace:
        models = [model for model in workspace.store.models() if domain in (None, model.domain)]
        out.print(models_table(models, workspace.store.champions()))


@models_app.command("show")
def models_show(version: str, domain: Domain) -> None:
    """Show one version: scores beside the naive rule, lineage, and when it was champion."""
    from model.registry import find_model, load_bundle
    from model.render import history_table, lineage_table
    from training.render import render_training

    with _workspace() as workspace:
        model = find_model(workspace.store, version, domain)
        bundle = load_bundle(workspace.artifacts, model.version)
        out.print(render_training(bundle.manifest), lineage_table(model))
        out.print(history_table(workspace.store.successions(model.key)))


@models_app.command("activate")
def models_activate(
    version: str,
    domain: Domain,
    all_targets: Annotated[bool, typer.Option(help="Every model of the same training run at once.")] = False,
    reason: Reason = "activated by hand",
) -> None:
    """Make an earlier version champion; all-or-none with --all-targets."""
    from model.registry import activate

    with _workspace() as workspace:
        done = activate(
            workspace.store,
            domain,
            version,
            all_targets=all_targets,
            actor="cli",
            reason=reason,
            artifacts=workspace.artifacts,
        )
    for one in done:
        out.print(f"{one.key}: {one.version[:12]} serves, generation {one.generation}")


@models_app.command("rollback")
def models_rollback(
    domain: Domain,
    target: Annotated[list[str] | None, typer.Option(help="Only this target (repeatable).")] = None,
    moment: Annotated[list[str] | None, typer.Option(help="Only this moment (repeatable).")] = None,
    reason: Reason = "rolled back by hand",
) -> None:
    """Bring back the champions before the present ones."""
    from model.registry import rollback
    from retraining.first_champions import keys_of

    with _workspace() as workspace:
        keys = keys_of(workspace.service.schema(domain), target, moment)
        done = rollback(workspace.store, keys, actor="cli", reason=reason, artifacts=workspace.artifacts)
    for one in done:
        out.print(f"{one.key}: back to {one.version[:12]}, generation {one.generation}")


@models_app.command("gc")
def models_gc(
    older_than: Annotated[float, typer.Option(help="Spare what is younger than this many seconds.")] = 3600.0,
) -> None:
    """Remove files of models that are neither champion nor among the last ten of anything."""
    from model.registry import collect_garbage

    with _workspace() as workspace:
        gone = collect_garbage(workspace.store, workspace.artifacts, older_than=older_than)
    out.print(f"removed {len(gone)}: {', '.join(name[:12] for name in gone)}" if gone else "nothing to remove")


@trials_app.command("start")
def trials_start(
    version: str,
    domain: Domain,
    mode: Annotated[
        Literal["shadow", "split"], typer.Option(help="shadow: only logged. split: answers a share of the students.")
    ] = "shadow",
    share: Annotated[float, typer.Option(help="Of the students, in a split.")] = 0.5,
    reason: Reason = "started by hand",
) -> None:
    """Try a version next to its champion; serving processes notice within seconds."""
    from model.registry import find_model
    from model.trial import start_trial

    with _workspace() as workspace:
        model = find_model(workspace.store, version, domain)
        workspace.artifacts.require(model.version)
        trial = start_trial(workspace.store, model, mode=mode, share=share, actor=_actor(), reason=reason)
    out.print(f"trial {trial.id}: {trial.challenger[:12]} next to {trial.champion[:12]} for {trial.key}, {trial.mode}")


@trials_app.command("stop")
def trials_stop(trial: str, reason: Reason = "stopped by hand") -> None:
    """End a trial; the champion answers alone again."""
    from model.trial import stop_trial

    with _workspace() as workspace:
        ended = stop_trial(workspace.store, trial, actor=_actor(), why=reason)
    out.print(f"trial {ended.id} of {ended.key} has ended")


@trials_app.command("list")
def trials_list(domain: Annotated[str | None, typer.Option("--domain", "-d")] = None) -> None:
    """List trials, newest first, with how they ended."""
    from model.render import trials_table
    from model.trial import trials

    with _workspace() as workspace:
        out.print(trials_table(trials(workspace.store, domain)))


@trials_app.command("report")
def trials_report(trial: str) -> None:
    """Show what a trial has shown so far, both models beside the naive rule."""
    from model.registry import rows_of_models
    from model.trial import find_trial
    from monitoring.render import trial_table
    from monitoring.trial_report import report_trial

    with _workspace() as workspace:
        found = find_trial(workspace.store, trial)
        seen = rows_of_models(workspace.artifacts, [found.champion, found.challenger])
        report = report_trial(workspace.store, workspace.service.schema(found.domain), found, trained_on=seen)
    out.print(report.sentence)
    out.print(trial_table(report))


@app.command()
def history(domain: Domain, limit: Annotated[int, typer.Option(help="At most so many entries.")] = 50) -> None:
    """Everything that happened in a domain: batches, drift, decisions, champions, events, oldest first."""
    from model.render import history_of_domain

    with _workspace() as workspace:
        out.print(history_of_domain(workspace.store, domain, limit=limit))


# Access ----------------------------------------------------------------------------------------------------------

RoleOption = Annotated[str, typer.Option("--role", "-r", help="viewer, teacher, analyst or admin.")]
KeyRole = Annotated[str, typer.Option("--role", "-r", help="viewer, teacher, analyst, admin or metrics.")]
Domains = Annotated[list[str] | None, typer.Option("--domain", "-d", help="Only in this domain (repeatable).")]
Groups = Annotated[list[str] | None, typer.Option("--group", help="Only rows of this group (repeatable).")]


@keys_app.command("create")
def keys_create(
    name: str,
    role: KeyRole,
    domain: Domains = None,
    group: Groups = None,
    expires: Annotated[str | None, typer.Option(help="How long it lives: 90d, 12h, 4w; for ever if not given.")] = None,
    rate: Annotated[str | None, typer.Option(help="Its own limit, as 100/minute.")] = None,
) -> None:
    """Make an API key and show it, once: only its hash is kept."""
    from access.keys import create_key, lifetime_of

    lifetime = lifetime_of(expires) if expires else None
    grant, rate = _grant(role, domain, group), _rate(rate)
    with _workspace() as workspace:
        _require_groups(workspace, grant)
        options = {"domains": workspace.schemas, "actor": _actor(), "lifetime": lifetime, "rate": rate}
        key, text = create_key(workspace.store, name, grant, **options)
    typer.echo(text)
    until = f"until {key.expires:%Y-%m-%d %H:%M} UTC" if key.expires else "until it is revoked"
    err.print(f"key {name} ({grant}) is good {until}. This is the only time that it is shown.")


@keys_app.command("list")
def keys_list() -> None:
    """List every key that there is or was; never the keys themselves."""
    from access.render import keys_table

    with _workspace() as workspace:
        out.print(keys_table(workspace.store))


@keys_app.command("revoke")
def keys_revoke(name: str) -> None:
    """End a key: every worker refuses it at its next look, within GRADEWATCH_POLL_SECONDS."""
    from access.keys import revoke_key

    with _workspace() as workspace:
        key = revoke_key(workspace.store, name, actor=_actor())
    out.print(f"key {name} revoked at {key.revoked:%Y-%m-%d %H:%M:%S} UTC")


@users_app.command("add")
def users_add(name: str, role: RoleOption, domain: Domains = None, group: Groups = None) -> None:
    """Add a user; the password is asked for, or read from standard input."""
    from access.users import add_user

    grant = _grant(role, domain, group)
    with _workspace() as workspace:
        _require_groups(workspace, grant)
        add_user(workspace.store, name, grant, _password(), domains=workspace.schemas, actor=_actor())
    out.print(f"user {name} ({grant}) may sign in")


@users_app.command("list")
def users_list() -> None:
    """List every user."""
    from access.render import users_table

    with _workspace() as workspace:
        out.print(users_table(workspace.store))


@users_app.command("change")
def users_change(
    name: str,
    role: Annotated[str | None, typer.Option("--role", "-r", help="viewer, teacher, analyst or admin.")] = None,
    domain: Domains = None,
    group: Groups = None,
    all_domains: Annotated[
        bool, typer.Option("--all-domains", help="No longer confined to domains or groups.")
    ] = False,
    all_groups: Annotated[bool, typer.Option("--all-groups", help="No longer confined to groups.")] = False,
) -> None:
    """Give a user another role, other domains or groups; what is not named stays. Their tokens and sessions end."""
    from access.records import changed_grant
    from access.users import find_user, set_grant

    domains, groups = [] if all_domains else domain, [] if all_domains or all_groups else group
    with _workspace() as workspace:
        grant = changed_grant(find_user(workspace.store, name).grant, role=role, domains=domains, groups=groups)
        _require_groups(workspace, grant)
        set_grant(workspace.store, name, grant, domains=workspace.schemas, actor=_actor())
    out.print(f"user {name} is now: {grant}")


@users_app.command("disable")
def users_disable(name: str) -> None:
    """Shut a user out; their tokens and sessions end."""
    from access.users import disable_user

    with _workspace() as workspace:
        disable_user(workspace.store, name, actor=_actor())
    out.print(f"user {name} is shut out")


@users_app.command("enable")
def users_enable(name: str) -> None:
    """Let a disabled user in again."""
    from access.users import enable_user

    with _workspace() as workspace:
        enable_user(workspace.store, name, actor=_actor())
    out.print(f"user {name} may sign in")


@users_app.command("password")
def users_password(name: str) -> None:
    """Change a user's password, asked for or read from standard input; their tokens and sessions end."""
    from access.users import set_password

    with _workspace() as workspace:
        set_password(workspace.store, name, _password(), actor=_actor())
    out.print(f"password of {name} changed")


@app.command()
def accesses(
    actor: Annotated[str | None, typer.Option(help="As entries name it: user:anna, key:lms, local.")] = None,
    domain: Annotated[str | None, typer.Option("--domain", "-d")] = None,
    action: Annotated[str | None, typer.Option(help='As entries name it: "refused", "signed in".')] = None,
    limit: Annotated[int, typer.Option(help="At most so many entries.")] = 50,
) -> None:
    """Show who looked at or changed what about students, signed in, or was refused, newest first."""
    from access.render import accesses_table

    with _workspace() as workspace:
        out.print(accesses_table(workspace.store.accesses(actor=actor, domain=domain, action=action, limit=limit)))


def _grant(role: str, domains: list[str] | None, groups: list[str] | None) -> Any:
    from access.records import Grant, role_of

    return Grant(role=role_of(role), domains=tuple(domains or ()), groups=tuple(groups or ()))


def _require_groups(workspace: Any, grant: Any) -> None:
    """Raises BadGrant where the grant's one domain cannot have such groups; other faults are found where it is kept."""
    from access.records import check_groups

    if len(grant.domains) == 1 and (schema := workspace.schemas.get(grant.domains[0])):
        check_groups(grant, schema.group)


def _rate(rate: str | None) -> str | None:
    from access.records import BadGrant
    from api.request.rate_limits import parse_limit

    try:
        return rate if rate is None or parse_limit(rate) else None
    except ValueError as error:
        raise BadGrant(str(error)) from None


def _password() -> str:
    """A password that stands in no command line, where every user of the machine could read it."""
    if sys.stdin.isatty():
        return str(typer.prompt("password", hide_input=True, confirmation_prompt=True))
    return sys.stdin.readline().rstrip("\r\n")


def _actor() -> str:
    """Who changes keys and users here, for the record."""
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):  # a container without a user list
        return "cli"


# Running ---------------------------------------------------------------------------------------------------------


@app.command()
def setup() -> None:
    """Make the database, and train a champion on generated data for every domain that has none."""
    from retraining.examples import missing_champions, train_examples

    settings, started = Settings(), time.monotonic()
    with _workspace() as workspace, _progress() as progress:
        for schema in missing_champions(workspace):
            for one in train_examples(workspace, schema, settings.data_dir / "examples", progress=progress):
                out.print(f"trained {one.key}: {one.model.candidate if one.model else one.reason}")
    out.print(f"ready in {time.monotonic() - started:.0f} s")


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
def loadtest(
    url: Annotated[str, typer.Argument(help="Address of the service, such as http://127.0.0.1:8000.")],
    domain: Domain = "engagement",
    rows: Annotated[int, typer.Option(help="Rows of one request; more than one go to the batch route.")] = 1,
    file: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="Send these rows.")] = None,
    connections: Annotated[int, typer.Option(help="Connections at once.")] = 16,
    seconds: Annotated[float, typer.Option(help="End after so many seconds, 600 at most.")] = 10.0,
    requests: Annotated[int | None, typer.Option(help="End after so many requests.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="It is mine to burden, although it is another machine.")] = False,
) -> None:
    """Send predictions for a bounded time, and print latencies, throughput and errors. They are logged as others are.

    The API key is read from GRADEWATCH_API_KEY. Exit code 1 when any request failed.
    """
    from deployment.loadtest import key_of_environment, plan_load, require_consent, run_load
    from deployment.render import load_table

    require_consent(url, consent=yes)
    bounds: Any = {"connections": connections, "seconds": seconds, "requests": requests}
    result = run_load(plan_load(url, domain, rows=rows, file=file, key=key_of_environment(), **bounds))
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
    """Set up what is missing, then serve the API and the dashboard until Ctrl-C."""
    from deployment.local import serve

    setup()
    raise typer.Exit(serve(api_port=api_port, dashboard_port=dashboard_port))


def main(arguments: Sequence[str] | None = None) -> None:
    """The `gradewatch` command: refusals are printed in words, without a traceback."""
    raise SystemExit(_run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    try:
        app(arguments, prog_name="gradewatch")
    except Exception as error:  # whatever is no refusal goes on as it came
        return _explain(error)
    return 0


EXIT_CODES = {
    Category.MISUSED: 78,  # EX_CONFIG of sysexits.h, as the others
    Category.UNAUTHENTICATED: 77,  # EX_NOPERM
    Category.FORBIDDEN: 77,
    Category.UNAVAILABLE: 75,  # EX_TEMPFAIL
    Category.TOO_MANY: 75,
    Category.DAMAGED: 74,  # EX_IOERR
}
"""By category; 1 for every other refusal. 3 to 9 are kept for findings."""


def _explain(error: Exception) -> int:
    """Print a refusal in words and give its exit code. Raises the error when it is none: then it is our mistake."""
    from pydantic import ValidationError

    from preprocessing.render import render_problems
    from preprocessing.validation.rules import BadData

    if isinstance(error, BadData):
        err.print(render_problems(error))
        err.print(", ".join(["nothing was stored; mend the file", *getattr(error, "__notes__", ())]))
        return 1
    if isinstance(error, ValidationError):
        for fault in error.errors():
            words = fault["msg"].removeprefix("Value error, ")
            names = [variable(str(field)) for field in fault["loc"]]
            err.print(": ".join([*names, words]), style="red", highlight=False)
        return 2
    if not isinstance(error, GradewatchError | OSError):
        raise error
    err.print(str(error), style="red", highlight=False)
    return EXIT_CODES.get(error.category, 1) if isinstance(error, GradewatchError) else 1


if __name__ == "__main__":
    main()

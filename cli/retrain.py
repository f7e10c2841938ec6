"""Replacing a model with proof: `gradewatch retrain`, and `backtest`, which tries policies on the past."""

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import language
from cli.apps import app
from cli.inputs import actor, opened_workspace, policies_of, read_rows, say_notes, say_skipped, schema_of, told_problems
from cli.options import Cluster, Domain, Moments, PolicyFile, Problems, Sheet, SkipBadRows, Targets, TaskName
from cli.output import err, explain, out, shares, steps, write_json
from errors import GradewatchError
from settings import Settings

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from database.ingest import Intake
    from database.records import BatchRow
    from preprocessing.schema import DomainSchema
    from retraining.backtest.run import Backtest
    from retraining.run import Result, Run


@app.command()
def retrain(
    domain: Annotated[
        str | None, typer.Option("--domain", "-d", help="Only this domain; every one with new labels if none.")
    ] = None,
    data: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="New labelled file.")] = None,
    target: Targets = None,
    moment: Moments = None,
    task: TaskName = None,
    seed: Annotated[int, typer.Option(help="Same data and seed give the same decision.")] = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Decide, print, change nothing.")] = False,
    wait: Annotated[float, typer.Option(help="Seconds to wait for another run to finish.")] = 0.0,
    policy: PolicyFile = None,
    sheet: Sheet = "",
    skip_bad_rows: SkipBadRows = False,
    problems: Problems = None,
) -> None:
    """Train a challenger on the newest labelled records and promote it if it is better, and not by luck."""
    from retraining.first_champions import keys_of
    from retraining.run import Run, retrain_patiently

    if domain is None and (data or target or moment or task):
        raise typer.BadParameter("name the domain of --data, --target, --moment and --task: --domain D")
    settings, rules = Settings(), policies_of(policy)
    with opened_workspace() as workspace, steps() as progress:

        def run_of(schema: "DomainSchema") -> Run:
            return Run(
                workspace,
                schema,
                rules.training.window or settings.window,
                policy=rules.promotion,
                drift_policy=rules.drift,
                foundation=[Path(name) for name in rules.training.foundation],
                temporal=rules.training.temporal,
                checkpoints=rules.training.checkpoint_folder,
                seed=seed,
                dry=dry_run,
                progress=progress,
            )

        if domain is None:
            raise typer.Exit(_retrain_every_domain([run_of(schema) for schema in workspace.schemas.values()], wait))
        schema = workspace.service.schema(domain)
        run, keys = run_of(schema), keys_of(schema, target, moment, task or "both")
        unstored: Sequence[BatchRow] = ()
        if data:
            read = partial(read_rows, workspace, domain, data, "labeled")
            unstored = _taken(run, data, partial(read, skip_bad_rows, problems, sheet))
        _print_results(run, retrain_patiently(run, keys, unstored=unstored, wait=wait))


def _taken(run: "Run", data: Path, read: "Callable[[], AbstractContextManager[Intake]]") -> "Sequence[BatchRow]":
    """The rows of a file as a stored batch, told in the history of uploads; what a dry run has to look at without."""
    from clock import new_id
    from database.uploads import new_upload
    from jobs.uploads import store_rows, validating

    if run.dry:
        with read() as rows:
            return rows.records()
    came = new_upload(new_id(), run.schema.name, "labeled", name=data.name, actor=actor())
    with validating(run.workspace.store, came) as begun, read() as rows:
        store_rows(run.workspace, run.schema, rows, begun, train_after=None)
    return ()


def _retrain_every_domain(runs: "Sequence[Run]", wait: float) -> int:
    """Retrain where there is something new to decide; what was done, or why nothing, is printed for each domain.

    One that is refused keeps none of the others from its turn. The exit code: the highest of them.
    """
    from retraining.first_champions import keys_of
    from retraining.run import retrain_patiently, with_new_labels

    codes = [0]
    for run in runs:
        run.progress(f"{run.schema.name}: newest records")
        try:
            if keys := with_new_labels(run, keys_of(run.schema)):
                _print_results(run, retrain_patiently(run, keys, wait=wait))
            else:
                out.print(f"{run.schema.name}: {_why_nothing(run)}")
        except GradewatchError as error:
            err.print(f"{run.schema.name}:", style="red", end=" ")
            codes.append(explain(error))
    return max(codes)


def _why_nothing(run: "Run") -> str:
    if not any(champion.domain == run.schema.name for champion in run.workspace.store.champions()):
        return "no champion yet; train one first"
    if not run.workspace.store.labeled_records(run.schema.name, limit=1):
        return "no labelled records yet"
    return "no new labels: its champions have learned from them, or were judged by them before"


def _print_results(run: "Run", results: "Sequence[Result]") -> None:
    from retraining.render import render_result

    for result in results:
        out.print(render_result(result, dry=run.dry))


@app.command()
def backtest(
    domain: Domain,
    data: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="Labelled history of several periods.")],
    policy: Annotated[
        list[Path] | None,
        typer.Option(exists=True, dir_okay=False, help="Rules to try, a TOML file each (repeatable)."),
    ] = None,
    early: Annotated[
        bool,
        typer.Option("--earliness", help="Instead: from which moment, or week, on answers can be trusted."),
    ] = False,
    target: Annotated[str | None, typer.Option(help="What is predicted; the domain's first if none.")] = None,
    moment: Annotated[str | None, typer.Option(help="When; the domain's last moment if none.")] = None,
    first: Annotated[int, typer.Option(min=1, help="Periods that the first model learns from.")] = 1,
    period_days: Annotated[float, typer.Option(help="Days from one period's start to the next.")] = 182.0,
    seed: Annotated[int, typer.Option(help="Same data and seed give the same result.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    html: Annotated[Path | None, typer.Option(help="Write the result as one self-contained page.")] = None,
    spoken: Annotated[
        str, typer.Option("--language", help="Of the page and of what is told of drift: en, de or fr.")
    ] = "en",
    cluster: Cluster = None,
    sheet: Sheet = "",
    skip_bad_rows: SkipBadRows = False,
    problems: Problems = None,
) -> None:
    """Replay past periods: what each policy would have done, beside never and always retraining; or how good answers
    of the last period were, moment by moment or week by week. Stores nothing."""
    from retraining.backtest.earliness import earliness
    from retraining.backtest.render import render_earliness
    from retraining.backtest.replay import Replay
    from retraining.backtest.run import backtest as replay_history
    from retraining.backtest.run import read_history, read_strategies
    from retraining.first_champions import keys_of

    if early == bool(policy) or (early and html):
        raise typer.BadParameter("say --policy FILE, once or more, or --earliness, which writes no page")
    schema, strategies = schema_of(domain), read_strategies(policy or [])
    key = keys_of(schema, [target] if target else None, [moment or schema.moments[-1]])[0]
    with shares() as show:
        replay = Replay(
            schema,
            key,
            window=Settings().window,
            first=first,
            period_days=period_days,
            seed=seed,
            progress=lambda _, share: show("replaying", share),
        )
        with told_problems(problems, skip_bad_rows):
            history = read_history(data, schema, name=data.name, sheet=sheet, skip_bad_rows=skip_bad_rows)
        say_notes(history.notes)
        say_skipped(history.skipped, history.problems, problems)
        found = earliness(replay, history.frame) if early else None
        with language.use(spoken):  # what is told of drift is composed as it is found
            tried = None if early else replay_history(replay, history.frame, strategies, cluster=cluster)
    if found is not None:
        write_json(found) if as_json else out.print(*render_earliness(found))
    if tried is not None:
        _tell_backtest(tried, html, spoken, as_json=as_json)


def _tell_backtest(found: "Backtest", html: Path | None, spoken: str, *, as_json: bool) -> None:
    import msgspec

    from retraining.backtest.page import render_page
    from retraining.backtest.render import render_backtest

    if html:
        with language.use(spoken):
            page = render_page(found)
        html.write_text(page, encoding="utf-8")
        err.print(f"wrote {html}")
    typer.echo(json.dumps(msgspec.to_builtins(found), indent=2)) if as_json else out.print(render_backtest(found))

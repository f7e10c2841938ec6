"""Models and who serves: `gradewatch train`, `models …` and `trials …`."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cli.apps import app, models_app, trials_app
from cli.inputs import actor, opened_workspace, policies_of, read_rows
from cli.options import Domain, Moments, OneDomain, PolicyFile, Problems, Reason, Sheet, SkipBadRows, Targets, TaskName
from cli.output import err, out, steps, write

if TYPE_CHECKING:
    from database.records import Succession
    from model.workspace import Workspace
    from preprocessing.schema import DomainSchema
    from retraining.first_champions import Trained


@app.command()
def train(
    domain: Domain,
    data: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="Labelled file to learn from.")],
    target: Targets = None,
    moment: Moments = None,
    task: TaskName = None,
    seed: Annotated[int, typer.Option(help="Same data and seed give the same model.")] = 0,
    policy: PolicyFile = None,
    sheet: Sheet = "",
    skip_bad_rows: SkipBadRows = False,
    problems: Problems = None,
) -> None:
    """Train on a labelled file; what it learns serves where no model of real records serves yet.

    Each target and moment is trained by itself: one that is refused, say for want of a signal before the first mark, is
    named and keeps none of the others. Exit code 1 where all are refused, else 0.
    """
    from clock import new_id
    from database.uploads import new_upload, refuse_upload
    from jobs.uploads import store_rows, validating
    from retraining.first_champions import keys_of, train_file
    from training.train import NotTrainable

    rules = policies_of(policy)
    with opened_workspace() as workspace, steps() as progress:
        schema = workspace.service.schema(domain)
        keys = keys_of(schema, target, moment, task or "both")
        came = new_upload(new_id(), domain, "labeled", name=data.name, actor=actor())
        with (
            validating(workspace.store, came) as begun,
            read_rows(workspace, domain, data, "labeled", skip_bad_rows, problems, sheet, targets=target or ()) as rows,
        ):
            found = train_file(
                workspace,
                domain,
                rows,
                keys,
                keep=partial(store_rows, workspace, schema, rows, begun, train_after=None),
                seed=seed,
                max_megabytes=rules.promotion.max_megabytes,
                foundation=[Path(name) for name in rules.training.foundation],
                temporal=rules.training.temporal,
                checkpoints=rules.training.checkpoint_folder,
                progress=progress,
            )
            trained = list(found)
            if not any(one.model for one in trained):
                refuse_upload(workspace.store, begun, NotTrainable("; ".join(one.reason for one in trained)))
    _print_trained(trained)


def _print_trained(trained: "Sequence[Trained]") -> None:
    from training.render import render_training

    for one in trained:
        out.rule(str(one.key), align="left")
        if one.bundle and one.model:
            out.print(render_training(one.bundle.manifest))
            out.print(f"version {one.model.version[:12]}: {'now serves: ' if one.installed else ''}{one.reason}")
            for remark in one.remarks:
                out.print(f"make sure that this is known by then: {remark}", style="yellow")
            for question in one.questions:
                out.print(f"to be settled: {question}", style="yellow")
        else:
            out.print(f"refused: {one.reason}", style="red")
    refused = [str(one.key) for one in trained if not one.bundle]
    if len(refused) == len(trained):
        raise typer.Exit(1)
    if refused:
        err.print(f"{len(refused)} of {len(trained)} refused, which keeps none of the others: {', '.join(refused)}")


@models_app.command("list")
def models_list(domain: OneDomain = None) -> None:
    """List model versions, newest first, with the names (v3) that commands take, too; champions are marked, and those
    of whose rows some were withdrawn."""
    from database.withdrawal import rows_withdrawn
    from model.render import models_table

    with opened_workspace() as workspace:
        models = [model for model in workspace.store.models() if domain in (None, model.domain)]
        withdrawn: dict[str, int] = {}
        for name in {model.domain for model in models}:
            withdrawn |= rows_withdrawn(workspace.store, name)
        out.print(models_table(models, workspace.store.champions(), withdrawn))


@models_app.command("show")
def models_show(version: str, domain: Domain) -> None:
    """Show one version: scores beside the plain rule, lineage, and when it was champion."""
    from model.registry import find_model, load_bundle
    from model.render import history_table, lineage_table
    from training.render import render_training

    with opened_workspace() as workspace:
        model = find_model(workspace.store, version, domain)
        bundle = load_bundle(workspace.artifacts, model.version)
        out.print(render_training(bundle.manifest), lineage_table(model))
        out.print(history_table(workspace.store.successions(model.key)))


@models_app.command("download")
def models_download(
    version: str,
    domain: Domain,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A .zip file; named by the model if none.")
    ] = None,
) -> None:
    """Write one version as one file: a ZIP of its bundle, the same bytes for the same model."""
    from access.journal import note
    from model.bundle_file import file_name, zip_bundle
    from model.registry import find_model

    with opened_workspace() as workspace:
        model = find_model(workspace.store, version, domain)
        files = workspace.artifacts.load(model.version)
        note(workspace.store, actor(), "model downloaded", domain, version=model.version)
    path = output or Path(file_name(model))
    path.write_bytes(zip_bundle(files))
    out.print(f"wrote {path}: {len(files)} files of model {model.version}", highlight=False, soft_wrap=True)


@models_app.command("card")
def models_card(
    version: str,
    domain: Domain,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A .html, .md or .json file; printed as text if none.")
    ] = None,
) -> None:
    """Say what a model is for and not for, what it learned from, how good it was on unseen rows, and where it ends."""
    from model.card import card_of
    from model.card_forms import form_of_file, write_card
    from model.registry import find_model

    form = form_of_file(output)
    with opened_workspace() as workspace:
        model = find_model(workspace.store, version, domain)
        card = card_of(workspace.store, workspace.artifacts, workspace.service.schema(domain), model)
    write(write_card(card, form).decode(), output)


@models_app.command("compare")
def models_compare(first: str, second: str, domain: Domain) -> None:
    """Set two versions side by side: errors on the same unseen rows, what each looks at, what each learned from."""
    from drift.render import render_table
    from model.registry import find_model
    from monitoring.model_comparison import compare_models
    from monitoring.render import comparison_tables

    with opened_workspace() as workspace:
        schema = workspace.service.schema(domain)
        models = [find_model(workspace.store, one, domain) for one in (first, second)]
        found = compare_models(workspace.store, workspace.artifacts, schema, *models)
    out.print(*comparison_tables(found), sep="\n")
    out.print(found.alike if found.drift is None else render_table(found.drift))


@models_app.command("promote")
def models_promote(version: str, domain: Domain, reason: Reason = "promoted by hand") -> None:
    """Make a version champion that never was, with those of its task; `retrain` does it where a contest says so. Read
    first whose answers it would move: `gradewatch changes --model`."""
    from access.required_reading import require_read
    from model.registry import find_model, promote

    with opened_workspace() as workspace:
        require_read(workspace.store, actor(), find_model(workspace.store, version, domain))
        done = promote(
            workspace.store,
            domain,
            version,
            actor=actor(),
            reason=reason,
            artifacts=workspace.artifacts,
            schemas=workspace.schemas,
        )
        said = _taken_over(workspace, domain, done, "{version} serves")
    out.print(said, end="")


@models_app.command("activate")
def models_activate(
    version: str,
    domain: Domain,
    all_targets: Annotated[bool, typer.Option(help="Every model of the same training run at once.")] = False,
    task: TaskName = None,
    reason: Reason = "activated by hand",
) -> None:
    """Make an earlier version champion; all-or-none with --all-targets or --task both."""
    from model.registry import activate

    with opened_workspace() as workspace:
        done = activate(
            workspace.store,
            domain,
            version,
            all_targets=all_targets or task == "both",
            actor=actor(),
            reason=reason,
            artifacts=workspace.artifacts,
            schemas=workspace.schemas,
        )
        said = _taken_over(workspace, domain, done, "{version} serves")
    out.print(said, end="")


@models_app.command("rollback")
def models_rollback(
    domain: Domain,
    target: Targets = None,
    moment: Moments = None,
    task: TaskName = None,
    reason: Reason = "rolled back by hand",
) -> None:
    """Bring back the champions before the present ones."""
    from model.registry import rollback
    from retraining.first_champions import keys_of

    with opened_workspace() as workspace:
        schema = workspace.service.schema(domain)
        done = rollback(
            workspace.store,
            keys_of(schema, target, moment, task or "both"),
            actor=actor(),
            reason=reason,
            artifacts=workspace.artifacts,
            schemas=workspace.schemas,
        )
        said = _taken_over(workspace, domain, done, "back to {version}")
    out.print(said, end="")


def _taken_over(workspace: "Workspace", domain: str, done: "Sequence[Succession]", form: str) -> str:
    """A line for each version that came into use, as `form` says it, and one for each value whose bands came along; an
    experiment tracker hears of it."""
    from retraining.experiments import follow

    follow(workspace)
    lines = [f"{one.key}: {form.format(version=one.version[:12])}, generation {one.generation}\n" for one in done]
    return "".join(lines) + _moved_together(workspace.service.schema(domain), done)


def _moved_together(schema: "DomainSchema", done: "Sequence[Succession]") -> str:
    """A line for each value whose bands moved with it."""
    moved = {one.target for one in done}
    lines = [
        f"{bands.name} is bands of {name}: one task, which moves as one\n"
        for name in schema.target_by_name
        for bands in schema.banded(name)
        if {name, bands.name} <= moved
    ]
    return "".join(lines)


@models_app.command("gc")
def models_gc(
    older_than: Annotated[float, typer.Option(help="Spare what is younger than this many seconds.")] = 3600.0,
) -> None:
    """Remove files of models that are neither champion nor among the last ten of anything."""
    from model.registry import collect_garbage

    with opened_workspace() as workspace:
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
    from retraining.experiments import follow

    with opened_workspace() as workspace:
        model = find_model(workspace.store, version, domain)
        workspace.artifacts.require(model.version)
        trial = start_trial(workspace.store, model, mode=mode, share=share, actor=actor(), reason=reason)
        follow(workspace)
    out.print(f"trial {trial.id}: {trial.challenger[:12]} next to {trial.champion[:12]} for {trial.key}, {trial.mode}")


@trials_app.command("stop")
def trials_stop(trial: str, reason: Reason = "stopped by hand") -> None:
    """End a trial; the champion answers alone again."""
    from model.trial import stop_trial
    from retraining.experiments import follow

    with opened_workspace() as workspace:
        ended = stop_trial(workspace.store, trial, actor=actor(), why=reason)
        follow(workspace)
    out.print(f"trial {ended.id} of {ended.key} has ended")


@trials_app.command("list")
def trials_list(domain: OneDomain = None) -> None:
    """List trials, newest first, with how they ended."""
    from model.render import trials_table
    from model.trial import trials

    with opened_workspace() as workspace:
        out.print(trials_table(trials(workspace.store, domain)))


@trials_app.command("report")
def trials_report(trial: str) -> None:
    """Show what a trial has shown so far, both models beside the plain rule."""
    from model.trial import find_trial
    from monitoring.render import trial_table
    from monitoring.trial_report import report_trial

    with opened_workspace() as workspace:
        found = find_trial(workspace.store, trial)
        report = report_trial(workspace.store, workspace.service.schema(found.domain), found, learned=workspace.learned)
    out.print(report.sentence)
    out.print(trial_table(report))

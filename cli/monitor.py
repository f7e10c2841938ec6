"""Is it still right? `gradewatch monitor`, `drift`, `drift watch`, `alerts …` and `performance`."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from cli.apps import alerts_app, app, drift_app
from cli.inputs import opened_workspace, policies_of, say_notes, told_problems, write_problems
from cli.options import (
    At,
    Cluster,
    Domain,
    Every,
    Moments,
    OneDomain,
    PolicyFile,
    Problems,
    SchoolWeek,
    Sheet,
    Since,
    SkipBadRows,
    Targets,
    WarnedOf,
)
from cli.output import BECAME_WORSE, DRIFTED, NOT_ENOUGH_DATA, RETRAINED, err, out, say, steps, write_json
from settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from model.workspace import Workspace
    from monitoring.drift_days import Days
    from monitoring.drift_files import KeptReport
    from retraining.monitor import Monitored

NO_CHANNEL = "no channel is set: GRADEWATCH_ALERT_WEBHOOK and _ALERT_SECRET, or GRADEWATCH_ALERT_EMAIL and _SMTP_URL"


@drift_app.callback()
def drift(
    context: typer.Context,
    domain: Annotated[str | None, typer.Option("--domain", "-d", help="Name of the domain.")] = None,
    current: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="The file to compare.")] = None,
    reference: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Compared with this; the champion's data if none.")
    ] = None,
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Compare what is stored from this day on (UTC).")
    ] = None,
    until: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The day after the last; tomorrow if none.")
    ] = None,
    week: SchoolWeek = None,
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
    columns_only: Annotated[
        bool, typer.Option("--columns-only", help="Of a file: ask nothing of its rows, and of the champion.")
    ] = False,
    policy: PolicyFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    html: Annotated[Path | None, typer.Option(help="Write the report as one self-contained page.")] = None,
    cluster: Cluster = None,
    sheet: Sheet = "",
    reference_sheet: Annotated[str, typer.Option(metavar="NAME", help="The same of --reference.")] = "",
    skip_bad_rows: SkipBadRows = False,
    problems: Problems = None,
) -> None:
    """Compare a file (--current; out of range is a finding), days (--since) or a school --week with the past."""
    from monitoring.drift_files import ReportOptions, report_file
    from monitoring.drift_monitor import report_days

    if context.invoked_subcommand:
        return
    domain = _plain_question(domain, current, reference, since or week, options=(by, columns_only, cluster))
    rules = policies_of(policy).drift
    with told_problems(problems, skip_bad_rows), opened_workspace() as workspace, steps() as progress:
        if current:
            past = reference.name if reference else "what the champion learned from"
            progress(f"comparing {current.name} with {past}")
            options = ReportOptions(rules, by, columns_only, cluster, sheet, reference_sheet, skip_bad_rows)
            watched = report_file(workspace, domain, current, reference, options)
        else:
            choices = {"source": source, "moment": moment, "against": against, "exact": exact, "week": week}
            window = _window_of(workspace, domain, since, until, choices)
            progress(f"comparing {week or f'the days from {window.since} on'} with what came before")
            watched = report_days(workspace, domain, window, by=by, policy=rules)
    write_problems(watched.problems, problems)
    _print_drift(watched, as_json, html)


def _window_of(
    workspace: "Workspace", domain: str, since: datetime | None, until: datetime | None, choices: "Mapping[str, Any]"
) -> "Days":
    """The days that are compared: of a named school week, if no others are given, those on which it was answered."""
    from monitoring.drift_days import days_of
    from monitoring.drift_weeks import days_of_week

    if since is None:
        schema = workspace.service.schema(domain)
        return days_of(*days_of_week(workspace, schema, choices["week"], choices["source"]), **choices)
    return days_of(since.date(), until.date() if until else None, **choices)


def _plain_question(
    domain: str | None,
    current: Path | None,
    reference: Path | None,
    since: datetime | str | None,
    *,
    options: tuple[str | None, bool, str | None],
) -> str:
    """The domain. options: by, columns_only, cluster. Raises BadParameter for what does not go together."""
    by, columns_only, cluster = options
    if domain is None:
        raise typer.BadParameter("name the domain: --domain D (gradewatch domain list)")
    if (current is None) == (since is None) or (reference and since):
        raise typer.BadParameter("give --current FILE (with or without --reference FILE), --since DAY, or --week WEEK")
    if cluster and since:
        raise typer.BadParameter("--cluster counts the rows of a file; days are compared by their stored profiles")
    if columns_only and (by or since):
        raise typer.BadParameter("--columns-only is for --current FILE, without --by")
    return domain


@drift_app.command("watch")
def drift_watch(
    domain: Domain,
    every: Every = None,
    at: At = None,
    days: Annotated[int | None, typer.Option(min=1, help="Whole days judged together; as many as lie between.")] = None,
    against: Annotated[Literal["auto", "champion", "past"], typer.Option(help="As for gradewatch drift.")] = "auto",
    policy: PolicyFile = None,
    retrain: Annotated[bool, typer.Option("--retrain", help="Carry proposed retrainings out.")] = False,
) -> None:
    """Have workers look for drift on a schedule, announce changes, and propose or run retrainings."""
    import msgspec

    from access.keys import lifetime_of
    from jobs.drift_watch import Plan
    from jobs.queue import WATCHING
    from jobs.schedule import plan_schedule
    from jobs.schedules import ScheduledJob, put_schedule

    channels = Settings().channels()
    when, between = plan_schedule(lifetime_of(every) if every else None, at)
    with opened_workspace() as workspace:
        workspace.service.schema(domain)
        plan = Plan(domain, when, days or between, policies_of(policy), against, retrain)
        name, arguments = f"{WATCHING} of {domain}", {"plan": msgspec.to_builtins(plan)}
        wanted = ScheduledJob(name=name, kind=WATCHING, when=when, domain=domain, arguments=arguments)
        put_schedule(workspace.store, wanted)
    out.print(f"{name}: {when}, {plan.days} days at a time; alerts by {', '.join(channels) or 'nothing: none is set'}")


def _print_drift(watched: "KeptReport", as_json: bool, html: Path | None) -> None:
    from drift.page import render_html
    from drift.render import render_segments, render_table
    from drift.story import tell_story

    say_notes(watched.report.notes)
    if html:
        html.write_text(render_html(watched.report, at=watched.record.at), encoding="utf-8")
        err.print(f"wrote {html}")
    if as_json:
        typer.echo(json.dumps(watched.report.to_document(), indent=2))
        return
    out.print(*tell_story(watched.report))
    if watched.report.by:
        out.print(render_segments(watched.report))
    out.print(render_table(watched.report))


@alerts_app.command("test")
def alerts_test() -> None:
    """Send a test message by every channel that is set."""
    from monitoring.alerts import deliver_patiently, deliveries, post_test
    from monitoring.channels import BadChannel

    channels = Settings().channels()
    if not channels:
        raise BadChannel(NO_CHANNEL)
    with opened_workspace() as workspace:
        post_test(workspace.store, channels)
        deliver_patiently(workspace.store, channels, say, 20.0)
        failed = [one for one in deliveries(workspace.store, limit=len(channels)) if one.state != "sent"]
    if failed:
        raise typer.Exit(1)


@alerts_app.command("list")
def alerts_list(
    domain: OneDomain = None,
    limit: Annotated[int, typer.Option(help="At most so many.")] = 50,
) -> None:
    """List alerts, newest first: to whom, whether they arrived, and why not."""
    from monitoring.alerts import deliveries
    from monitoring.render import deliveries_table

    with opened_workspace() as workspace:
        out.print(deliveries_table(deliveries(workspace.store, domain=domain, limit=limit)))


@app.command()
def monitor(
    domain: OneDomain = None,
    lookback_days: Annotated[int, typer.Option(min=1, max=1100, help="Predictions of so many days.")] = 30,
    min_samples: Annotated[
        int, typer.Option(min=2, help="Predictions from which inputs are judged, outcomes from which errors are.")
    ] = 50,
    drift_threshold: Annotated[
        float | None,
        typer.Option(
            min=0.0, max=1.0, help="Effect that is drift: share of rows that moved, Cramér's V; the policy's."
        ),
    ] = None,
    auto_retrain: Annotated[bool, typer.Option("--auto-retrain", help="Retrain where the policy proposes it.")] = False,
    today: Annotated[bool, typer.Option("--today", help="Up to now; else whole days before today (UTC).")] = False,
    policy: PolicyFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was found as JSON.")] = False,
) -> None:
    """Drift, errors measured and to be expected, a verdict, and retraining by the policy; or why not.

    Exit codes: 0 quiet, 3 drift, 4 errors credibly rose, 5 a champion was replaced, 6 not enough data.
    """
    import msgspec

    from retraining.monitor import LookBack, loosened
    from retraining.monitor import monitor as look

    settings, rules = Settings(), policies_of(policy)
    if drift_threshold is not None:
        rules = msgspec.structs.replace(rules, drift=loosened(rules.drift, drift_threshold))
    asked = LookBack(lookback_days, min_samples, rules, today, auto_retrain, settings.window)
    with opened_workspace() as workspace, steps() as progress:
        serving = {champion.domain for champion in workspace.store.champions()}
        names = [domain] if domain else [name for name in workspace.schemas if name in serving]
        found = [look(workspace, name, asked, progress=progress) for name in names]
    _print_monitored(found, as_json)


def _print_monitored(found: "Sequence[Monitored]", as_json: bool) -> None:
    """Ends with the exit code of the gravest finding."""
    from retraining.render import render_monitored

    if as_json:
        write_json(found)
    for one in found if not as_json else ():
        out.print(render_monitored(one))
    if not found:
        err.print("no champion of any domain; train one first: gradewatch train")
    verdicts = {one.verdict for one in found}
    codes = {"worse": BECAME_WORSE, "drift": DRIFTED, "quiet": 0}
    gravest = next((code for verdict, code in codes.items() if verdict in verdicts), NOT_ENOUGH_DATA)
    raise typer.Exit(RETRAINED if any(one.retrained for one in found) else gravest)


@app.command()
def performance(
    domain: Domain,
    target: Targets = None,
    moment: Moments = None,
    by: Annotated[Literal["day", "week", "month", "period"], typer.Option(help="Length of a window.")] = "week",
    since: Since = None,
    top: WarnedOf = None,
    within: Annotated[
        int | None, typer.Option(min=1, metavar="WEEKS", help="Horizon of figures by school week; the longest if none.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Errors and promises by window, against training; errors to expect; whom a warning found, and groups beside the
    others; of school weeks also chances beside what happened, by week, school and grade."""
    import msgspec

    from monitoring.evidence_archive import Selection
    from monitoring.render import fairness_tables, timeline_tables, weekly_tables
    from monitoring.results import results_by_moment

    with opened_workspace() as workspace:
        asked = Selection(since.replace(tzinfo=UTC) if since else None)
        found = list(results_by_moment(workspace, domain, target, moment, asked=asked, by=by, top=top, within=within))
    if as_json:
        plain = [
            {
                **msgspec.to_builtins(one.timeline),
                "fairness": msgspec.to_builtins(one.fairness),
                "weekly": msgspec.to_builtins(one.weekly),
            }
            for one in found
        ]
        typer.echo(json.dumps(plain, indent=2))
        return
    for one in found:
        out.print(*timeline_tables(one.timeline), *fairness_tables(one.fairness), *weekly_tables(one.weekly))
    if not found:
        err.print(f"no predictions of {domain} so far")

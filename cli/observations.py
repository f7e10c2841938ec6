"""`gradewatch observations …`: what is observed of students week by week."""

from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.table import Table

from cli.apps import observations_app
from cli.inputs import actor, opened_workspace, write_problems
from cli.options import Domain, Problems, SkipBadRows
from cli.output import err, out, shares, steps
from settings import Settings

Broker = Literal["redis", "kafka"]

MOST_SHOWN = 20
"""Problems that a terminal shows; `--problems` writes all."""


@observations_app.command("check")
def observations_check(
    folder: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="Of Parquet files, one for each kind.")],
) -> None:
    """Say what a folder of observations holds, or everything that is wrong in it."""
    from preprocessing.panel.folder import read_folder
    from preprocessing.panel.observations import span

    found = Table("kind", "rows", "students", "first day", "last day")
    for kind, frame in read_folder(folder).frames():
        students = f"{frame['student'].n_unique():,}" if "student" in frame.columns else ""
        found.add_row(kind, f"{frame.height:,}", students, *(str(day or "") for day in span(kind, frame)))
    out.print(found)


@observations_app.command("ingest")
def observations_ingest(
    export: Annotated[
        Path, typer.Argument(exists=True, help="A OneRoster zip, a zip or folder under Ed-Fi's names, or any CSV.")
    ],
    domain: Domain,
    mapping: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Which column is what, a TOML file.")
    ] = None,
    infer_days: Annotated[
        bool, typer.Option("--infer-days", help="Of a source of absences alone: who has no record was present.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what it holds and what would change; keep nothing.")
    ] = False,
    skip_bad_rows: SkipBadRows = False,
    problems: Problems = None,
) -> None:
    """Store what an export says of attendance, marks, incidents, enrolment and calendar; what is known already is left.

    Names, addresses and births are dropped before anything is stored, keys of students become pseudonyms.
    """
    from advice.catalogue import load_catalogue
    from jobs.exports import read_settled, take_gathered
    from preprocessing.panel.sheets import first_problems

    with opened_workspace() as workspace:
        schema = workspace.service.schema(domain)
        with steps() as step:
            gathered = read_settled(export, schema, mapping=mapping, infer_days=infer_days, step=step)
        found, before = gathered.found, len(gathered.found.notes)
        for note in found.notes:
            err.print(note, highlight=False, soft_wrap=True, markup=False)
        write_problems(found.problems, problems)
        kinds = list(load_catalogue(Settings().study_catalogue).by_id)
        with shares() as progress:
            told = partial(progress, "comparing" if dry_run else "storing")
            given: dict[str, Any] = {"skip_bad_rows": skip_bad_rows, "dry": dry_run, "progress": told}
            taken = take_gathered(workspace, schema, gathered, actor=actor(), kinds_of_help=kinds, **given)
    for note in taken.notes[before:]:
        err.print(note, highlight=False, soft_wrap=True, markup=False)
    table = Table("kind", "new", "corrected", "known")
    for kind, count in taken.kinds.items():
        table.add_row(kind, f"{count.new:,}", f"{count.corrected:,}", f"{count.known:,}")
    out.print(table)
    for line in taken.readiness:
        out.print(line, highlight=False, soft_wrap=True)
    for line in first_problems(found, MOST_SHOWN) if dry_run or found.total else ():
        err.print(line, highlight=False, soft_wrap=True, markup=False)
    if dry_run:
        err.print(f"nothing was stored; {found.total:,} problems", highlight=False)


@observations_app.command("export")
def observations_export(
    folder: Annotated[Path, typer.Argument(help="Where to write a Parquet file of each kind.")],
    domain: Domain,
    known_at: Annotated[
        datetime | None, typer.Option("--known-at", help="What was known by then (UTC), not what is known now.")
    ] = None,
) -> None:
    """Write what is observed, students as pseudonyms, to a folder of Parquet files from which weeks are computed."""
    from database.observed_frames import write_observations

    if folder.exists() and any(folder.iterdir()):
        raise typer.BadParameter(f"{folder} is not empty")
    with opened_workspace() as workspace, steps() as step:
        workspace.service.schema(domain)
        step("writing")
        at = known_at and known_at.replace(tzinfo=UTC)
        for kind, rows in write_observations(workspace.store, domain, folder, known_at=at).items():
            out.print(f"{kind}: {rows:,} rows")


@observations_app.command("consume")
def observations_consume(
    domain: Domain,
    broker: Annotated[
        Broker, typer.Option(help="Whose: GRADEWATCH_REDIS_URL or GRADEWATCH_KAFKA_URL says where it is.")
    ] = "redis",
    stream: Annotated[str, typer.Option(help="The Redis stream, or the Kafka topic.")] = "gradewatch-events",
    consumer: Annotated[str, typer.Option(help="This consumer's name, its own and the same after a restart.")] = "1",
    once: Annotated[bool, typer.Option("--once", help="End when nothing is left.")] = False,
) -> None:
    """Keep the events of a Redis stream, whose messages have JSON of an event in the field event, or of a Kafka topic.

    In Redis a message is deleted when its event is kept; one that cannot be read is set aside (observations rejected).
    """
    from jobs.event_consumer import EventsTo, consume
    from jobs.event_streams import note_stream, open_stream
    from preprocessing.panel.live import panel_of

    with opened_workspace() as workspace:
        panel = panel_of(workspace.service.schema(domain))
        with closing(open_stream(Settings().brokers(), broker, stream, consumer=consumer)) as source:
            note_stream(workspace.store, domain, broker, stream)
            done = consume(source, EventsTo(workspace.store, domain, panel, workspace.secret), once=once)
    out.print(f"{done.messages:,} messages, {done.changed:,} changed something, {done.set_aside:,} set aside")


@observations_app.command("rejected")
def observations_rejected(domain: Domain) -> None:
    """List messages that were set aside, the newest first: where they stood, and why. What they said is not kept."""
    from jobs.event_consumer import dead_letters

    table = Table("at (UTC)", "stream", "place", "bytes", "reason")
    with opened_workspace() as workspace:
        workspace.service.schema(domain)
        for one in dead_letters(workspace.store, domain):
            told = one.body
            table.add_row(
                f"{one.at:%Y-%m-%d %H:%M:%S}", told["stream"], told["place"], str(told["bytes"]), told["reason"]
            )
    out.print(table)

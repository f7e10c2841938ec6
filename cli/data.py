"""Files in, answers out: `gradewatch ingest`, `outcomes`, `predict` and `score`."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cli.apps import app
from cli.inputs import (
    actor,
    opened_workspace,
    read_rows,
    say_notes,
    say_skipped,
    schema_of,
    told_problems,
    write_problems,
)
from cli.options import AnswerMoment, Cluster, DataFile, Domain, Keep, Locale, Problems, Sheet, SkipBadRows
from cli.output import err, out, shares, steps
from settings import Settings

UNKEPT = b"nothing is kept of a file that is looked at"

if TYPE_CHECKING:
    from database.records import Job
    from database.uploads import Upload
    from model.workspace import Workspace


@app.command()
def check(
    file: DataFile,
    domain: Domain,
    sheet: Sheet = "",
    problems: Problems = None,
) -> None:
    """Say what a file holds before anything is learned from it: rows, gaps, slips, what can be predicted from when."""
    from preprocessing.data_summary import summarise_data
    from preprocessing.reading.files import read_table
    from preprocessing.render import tell_summary
    from preprocessing.validation.rules import BadData

    schema = schema_of(domain)
    with told_problems(problems, skip_bad_rows=True):
        found = summarise_data(read_table(file, sheet=sheet), schema, secret=UNKEPT)
        say_notes(found.notes)
        for line in tell_summary(found, schema):
            out.print(line, markup=False, highlight=False, soft_wrap=True)
        if found.problems:
            raise BadData(found.problems, found.problem_count)


@app.command()
def ingest(
    file: DataFile,
    domain: Domain,
    kind: Annotated[
        Literal["labeled", "unlabeled"], typer.Option(help="labeled: with outcomes, to learn from.")
    ] = "labeled",
    sheet: Sheet = "",
    skip_bad_rows: SkipBadRows = False,
    problems: Problems = None,
) -> None:
    """Store a file as a batch; the same content twice is stored once. A row replaces the same student's of that group
    and period."""
    from clock import new_id
    from database.uploads import new_upload
    from jobs.render import counts_of
    from jobs.uploads import store_rows, validating

    with opened_workspace() as workspace, shares() as progress:
        checking, storing = partial(progress, "checking"), partial(progress, "storing")
        schema, train_after = workspace.service.schema(domain), Settings().train_after
        came = new_upload(new_id(), domain, kind, name=file.name, actor=actor())
        with (
            validating(workspace.store, came) as begun,
            read_rows(workspace, domain, file, kind, skip_bad_rows, problems, sheet, checking) as intake,
        ):
            batch, new, upload = store_rows(workspace, schema, intake, begun, train_after=train_after, progress=storing)
    rows = f"{batch.rows:,} row{'s' * (batch.rows != 1)}"
    out.print(f"batch {batch.id[:12]}: {rows} {'stored' if new else 'there already; nothing changed'}")
    err.print(f"{counts_of(upload)} (upload {upload.id})", highlight=False)
    _say_training(upload)


@app.command()
def outcomes(
    file: DataFile,
    domain: Domain,
    sheet: Sheet = "",
    skip_bad_rows: SkipBadRows = False,
    problems: Problems = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would match, and store nothing.")] = False,
) -> None:
    """Store what really happened, matched to predictions by prediction_id or by student (and period).

    A column happened_at says when it was known; else the time of this upload counts.
    """
    from clock import new_id
    from database.ingest import read_outcomes
    from database.uploads import find_upload, new_upload
    from jobs.catching_up import after_many
    from jobs.uploads import match_file, store_outcomes_read, validating

    with told_problems(problems, skip_bad_rows), opened_workspace() as workspace:
        schema, store = workspace.service.schema(domain), workspace.store
        if dry_run:
            found = match_file(workspace, schema, file, name=file.name, sheet=sheet, skip_bad_rows=skip_bad_rows)
            say_notes(found.notes)
            say_skipped(found.skipped, found.problems, problems)
            out.print(f"{found.sentence}; nothing was stored")
            return
        came = new_upload(new_id(), domain, "outcomes", name=file.name, actor=actor())
        with validating(store, came) as begun:
            read = read_outcomes(file, schema, secret=workspace.secret, sheet=sheet, skip_bad_rows=skip_bad_rows)
            say_notes(read.notes)
            say_skipped(read.skipped, read.problems, problems)
            kept = store_outcomes_read(store, schema, read, begun, train_after=Settings().train_after)
        upload, counting = find_upload(store, domain, kept.upload), after_many(store, domain, actor())
    out.print(f"{kept.outcomes} outcomes: {kept.new} new, {kept.corrected} corrected, {kept.known} known already")
    for sentence in kept.sentences:
        err.print(sentence)
    _say_training(upload)
    _say_counting(counting)


@app.command()
def predict(
    file: DataFile,
    domain: Domain,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A .csv, .xlsx or .parquet file for the answers.")
    ] = None,
    moment: AnswerMoment = None,
    explain: Annotated[int, typer.Option(min=0, max=20, help="Name so many factors that moved each answer.")] = 0,
    keep: Keep = None,
    locale: Locale = "auto",
    sheet: Sheet = "",
    skip_bad_rows: SkipBadRows = False,
    problems: Problems = None,
) -> None:
    """Predict every row of a file, log each prediction, and print or write the answers."""
    from model.answer_files import answers_table, csv_bytes, dialect_of, sink_of, write_answers
    from model.predict_file import predict_file
    from model.repeats import answered_before

    dialect = dialect_of(locale)
    if output:
        sink_of(output, (), dialect)  # refused before anything is logged
    with told_problems(problems, skip_bad_rows), opened_workspace() as workspace, steps() as progress:
        answered = predict_file(
            workspace.service,
            domain,
            file,
            secret=workspace.secret,
            moment=moment,
            explain=explain,
            sheet=sheet,
            keep=keep or (),
            skip_bad_rows=skip_bad_rows,
            progress=progress,
        )
        say_notes(answered.notes)
        targets = workspace.schemas[domain].targets
        dialect = dialect_of(locale, answered.separator)
        answers = answers_table(answered.rows, answered.predictions, targets, answered.kept, dialect=dialect)
        before, warnings = answered_before(workspace.store, answered.predictions), _warnings(workspace, domain)
    say_skipped(answered.skipped, answered.problems, problems)
    if output:
        write_answers(answers, output, dialect)
        err.print(f"wrote {output}", highlight=False, soft_wrap=True)
    else:
        typer.echo(csv_bytes(answers, dialect, bom=False).decode())
    err.print(f"{len(answered.predictions):,} predictions logged")
    if before:
        err.print(f"the same rows were answered before, on {before:%Y-%m-%d at %H:%M} UTC: both answers are logged")
    err.print(warnings, style="yellow", end="")


@app.command()
def score(
    file: DataFile,
    domain: Domain,
    output: Annotated[Path, typer.Option("--output", "-o", help="A .csv, .xlsx or .parquet file for the answers.")],
    moment: AnswerMoment = None,
    log: Annotated[
        bool, typer.Option("--log/--no-log", help="Log every prediction before its answer is written.")
    ] = True,
    keep: Keep = None,
    locale: Locale = "auto",
    sheet: Sheet = "",
    skip_bad_rows: SkipBadRows = False,
    problems: Problems = None,
    cluster: Cluster = None,
) -> None:
    """Predict millions of rows in little memory: the whole file is checked first, then answered, logged and written."""
    from jobs.catching_up import after_many
    from model.score_file import score_file

    with told_problems(problems, skip_bad_rows), opened_workspace() as workspace, shares() as progress:
        scored = score_file(
            workspace,
            domain,
            file,
            output,
            moment=moment,
            log=log,
            sheet=sheet,
            keep=keep or (),
            locale=locale,
            skip_bad_rows=skip_bad_rows,
            cluster=cluster,
            progress=progress,
        )
        warnings = _warnings(workspace, domain)
        counting = after_many(workspace.store, domain, actor()) if log else None
    write_problems(scored.problems, problems)
    for line in scored.remarks:
        err.print(line)
    err.print(f"{scored.rows:,} rows answered{', logged' if log else ', not logged'}; wrote {output}")
    _say_counting(counting)
    err.print(warnings, style="yellow", end="")


def _say_training(upload: "Upload") -> None:
    for job in upload.training:
        err.print(f"training starts by itself: job {job}, which a worker does (gradewatch worker)", highlight=False)
    if upload.note:
        err.print(upload.note, highlight=False)


def _say_counting(job: "Job | None") -> None:
    """Of the job that lists of students and results wait for."""
    if job is not None:
        told = "lists of students and results know of it after job {}, which a worker does (gradewatch worker)"
        err.print(told.format(job.id), highlight=False)


def _warnings(workspace: "Workspace", domain: str) -> str:
    """Lines to print where a champion of the domain learned from generated examples, or before its file changed."""
    serving = [one for key, one in workspace.champions.loaded.items() if key.domain == domain]
    changes = "; ".join(dict.fromkeys(words for one in serving for words in one.changes))
    lines = [f"the file of {domain} has changed since its model learned; answers are what they were: {changes}"]
    lines = lines if changes else []
    if any(one.predictor.from_examples for one in serving):
        lines.append(
            f"not for real students: {domain} is answered by a model of generated examples; "
            f"train it on your own records: gradewatch train --domain {domain} --data FILE"
        )
    return "".join(f"{line}\n" for line in lines)

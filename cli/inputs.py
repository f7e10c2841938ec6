"""What the verbs work on: the open workspace, a domain, the rows of a file, the rules, and who asks."""

import getpass
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cli.output import err
from settings import Settings

if TYPE_CHECKING:
    from database.ingest import Intake
    from database.records import BatchKind
    from model.workspace import Workspace
    from preprocessing.schema import DomainSchema
    from preprocessing.validation.rules import Problem
    from retraining.policies import Policies


@contextmanager
def opened_workspace() -> "Iterator[Workspace]":
    """The workspace that the settings describe, open as long as the block runs."""
    workspace = Settings().open_workspace()
    try:
        yield workspace
    finally:
        workspace.close()


def schema_of(name: str) -> "DomainSchema":
    """The domain of that name, without opening the workspace. Raises UnknownDomain."""
    from preprocessing.schema import load_domains

    return load_domains(Settings().domains_dir)[name]


@contextmanager
def read_rows(
    workspace: "Workspace",
    domain: str,
    file: Path,
    kind: "BatchKind",
    skip_bad_rows: bool,
    problems: Path | None,
    sheet: str = "",
    progress: Callable[[float], None] = lambda _: None,
    targets: Sequence[str] = (),
) -> "Iterator[Intake]":
    """The rows of a file (of a workbook: of a sheet) for a batch; its problems written to a CSV where one is asked
    for. progress: hears which share is read. targets: as `database.ingest.read_batch` has them. Raises BadData."""
    from database.ingest import read_batch
    from preprocessing.reading.chunks import open_source
    from preprocessing.reading.raw_table import some_of

    schema, secret = workspace.service.schema(domain), workspace.secret
    with (
        told_problems(problems, skip_bad_rows),
        read_batch(
            open_source(file, sheet=sheet),
            schema,
            kind,
            secret=secret,
            skip_bad_rows=skip_bad_rows,
            targets=targets,
            progress=progress,
        ) as intake,
    ):
        say_notes(intake.notes)
        if intake.ignored_columns:
            err.print(f"columns that are not needed, not read: {some_of(intake.ignored_columns)}")
        say_skipped(intake.skipped, intake.problems, problems)
        yield intake


def say_notes(notes: Sequence[str]) -> None:
    """Tells what a user should know of how a file was read."""
    for note in notes:
        err.print(note, style="yellow")


@contextmanager
def told_problems(problems: Path | None, skip_bad_rows: bool) -> Iterator[None]:
    """A BadData of the block goes on with its problems in the CSV `problems` and a word on --skip-bad-rows."""
    from preprocessing.validation.rules import BadData

    try:
        yield
    except BadData as error:
        write_problems(error.problems, problems)
        if error.total > 1:
            error.add_note(
                f"every one of them is in {problems}" if problems else "or see every one: --problems FILE.csv"
            )
        if not skip_bad_rows and all(problem.row is not None for problem in error.problems):
            error.add_note("or leave out bad rows with --skip-bad-rows")
        raise


def say_skipped(skipped: int, found: "Sequence[Problem]", problems: Path | None) -> None:
    """How many bad rows were left out, their problems in the CSV that was asked for."""
    from preprocessing.validation.rules import left_out

    write_problems(found, problems)
    if skipped:
        err.print(left_out(skipped), highlight=False)


def write_problems(found: "Sequence[Problem]", problems: Path | None) -> None:
    """The problems of a file as a CSV, where one is asked for."""
    from preprocessing.render import problems_csv

    if problems and found:
        problems.write_text(problems_csv(found), encoding="utf-8")


def policies_of(path: Path | None) -> "Policies":
    """The rules in a file, or the defaults. Raises BadPolicy."""
    from retraining.policies import Policies, read_policies

    return read_policies(path) if path else Policies()


def actor() -> str:
    """Who asks for a change, for the record."""
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):  # a container without a user list
        return "cli"

"""A whole installation in one file: `gradewatch backup` and `restore`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from cli.apps import app
from cli.inputs import opened_workspace
from cli.output import err, out, steps
from clock import now
from settings import Settings

PassphraseFile = Annotated[
    Path | None, typer.Option("--passphrase-file", exists=True, dir_okay=False, help="A file that holds it.")
]


@app.command()
def backup(
    file: Annotated[
        Path, typer.Argument(help="Where to write it; must not be there yet. In a folder it is named by the time.")
    ],
    passphrase_file: PassphraseFile = None,
    drill: Annotated[bool, typer.Option("--drill", help="Then rehearse bringing it back, as restore does.")] = False,
    keep: Annotated[
        int | None,
        typer.Option("--keep", min=1, help="In a folder: how many of the newest stay there, once this one is whole."),
    ] = None,
) -> None:
    """Keep what the database holds, the models and the secret in one file, while the service goes on.

    A passphrase, asked for or read from standard input, seals the secret and signs the file; without it nothing is
    restored. Files of jobs, with whatever keys of students they hold, are not kept. With --drill exit code 1 where a
    champion could not serve from the backup; then no older one is removed.
    """
    from deployment.backup import make_backup, name_by_time, remove_older

    folder = file if file.is_dir() else None
    if folder is not None:
        file = folder / name_by_time(now())
    elif keep is not None:
        raise typer.BadParameter(f"--keep is for a folder of backups, and {file} is none")
    passphrase = _passphrase(passphrase_file, confirm=True)
    with opened_workspace() as workspace, steps() as step:
        contents = make_backup(workspace, file, passphrase, on_page=lambda kind, _: step(kind))
    documents = sum(one.count for one in contents.kinds)
    out.print(
        f"{file}: {documents:,} documents and {len(contents.models)} models, as of upload {contents.receipt:,}, "
        f"{contents.at:%Y-%m-%d %H:%M:%S} UTC"
    )
    if contents.jobs_left_out:
        err.print(
            f"{contents.jobs_left_out} jobs wait with files of their own, which no backup holds: ask for them again"
        )
    if contents.missing:
        err.print(f"the files of {len(contents.missing)} older versions are gone; they are listed without them")
    if drill:
        _drill(file, passphrase)
    if folder is not None and keep is not None and (older := remove_older(folder, keep)):
        out.print(f"{len(older)} older removed: {', '.join(path.name for path in older)}")


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="What `gradewatch backup` wrote.")],
    passphrase_file: PassphraseFile = None,
    drill: Annotated[bool, typer.Option("--drill", help="Only rehearse it, in a folder that goes again.")] = False,
) -> None:
    """Bring a backup back into the empty installation that the settings describe, on any database, and compare it.

    With --drill nothing of this installation is touched; exit code 1 where a champion could not serve from the backup.
    """
    from deployment.backup import restore_backup

    passphrase = _passphrase(passphrase_file, confirm=False)
    if drill:
        _drill(file, passphrase)
        return
    with steps() as step:
        contents = restore_backup(Settings(), file, passphrase, on_page=lambda kind, _: step(kind))
    documents = sum(one.count for one in contents.kinds)
    out.print(f"{documents:,} documents and {len(contents.models)} models are back, the same to the last byte")


def _drill(file: Path, passphrase: str) -> None:
    from deployment.backup import drill_restore

    with steps() as step:
        drilled = drill_restore(file, passphrase, on_page=lambda kind, _: step(kind))
    documents = sum(one.count for one in drilled.contents.kinds)
    out.print(
        f"{documents:,} documents and {len(drilled.contents.models)} models came back, the same to the last byte, and "
        f"{drilled.loaded} champions served, in {drilled.seconds:.0f} s; the backup is of "
        f"{drilled.contents.at:%Y-%m-%d %H:%M:%S} UTC"
    )
    if drilled.broken:
        err.print(f"would not serve: {', '.join(drilled.broken)}")
        raise typer.Exit(1)


def _passphrase(file: Path | None, *, confirm: bool) -> str:
    """What seals or opens the secret; it stands in no command line, where every user of the machine could read it."""
    if file is not None:
        return file.read_text(encoding="utf-8").strip("\r\n")
    if sys.stdin.isatty():
        return str(typer.prompt("passphrase", hide_input=True, confirmation_prompt=confirm))
    if given := sys.stdin.readline().rstrip("\r\n"):
        return given
    raise typer.BadParameter("no passphrase was given: name a file of it with --passphrase-file")

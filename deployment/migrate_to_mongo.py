"""Copies the local database and its models to MongoDB: `python deployment/migrate_to_mongo.py`.

Arguments, a progress bar and a table around `database.migrate`, which does the work; nothing is copied here. It runs
in an installed project (`pip install -e .`), since the folder of a script, and not the project, is on Python's path.
"""

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from database.errors import StoreUnavailable
from database.migrate import Comparison, compare, copy, expected_counts
from database.open import open_store
from database.store import KINDS, RecordStore
from model.artifacts import ArtifactFolder
from model.shared_artifacts import DatabaseBundles, SharedArtifacts

EQUAL, DIFFERENT, FAILED = 0, 1, 2
"""Exit statuses: the target holds the same as the source; it does not; the copy could not be made."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Copy, compare, print. Returns the exit status."""
    console = Console()
    options = _parser().parse_args(arguments)
    try:
        source_url, target_url = _urls(options.source, options.target)
        folder = options.models or _models_folder()
        console.print(f"from {_without_secrets(source_url)}\n  to {_without_secrets(target_url)}", highlight=False)
        comparisons, written, models = _migrate(source_url, target_url, folder, console)
    except (ValueError, ImportError) as error:
        console.print(f"[red]not started:[/] {_without_secrets(str(error))}", highlight=False)
        return FAILED
    except StoreUnavailable as error:
        console.print(f"[red]stopped:[/] {_without_secrets(str(error))}", highlight=False)
        console.print("What was copied is kept; the same command goes on from there.")
        return FAILED
    console.print(_table(comparisons, written))
    console.print(f"{len(models.given)} models of {folder} given to the target, where any machine finds them.")
    if models.missing:
        console.print(f"[red]{len(models.missing)} champions lie neither in {folder} nor in the target:[/] --models")
    if all(comparison.equal for comparison in comparisons):
        console.print("Every document is in the target, with the same content.")
        console.print("Each machine needs the same GRADEWATCH_PSEUDONYM_SECRET (a generated one: pseudonym.secret).")
        return EQUAL
    console.print(
        "[red]The target does not hold the same as the source.[/] Stop whatever writes to either, then run again."
    )
    return DIFFERENT


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Copy everything that Gradewatch remembers to MongoDB, and compare.")
    parser.add_argument("--source", metavar="URL", help="the store to copy (default: GRADEWATCH_DATABASE_URL)")
    parser.add_argument("--target", metavar="URL", help="the store to fill (default: MONGO_URI)")
    parser.add_argument("--models", metavar="FOLDER", type=Path, help="where models lie (default: in the data folder)")
    return parser


def _urls(source: str | None, target: str | None) -> tuple[str, str]:
    if source is None or target is None:
        from settings import Settings

        settings = Settings()
        target = target or settings.mongo_uri
        # With MONGO_URI set and no other URL, the service itself already uses MongoDB: what is to be copied is the
        # file that it used before.
        local = f"sqlite:///{settings.data_dir / 'gradewatch.db'}"
        source = source or (local if settings.database_url == settings.mongo_uri else settings.database_url)
    if not target:
        raise ValueError("no target: set MONGO_URI or give --target mongodb://HOST/NAME")
    if source == target:
        raise ValueError("source and target are the same store")
    file = re.sub(r"^sqlite[^:]*:///|\?.*$", "", source)
    if source.startswith("sqlite") and not Path(file).is_file():
        raise ValueError(f"there is no database file {file}")
    return source, target


def _models_folder() -> Path:
    from settings import Settings

    return Settings().artifacts_dir


class MovedModels(NamedTuple):
    """Versions that the target was given now, and those that it has not."""

    given: list[str]
    missing: list[str]


def _give_models(folder: Path, target: RecordStore) -> MovedModels:
    shared = SharedArtifacts(DatabaseBundles(target), ArtifactFolder(folder))
    versions = [model.version for model in target.models()]
    given = shared.publish(versions)
    serving = {champion.version for champion in target.champions()}  # older ones may have been swept
    return MovedModels(given, sorted(serving - set(shared.digests())))


def _without_secrets(text: str) -> str:
    return re.sub(r"://[^@/\s]*@", "://…@", text)


def _migrate(
    source_url: str, target_url: str, folder: Path, console: Console
) -> tuple[tuple[Comparison, ...], dict[str, int], MovedModels]:
    source = open_store(source_url)
    try:
        target = open_store(target_url)
        try:
            comparisons, written = _with_progress(source, target, console)
            return comparisons, written, _give_models(folder, target)
        finally:
            target.close()
    finally:
        source.close()


def _with_progress(
    source: RecordStore, target: RecordStore, console: Console
) -> tuple[tuple[Comparison, ...], dict[str, int]]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    totals = expected_counts(source)
    with Progress(*columns, console=console) as progress:
        tasks: dict[str, TaskID] = {}

        def advance(stage: str, kind: str, documents: int) -> None:
            label = f"{stage} {kind}"
            if label not in tasks:
                tasks[label] = progress.add_task(label, total=totals.get(kind))
            progress.advance(tasks[label], documents)

        written = copy(source, target, on_page=lambda kind, documents, _: advance("copy", kind, documents))
        comparisons = compare(source, target, on_page=lambda kind, documents: advance("compare", kind, documents))
        for task in progress.tasks:
            progress.update(task.id, total=task.completed)
    return comparisons, written


def _table(comparisons: Sequence[Comparison], written: dict[str, int]) -> Table:
    table = Table("kind", title="Source and target")
    for heading in ("source", "target", "written now"):
        table.add_column(heading, justify="right")
    table.add_column("content (SHA-256)")
    by_kind = {comparison.kind: comparison for comparison in comparisons}
    for kind in KINDS:
        c = by_kind[kind]
        same = f"same {c.source_digest[:12]}"
        differs = f"[red]differs {c.source_digest[:12]} / {c.target_digest[:12]}[/]"
        table.add_row(kind, str(c.source_count), str(c.target_count), str(written[kind]), same if c.equal else differs)
    return table


if __name__ == "__main__":
    sys.exit(main())

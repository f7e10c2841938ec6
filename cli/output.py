"""What the verbs print with: answers on the standard output, all about them on the error output; and exit codes."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from errors import Category, GradewatchError
from settings import variable

if TYPE_CHECKING:
    from pydantic import ValidationError

# Without markup: file names, cells and reasons may hold [brackets], which Rich would take for styles.
out, err = Console(markup=False), Console(markup=False, stderr=True)

SILENCE = 5.0
"""Seconds between two lines of progress where the output is no terminal."""

Step = Callable[[str], None]
"""Hears the name of the step at hand."""

Share = Callable[[str, float], None]
"""Hears the name of the step at hand and which share of it is done, 0 to 1."""

DRIFTED, BECAME_WORSE, RETRAINED, NOT_ENOUGH_DATA = 3, 4, 5, 6
"""Exit codes of findings: inputs changed; errors credibly rose; a champion was replaced; what is asked about has too
few outcomes."""

EXIT_CODES = {
    Category.MISUSED: 78,  # EX_CONFIG of sysexits.h, as the others
    Category.UNAUTHENTICATED: 77,  # EX_NOPERM
    Category.FORBIDDEN: 77,
    Category.UNAVAILABLE: 75,  # EX_TEMPFAIL
    Category.TOO_MANY: 75,
    Category.DAMAGED: 74,  # EX_IOERR
}
"""By category; 1 for every other refusal. 3 to 9 are kept for findings."""


@contextmanager
def steps() -> Iterator[Step]:
    """A spinner that names the step at hand; a line every few seconds where the output is no terminal."""
    if not err.is_terminal:
        with _lines() as tell:
            yield tell
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task("starting", total=None)
        yield lambda step: bar.update(task, description=step)


@contextmanager
def shares() -> Iterator[Share]:
    """A bar per step, filled as far as the step is done; a line every few seconds where the output is no terminal."""
    if not err.is_terminal:
        with _lines() as tell:
            yield lambda step, share: tell(f"{step}: {share:.0%}")
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True) as bar:
        tasks: dict[str, TaskID] = {}

        def show(step: str, share: float) -> None:
            if step not in tasks:
                tasks[step] = bar.add_task(step, total=1.0)
            bar.update(tasks[step], completed=share)

        yield show


@contextmanager
def _lines() -> Iterator[Step]:
    """What is at hand, told every few seconds by a thread, for one step may take minutes without a word."""
    at_hand, ended, started = ["starting"], threading.Event(), time.monotonic()

    def tell() -> None:
        while not ended.wait(SILENCE):
            err.print(f"{at_hand[0]} ({time.monotonic() - started:.0f} s)", highlight=False, soft_wrap=True)

    teller = threading.Thread(target=tell, name="progress", daemon=True)
    teller.start()
    try:
        yield lambda step: at_hand.__setitem__(0, step)
    finally:
        ended.set()
        teller.join()


def say(line: str) -> None:
    """A line of a process that runs for long."""
    err.print(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} {line}", highlight=False, soft_wrap=True)


def write_json(record: object) -> None:
    """Print a record for programs, indented for whoever looks at it all the same."""
    import msgspec

    typer.echo(msgspec.json.format(msgspec.json.encode(record), indent=2).decode())


def write(text: str, output: Path | None) -> None:
    """`text` into the file `output`, or printed where there is none."""
    if output is None:
        typer.echo(text)
    else:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(text, encoding="utf-8")
        err.print(f"wrote {output}")


def explain(error: Exception) -> int:
    """Print a refusal in words and give its exit code. Raises the error when it is none: then it is our mistake."""
    from pydantic import ValidationError

    from preprocessing.render import tell_problems
    from preprocessing.validation.rules import BadData

    if isinstance(error, BadData):
        for line in tell_problems(error):
            err.print(line, highlight=False, soft_wrap=True)
        err.print(", ".join(["nothing was stored; mend the file", *getattr(error, "__notes__", ())]), soft_wrap=True)
        return 1
    if isinstance(error, ValidationError):
        _explain_settings(error)
        return 2
    if not isinstance(error, GradewatchError | OSError):
        raise error
    err.print(str(error), style="red", highlight=False)
    return EXIT_CODES.get(error.category, 1) if isinstance(error, GradewatchError) else 1


def _explain_settings(error: "ValidationError") -> None:
    for fault in error.errors():
        words = fault["msg"].removeprefix("Value error, ")
        names = [variable(str(field)) for field in fault["loc"]]
        err.print(": ".join([*names, words]), style="red", highlight=False)

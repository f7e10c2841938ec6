"""The command line as users run it: a process of its own, a folder of its own, no setting of this machine."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from settings import ALIASES
from tests.forked import forks

ROOT = Path(__file__).resolve().parents[1]
GRADEWATCH = (sys.executable, "-m", "cli")
PATIENCE = 240.0
"""Seconds for a command: less than a test has."""


def environment_of(folder: Path, **settings: str) -> dict[str, str]:
    """Of a process whose data are in `folder`."""
    other = {*ALIASES.values()}
    clean = {
        k: v for k, v in os.environ.items() if not k.startswith(("GRADEWATCH_", "MONGO_", "MLFLOW_")) and k not in other
    }
    usual = {"GRADEWATCH_DATA_DIR": str(folder), "PYTHONPATH": str(ROOT), "COLUMNS": "160"}
    return {**clean, **usual, "GRADEWATCH_TRAIN_AFTER": "0", **settings}  # nothing is trained that no test asks for


def run_command(
    folder: Path, *arguments: str, program: Sequence[str] = GRADEWATCH, typed: str = "", alone: bool = False,
    **settings: str,
) -> subprocess.CompletedProcess[str]:  # fmt: skip
    """What came of `gradewatch ARGUMENTS`, or of another program with them.

    typed: into its standard input. alone: in a fresh interpreter, a child of this process, as users start it; else in
    one that has loaded what every command loads.
    """
    environment = environment_of(folder, **settings)
    if program[:2] == GRADEWATCH[:2] and not alone:
        module, *first = program[2:]
        given = {"folder": folder, "environment": environment, "typed": typed, "patience": PATIENCE}
        return forks(ROOT).run(module, [*first, *arguments], **given)
    return subprocess.run(
        [*program, *arguments], input=typed, env=environment, cwd=folder, capture_output=True, text=True, check=False,
        timeout=PATIENCE,
    )  # fmt: skip

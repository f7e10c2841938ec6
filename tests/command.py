"""The command line as users run it: a process of its own, a folder of its own, no setting of this machine."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from settings import ALIASES

ROOT = Path(__file__).resolve().parents[1]
GRADEWATCH = (sys.executable, "-m", "cli")


def environment_of(folder: Path, **settings: str) -> dict[str, str]:
    """Of a process whose data are in `folder`."""
    other = {*ALIASES.values()}
    clean = {
        k: v for k, v in os.environ.items() if not k.startswith(("GRADEWATCH_", "MONGO_", "MLFLOW_")) and k not in other
    }
    usual = {"GRADEWATCH_DATA_DIR": str(folder), "PYTHONPATH": str(ROOT), "COLUMNS": "160"}
    return {**clean, **usual, "GRADEWATCH_TRAIN_AFTER": "0", **settings}  # nothing is trained that no test asks for


def run_command(
    folder: Path, *arguments: str, program: Sequence[str] = GRADEWATCH, typed: str = "", **settings: str
) -> subprocess.CompletedProcess[str]:
    """What came of `gradewatch ARGUMENTS`, or of another program with them. typed: into its standard input."""
    environment = environment_of(folder, **settings)
    return subprocess.run(
        [*program, *arguments], input=typed, env=environment, cwd=folder, capture_output=True, text=True, check=False,
        timeout=240,
    )  # fmt: skip

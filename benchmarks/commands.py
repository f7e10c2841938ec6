"""Commands as a user runs them, each in a process of its own: their CPU seconds, start included, and their memory."""

import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from benchmarks.servers import ROOT, Running, clean_environment
from model.workspace import Workspace, open_workspace

SECRET = "the secret of a benchmark's invented students"
GRADEWATCH = str(ROOT / "cli" / "__main__.py")
"""The file of the `gradewatch` command, as `measured` starts it."""

MEASURED = """
import json, resource, runpy, sys
sys.argv = sys.argv[1:]
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
except SystemExit as end:
    assert end.code in (None, 0, 3), end.code  # 3: drift was found
usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
print(json.dumps(sum(usage.ru_utime + usage.ru_stime for usage in usages)))
"""


def measured(settings: Mapping[str, str], *command: str) -> tuple[float, float]:
    """CPU seconds of a Python program, its start and its children included, and the most MB that they held together,
    looked at every 20 ms."""
    program = subprocess.Popen(
        [sys.executable, "-c", MEASURED, *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**clean_environment(), **settings},
    )
    peak, running = 0.0, Running("", program)
    while program.poll() is None:
        peak = max(peak, running.memory)
        time.sleep(0.02)
    said = program.communicate()[0]
    if program.returncode:
        raise RuntimeError(f"{command} ended with {program.returncode}")
    return float(said.splitlines()[-1]), peak


def settings_of(folder: Path, database: str | None = None) -> dict[str, str]:
    """Our commands and our service over the installation in a folder."""
    return {
        "GRADEWATCH_DATA_DIR": str(folder),
        "GRADEWATCH_DATABASE_URL": database or f"sqlite:///{folder / 'gradewatch.db'}",
        "GRADEWATCH_PSEUDONYM_SECRET": SECRET,
    }


def open_installation(folder: Path) -> Workspace:
    """The installation of `settings_of`."""
    url = f"sqlite:///{folder / 'gradewatch.db'}"
    return open_workspace(database_url=url, artifacts_dir=folder / "models", domains_dir=None, secret=SECRET.encode())

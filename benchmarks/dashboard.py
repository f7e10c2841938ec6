"""The first drawing of each page in a browser, on an installation with many predictions and outcomes.

`python -m benchmarks.dashboard [--quick] [--rows N]` from the project's root. CPU time is the server's; seconds pass
until the page's sentence stands there and its script has ended. Each page is drawn for three visitors: the first right
after all came, the second when a worker has caught up, and another.
"""

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.commands import GRADEWATCH, measured
from benchmarks.growth import SCHOOL, at_most, served_installation, tell_outcomes
from benchmarks.result import Figure, print_figures, write_results
from benchmarks.servers import ROOT, Running, free_port, started

ROWS, QUICK_ROWS = 1_000_000, 10_000
FIRST, OF_ONE = "today", "own"  # the page at the root, and one that only a linked user has
WARM_UP = "activity"
DASHBOARD = (
    sys.executable,
    "-m",
    "streamlit",
    "run",
    str(ROOT / "dashboard" / "dashboard.py"),
    "--server.port",
    "{port}",
)
CPU_LIMIT, SECONDS_LIMIT, MEGABYTES_LIMIT = 1.0, 2.0, 350.0
CATCHING_UP_LIMIT, CATCHING_UP_MEGABYTES = 60.0, 400.0


class Drawing(NamedTuple):
    """What one drawing took. cpu: of the server; seconds: as the visitor waits."""

    cpu: float
    seconds: float


def main(given: Sequence[str] = ()) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few records, to see that it works")
    parser.add_argument("--rows", type=int, help="number of predictions")
    asked = parser.parse_args(given)
    rows = asked.rows or (QUICK_ROWS if asked.quick else ROWS)
    with tempfile.TemporaryDirectory(prefix="gradewatch-dashboard-") as folder:
        figures = pages(Path(folder), rows)
    if rows == ROWS:
        write_results("dashboard", figures)
    else:
        print_figures("dashboard", figures)


def pages(folder: Path, rows: int) -> list[Figure]:
    """Each page's first drawing by a new visitor, and what the server holds after all of them."""
    settings = served_installation(folder, "dashboard")
    tell_outcomes(Path(settings["GRADEWATCH_DATA_DIR"]), rows)
    how = f"{rows:,} predictions, {rows // 10:,} outcomes in SQLite; in Chromium, the slowest of three new visitors"
    with started(DASHBOARD, port=free_port(), settings=settings, ready="/_stcore/health") as server:
        visits = [draw_all(server)]
        spent, peak = measured(settings, GRADEWATCH, "worker", "--once")  # does what these pages asked for
        visits += [draw_all(server), draw_all(server)]
        held = server.own_memory
    figures = []
    for name in visits[0]:
        cpu, seconds = ([getattr(one[name], what) for one in visits] for what in Drawing._fields)
        told = f"{how}: {', '.join(f'{one:.2f}' for one in cpu)} CPU s, {', '.join(f'{one:.1f}' for one in seconds)} s"
        figures += [
            at_most(f"{name}, CPU", max(cpu), "CPU s", CPU_LIMIT, told),
            at_most(f"{name}, until it stands", max(seconds), "s", SECONDS_LIMIT, how),
        ]
    job = "the job between the first and the second visitor; start of the worker included"
    whole = "the whole process, with Streamlit; each page drawn three times"
    return [
        *figures,
        at_most("catching up, CPU", spent, "CPU s", CATCHING_UP_LIMIT, job),
        at_most("catching up, peak memory", peak, "MB", CATCHING_UP_MEGABYTES, job),
        at_most("memory after all pages", held, "MB", MEGABYTES_LIMIT, whole),
    ]


def draw_all(server: Running) -> dict[str, Drawing]:
    """Every page once, after the workspace was opened by another visit."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        draw(server, browser, WARM_UP)
        found = {name: draw(server, browser, "" if name == FIRST else name) for name in views()}
        browser.close()
    return found


def views() -> list[str]:
    """The addresses of the pages, the first one last: it is drawn where all others were."""
    from dashboard.pages import pages

    names = [page.address for page in pages() if page.address not in (FIRST, OF_ONE)]
    return [*names, FIRST]


def draw(server: Running, browser: Any, name: str) -> Drawing:
    """One page in a browser of its own, which has none of the files that all pages share."""
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(180_000)  # ms
    page.goto(f"{server.url}/_stcore/health")
    cpu, begun = server.cpu, time.monotonic()
    page.goto(f"{server.url}/{name}?domain={SCHOOL.domain}")
    page.get_by_role("heading", level=1).first.wait_for()
    page.locator('[data-test-script-state="notRunning"]').wait_for()
    seconds = time.monotonic() - begun
    time.sleep(1.0)  # what a page asks for once it stands is its own as well
    drawing = Drawing(server.cpu - cpu, seconds)
    context.close()
    return drawing


if __name__ == "__main__":
    main(sys.argv[1:])

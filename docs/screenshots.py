"""`make screenshots`: pictures of the pages for README and docs, of the invented school and in a browser.

Whoever changes a page looks at it here. No test compares them: letters differ from machine to machine.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.request import urlopen

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"
START_SECONDS, MILLISECONDS = 120, 300_000  # other work may have the machine


class Picture(NamedTuple):
    """A picture of a page. address: what follows the host; name: of the file."""

    name: str
    address: str
    scheme: str = "light"
    width: int = 1280
    height: int = 900


PICTURES = (
    Picture("today", ""),
    Picture("today-dark", "", scheme="dark"),
    Picture("students", "students"),
    Picture("students-phone", "students", width=390, height=844),
    Picture("data", "data"),
    Picture("models", "models"),
    Picture("results", "results"),
    Picture("results-dark", "results", scheme="dark"),
    Picture("activity", "activity"),
)


def main(names: Sequence[str] = ()) -> None:
    """All pictures, or those named."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with dashboard() as host, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for picture in [one for one in PICTURES if not names or one.name in names]:
            size = {"width": picture.width, "height": picture.height}
            context = browser.new_context(viewport=size, color_scheme=picture.scheme, locale="en-GB")
            take(context.new_page(), host, picture)
            context.close()
        browser.close()


def take(page: Page, host: str, picture: Picture) -> None:
    """One picture, once charts and tables stand."""
    page.set_default_timeout(MILLISECONDS)
    page.goto(f"{host}/{picture.address}")
    page.get_by_role("heading", level=1).first.wait_for()
    page.locator('[data-test-script-state="notRunning"]').wait_for()
    page.wait_for_timeout(1_000)
    page.wait_for_function("document.querySelector('[data-testid=\"stSkeleton\"]') === null")
    page.wait_for_timeout(1_000)
    page.screenshot(path=IMAGES / f"{picture.name}.png")
    print(f"docs/images/{picture.name}.png", flush=True)


@contextmanager
def dashboard() -> Iterator[str]:
    """Where the dashboard of a first start answers."""
    with tempfile.TemporaryDirectory(prefix="gradewatch-screenshots-") as folder, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        where = {**os.environ, "GRADEWATCH_DATA_DIR": folder, "PYTHONPATH": str(ROOT)}
        subprocess.run([sys.executable, "-m", "cli", "setup", "--no-models", "--demo"], env=where, check=True)
        script = str(ROOT / "dashboard" / "dashboard.py")
        command = [sys.executable, "-m", "streamlit", "run", script, "--server.port", str(port)]
        server = subprocess.Popen(command, env=where, stdout=subprocess.DEVNULL)
        try:
            host = f"http://localhost:{port}"
            wait_for(f"{host}/_stcore/health")
            yield host
        finally:
            server.terminate()
            server.wait(timeout=30)


def wait_for(address: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            with urlopen(address, timeout=5):
                return
        except OSError:
            time.sleep(0.3)
    raise SystemExit("the dashboard does not answer")


if __name__ == "__main__":
    main(sys.argv[1:])

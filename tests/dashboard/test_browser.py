"""The dashboard as a visitor has it: the real server, a real browser, the real store."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

import httpx
import pytest

from model.workspace import Workspace

SCRIPT = Path(__file__).resolve().parents[2] / "dashboard" / "dashboard.py"
FOREIGN = "evil.example"  # a name that leads to this machine
START_SECONDS = 60


def absent(reason: str) -> NoReturn:
    """Leave the test out, but never in CI."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture
def address(data_dir: Path, tmp_path: Path) -> Iterator[str]:
    """Where `streamlit run …/dashboard/dashboard.py` answers, started from another folder."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", str(SCRIPT), "--server.port", str(port)]
    with (tmp_path / "server.log").open("wb") as log:
        server = subprocess.Popen(command, cwd=tmp_path, stdout=log, stderr=log)
    try:
        url = f"http://localhost:{port}"
        _wait_for(f"{url}/_stcore/health", server, tmp_path / "server.log")
        yield url
    finally:
        server.terminate()
        server.wait(timeout=20)


def _wait_for(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            if httpx.get(url, trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    pytest.fail(f"the dashboard did not start:\n{log.read_text()}")


@pytest.fixture
def browser() -> Iterator[Any]:
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        absent("playwright is not installed")
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    arguments = ["--no-sandbox", f"--host-resolver-rules=MAP {FOREIGN} 127.0.0.1"]
    with sync_playwright() as playwright:
        try:
            opened = playwright.chromium.launch(executable_path=found, args=arguments)
        except Error as error:
            absent(f"no browser could be started: {error}")
        yield opened
        opened.close()


@pytest.mark.parametrize("width", [1400, 390])
def test_a_visitor_predicts_in_the_form_and_the_prediction_is_in_the_store(
    address: str, browser: Any, workspace: Workspace, width: int
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.set_default_timeout(60_000)  # ms; other tests may have the machine
    page.goto(f"{address}/predict?domain=workshop")
    page.get_by_role("button", name="Fill in a typical student").click()
    age = page.get_by_role("spinbutton", name="Age").or_(page.get_by_role("textbox", name="Age"))
    page.wait_for_function("document.querySelector('[aria-label=\"Age\"]').value != ''")
    page.locator('[data-test-script-state="notRunning"]').wait_for()
    age.fill("23")
    page.get_by_role("textbox", name="Student key").fill("KEY-4711")
    page.get_by_role("button", name="Predict", exact=True).click()
    shown = page.get_by_text("and logged as prediction")
    shown.wait_for()
    logged = workspace.store.predictions("workshop")
    assert len(logged) == 1
    assert (logged[0].source, logged[0].inputs["age"]) == ("dashboard", 23.0)
    assert logged[0].id in shown.inner_text()
    assert page.get_by_role("textbox", name="Student key").input_value() == ""
    assert "key-4711" not in page.content().casefold()
    assert not page.evaluate("document.documentElement.scrollWidth > window.innerWidth")


def test_no_page_asks_another_host_and_another_name_opens_none(address: str, browser: Any) -> None:
    asked: set[str] = set()
    page = browser.new_page()
    page.set_default_timeout(60_000)
    page.on("request", lambda request: asked.add(request.url))
    for name in ("overview", "predict", "uploads", "drift", "models", "performance"):
        page.goto(f"{address}/{name}?domain=workshop" if name != "overview" else address)
        page.get_by_role("heading").first.wait_for()
        page.locator('[data-test-script-state="notRunning"]').wait_for()
    page.wait_for_timeout(500)  # ms; the icon comes last
    hosts = {urlsplit(url).netloc for url in asked if not url.startswith(("data:", "blob:"))}
    assert hosts == {urlsplit(address).netloc}, sorted(asked)
    page.goto(address.replace("localhost", FOREIGN))
    page.get_by_text("does not go by that name").wait_for()
    assert "Workshop" not in page.content()


def test_started_from_another_folder_it_listens_on_this_machine_only(address: str) -> None:
    port = f"{urlsplit(address).port:04X}"
    lines = [
        line.split()
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{table}").read_text(encoding="ascii").splitlines()[1:]
    ]
    listening = {own.partition(":")[0] for _, own, _, state, *_ in lines if own.endswith(f":{port}") and state == "0A"}
    assert listening
    assert listening <= {"0100007F", "00000000000000000000000001000000"}, "127.0.0.1 and ::1"

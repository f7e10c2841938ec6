"""Two small domains with champions, trained once: `workshop` on records, `medal` (classes) on generated examples.

The shipped domains stay without champions, so that every page is also seen empty.
"""

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

import httpx
import pytest
import streamlit as st
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

from dashboard.gate import Tries
from model.bundle import EXAMPLES, RECORDS
from model.workspace import Workspace
from preprocessing.synthetic import generate
from retraining.examples import example_frame
from retraining.first_champions import keys_of, train_domain
from settings import Settings
from tests.dashboard.switching import environment

ROWS = 160
SCRIPT = Path(__file__).resolve().parents[2] / "dashboard" / "dashboard.py"
FOREIGN = "evil.example"  # a name that leads to this machine
START_SECONDS = 180  # beside whatever else the machine does

WORKSHOP = """
name = "workshop"
title = "Workshop, final mark"
moments = ["start", "quiz"]
student = {name = "student_id", description = "key"}
features = [
  {name = "age", kind = "numeric", minimum = 15, maximum = 30, integer = true, unit = "years", description = "age"},
  {name = "mode", kind = "categorical", levels = ["evening", "day"], description = "mode of study"},
  {name = "hours", kind = "numeric", minimum = 0, maximum = 40, optional = true, description = "study time"},
  {name = "sex", kind = "categorical", levels = ["F", "M"], protected = true, description = "the student's sex"},
  {name = "quiz", kind = "numeric", minimum = 0, maximum = 20, known_at = "quiz", description = "quiz mark"},
]
[[targets]]
name = "mark"
minimum = 0
maximum = 20
unit = "points"
description = "final mark"
naive = ["quiz"]
cut_points = [10]
"""
MEDAL = """
name = "medal"
title = "Sports medal"
features = [
  {name = "speed", kind = "numeric", minimum = 0, maximum = 100, description = "speed"},
  {name = "strength", kind = "numeric", minimum = 0, maximum = 100, description = "strength"},
]
targets = [{name = "medal", kind = "ordered_class", levels = ["bronze", "silver", "gold"], description = "medal won"}]
"""


def train_on(workspace: Workspace, name: str, folder: Path, source: str, seed: int = 3) -> None:
    """Champions of a domain, trained on generated rows that are said to come from `source`."""
    schema, path = workspace.schemas[name], folder / f"{name}.csv"
    generate(schema, rows=ROWS, seed=seed).write_csv(path)
    frame = example_frame(path, schema, workspace.secret)
    trained = list(train_domain(workspace, schema, frame, keys_of(schema), actor="setup", source=source))
    assert all(one.model for one in trained), [one.reason for one in trained]


def train_both(folder: Path) -> None:
    """A database, bundles and domain files."""
    domains = folder / "domains"
    domains.mkdir()
    (domains / "workshop.toml").write_text(WORKSHOP)
    (domains / "medal.toml").write_text(MEDAL)
    workspace = Settings(data_dir=folder, domains_dir=domains).open_workspace()
    train_on(workspace, "workshop", folder, RECORDS)
    train_on(workspace, "medal", folder, EXAMPLES)
    workspace.close()


@pytest.fixture(scope="session")
def trained(prepared: Callable[..., Path]) -> Path:
    """An installation with champions of both domains; copied, never written to, by tests."""
    return prepared("dashboard", train_both)


@pytest.fixture(scope="session", autouse=True)
def searched_once() -> Iterator[None]:
    """Each AppTest searches all installed packages for Streamlit's components, which takes longer than most pages."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest_scanner, "scan_component_manifests", cache(manifest_scanner.scan_component_manifests))
        yield


@pytest.fixture
def data_dir(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """This test's own copy of the trained installation, which the environment points to."""
    folder = tmp_path / "data"
    shutil.copytree(trained, folder)
    monkeypatch.chdir(tmp_path)
    for name in ("GRADEWATCH_DATABASE_URL", "MONGO_URI", "GRADEWATCH_PSEUDONYM_SECRET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GRADEWATCH_DATA_DIR", str(folder))
    monkeypatch.setenv("GRADEWATCH_DOMAINS_DIR", str(folder / "domains"))
    return folder


@pytest.fixture
def workspace(data_dir: Path) -> Iterator[Workspace]:
    """The same installation, opened beside the dashboard's."""
    workspace = Settings().open_workspace()
    yield workspace
    workspace.close()


@pytest.fixture
def page(data_dir: Path) -> Iterator[Callable[..., AppTest]]:
    """Draws a page by its name, as its first visitor sees it. part: of a page that has several."""

    def draw(name: str, domain: str | None = None, part: str | None = None, **address: str) -> AppTest:
        script = f"from dashboard.pages import show\nfrom dashboard.views.{name} import {name}\nshow({name})\n"
        app = AppTest.from_string(script, default_timeout=60)
        for key, value in {**({"domain": domain} if domain else {}), **address}.items():
            app.query_params[key] = value
        if part:
            app.session_state["part"] = part
        return app.run()

    st.cache_resource.clear()
    yield draw
    st.cache_resource.clear()


@pytest.fixture
def guarded(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADEWATCH_AUTH", "on")
    monkeypatch.setenv("GRADEWATCH_TOKEN_SECRET", "a secret for tokens that is long enough")
    monkeypatch.setenv("GRADEWATCH_POLL_SECONDS", "0.001")
    monkeypatch.setattr("dashboard.gate._tries", Tries())


def absent(reason: str) -> NoReturn:
    """Leave the test out, but never in CI."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def one_dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The address of the one dashboard of a test process, and the file that says whose environment it lives in."""
    folder = tmp_path_factory.mktemp("dashboard")
    (folder / ".streamlit").symlink_to(SCRIPT.parent / ".streamlit")
    file = folder / "environment.json"
    with started(folder, a_port(), Path(__file__).parent / "one_after_another.py", ENVIRONMENT_FILE=str(file)) as url:
        yield url, file


@pytest.fixture
def address(data_dir: Path, one_dashboard: tuple[str, Path]) -> str:
    """Where the dashboard answers, for this test's installation."""
    url, file = one_dashboard
    file.write_text(environment())
    return url


def a_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def started(folder: Path, port: int, script: Path = SCRIPT, **environment: str) -> Iterator[str]:
    """`streamlit run …/dashboard/dashboard.py`, started from another folder; its address."""
    command = [sys.executable, "-m", "streamlit", "run", str(script), "--server.port", str(port)]
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, env={**os.environ, **environment})
    try:
        url = f"http://localhost:{port}"
        _wait_for(f"{url}/_stcore/health", server, folder / "server.log")
        yield url
    finally:
        server.terminate()
        server.wait(timeout=60)


def _wait_for(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            if httpx.get(url, trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    pytest.fail(f"the dashboard did not start:\n{log.read_text()}")


@pytest.fixture(scope="session")
def one_browser() -> Iterator[tuple[Any, asyncio.AbstractEventLoop]]:
    """The one browser of a test process, and the loop that Playwright takes to be running between its calls."""
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        absent("playwright is not installed")
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    plain = ["--no-sandbox", "--disable-gpu", "--force-prefers-reduced-motion"]  # a fifth less to compute for each page
    arguments = [*plain, f"--host-resolver-rules=MAP {FOREIGN} 127.0.0.1"]
    with sync_playwright() as playwright:
        loop = asyncio.get_running_loop()
        try:
            opened = playwright.chromium.launch(executable_path=found, args=arguments)
        except Error as error:
            absent(f"no browser could be started: {error}")
        asyncio._set_running_loop(None)
        yield opened, loop
        asyncio._set_running_loop(loop)
        opened.close()


@pytest.fixture
def browser(one_browser: tuple[Any, asyncio.AbstractEventLoop]) -> Iterator[Any]:
    """A browser without windows that remembers nothing. While none is in use, other tests may run loops of theirs."""
    opened, loop = one_browser
    asyncio._set_running_loop(loop)
    yield opened
    for context in opened.contexts:
        context.close()
    asyncio._set_running_loop(None)

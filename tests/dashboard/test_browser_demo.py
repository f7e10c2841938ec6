"""A first start on an empty folder: the real command, a real browser, the invented school and one's own."""

import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from settings import Settings
from tests.api.serving import free_port
from tests.command import environment_of


@pytest.fixture
def first_start(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The dashboard's address after `gradewatch run` on an empty folder, and the folder."""
    folder, ports = tmp_path / "kept", ("--api-port", str(free_port()), "--dashboard-port", str(free_port()))
    command = [sys.executable, "-m", "cli.start", "run", *ports]
    environment = environment_of(folder)
    with subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        found = (re.search(r"dashboard +(http://\S+)", line) for line in running.stdout)
        try:
            yield next(one[1] for one in found if one), folder
        finally:
            running.send_signal(signal.SIGINT)


def test_the_first_page_is_an_invented_school_and_ones_own_is_a_click_away(
    first_start: tuple[str, Path], browser: Any
) -> None:
    (address, folder), page = first_start, browser.new_page()
    page.set_default_timeout(120_000)  # first models are trained beside it
    page.goto(address)
    invented = page.get_by_text("An invented school.")
    invented.wait_for()
    page.get_by_role("link", name=re.compile("Week 9")).click()
    page.wait_for_url("**/models?**domain=school**")
    invented.wait_for()
    page.get_by_role("button", name="Show my own school").click()
    page.get_by_role("button", name="Look at the invented school").wait_for()
    page.reload()
    page.get_by_role("button", name="Look at the invented school").click()
    page.wait_for_url("**installation=demo**")
    page.get_by_role("link", name="Today").click()
    page.get_by_role("button", name="Enough").click()
    page.get_by_text("See it break").wait_for(state="detached")
    page.get_by_role("button", name="Remove it").click()
    invented.wait_for(state="detached")
    assert not (folder / "demo").exists()
    own = Settings(data_dir=folder).open_workspace()
    try:
        assert [own.store.count_predictions(name) for name in own.schemas] == [0] * len(own.schemas)
        assert own.store.documents("tour") == [], "what was done in the demo is not one's own"
    finally:
        own.close()
        shutil.rmtree(folder, ignore_errors=True)

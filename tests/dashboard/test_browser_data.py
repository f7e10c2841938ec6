"""Data as an analyst has it: nobody has looked, a file that moved is checked, its report is shown and taken along."""

import json
from pathlib import Path
from typing import Any

import polars as pl

from drift.page import render_html
from language import use
from model.workspace import Workspace
from monitoring.drift_timeline import read_report
from preprocessing.synthetic import generate


def moved_rows(workspace: Workspace, folder: Path) -> Path:
    """Students who study in the evening and learn far longer than any before."""
    frame = generate(workspace.schemas["workshop"], rows=240, seed=11)
    path = folder / "moved.csv"
    frame.with_columns(pl.lit("evening").alias("mode"), (pl.col("hours") / 8 + 34).alias("hours")).write_csv(path)
    return path


def settled(page: Any) -> None:
    page.locator('[data-test-script-state="notRunning"]').wait_for()


def test_an_analyst_checks_a_file_and_sees_what_moved(
    address: str, browser: Any, workspace: Workspace, tmp_path: Path
) -> None:
    problems: list[str] = []
    page = browser.new_page(viewport={"width": 1400, "height": 900}, accept_downloads=True)
    page.set_default_timeout(120_000)  # ms; other tests may have the machine
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(f"{address}/data?domain=workshop")
    page.get_by_role("heading", level=1).get_by_text("Nobody has looked yet").wait_for()
    page.get_by_role("button", name="Check now").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("tab", name="A file").click()
    dialog.locator("input[type=file]").set_input_files(moved_rows(workspace, tmp_path))
    dialog.get_by_role("button", name="Compare with what the model learned from").click()
    page.get_by_text("In all", exact=False).first.wait_for()
    settled(page)
    (stored,) = workspace.store.drift_reports("workshop")
    assert f"report={stored.id}" in page.url
    report = read_report(stored, workspace.schemas["workshop"])
    assert {"mode", "hours"} <= {one.column for one in report.flagged}
    heading = page.get_by_role("heading", level=1).inner_text()
    assert "evening" in heading or "Study time" in heading
    page.get_by_text("Before and now").wait_for()
    page.get_by_test_id("stPlotlyChart").nth(3).wait_for()  # in time, the map, and a card for each column that moved
    with page.expect_download() as download:
        page.get_by_role("button", name="Report as a page").click()
    with use(page.evaluate("navigator.language"), page.evaluate("Intl.DateTimeFormat().resolvedOptions().timeZone")):
        assert Path(download.value.path()).read_text() == render_html(report, at=stored.at)
    with page.expect_download() as download:
        page.get_by_role("button", name="As JSON").click()
    assert json.loads(Path(download.value.path()).read_text()) == stored.document
    page.reload()
    settled(page)
    assert page.get_by_role("heading", level=1).inner_text() == heading
    page.set_viewport_size({"width": 390, "height": 900})
    settled(page)
    assert not page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
    assert problems == []

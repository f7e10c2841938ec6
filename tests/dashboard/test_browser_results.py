"""Results as a head and an analyst have it: the real server, a real browser, weeks of answers with their outcomes."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clock import living_by, now
from database.records import Outcome
from model.workspace import Workspace
from preprocessing.synthetic import generate
from tests.dashboard.test_browser import seen_by

WEEKS, ROWS_OF_WEEK = 5, 30


@pytest.fixture
def weeks(data_dir: Path) -> list[str]:
    """Answers of five weeks, all but the last with outcomes, below a pass mark; ids of those that wait."""
    from settings import Settings

    domain = data_dir / "domains" / "workshop.toml"
    domain.write_text(domain.read_text().replace('naive = ["quiz"]}', 'naive = ["quiz"], cut_points = [10.0]}'))
    workspace = Settings().open_workspace()
    waiting = _fill(workspace)
    workspace.close()
    return waiting


def _fill(workspace: Workspace) -> list[str]:
    schema, generator, said = workspace.schemas["workshop"], np.random.default_rng(2), list[Any]()
    for week in range(WEEKS):
        at = now() - timedelta(weeks=WEEKS - week)
        rows = generate(schema, rows=ROWS_OF_WEEK, seed=week).select([f.name for f in schema.features]).to_dicts()
        given = [{name: cell for name, cell in row.items() if cell is not None} for row in rows]
        with living_by(lambda at=at: at):
            said = workspace.service.predict("workshop", given, source="api")
        if week < WEEKS - 1:
            workspace.store.add_outcomes(
                [
                    Outcome(domain="workshop", target="mark", value=float(np.clip(one.answers[0].value + miss, 0, 20)),
                            at=now(), prediction=one.id)
                    for one, miss in zip(said, generator.normal(0, 1, ROWS_OF_WEEK), strict=True)
                ]
            )  # fmt: skip
    return [one.id for one in said]


def test_who_looks_sees_how_answers_turned_out_and_what_of_a_file_would_match(
    weeks: list[str], address: str, browser: Any, workspace: Workspace
) -> None:
    page = browser.new_page()
    page.set_default_timeout(120_000)  # ms; other tests may have the machine
    seen_by(page, 1400, "light")
    page.goto(f"{address}/results?domain=workshop&top=15")
    title, settled = page.get_by_role("heading", level=1), page.locator('[data-test-script-state="notRunning"]')
    title.wait_for()
    settled.wait_for()
    assert "30 still wait for their outcome." in title.inner_text()
    page.get_by_text("of 15 warnings").wait_for()
    for figure in ("Mean miss of the model", "Share of outcomes inside", "Answers against outcomes"):
        page.wait_for_function("text => document.documentElement.outerHTML.includes(text)", arg=figure)
    assert not page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
    seen_by(page, 390, "dark")
    settled.wait_for()
    page.get_by_text("by the warning policy in use").click()
    page.get_by_text("of 15 warnings").wait_for(state="detached")
    page.wait_for_function("!location.search.includes('top')")
    assert not page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
    settled.wait_for()
    page.get_by_text("Send outcomes in").click()
    rows = "".join(f"{one},11\n" for one in weeks)
    file = {"name": "marks.csv", "mimeType": "text/csv", "buffer": f"prediction_id,mark\n{rows}".encode()}
    page.locator('input[type="file"]').set_input_files(file)
    page.get_by_text("30 of 30 match.").wait_for()
    settled.wait_for()
    before = len(workspace.store.pairs("workshop", "mark"))
    page.get_by_role("button", name="Store 30 outcomes").click()
    page.wait_for_function("!document.querySelector('h1').innerText.includes('still wait')")
    assert len(workspace.store.pairs("workshop", "mark")) == before + 30

"""Numbers and days on the pages, in a browser whose user reads otherwise than the installation is set to speak."""

import re
from typing import Any

import pytest

from model.workspace import Workspace
from tests.dashboard.test_pages import outcomes, predict_rows

DRAWN = """
window.drawn = [];
const fill = CanvasRenderingContext2D.prototype.fillText;
CanvasRenderingContext2D.prototype.fillText = function (text, ...rest) {
  window.drawn.push(String(text));
  return fill.call(this, text, ...rest);
};
"""
"""Cells of tables are painted: what is painted is written down."""

ENGLISH, GERMAN = re.compile(r"[-−+]?[\d,]*\.\d+ ?%?"), re.compile(r"[-−+]?[\d.]*,\d+ ?%?")


@pytest.fixture
def in_german(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADEWATCH_LANGUAGE", "de")


def test_cells_and_axes_are_written_as_the_sentences_around_them(
    in_german: None, address: str, browser: Any, workspace: Workspace
) -> None:
    made = predict_rows(workspace, "workshop", rows=80)
    workspace.store.add_outcomes(outcomes(made, off=0.25))
    page = browser.new_page(locale="en-US")
    page.set_default_timeout(120_000)
    page.add_init_script(DRAWN)
    page.goto(f"{address}/results?domain=workshop")
    page.get_by_role("heading", level=1).wait_for()
    page.locator(".xtick text").first.wait_for()
    page.locator('[data-testid="stDataFrame"]').first.scroll_into_view_if_needed()
    page.wait_for_function("window.drawn.some(text => /^-?\\d+,\\d+$/.test(text))")
    texts = [*page.evaluate("window.drawn"), *page.locator(".xtick text, .ytick text").all_text_contents()]
    assert [text for text in texts if ENGLISH.fullmatch(text)] == []
    assert any(GERMAN.fullmatch(text) for text in texts)

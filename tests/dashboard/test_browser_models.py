"""The page Models in a real browser: a challenger is promoted, rolled back and brought back, each with a reason."""

from typing import Any

from model.trial import Trial
from model.workspace import Workspace
from tests.dashboard.test_models import QUIZ, second, tried

__all__ = ["second", "tried"]


def change(page: Any, opens: str, does: str, reason: str) -> None:
    """Press a button, say why in what it opens, and do it."""
    page.get_by_role("button", name=opens).first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("textbox", name="Why?").fill(reason)
    dialog.get_by_role("textbox", name="Why?").press("Control+Enter")
    dialog.get_by_role("button", name=does, exact=True).click()
    dialog.wait_for(state="detached")
    page.locator('[data-test-script-state="notRunning"]').wait_for()


def tick(page: Any, row: int) -> None:
    """Tick a row of the table of versions, which is drawn on a canvas: a box at the left of each row, below a head."""
    table = page.locator(".st-key-versions .dvn-scroller").first
    table.scroll_into_view_if_needed()
    table.click(position={"x": 16, "y": 35 * (row + 1) + 17})  # pixels; rows are 35 high
    page.locator('[data-test-script-state="notRunning"]').wait_for()


def test_a_challenger_is_promoted_rolled_back_and_brought_back_with_reasons(
    address: str, browser: Any, workspace: Workspace, tried: Trial
) -> None:
    page = browser.new_page()
    page.set_default_timeout(120_000)  # ms; other tests may have the machine
    page.goto(f"{address}/models?domain=workshop&at=quiz")
    title = page.get_by_role("heading", level=1)
    title.get_by_text("(v2)").wait_for()
    for width, opens, does, serves, action in (
        (390, "Promote v3 …", "Promote v3", "v3", "promote"),
        (1400, "Roll back to v2 …", "Roll back to v2", "v2", "rollback"),
        (390, "Bring v3 back …", "Bring v3 back", "v3", "activate"),
    ):
        page.set_viewport_size({"width": width, "height": 900})
        page.locator('[data-test-script-state="notRunning"]').wait_for()
        if action == "activate":
            tick(page, 0)  # the newest
        change(page, opens, does, f"because: {action}")
        title.get_by_text(f"({serves})").wait_for()
        newest = workspace.store.successions(QUIZ)[-1]
        assert (newest.action, newest.actor, newest.reason) == (action, "local", f"because: {action}")
        assert not page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
    assert newest.version == tried.challenger
    assert {one.action for one in workspace.store.accesses()} >= {
        "champion promoted", "champion rolled back", "champion activated",
    }  # fmt: skip

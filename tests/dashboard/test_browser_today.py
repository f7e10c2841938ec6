"""Today and Activity as a visitor walks through them: what needs them, that it is known, and where that stands."""

from typing import Any

from model.workspace import Workspace
from overview.acknowledgements import ACKNOWLEDGED
from tests.dashboard.test_browser import seen_by, settled


def test_what_needs_a_visitor_is_said_to_be_known_and_stands_in_the_activity(
    address: str, browser: Any, workspace: Workspace
) -> None:
    page = browser.new_page()
    page.set_default_timeout(120_000)  # ms; other tests may have the machine
    seen_by(page, 1400, "dark")
    page.goto(address)
    page.get_by_role("heading", name="1 thing needs you.").wait_for()
    card = page.get_by_text("The models of Sports medal learned from invented students")
    card.wait_for()
    page.get_by_role("link", name="Train on yours").wait_for()
    assert not page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
    seen_by(page, 390, "light")
    settled(page)
    assert not page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
    page.get_by_role("button", name="Seen").click()
    page.get_by_role("textbox", name="Why that is enough").fill("a trial run")
    page.get_by_role("textbox", name="Why that is enough").press("Tab")
    page.get_by_role("button", name="It is known").click()
    page.get_by_role("heading", name="Nothing needs you.").wait_for()
    (event,) = workspace.store.events(kind=ACKNOWLEDGED)
    assert (event.details["actor"], event.details["note"]) == ("local", "a trial run")
    page.get_by_text("Seen: The models of Sports medal learned").wait_for()
    page.goto(f"{address}/activity?domain=workshop")
    page.wait_for_function("document.title == 'Activity – Workshop, final mark – Gradewatch'")
    page.get_by_role("heading", name="Everything that happened").wait_for()
    assert not page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
    seen_by(page, 1400, "dark")
    assert not page.evaluate("document.documentElement.scrollWidth > window.innerWidth")

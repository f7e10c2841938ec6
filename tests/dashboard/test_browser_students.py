"""A teacher's way through Students in a real browser: who needs me and why, what was done, and back."""

from typing import Any

from advice.cases import case_of
from model.workspace import Workspace
from preprocessing.validation.pii import pseudonym
from tests.dashboard.test_browser import seen_by, settled
from tests.dashboard.test_students import HERE, fill_list


def test_a_teacher_finds_who_needs_help_in_two_clicks_and_notes_what_was_done(
    address: str, browser: Any, workspace: Workspace
) -> None:
    fill_list(workspace)
    student = pseudonym("s2", workspace.secret)
    errors: list[str] = []
    page = browser.new_page()
    page.set_default_timeout(120_000)
    page.on("pageerror", lambda error: errors.append(str(error)))
    seen_by(page, 1400, "light")
    page.goto(f"{address}/students?domain={HERE}")
    page.get_by_role("heading", level=1).get_by_text("1 of 6 students is likely to end below 10").wait_for()
    page.get_by_text("1 of these 6 are likelier than not").wait_for()
    page.locator(".js-plotly-plot .scatterlayer .points path").first.wait_for()
    assert not page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
    seen_by(page, 390, "dark")
    assert not page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
    page.goto(f"{address}/students?domain={HERE}&student={student}")  # where a row leads
    page.get_by_role("heading", level=1).get_by_text(student[:6]).wait_for()
    page.get_by_role("heading", name="What was done").wait_for()
    page.get_by_role("textbox", name="Note").fill("tutoring on Mondays")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("Saved.").wait_for()
    page.get_by_role("paragraph").get_by_text("tutoring on Mondays").wait_for()
    page.reload()
    page.get_by_role("heading", level=1).get_by_text(student[:6]).wait_for()
    assert [one.text for one in case_of(workspace.store, HERE, student).steps] == ["tutoring on Mondays"]
    assert not page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
    page.get_by_role("button", name="Back to the list").click()
    page.get_by_role("tab", name="List").wait_for()
    page.get_by_role("tab", name="One student").click()
    page.get_by_role("button", name="Fill in a typical student").click()
    page.locator("input[aria-label='Quiz mark']:not([value=''])").wait_for()
    page.get_by_role("textbox", name="Quiz mark").fill("12,5")
    page.get_by_role("button", name="Predict", exact=True).click()
    answer = page.get_by_text("Final mark: ").first
    answer.wait_for()
    form = page.get_by_role("button", name="Predict", exact=True)
    assert answer.bounding_box()["y"] < form.bounding_box()["y"], "first on a phone"
    seen_by(page, 1400, "light")
    settled(page)
    assert answer.bounding_box()["y"] < 900, "seen without scrolling"
    assert not page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
    assert errors == []

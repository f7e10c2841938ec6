"""Who signs in is then on the page that was asked for; a student's own, on a phone and in French."""

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from language import _, use
from model.workspace import Workspace
from tests.dashboard.test_browser import OTHERS, SMALL_TARGETS, settled
from tests.dashboard.test_gate import PASSWORD, add
from tests.dashboard.test_own import OTHER, STUDENT, linked

__all__ = ["linked"]


def sign_in(page: Any, name: str) -> None:
    page.locator('input[type="password"]').wait_for()
    page.locator('input[type="text"]').fill(name)
    page.locator('input[type="password"]').fill(PASSWORD)
    page.locator('input[type="password"]').press("Enter")
    page.locator('input[type="password"]').wait_for(state="detached")


@pytest.mark.usefixtures("linked")
@pytest.mark.parametrize(("scheme", "width"), [("light", 1400), ("dark", 390)])
def test_a_student_reads_the_own_page_after_signing_in_there(
    address: str, browser: Any, workspace: Workspace, scheme: str, width: int
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme, locale="fr-FR")
    page.set_default_timeout(60_000)
    page.goto(f"{address}/own")
    sign_in(page, "tom")
    _url, (heading,) = settled(page)
    with use("fr"):
        assert _("This is what is expected of you, and what may help.") in heading
    page.locator(".stPlotlyChart").first.wait_for()
    assert not {STUDENT, OTHER} & set(page.content().split('"'))
    assert page.evaluate(SMALL_TARGETS) == []
    assert not page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
    found = Axe().run(page, context=OTHERS).response["violations"]
    assert [one["id"] for one in found if one["impact"] in ("serious", "critical")] == []
    with use("fr"):
        page.get_by_text(_("I object to these predictions.")).click()
        page.get_by_role("button", name=_("Object")).click()
        page.get_by_text(_("I object to these predictions.")).wait_for(state="detached")
    assert len(workspace.store.documents("objection")) == 1


@pytest.mark.usefixtures("guarded")
def test_what_a_link_asked_for_is_there_after_signing_in(address: str, browser: Any, workspace: Workspace) -> None:
    add(workspace, "anna", "admin")
    page = browser.new_page()
    page.set_default_timeout(60_000)
    page.goto(f"{address}/models?domain=workshop&at=start")
    sign_in(page, "anna")
    page.wait_for_url("**/models?domain=workshop&at=start")
    page.wait_for_function("document.title == 'Models – Workshop, final mark – Gradewatch'")

"""Who signs in there is then on the student's own page, at a desk and on a phone, in French."""

from typing import Any

import pytest

from language import _, use
from model.workspace import Workspace
from tests.dashboard.test_browser import faults, seen_by, settled
from tests.dashboard.test_gate import PASSWORD
from tests.dashboard.test_own import OTHER, STUDENT, linked

__all__ = ["linked"]


def sign_in(page: Any, name: str) -> None:
    page.locator('input[type="password"]').wait_for()
    page.locator('input[type="text"]').fill(name)
    page.locator('input[type="password"]').fill(PASSWORD)
    page.locator('input[type="password"]').press("Enter")
    page.locator('input[type="password"]').wait_for(state="detached")


@pytest.mark.usefixtures("linked")
def test_a_student_reads_the_own_page_after_signing_in_there(address: str, browser: Any, workspace: Workspace) -> None:
    page = browser.new_page(locale="fr-FR")
    page.set_default_timeout(120_000)
    seen_by(page, 1400, "light")
    page.goto(f"{address}/own")
    sign_in(page, "tom")
    _url, (heading,) = settled(page)
    with use("fr"):
        assert _("This is what is expected of you, and what may help.") in heading
    page.locator(".stPlotlyChart").first.wait_for()
    assert not {STUDENT, OTHER} & set(page.content().split('"'))
    assert faults(page) == []
    seen_by(page, 390, "dark")
    page.reload()
    sign_in(page, "tom")
    settled(page)
    page.locator(".stPlotlyChart").first.wait_for()
    assert faults(page) == []
    with use("fr"):
        page.get_by_text(_("I object to these predictions.")).click()
        page.get_by_role("button", name=_("Object")).click()
        page.get_by_text(_("I object to these predictions.")).wait_for(state="detached")
    assert len(workspace.store.documents("objection")) == 1

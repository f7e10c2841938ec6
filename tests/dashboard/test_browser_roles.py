"""Each role in a real browser: it signs in once and goes through the pages that it has, by their links."""

from typing import Any
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe

from access.records import role_of
from access.roles import PERMISSIONS
from dashboard.pages import pages
from model.workspace import Workspace
from tests.dashboard.test_browser import OTHERS, SMALL_TARGETS, settled
from tests.dashboard.test_browser_own import sign_in
from tests.dashboard.test_gate import add
from tests.dashboard.test_pages import outcomes, predict_rows

VISITORS = (
    ("viewer", "light", 390),
    ("teacher", "dark", 1400),
    ("analyst", "light", 1400),
    ("officer", "dark", 390),
)


@pytest.mark.usefixtures("guarded")
def test_each_role_finds_its_pages_whole_and_no_others(address: str, browser: Any, workspace: Workspace) -> None:
    made = predict_rows(workspace, "workshop", rows=80)
    workspace.store.add_outcomes(outcomes(made[:60], off=0.25))
    for role, _scheme, _width in VISITORS:
        add(workspace, role, role)
    wrong, asked = list[str](), set[str]()

    def hear(page: Any) -> None:
        page.on("request", lambda request: asked.add(urlsplit(request.url).netloc))
        page.on("pageerror", lambda error: wrong.append(str(error)))

    for role, scheme, width in VISITORS:
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        page.set_default_timeout(90_000)  # ms; other tests may have the machine
        hear(page)
        page.goto(f"{address}/?domain=workshop")
        sign_in(page, role)
        settled(page)
        allowed = PERMISSIONS[role_of(role)]
        own = [one for one in pages() if one.permission in allowed or allowed & {*one.also}]
        for one in own:
            walk_to(page, one.title, width)
            _url, (heading,) = settled(page)
            found = [each["id"] for each in axe_of(page) if each["impact"] in ("serious", "critical")]
            found += ["nothing is said"] if not heading.strip() else []
            found += ["too wide"] if page.evaluate("document.documentElement.scrollWidth > window.innerWidth") else []
            wrong += [f"{role}, {one.title}: {each}" for each in (*found, *page.evaluate(SMALL_TARGETS))]
        assert sorted(links_of(page, width)) == sorted(one.title for one in own), role
        page.close()
    assert wrong == []
    assert {host for host in asked if host} == {urlsplit(address).netloc}


def axe_of(page: Any) -> list[dict[str, Any]]:
    return list(Axe().run(page, context=OTHERS).response["violations"])


def open_links(page: Any, width: int) -> Any:
    """The links to the pages, which a phone has behind a button."""
    if width < 640:
        page.get_by_test_id("stExpandSidebarButton").click()
        return page.get_by_test_id("stSidebarNavLink")
    return page.get_by_test_id("stTopNavLink")


def walk_to(page: Any, title: str, width: int) -> None:
    open_links(page, width).get_by_text(title, exact=True).click()
    page.wait_for_function("title => document.title.startsWith(title)", arg=title)


def links_of(page: Any, width: int) -> list[str]:
    return [one.split("\n")[-1] for one in open_links(page, width).all_inner_texts()]

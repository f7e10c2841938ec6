"""Each role in a real browser: it signs in, has links to its pages and no others, and finds by them what it is for.

That every page keeps nobody out is walked without roles (`test_browser`); here are those that only a role sees.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe

from access.roles import PERMISSIONS
from access.users import link_user
from dashboard.pages import PageOf, pages
from model.workspace import Workspace
from tests.dashboard.test_browser import OTHERS, SMALL_TARGETS, settled
from tests.dashboard.test_browser_own import sign_in
from tests.dashboard.test_gate import add
from tests.dashboard.test_pages import outcomes, predict_rows

PHONE = {
    "viewport": {"width": 390, "height": 844},
    "is_mobile": True,
    "has_touch": True,
    "user_agent": "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/126.0 Mobile Safari/537.36",
}
"""Streamlit folds its menu after a link by what the browser says it is, not by its width."""

DESK = {"viewport": {"width": 1400, "height": 900}}


DEEP = "models?domain=workshop&at=start"


class Visitor(NamedTuple):
    """path: by page, words that say what the role is there for. walled: whether axe looks, too. link: the role comes
    by it, and is there after signing in."""

    role: str
    scheme: str
    screen: Mapping[str, Any]
    path: Mapping[str, str]
    walled: bool = False
    link: str = "?domain=workshop"


VISITORS = (
    Visitor("viewer", "light", PHONE, {"results": "who got a range", "models": "Line of life"}),
    Visitor("teacher", "dark", DESK, {"students": "Choose a row to see one student", "upload": "What is in the file"}),
    Visitor("analyst", "light", DESK, {"data": "Check now", "results": "Send outcomes in"}),
    Visitor("officer", "dark", PHONE, {"students": "Here you answer a student"}, walled=True),
    Visitor("admin", "dark", DESK, {"settings": "users may sign in", "models": "Pause answers"}, link=DEEP),
    Visitor("guardian", "light", PHONE, {"own": "your child's teachers"}, walled=True),
)
"""A student's way is `test_browser_own`'s."""


class Heard(NamedTuple):
    """What a browser said that it should not have, and whom it asked."""

    wrong: list[str]
    hosts: set[str]

    def listen(self, page: Any) -> None:
        def note(one: Any) -> None:
            if one.type == "error" and "/_stcore/" not in f"{one.text} {one.location['url']}":
                self.wrong.append(one.text)

        page.on("console", note)
        page.on("request", lambda one: self.hosts.add(urlsplit(one.url).netloc))
        page.on("pageerror", lambda error: self.wrong.append(str(error)))


@pytest.mark.timeout(900)  # six visitors: minutes beside other work
@pytest.mark.usefixtures("guarded")
def test_each_role_has_its_pages_and_no_others_and_finds_what_it_is_there_for(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, browser: Any, request: pytest.FixtureRequest
) -> None:
    monkeypatch.setenv("GRADEWATCH_STUDENT_VIEW", "on")
    made = predict_rows(workspace, "workshop", rows=80)
    workspace.store.add_outcomes(outcomes(made[:60], off=0.25))
    student = workspace.service.predict(
        "workshop", [{"age": 17, "mode": "day", "sex": "F", "student_id": "s1"}], source="api"
    )[0].student
    for one in VISITORS:
        add(workspace, one.role, one.role)
        if one.role == "guardian":
            link_user(workspace.store, one.role, student, domains=["workshop"], actor="officer")
    address, heard = request.getfixturevalue("address"), Heard([], set())
    screens = [browser.new_context(**one) for one in (DESK, PHONE)]
    for one in VISITORS:
        page = screens[one.screen is PHONE].new_page()  # the program of the page is read once for each
        page.emulate_media(color_scheme=one.scheme)
        page.set_default_timeout(120_000)  # ms; other tests may have the machine
        heard.listen(page)
        page.goto(f"{address}/{one.link}")
        sign_in(page, one.role)
        if one.link == DEEP:
            page.wait_for_url(f"**/{DEEP}")
            page.wait_for_function("document.title == 'Models – Workshop, final mark – Gradewatch'")
        settled(page)
        allowed = PERMISSIONS[one.role]
        own = [each for each in pages() if each.permission in allowed or allowed & {*each.also}]
        if len(own) > 1:
            assert links_of(page, one) == [each.title for each in own], one.role
        for each in own:
            if each.address in one.path:
                heard.wrong.extend(f"{one.role}, {each.title}: {fault}" for fault in faults(page, one, each))
        page.close()
    assert heard.wrong == []
    assert {host for host in heard.hosts if host} == {urlsplit(address).netloc}


def faults(page: Any, visitor: Visitor, wanted: PageOf) -> list[str]:
    """What keeps the visitor from finding what they are there for."""
    if wanted.address != "own":  # which is their only one
        walk_to(page, wanted.title, visitor)
    page.get_by_text(visitor.path[wanted.address]).first.wait_for()
    settled(page)
    found = ["too wide"] if page.evaluate("document.documentElement.scrollWidth > window.innerWidth") else []
    if visitor.walled:
        violations = Axe().run(page, context=OTHERS).response["violations"]
        found += [one["id"] for one in violations if one["impact"] in ("serious", "critical")]
    return [*found, *page.evaluate(SMALL_TARGETS)]


def links_of(page: Any, visitor: Visitor) -> list[str]:
    found = open_links(page, visitor)
    found.first.wait_for()
    return [one.split("\n")[-1] for one in found.all_inner_texts()]


def walk_to(page: Any, title: str, visitor: Visitor) -> None:
    open_links(page, visitor).get_by_text(title, exact=True).click()
    page.wait_for_function("title => document.title.startsWith(title)", arg=title)


def open_links(page: Any, visitor: Visitor) -> Any:
    """The links to the pages, which a phone has behind a button until it is pressed."""
    if visitor.screen is not PHONE:
        return page.get_by_test_id("stTopNavLink")
    if (menu := page.get_by_test_id("stExpandSidebarButton")).is_visible():
        menu.click()
    return page.get_by_test_id("stSidebarNavLink")

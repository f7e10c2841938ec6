"""The dashboard as a visitor has it: the real server, a real browser, the real store."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe

from access.roles import LOCAL
from dashboard.pages import pages
from model.workspace import Workspace
from tests.dashboard.conftest import FOREIGN
from tests.dashboard.test_pages import outcomes, predict_rows

OTHERS = {"exclude": [["[data-testid='stMetric'] svg"]]}
"""What is Streamlit's own and says nothing that the words beside it do not: the line under a figure."""

LEAST_TARGET = 24  # pixels; WCAG 2.2, 2.5.8
SMALL_TARGETS = f"""[...document.querySelectorAll('.stMain :is(a[href], button, [role="tab"], [role="radio"])')]
  .filter(one => one.checkVisibility() && !one.closest('p, .stSkipToContent'))
  .map(one => [one.getBoundingClientRect(), one.outerHTML.slice(0, 160)])
  .filter(([box]) => box.width && Math.min(box.width, box.height) < {LEAST_TARGET})
  .map(([box, html]) => `${{box.width}} x ${{box.height}}: ${{html}}`)"""


@pytest.mark.parametrize("width", [1400, 390])
def test_a_visitor_predicts_in_the_form_and_the_prediction_is_in_the_store(
    address: str, browser: Any, workspace: Workspace, width: int
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.set_default_timeout(60_000)  # ms; other tests may have the machine
    page.goto(f"{address}/students?domain=workshop")
    page.get_by_role("tab", name="One student").click()
    page.get_by_role("button", name="Fill in a typical student").click()
    age = page.get_by_role("textbox", name="Age")
    page.wait_for_function("document.querySelector('[aria-label=\"Age\"]').value != ''")
    page.locator('[data-test-script-state="notRunning"]').wait_for()
    age.fill("23")
    page.get_by_role("textbox", name="Student's key").fill("KEY-4711")
    page.get_by_role("button", name="Predict", exact=True).click()
    shown = page.get_by_text("and logged as")
    shown.wait_for()
    logged = workspace.store.predictions("workshop")
    assert len(logged) == 1
    assert (logged[0].source, logged[0].inputs["age"]) == ("dashboard", 23.0)
    assert logged[0].id in shown.inner_text()
    assert page.get_by_role("textbox", name="Student's key").input_value() == ""
    assert "key-4711" not in page.content().casefold()
    assert not page.evaluate("document.documentElement.scrollWidth > window.innerWidth")


def test_what_is_chosen_goes_along_from_page_to_page_and_comes_back(address: str, browser: Any) -> None:
    page = browser.new_page()
    page.set_default_timeout(60_000)
    page.goto(f"{address}/predict?domain=workshop")
    page.wait_for_url("**/students?domain=workshop*")
    page.get_by_role("heading", level=1).wait_for()
    page.get_by_role("link", name="Activity").click()
    page.wait_for_url("**/activity?domain=workshop*")
    page.get_by_role("combobox", name="Subject").click()
    page.get_by_role("option", name="Sports medal").click()
    page.wait_for_url("**/activity?domain=medal*")
    page.reload()
    page.get_by_role("heading", level=1).wait_for()
    page.locator('[data-test-script-state="notRunning"]').wait_for()
    steps = page.evaluate("history.length")
    page.get_by_role("link", name="Models").click()
    page.wait_for_url("**/models?domain=medal*")
    page.wait_for_function("document.title == 'Models – Sports medal – Gradewatch'")
    page.locator('[data-test-script-state="notRunning"]').wait_for()
    assert page.evaluate("history.length") == steps + 1  # what Models adds to its address is no step of its own
    page.go_back()
    page.wait_for_url("**/activity?domain=medal*")
    page.wait_for_function("document.title == 'Activity – Sports medal – Gradewatch'")


@pytest.mark.parametrize(("scheme", "width"), [("light", 1400), ("dark", 390)])
def test_every_page_keeps_nobody_out_asks_no_other_host_and_is_the_same_after_a_reload(
    address: str, browser: Any, workspace: Workspace, scheme: str, width: int
) -> None:
    made = predict_rows(workspace, "workshop", rows=80)
    workspace.store.add_outcomes(outcomes(made[:60], off=0.25))
    asked: set[str] = set()
    said: list[str] = []
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.set_default_timeout(60_000)
    page.on("request", lambda request: asked.add(request.url))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("console", lambda one: said.append(f"{one.text} {one.location['url']}") if one.type == "error" else None)
    axe, wrong = Axe(), []
    for name in [one.address for one in pages() if one.permission in LOCAL.permissions]:
        page.goto(f"{address}/{name}?domain=workshop")
        before = settled(page)
        wrong += [
            f"{name}: {one['id']}, {one['nodes'][0]['html'][:200]}"
            for one in axe.run(page, context=OTHERS).response["violations"]
            if one["impact"] in ("serious", "critical")
        ]
        if page.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
            wrong.append(f"{name}: wider than {width} px")
        wrong += [f"{name}: too small for a thumb: {one}" for one in page.evaluate(SMALL_TARGETS)]
        page.reload()
        assert settled(page) == before, "a reload keeps what was chosen and what is said"
    page.wait_for_timeout(500)  # ms; the icon comes last
    assert wrong == []
    assert [one for one in said if "/_stcore/" not in one] == [], "but Streamlit's search for itself below a page"
    hosts = {urlsplit(url).netloc for url in asked if not url.startswith(("data:", "blob:"))}
    assert hosts == {urlsplit(address).netloc}, sorted(asked)


def settled(page: Any) -> tuple[str, list[str]]:
    """The address of a page that has been drawn, and its one heading of the first rank."""
    page.get_by_role("heading", level=1).first.wait_for()
    page.locator('[data-test-script-state="notRunning"]').wait_for()
    page.wait_for_timeout(700)  # ms; charts and tables are drawn after the script has ended
    headings = page.get_by_role("heading", level=1).all_inner_texts()
    assert len(headings) == 1, headings
    return page.url, headings


def test_another_name_of_the_machine_opens_nothing(address: str, browser: Any) -> None:
    page = browser.new_page()
    page.set_default_timeout(60_000)
    page.goto(address.replace("localhost", FOREIGN))
    page.get_by_text("does not go by that name").wait_for()
    assert "Workshop" not in page.content()


def test_started_from_another_folder_it_listens_on_this_machine_only(address: str) -> None:
    port = f"{urlsplit(address).port:04X}"
    lines = [
        line.split()
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{table}").read_text(encoding="ascii").splitlines()[1:]
    ]
    listening = {own.partition(":")[0] for _, own, _, state, *_ in lines if own.endswith(f":{port}") and state == "0A"}
    assert listening
    assert listening <= {"0100007F", "00000000000000000000000001000000"}, "127.0.0.1 and ::1"

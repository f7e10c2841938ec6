"""The dashboard as a visitor has it: the real server, a real browser, the real store."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe

from access.roles import LOCAL
from dashboard.pages import pages
from model.workspace import Workspace
from tests.dashboard.conftest import FOREIGN, a_port, started
from tests.dashboard.test_pages import outcomes, predict_rows

OTHERS = {"exclude": [["[data-testid='stMetric'] svg"]]}
"""What is Streamlit's own and says nothing that the words beside it do not: the line under a figure."""

LEAST_TARGET = 24  # pixels; WCAG 2.2, 2.5.8
SMALL_TARGETS = f"""[...document.querySelectorAll('.stMain :is(a[href], button, [role="tab"], [role="radio"])')]
  .filter(one => one.checkVisibility() && !one.closest('p, .stSkipToContent'))
  .map(one => [one.getBoundingClientRect(), one.outerHTML.slice(0, 160)])
  .filter(([box]) => box.width && Math.min(box.width, box.height) < {LEAST_TARGET})
  .map(([box, html]) => `${{box.width}} x ${{box.height}}: ${{html}}`)"""

ANOTHER_IS_LOGGED = """told => document.body.innerText.split("\\n")
  .some(line => line.includes("and logged as") && line.trim() != told.trim())"""


def test_a_visitor_predicts_in_the_form_and_the_prediction_is_in_the_store(
    address: str, browser: Any, workspace: Workspace
) -> None:
    page = browser.new_page()
    page.set_default_timeout(120_000)  # ms; other tests may have the machine
    page.goto(f"{address}/students?domain=workshop")
    page.get_by_role("tab", name="One student").click()
    page.get_by_role("button", name="Fill in a typical student").click()
    age = page.get_by_role("textbox", name="Age")
    page.wait_for_function("document.querySelector('[aria-label=\"Age\"]').value != ''")
    page.locator('[data-test-script-state="notRunning"]').wait_for()
    told = ""
    for years, width in ((23, 1400), (24, 390)):
        page.set_viewport_size({"width": width, "height": 900})
        age.fill(str(years))
        page.get_by_role("textbox", name="Student's key").fill("KEY-4711")
        page.get_by_role("button", name="Predict", exact=True).click()
        page.wait_for_function(ANOTHER_IS_LOGGED, arg=told)
        page.locator('[data-test-script-state="notRunning"]').wait_for()
        logged = {one.inputs["age"]: one for one in workspace.store.predictions("workshop")}
        assert sorted(logged) == [*range(23, years + 1)]
        assert logged[years].source == "dashboard"
        told = page.get_by_text("and logged as").inner_text()
        assert logged[years].id in told
        assert page.get_by_role("textbox", name="Student's key").input_value() == ""
        assert "key-4711" not in page.content().casefold()
        assert not page.evaluate("document.documentElement.scrollWidth > window.innerWidth")


def test_what_is_chosen_goes_along_from_page_to_page_and_comes_back(address: str, browser: Any) -> None:
    page = browser.new_page()
    page.set_default_timeout(120_000)
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


@pytest.mark.timeout(900)  # eight pages, twice each: minutes beside other work
def test_every_page_keeps_nobody_out_asks_no_other_host_and_is_the_same_after_a_reload(
    address: str, browser: Any, workspace: Workspace
) -> None:
    made = predict_rows(workspace, "workshop", rows=80)
    workspace.store.add_outcomes(outcomes(made[:60], off=0.25))
    asked: set[str] = set()
    said: list[str] = []
    page = browser.new_page()
    page.set_default_timeout(120_000)
    page.on("request", lambda request: asked.add(request.url))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("console", lambda one: said.append(f"{one.text} {one.location['url']}") if one.type == "error" else None)
    wrong: list[str] = []
    for name in [one.address for one in pages() if one.permission in LOCAL.permissions]:
        seen_by(page, 1400, "light")
        page.goto(f"{address}/{name}?domain=workshop")
        before = settled(page)
        wrong += [f"{name}, light: {fault}" for fault in faults(page)]
        seen_by(page, 390, "dark")
        page.reload()
        assert settled(page) == before, "a reload keeps what was chosen and what is said"
        wrong += [f"{name}, dark: {fault}" for fault in faults(page)]
    page.wait_for_timeout(500)  # ms; the icon comes last
    assert wrong == []
    assert [one for one in said if "/_stcore/" not in one] == [], "but Streamlit's search for itself below a page"
    hosts = {urlsplit(url).netloc for url in asked if not url.startswith(("data:", "blob:"))}
    assert hosts == {urlsplit(address).netloc}, sorted(asked)


def seen_by(page: Any, width: int, scheme: str) -> None:
    """From now on on a screen of this width, of someone who likes it light or dark."""
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)


def faults(page: Any) -> list[str]:
    """What keeps people out."""
    found = [
        f"{one['id']}, {one['nodes'][0]['html'][:200]}"
        for one in Axe().run(page, context=OTHERS).response["violations"]
        if one["impact"] in ("serious", "critical")
    ]
    if page.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
        found.append("wider than the screen")
    return found + [f"too small for a thumb: {one}" for one in page.evaluate(SMALL_TARGETS)]


def settled(page: Any) -> tuple[str, list[str]]:
    """The address of a page that has been drawn, and its one heading of the first rank."""
    page.get_by_role("heading", level=1).first.wait_for()
    page.locator('[data-test-script-state="notRunning"]').wait_for()
    page.wait_for_timeout(700)  # ms; charts and tables are drawn after the script has ended
    headings = page.get_by_role("heading", level=1).all_inner_texts()
    assert len(headings) == 1, headings
    return page.url, headings


def test_started_from_another_folder_it_listens_on_this_machine_only_and_by_its_own_name(
    data_dir: Path, tmp_path: Path, browser: Any
) -> None:
    with started(tmp_path, a_port()) as address:
        port = f"{urlsplit(address).port:04X}"
        lines = [
            line.split()
            for table in ("tcp", "tcp6")
            for line in Path(f"/proc/net/{table}").read_text(encoding="ascii").splitlines()[1:]
        ]
        listening = {own.partition(":")[0] for _, own, _, how, *_ in lines if own.endswith(f":{port}") and how == "0A"}
        assert listening
        assert listening <= {"0100007F", "00000000000000000000000001000000"}, "127.0.0.1 and ::1"
        page = browser.new_page()
        page.set_default_timeout(120_000)
        page.goto(address.replace("localhost", FOREIGN))
        page.get_by_text("does not go by that name").wait_for()
        assert "Workshop" not in page.content()
        page.close()

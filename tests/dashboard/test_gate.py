"""Who sees what on the dashboard where visitors have to say who they are."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import streamlit as st
from msgspec.structs import replace
from streamlit.runtime.context import ContextProxy, StreamlitHeaders
from streamlit.testing.v1 import AppTest

from access.records import Grant, User
from access.roles import Forbidden
from access.users import add_user, disable_user, set_grant
from clock import new_id, now
from dashboard.gate import SIGN_IN_TRIES, TYPED_NAMES, Tries
from dashboard.shared_workspace import SharedWorkspace
from dashboard.visit import Visit
from database.records import Outcome, Prediction
from database.withdrawal import withdraw_predictions
from model.workspace import Workspace
from monitoring.drift_files import ReportOptions, report_file
from preprocessing.synthetic import generate
from tests.dashboard.test_pages import FILE, ONE, PAGES, fill, predict_rows, press, texts

PASSWORD = "correct horse battery"
ROOT = Path(__file__).resolve().parents[2]
Page = Callable[..., AppTest]
MAIN = "from dashboard.pages import main\nmain()\n"


def add(workspace: Workspace, name: str, role: str, **confined: tuple[str, ...]) -> None:
    grant = Grant(role=role, **confined)  # type: ignore[arg-type]
    add_user(workspace.store, name, grant, PASSWORD, domains=workspace.schemas, actor="test")


def sign_in(app: AppTest, name: str, password: str = PASSWORD) -> AppTest:
    app.text_input(key="sign in name").set_value(name)
    app.text_input(key="sign in password").set_value(password)
    return press(app, "Sign in")


def predictions(workspace: Workspace) -> list[Prediction]:
    return workspace.store.predictions("workshop")


@pytest.mark.usefixtures("guarded")
def test_nobody_sees_anything_before_signing_in(page: Page, workspace: Workspace) -> None:
    add(workspace, "anna", "admin")
    for name in ("today", "students", "data", "models", "results", "activity", "upload"):
        app = page(name)
        assert [field.label for field in app.text_input] == ["User name", "Password"]
        assert "Workshop" not in texts(app)
        st.cache_resource.clear()


@pytest.mark.usefixtures("guarded")
def test_whoever_signs_in_is_let_in_and_recorded_and_can_sign_out(page: Page, workspace: Workspace) -> None:
    add(workspace, "anna", "viewer")
    app = sign_in(page("today"), "anna")
    assert "Signed in as anna" in texts(app)
    assert "Workshop" in texts(app)
    assert [(one.actor, one.action) for one in workspace.store.accesses()][:1] == [("user:anna", "signed in")]
    app = press(app, "Sign out")
    assert [field.label for field in app.text_input] == ["User name", "Password"]


@pytest.mark.usefixtures("guarded")
def test_the_menu_has_the_pages_of_the_role(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    menus: list[list[str]] = []
    real = st.navigation

    def seen(pages: list[Any], **options: Any) -> Any:
        shown = options["position"] != "hidden"
        menus.append([page.title for page in pages if shown and page.visibility == "visible"])
        return real(pages, **options)

    monkeypatch.setattr(st, "navigation", seen)
    add(workspace, "vera", "viewer")
    add(workspace, "tom", "teacher")
    st.cache_resource.clear()
    for name, pages in (
        ("vera", ["Today", "Data", "Models", "Results", "Activity"]),
        ("tom", ["Today", "Students", "Data", "Models", "Results", "Activity", "Upload"]),
    ):
        app = AppTest.from_string(MAIN, default_timeout=60).run()
        assert menus[-1] == [], "each page asks who looks, and is there afterwards"
        app = sign_in(app, name)
        assert menus[-1] == pages
        assert "Workshop" in texts(app)
    st.cache_resource.clear()


@pytest.mark.usefixtures("guarded")
def test_a_wrong_password_is_refused_recorded_and_limited(page: Page, workspace: Workspace) -> None:
    add(workspace, "anna", "viewer")
    app = page("today")
    for name, password in (("anna", "wrong"), ("nobody", PASSWORD), ("", "")):
        app = sign_in(app, name, password)
        assert "No user of that name and password" in texts(app)
    assert [(one.actor, one.action) for one in workspace.store.accesses()][:3] == [
        ("anonymous", "refused"),
        ("anonymous", "refused"),
        ("user:anna", "refused"),
    ]
    for name in ("anna", "nobody"):  # of whom one is known
        for attempt in range(2, SIGN_IN_TRIES + 2):
            app = sign_in(app, name, "wrong")
            assert ("too many attempts" in texts(app)) == (attempt > SIGN_IN_TRIES), (name, attempt)
    assert "too many attempts" in texts(sign_in(app, "anna"))
    assert len(workspace.store.accesses(actor="user:anna", action="refused")) == SIGN_IN_TRIES


@pytest.mark.usefixtures("guarded")
def test_a_viewer_is_shown_no_page_and_no_button_for_more(page: Page, workspace: Workspace) -> None:
    add(workspace, "vera", "viewer")
    assert "does not allow you to predict" in texts(sign_in(page("students"), "vera"))
    st.cache_resource.clear()
    drift = sign_in(page("data", "workshop"), "vera")
    assert [button.label for button in drift.button] == ["Sign out"]


@pytest.mark.usefixtures("guarded")
def test_a_teacher_predicts_under_the_own_name_in_the_own_domain(page: Page, workspace: Workspace) -> None:
    add(workspace, "tom", "teacher", domains=("workshop",))
    app = sign_in(page("students", "medal", ONE), "tom")
    assert list(app.selectbox(key="domain").options) == ["Workshop, final mark"]
    press(app, "Fill in a typical student")
    fill(app, "quiz", 12)
    app = press(app, "Predict")
    assert [one.actor for one in predictions(workspace)] == ["user:tom"]
    assert "logged as" in texts(app)


@pytest.mark.usefixtures("guarded")
def test_a_teacher_of_one_group_predicts_for_no_other(page: Page, workspace: Workspace) -> None:
    add(workspace, "tom", "teacher", domains=("workshop",), groups=("A",))
    app = sign_in(page("students", "workshop", ONE), "tom")
    press(app, "Fill in a typical student")
    app = press(app, "Predict")
    assert "groups that you have no access to" in texts(app)
    rows = b"age,mode,sex,quiz\n20,day,F,10\n21,day,M,11\n"
    app = sign_in(page("students", "workshop", FILE), "tom")
    app.file_uploader(key="file:workshop").set_value(("new.csv", rows, "text/csv")).run()
    app = press(app, "Predict all rows")
    assert "groups that you have no access to" in texts(app)
    assert predictions(workspace) == []


@pytest.mark.usefixtures("guarded")
def test_a_session_ends_when_its_user_changes_also_between_drawing_and_pressing(
    page: Page, workspace: Workspace
) -> None:
    add(workspace, "tom", "teacher")
    app = sign_in(page("students", "workshop", ONE), "tom")
    press(app, "Fill in a typical student")
    disable_user(workspace.store, "tom", actor="test")
    app = press(app, "Predict")
    assert predictions(workspace) == []
    assert [field.label for field in app.text_input] == ["User name", "Password"]
    assert "No user of that name" in texts(sign_in(app, "tom"))


@pytest.mark.usefixtures("guarded")
def test_a_role_that_was_taken_away_is_gone(page: Page, workspace: Workspace) -> None:
    add(workspace, "tom", "teacher")
    app = sign_in(page("students", "workshop"), "tom")
    set_grant(workspace.store, "tom", Grant(role="viewer"), domains=[], actor="test")
    app = sign_in(app.run(), "tom")
    assert "does not allow you to predict" in texts(app)


@pytest.mark.usefixtures("guarded")
def test_a_session_that_nobody_uses_ends(page: Page, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    add(workspace, "anna", "viewer")
    app = sign_in(page("today"), "anna")
    monkeypatch.setattr(SharedWorkspace, "idle_seconds", property(lambda _: -1.0, lambda *_: None), raising=False)
    st.cache_resource.clear()
    assert [field.label for field in app.run().text_input] == ["User name", "Password"]


def test_settings_that_would_let_anyone_in_show_nothing(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADEWATCH_AUTH", "on")
    assert "GRADEWATCH_TOKEN_SECRET" in texts(page("today"))
    st.cache_resource.clear()
    monkeypatch.setenv("GRADEWATCH_AUTH", "off")
    monkeypatch.setenv("GRADEWATCH_ALLOWED_HOSTS", "*")
    app = page("today")
    assert "GRADEWATCH_AUTH=on" in texts(app)
    assert "Workshop" not in texts(app)


@pytest.mark.parametrize("address", ["203.0.113.5", "10.0.0.1", "::ffff:203.0.113.5", "fe80::1"])
def test_without_sign_in_visitors_from_elsewhere_see_nothing(
    page: Page, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setattr(ContextProxy, "ip_address", address)
    app = page("today")
    assert "answers its own machine only" in texts(app)
    assert "Workshop" not in texts(app)


@pytest.mark.parametrize("auth", ["off", "on"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Host": ["evil.example:8501"], "Origin": ["http://evil.example:8501"]},  # a name that leads here
        {"Host": ["evil.example"]},
        {"Host": ["localhost", "localhost"]},
        {"Origin": ["http://localhost"]},
        {"Host": ["localhost:8501"], "Origin": ["https://evil.example"]},
        {"Host": ["localhost:8501"], "Sec-Fetch-Site": ["cross-site"]},
    ],
    ids=str,
)
def test_under_another_name_and_for_another_page_nothing_is_shown(
    page: Page,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    auth: str,
    headers: dict[str, list[str]],
) -> None:
    if auth == "on":
        request.getfixturevalue("guarded")
    monkeypatch.setattr(ContextProxy, "headers", told(headers))
    app = page("today")
    assert not app.text_input
    assert "Workshop" not in texts(app)
    monkeypatch.setattr(
        ContextProxy, "headers", told({"Host": ["localhost:8501"], "Origin": ["http://localhost:8501"]})
    )
    app = app.run()
    assert app.text_input if auth == "on" else "Workshop" in texts(app)


def told(headers: dict[str, list[str]]) -> StreamlitHeaders:
    return StreamlitHeaders([(name, value) for name, values in headers.items() for value in values])


@pytest.mark.usefixtures("guarded")
def test_a_confined_visitor_finds_no_other_domain_or_group_on_any_page(
    page: Page, workspace: Workspace, tmp_path: Path
) -> None:
    predict_rows(workspace, "medal")
    store_report_by_group(workspace, tmp_path, ("own-room", "next-door"))
    add(workspace, "tom", "teacher", domains=("course",), groups=("own-room",))
    add(workspace, "anna", "admin")
    seen = {name: walk(page, name) for name in ("tom", "anna")}
    assert "medal" in seen["anna"].lower()
    assert "next-door" in seen["anna"]
    assert "own-room" in seen["tom"]
    for foreign in ("medal", "workshop", "next-door"):
        assert foreign not in seen["tom"].lower()


@pytest.mark.usefixtures("guarded")
def test_figures_are_of_the_own_groups_and_time_is_chosen_by_those_who_may_read(
    page: Page, workspace: Workspace
) -> None:
    made = predict_rows(workspace, "workshop", rows=60)
    asked = [replace(one, id=new_id(), group="AB"[place % 2]) for place, one in enumerate(made)]
    workspace.store.add_predictions(asked)
    workspace.store.add_outcomes(
        [Outcome(domain="workshop", target=answer.target, value=answer.naive, at=now(), prediction=one.id)
         for one in asked for answer in one.answers]
    )  # fmt: skip
    add(workspace, "tom", "teacher", domains=("workshop",), groups=("A",))
    add(workspace, "vera", "viewer", domains=("workshop",))
    shared = SharedWorkspace(workspace, poll_seconds=1.0, max_rows=10, max_upload_mb=1)
    grant = Grant(role="teacher", domains=("workshop",), groups=("A",))
    visit = Visit(shared, User(name="tom", grant=grant, password="", created=now()).principal())
    found = [visit.results("workshop", "mark", moment, since=None, until=None) for moment in ("start", "quiz")]
    own = len({one.id for one in asked if one.group == "A"})
    assert sum(visit.predictions_per_day("workshop", made[0].at).values()) == own
    withdraw_predictions(workspace.store, "workshop", [asked[1].id], reason="wrong class", actor="key:a")
    assert "withdrawal" not in {entry.kind for entry in visit.feed()}
    assert "withdrawn" in {event.kind for event in workspace.store.events("workshop")}
    assert sum(one.timeline.whole.n for one in found if one and one.timeline.whole) <= own
    assert sum(one.fairness.whole.n or 0 for one in found if one) <= own
    for user, chooses in (("tom", True), ("vera", False)):
        st.cache_resource.clear()
        app = sign_in(page("results", "workshop"), user)
        assert ("days" in {box.key for box in app.selectbox}) == chooses


def walk(page: Page, user: str) -> str:
    """All that every page says and offers to a user, whatever domain its address asks for."""
    said = []
    for name in PAGES:
        for domain in ("medal", "course"):
            st.cache_resource.clear()
            app = sign_in(page(name, domain), user)
            said += [texts(app), *(str(box.options) for box in app.selectbox)]
            said += [chart.proto.spec for chart in app.get("plotly_chart")]
    return "\n".join(said).replace("“medal”", "what the address said")


def store_report_by_group(workspace: Workspace, folder: Path, groups: Sequence[str]) -> None:
    """A stored drift report of `course`, cut by its group."""
    schema = workspace.schemas["course"]
    files = [folder / f"{seed}.csv" for seed in (1, 2)]
    for seed, file in enumerate(files):
        rows = generate(schema, rows=80, seed=seed)
        rows.with_columns(pl.Series(schema.group[0], [*groups] * (rows.height // len(groups)))).write_csv(file)
    report_file(workspace, "course", *files, ReportOptions(by=schema.group[0]))


def test_a_visit_answers_nothing_about_another_domain(workspace: Workspace) -> None:
    shared = SharedWorkspace(workspace, poll_seconds=1.0, max_rows=10, max_upload_mb=1)
    visit = Visit(
        shared, User(name="v", grant=Grant(role="admin", domains=("workshop",)), password="", created=now()).principal()
    )
    key = next(key for key in workspace.champions.loaded if key.domain == "medal")
    questions: list[Callable[[], object]] = [
        lambda: visit.predictions_per_day("medal", now()),
        lambda: visit.conditions("medal"),
        lambda: visit.standings("medal", "medal"),
        lambda: visit.drift_reports("medal", 1),
        lambda: visit.decisions("medal"),
        lambda: visit.models(key),
        lambda: visit.successions(key),
        lambda: visit.newest_moment("medal", "medal", None),
        lambda: visit.upload_job("medal", "1"),
        lambda: visit.days_of_predictions("medal", now().date(), now().date()),
        lambda: visit.predict("medal", {}, moment="now", explain=0),
        lambda: visit.predict_file("medal", "a.csv", b""),
        lambda: visit.roll_back(key, "because"),
        lambda: visit.activate(key, "0", "because"),
        lambda: visit.promote(key, "0", 1, "because"),
        lambda: visit.decisions_about(key),
        lambda: visit.model_card(key, "0"),
        lambda: visit.compare_models(key, "0", "1"),
        lambda: visit.drift_alarms("medal", now()),
        lambda: visit.count_since("medal", now()),
    ]
    for ask in questions:
        with pytest.raises(Forbidden, match="no access to domain medal"):
            ask()
    assert {key.domain for key in visit.champions} == {"workshop"}
    assert set(visit.schemas) == {"workshop"}


@pytest.mark.parametrize("file", sorted((ROOT / "dashboard" / "views").rglob("*.py")), ids=lambda file: file.stem)
def test_a_page_can_reach_nothing_but_its_visit(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    for name in (
        "model.workspace",
        "database.store",
        "database.open",
        "settings",
        "dashboard.shared_workspace",
        "dashboard.gate",
    ):
        assert f"from {name} import" not in text
    assert not re.search(r"(?<!self)\._(?!_)", text), "private parts are a visit's own"


def test_attempts_are_counted_by_name_and_minute() -> None:
    at = [0.0]
    tries = Tries(lambda: at[0])
    assert [tries.take("a") for _ in range(SIGN_IN_TRIES + 1)] == [True] * SIGN_IN_TRIES + [False]
    assert tries.take("b")
    at[0] = 60.0
    assert tries.take("a")
    assert all(tries.take(str(name)) for name in range(TYPED_NAMES - 1))
    assert [tries.take(f"more {name}") for name in range(SIGN_IN_TRIES + 1)] == [True] * SIGN_IN_TRIES + [False]

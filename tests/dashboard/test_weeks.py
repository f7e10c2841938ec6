"""One student week by week on its page: the chance over time, what happened, themes; and in a list once."""

import shutil
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from dashboard.views.results.by_week import risk_row
from database.newest import Which
from model.scores import Estimate
from monitoring.at_risk import at_risk
from monitoring.week_close import close_week
from monitoring.weekly_performance import RiskFigures
from tests.dashboard.test_pages import texts
from tests.monitoring.weekly_making import K12, SECRET, begin_weeks, open_at

DAY = date(2025, 12, 14)


@pytest.fixture
def student(prepared: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The student at most risk of a district of which three weeks are closed."""
    folder = Path(shutil.copytree(prepared("weeks", begin_weeks), tmp_path / "data"))
    workspace = open_at(folder)
    for weeks in (2, 1, 0):
        close_week(workspace, K12.name, DAY - timedelta(days=7 * weeks))
    listed = at_risk(workspace.store, K12, which=Which(), limit=1).students
    workspace.close()
    monkeypatch.setenv("GRADEWATCH_DATA_DIR", str(folder))
    monkeypatch.setenv("GRADEWATCH_PSEUDONYM_SECRET", SECRET.decode())
    for name in ("GRADEWATCH_DATABASE_URL", "MONGO_URI", "GRADEWATCH_DOMAINS_DIR"):
        monkeypatch.delenv(name, raising=False)
    st.cache_resource.clear()
    yield listed[0].student
    st.cache_resource.clear()


def test_a_student_has_its_weeks_its_events_and_the_themes_that_move_it(student: str) -> None:
    script = "from dashboard.pages import show\nfrom dashboard.views.students import students\nshow(students)\n"
    app = AppTest.from_string(script, default_timeout=60)
    app.query_params["domain"] = K12.name
    app.query_params["student"] = student
    app.run()
    assert not app.exception
    assert {"Weeks", "What happened", "What moves it"} <= {one.value for one in app.header}
    told = texts(app)
    for words in (
        "by W15",
        "since W14",
        "What moves it most is",
        "Of all who are answered as this student is in W15",
        "to come to an event within 18",
    ):
        assert words in told, words
    assert not [one for one in app.selectbox if one.key == "place"], "all weeks are one place"
    assert len(app.get("plotly_chart")) >= 3


def test_figures_of_a_school_are_numbers_with_the_ends_of_their_ranges() -> None:
    known = RiskFigures(name="North", n=120, students=60, rate=Estimate(0.1, 0.05, 0.2), risk=0.12, verdict="as said")
    row = risk_row("school", known)
    assert (row["happened"], row["happened (from)"], row["happened (to)"]) == (0.1, 0.05, 0.2)
    assert (row["school"], row["Answers"], row["chances"], row["chance told"]) == ("North", 120, "as said", 0.12)
    few = risk_row("school", RiskFigures(name="South", n=4, students=4))
    assert few["happened"] is few["AUC"] is few["chance told"] is None
    assert list(few) == list(row)

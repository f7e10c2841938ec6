"""What all pages have in common: the controls and the address, links between pages, the look of a chart."""

import csv
import io
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plotly.graph_objects import Figure
from streamlit.testing.v1 import AppTest

from dashboard.charts import TEXT_PIXELS, csv_of, mark_models
from dashboard.frame import dates_of, told_days

ROOT = Path(__file__).resolve().parents[2]
Page = Callable[..., AppTest]
CHOICE = """
from dashboard import pages
from dashboard.frame import controls
from dashboard.pages import PageOf, show
import streamlit as st
def every(visit):
    choice = controls(visit, every=True, back=lambda schema: st.session_state.get("usual", "90"))
    st.write(f"{choice.schema.name} {choice.every} {choice.at} {choice.target.name} {choice.days}")
pages.pages = lambda: (PageOf(every, "Every", "", "see"),)
show(every)
"""


@pytest.fixture
def chooser(page: Page, monkeypatch: pytest.MonkeyPatch) -> Callable[..., AppTest]:
    """A page that says what was chosen, at an address."""
    monkeypatch.setattr("dashboard.pages.pages", None)  # put back when the test ends

    def draw(**address: str) -> AppTest:
        app = AppTest.from_string(CHOICE, default_timeout=60)
        for key, value in address.items():
            app.query_params[key] = value
        return app.run()

    return draw


def address(app: AppTest) -> dict[str, str]:
    return {key: value[0] if isinstance(value, list) else value for key, value in app.query_params.items()}


def test_the_address_says_what_is_looked_at_and_follows_what_is_chosen(chooser: Callable[..., AppTest]) -> None:
    app = chooser(domain="workshop", at="start", days="30")
    assert app.markdown[-1].value == "workshop False start mark 30"
    assert address(app) == {"domain": "workshop", "at": "start", "days": "30"}
    app.selectbox(key="at").set_value("quiz").run()
    app.selectbox(key="days").set_value("all").run()
    assert app.markdown[-1].value == "workshop False quiz mark None"
    assert address(app) == {"domain": "workshop", "at": "quiz", "days": "all"}
    app.query_params.update({"domain": "medal", "days": "7"})  # a link, or the way back
    assert app.run().markdown[-1].value == "medal False now medal 7"
    assert address(app) == {"domain": "medal", "days": "7"}
    app.selectbox(key="domain").set_value("workshop").run()
    assert app.markdown[-1].value == "workshop False quiz mark 7"
    app.selectbox(key="domain").set_value("").run()
    assert app.markdown[-1].value.split()[1] == "True"
    assert address(app) == {"days": "7"}


def test_a_subject_that_is_not_there_is_said_until_another_is_chosen(chooser: Callable[..., AppTest]) -> None:
    app = chooser(domain="alchemy").run()
    assert "alchemy" in app.warning[0].value
    app.selectbox(key="domain").set_value("workshop").run()
    assert not app.warning
    assert address(app)["domain"] == "workshop"


def test_own_dates_are_a_choice_of_time_like_the_others(chooser: Callable[..., AppTest]) -> None:
    app = chooser(domain="workshop", days="2026-02-10..2026-02-01")
    assert app.markdown[-1].value == "workshop False quiz mark 10"
    assert app.selectbox(key="days").value == "2026-02-10..2026-02-01"
    app.selectbox(key="days").set_value("own").run()
    assert "..".join(str(day) for day in app.date_input(key="own dates").value) == address(app)["days"]
    assert not app.exception


def test_what_a_page_usually_shows_is_no_choice_for_the_next_page(chooser: Callable[..., AppTest]) -> None:
    app = chooser(domain="workshop")
    for usual, days in (("all", "None"), ("7", "7")):  # as Data and Students have it
        app.session_state["usual"] = usual
        assert app.run().markdown[-1].value.split()[-1] == days
    app.selectbox(key="days").set_value("30").run()
    for usual in ("all", "30", "7"):
        app.session_state["usual"] = usual
        assert app.run().markdown[-1].value.split()[-1] == "30"


@given(st.dates(), st.dates(), st.text(max_size=12))
def test_a_choice_of_time_is_two_days_in_order_or_none(one, other, text) -> None:
    assert dates_of(f"{one}..{other}") == (min(one, other), max(one, other))
    assert told_days(f"{one}..{other}")
    assert dates_of(text) is None or ".." in text


@given(st.lists(st.fixed_dictionaries({"a": st.integers(), "b": st.text(st.characters(exclude_categories=["Cs"]))})))
def test_the_data_of_a_chart_is_a_file_in_which_nothing_is_run(rows: list[dict[str, object]]) -> None:
    read = list(csv.DictReader(io.StringIO(csv_of(rows).decode("utf-8-sig"), newline="")))
    assert [int(row["a"]) for row in read] == [row["a"] for row in rows]
    assert [row["b"].removeprefix("'") for row in read] == [str(row["b"]).removeprefix("'") for row in rows]
    assert not any(row["b"][:1] in tuple("=+-@") for row in read)


@given(st.lists(st.integers(0, 90), min_size=1, max_size=8))
def test_names_of_models_do_not_lie_upon_each_other(days: list[int]) -> None:
    begun, figure = datetime(2026, 9, 7, tzinfo=UTC), Figure()
    mark_models(figure, [(begun + timedelta(days=day), f"v{day}") for day in sorted(days)], timedelta(days=90))
    places = [(mark.x / 86_400_000, mark.yshift) for mark in figure.layout.annotations]
    for (x, y), (further, lower) in pairwise(places):
        assert further - x >= 9 or y - lower >= TEXT_PIXELS


def test_a_page_loads_nothing_that_trains() -> None:
    script = "import sys, dashboard.pages; print(*{'sklearn', 'skl2onnx', 'onnx', 'torch'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_a_table_is_sent_without_pandas_whatever_its_cells_are() -> None:
    script = """if True:
        import sys
        from datetime import UTC, date, datetime
        from dashboard.tables import frame_of, show_table
        rows = [
            {"n": 1, "mixed": 1, "none": None, "at": datetime.now(UTC), "day": date.today(), "why": ["a"], "yes": True},
            {"n": None, "mixed": "x", "none": None, "at": None, "day": None, "why": [], "yes": None},
        ]
        for shown in (rows, []):
            show_table(shown, hide_index=True)
        assert "pandas" not in sys.modules
        assert frame_of(rows).to_dicts() == [rows[0] | {"mixed": "1"}, rows[1]]
    """
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    parts = [path.name for path in (ROOT / "dashboard").rglob("*.py") if "st.dataframe(" in path.read_text("utf-8")]
    assert parts == ["tables.py"]

"""Today says whatever needs a person and never "nothing" while anything does; Activity tells all that happened."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from access.roles import LOCAL
from model.workspace import Workspace
from overview.conditions import find_conditions
from overview.describing import describe
from overview.feed import FeedFilter, read_feed
from tests.dashboard.test_pages import press, texts
from tests.overview.conftest import begun
from tests.overview.happening import (
    break_coverage,
    drift,
    fail_a_job,
    guess,
    learn_from_examples,
    lose_an_alert,
    lose_files,
    match_the_rule,
    miss_a_look,
    send_strays,
    try_useless,
)
from tests.retraining.conftest import SECRET, open_at
from tests.training.making import SCHEMA, SCHEMA_TEXT

__all__ = ["begun"]
TOGETHER = (guess, drift, try_useless, send_strays, fail_a_job, lose_an_alert, miss_a_look)


@pytest.fixture
def school(begun: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    """An installation with one champion of records, which the dashboard opens."""
    folder, domains = Path(shutil.copytree(begun, tmp_path / "home")), tmp_path / "domains"
    domains.mkdir()
    (domains / "invented.toml").write_text(SCHEMA_TEXT)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GRADEWATCH_DATA_DIR", str(folder))
    monkeypatch.setenv("GRADEWATCH_DOMAINS_DIR", str(domains))
    monkeypatch.setenv("GRADEWATCH_PSEUDONYM_SECRET", SECRET.decode())
    workspace = open_at(folder)
    st.cache_resource.clear()
    yield workspace
    st.cache_resource.clear()
    workspace.close()


def draw(name: str = "today", **address: str) -> AppTest:
    script = f"from dashboard.pages import show\nfrom dashboard.views.{name} import {name}\nshow({name})\n"
    app = AppTest.from_string(script, default_timeout=60)
    for key, value in address.items():
        app.query_params[key] = value
    app.run()
    assert not app.exception
    return app


def sentences(workspace: Workspace) -> list[str]:
    held = find_conditions(workspace, LOCAL)
    return [describe(one.condition, workspace.schemas).sentence for one in held if one.seen is None]


def plain(app: AppTest) -> str:
    return texts(app).replace("\\", "")


def test_nothing_needs_anybody_where_nothing_does(school: Workspace) -> None:
    assert "Nothing needs you." in draw(domain=SCHEMA.name).title[0].value


@pytest.mark.parametrize("makers", [TOGETHER, (match_the_rule, learn_from_examples), (break_coverage,), (lose_files,)])
def test_what_needs_a_person_stands_on_the_page(
    school: Workspace, makers: tuple[Callable[[Workspace], None], ...]
) -> None:
    for make in makers:
        make(school)
    wanted = sentences(school)
    assert len(wanted) >= len(makers)
    app = draw()
    said = plain(app)
    assert f"{len(wanted)} thing{'' if len(wanted) == 1 else 's'} need" in app.title[0].value
    assert [one for one in wanted if one not in said] == []
    assert "Nothing needs you" not in said


def test_what_is_said_to_be_known_goes_to_those_that_are_and_stays_there(school: Workspace) -> None:
    drift(school)
    send_strays(school)
    app = draw()
    assert "2 things need you." in app.title[0].value
    app.text_input[0].set_value("mended on Friday")
    app = press(app, "It is known")
    assert "1 thing needs you." in app.title[0].value
    assert "mended on Friday" in plain(app)
    app.text_input[0].set_value("asked anna.berg@school.example")
    refused = press(app, "It is known")
    assert "1 thing needs you." in refused.title[0].value
    assert [one.condition.kind for one in find_conditions(school, LOCAL) if one.seen] == ["drift"]


def test_activity_tells_all_that_happened_page_by_page_and_what_is_asked_for(school: Workspace) -> None:
    for seed in range(56):
        drift(school, seed=seed) if seed < 3 else fail_a_job(school)
    learn_from_examples(school)
    whole = read_feed(school.store, school.schemas, LOCAL, limit=500)
    app = draw("activity")
    assert list(app.dataframe[0].value["sentence"]) == [one.sentence for one in whole[:50]]
    app.multiselect[0].set_value(["drift"]).run()
    asked = FeedFilter(kinds=["drift"])
    found = read_feed(school.store, school.schemas, LOCAL, asked)
    assert list(app.dataframe[0].value["sentence"]) == [one.sentence for one in found]
    app.text_input[0].set_value("nobody").run()
    assert "Nothing of this kind has happened." in texts(app)

"""The page Models: what it draws of a decision is the stored record, and what it changes is recorded with a reason."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from clock import now
from dashboard.figures import decisions as figures
from dashboard.palette import State, palette
from dashboard.views.models.inside import candidate_rows, class_rows
from database.records import ChampionKey, DecisionRecord, ModelVersion
from model.decision import decision_of
from model.registry import install, load_bundle
from model.scores import ClassScores
from model.trial import Trial, running_trials, start_trial
from model.workspace import Workspace
from overview.decision_words import CONDITION_MARKS, condition_words
from retraining.first_champions import register
from tests.dashboard.test_gate import add, sign_in
from tests.dashboard.test_pages import Page, texts
from tests.retraining.test_policy import decided, evidence

QUIZ = ChampionKey("workshop", "mark", "quiz")
WHO = ("v1", "v2", "plain rule")


@given(
    gain=st.floats(-0.5, 0.5),
    noise=st.sampled_from([0.3, 2.0]),
    worse_for=st.sampled_from([None, 0.3]),
    naive=st.sampled_from([-1.5, -0.005, 1.0]),
)
def test_the_picture_of_a_decision_is_its_stored_record(  # type: ignore[no-untyped-def]
    gain, noise, worse_for, naive
) -> None:
    stored = msgspec.json.decode(
        msgspec.json.encode(decided(evidence(gain, noise=noise, worse_for=worse_for, naive=naive)))
    )
    decision = decision_of(record(stored))
    assert decision.gain is not None
    dots = figures.three_errors(decision, WHO).data
    maes = [stored[name] for name in ("champion_mae", "challenger_mae", "naive_mae")]
    assert [dot.x[0] for dot in dots] == [mae["value"] for mae in maes]
    assert [dot.x[0] + dot.error_x.array[0] for dot in dots] == pytest.approx([mae["high"] for mae in maes])
    assert [dot.x[0] - dot.error_x.arrayminus[0] for dot in dots] == pytest.approx([mae["low"] for mae in maes])
    axis = figures.gain_axis(decision, decision.gain, "v2")
    bar, dot = axis.data
    assert (bar.x[0], dot.x[0], bar.x[1]) == (
        stored["gain"]["lower"],
        stored["gain"]["mean"],
        pytest.approx(2 * stored["gain"]["mean"] - stored["gain"]["lower"]),
    )
    assert [line.x0 for line in axis.layout.shapes] == [0.0, stored["min_gain"]]
    whole_right = stored["gain"]["lower"] > max(0.0, stored["min_gain"])
    assert (bar.line.color == palette().of(State.GOOD)) == whole_right
    parts = figures.slice_gains_drawn(decision.slices, [part["value"] for part in stored["slices"]], "gain of v2").data
    assert [part.x[0] for part in parts] == [part["gain"]["mean"] for part in stored["slices"]]
    told = condition_words(decision)
    assert {name for name in told if name in {one["name"] for one in stored["conditions"]}} == {
        one["name"] for one in stored["conditions"]
    }


def record(document: dict[str, Any], **fields: Any) -> DecisionRecord:
    about: dict[str, Any] = {"id": "d", "domain": QUIZ.domain, "target": QUIZ.target, "moment": QUIZ.moment}
    about |= {"verdict": document["verdict"], "champion": "a" * 64, "challenger": "b" * 64, "at": now()}
    return DecisionRecord(**(about | fields), document=document)


def wider(workspace: Workspace, half_width: float) -> ModelVersion:
    """A registered version that answers as the first champion, with other ranges."""
    bundle = load_bundle(workspace.artifacts, workspace.store.successions(QUIZ)[0].version)
    manifest = msgspec.structs.replace(bundle.manifest, half_width=half_width)
    return register(workspace.store, workspace.artifacts, msgspec.structs.replace(bundle, manifest=manifest))


@pytest.fixture
def second(workspace: Workspace) -> str:
    """The version of a second champion of `QUIZ`, which took over by a contest."""
    first, model = workspace.champions.loaded[QUIZ].predictor.version, wider(workspace, 5.0)
    document = msgspec.to_builtins(decided(evidence(0.5))) | {"promoted": True}
    workspace.store.add_decision(record(document, champion=first, challenger=model.version))
    install(workspace.store, [model], action="promote", actor="test", reason="a second one")
    return model.version


def test_the_page_says_three_errors_on_the_same_students_and_draws_every_condition(
    page: Page, workspace: Workspace, second: str
) -> None:
    app = page("models", "workshop")
    assert not app.exception
    (stored,) = workspace.store.decisions(key=QUIZ)
    decision = decision_of(stored)
    sentence = app.title[0].value
    for mae in (decision.challenger_mae, decision.champion_mae, decision.naive_mae):
        assert mae is not None
        assert f"{mae.value:.2f}".rstrip("0") in sentence
    assert "(v2)" in sentence
    assert "On 200 students" in sentence
    said = texts(app)
    for one in decision.conditions:
        assert f"{CONDITION_MARKS[one.met]} {condition_words(decision)[one.name]}" in said
    assert "v1" in said


@pytest.mark.parametrize("domain", ["workshop", "medal"])
def test_candidates_stand_with_the_chosen_one_first_and_the_plain_rule_last(workspace: Workspace, domain: str) -> None:
    manifest = next(one for key, one in workspace.champions.loaded.items() if key.domain == domain).predictor.manifest
    rows = candidate_rows(manifest)
    assert len(rows) == len(manifest.scores)
    assert (rows[0]["candidate"], rows[-1]["candidate"]) == (manifest.candidate.replace("_", " "), "plain rule")
    assert all(isinstance(row["MAE"], float) for row in rows)
    if isinstance(scores := manifest.scores[manifest.candidate], ClassScores):
        assert [row["class"] for row in class_rows(scores)] == ["bronze", "silver", "gold"]


@pytest.fixture
def tried(workspace: Workspace, second: str) -> Trial:
    """A third version, which never was champion, tried beside the second."""
    model = wider(workspace, 6.0)
    return start_trial(workspace.store, model, mode="shadow", actor="test", needed=120)


def test_a_trial_is_shown_with_how_many_outcomes_it_has_of_those_it_needs(
    page: Page, workspace: Workspace, tried: Trial
) -> None:
    app = page("models", "workshop")
    said = texts(app)
    assert "v3 (" in said
    assert "0 of 120 outcomes" in app.get("progress")[0].proto.text
    assert "Too few outcomes to tell: 0 so far." in said


PROBE = """
import streamlit as st
from access.roles import LOCAL, Forbidden
from dashboard.pages import show
from dashboard.shared_workspace import shared_workspace
from dashboard.views.models import models
from dashboard.visit import Visit
from database.records import ChampionKey
from model.trial import trials

show(models)
if change := st.session_state.get("probe"):
    key, shared = ChampionKey("workshop", "mark", "quiz"), shared_workspace()
    visit, store = Visit(shared, LOCAL), shared.workspace.store  # as if every button had been drawn
    first, (trial, *_) = store.successions(key)[0].version, trials(store)
    changes = {
        "roll back": lambda: visit.roll_back(key, "because"),
        "activate": lambda: visit.activate(key, first, "because"),
        "promote": lambda: visit.promote(key, first, 2, "because"),
        "stop": lambda: visit.stop_trial(trial, "because"),
    }
    try:
        changes[change]()
    except Forbidden as error:
        st.error(f"refused: {error}")
"""


@pytest.mark.usefixtures("guarded", "page")
@pytest.mark.parametrize("role", ["viewer", "teacher", "analyst", "admin"])
def test_whoever_may_not_change_champions_sees_no_button_and_is_refused(
    workspace: Workspace, tried: Trial, role: str
) -> None:
    add(workspace, "someone", role)
    app = AppTest.from_string(PROBE, default_timeout=60)
    app.query_params["domain"] = "workshop"
    app = sign_in(app.run(), "someone")
    offered = [button.label for button in app.button if button.label.endswith("…")]
    assert bool(offered) == (role == "admin"), offered
    if role == "admin":
        return
    for change in ("roll back", "activate", "promote", "stop"):
        app.session_state["probe"] = change
        app.run()
        assert any("refused: your role does not allow you to change champions" in one.value for one in app.error), (
            change
        )
    assert workspace.store.successions(QUIZ)[-1].version == tried.champion
    assert running_trials(workspace.store, workspace.store.champions()) == {QUIZ: tried}

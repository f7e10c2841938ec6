"""The page Models: what it draws of a decision is the stored record, and what it changes is recorded with a reason."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from access.roles import LOCAL
from clock import now
from dashboard.figures import decisions as figures
from dashboard.palette import State, palette
from dashboard.shared_workspace import SharedWorkspace
from dashboard.views.models.inside import candidate_rows, class_rows
from dashboard.visit import Visit
from database.errors import Conflict
from database.records import ChampionKey, DecisionRecord, ModelVersion
from language.format import share
from model.decision import decision_of
from model.pauses import pauses
from model.registry import install, load_bundle
from model.scores import ClassScores
from model.trial import Trial, running_trials, start_trial
from model.workspace import Workspace
from monitoring.warning_policy import WarningPolicy, policies_in_use
from overview.decision_words import CONDITION_MARKS, condition_words
from overview.feed import read_feed
from retraining.first_champions import register
from tests.dashboard.test_gate import add, sign_in
from tests.dashboard.test_pages import Page, press, texts
from tests.dashboard.test_students import fill_list
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


def test_a_warning_policy_is_looked_at_put_into_use_with_a_reason_and_taken_back(
    page: Page, workspace: Workspace
) -> None:
    fill_list(workspace)
    assert "Likely below the pass mark 1 of 6" in texts(page("today", "workshop"))
    app = page("models", "workshop")
    assert f"Warned of: a chance of {share(0.5)} or more" in texts(app)
    next(one for one in app.number_input if one.label.startswith("Least chance")).set_value(45.0)
    app = press(app, "Show what it would change")
    assert "Beside the policy in use 2 students would come onto the list, 0 would leave it." in texts(app)
    lists = next(one.value for one in app.dataframe if "list" in one.value)
    assert list(lists["warned of"]) == [3, 1, 0]
    assert list(lists["likely to fail"])[:2] == pytest.approx([0.48 + 0.96 + 0.49, 0.96], abs=0.05)
    assert policies_in_use(workspace.store, "workshop", "mark") == (), "a preview changes nothing"
    asked = press(app, "Put it into use …")
    assert "It decides everywhere from now on" in texts(asked)
    assert asked.text_area(key="policy in use reason").value == ""
    visit, wanted = Visit(SharedWorkspace(workspace, 0.0, 100, 1), LOCAL), WarningPolicy(threshold=0.45)
    visit.activate_policy("workshop", "mark", wanted, "two advisors more", 0)
    with pytest.raises(Conflict):
        visit.activate_policy("workshop", "mark", wanted, "two advisors more", 0)
    (made,) = policies_in_use(workspace.store, "workshop", "mark")
    assert (made.policy.threshold, made.reason, made.preview["entering"]) == (0.45, "two advisors more", 2)
    assert "To warn of 3 of 6" in texts(page("today", "workshop"))
    assert "policy" in {one.kind for one in read_feed(workspace.store, workspace.schemas, LOCAL)}
    app = press(page("models", "workshop"), "Go back to the policy before …")
    assert app.text_area(key="policy back reason").value == ""
    visit.roll_back_policy("workshop", "mark", "they left")
    assert [one.action for one in policies_in_use(workspace.store, "workshop", "mark")] == ["activate", "rollback"]
    assert "Likely below the pass mark 1 of 6" in texts(page("today", "workshop"))
    app = page("models", "workshop")
    app.text_input[0].set_value("low:high")
    assert "levels are written" in texts(press(app, "Show what it would change"))


def test_answers_are_paused_with_a_reason_and_go_on(page: Page, workspace: Workspace) -> None:
    app = press(page("models", "workshop"), "Let the plain rule answer …")
    assert app.text_area(key="pause rule reason").value == ""
    visit = Visit(SharedWorkspace(workspace, 0.0, 100, 1), LOCAL)
    made = visit.pause_answers("workshop", "plain rule", "marks of a test were lost")
    held = pauses(workspace.store)["workshop"]
    assert (held.answers, held.reason) == ("plain rule", "marks of a test were lost")
    assert "marks of a test were lost" in texts(page("models", "workshop"))
    app = press(page("models", "workshop"), "Let the models answer again …")
    assert app.text_area(key="resume reason").value == ""
    visit.resume_answers(made, "found")
    assert pauses(workspace.store) == {}
    assert "Answers are paused" not in texts(page("models", "workshop"))

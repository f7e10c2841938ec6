"""The page of a student or a guardian: all of one student's own, nothing of others, and an objection that holds."""

import re
from collections.abc import Callable

import pytest
import streamlit as st
from msgspec.structs import replace
from streamlit.testing.v1 import AppTest

from access.users import link_user
from clock import new_id
from model.workspace import Workspace
from tests.dashboard.test_gate import add, sign_in
from tests.dashboard.test_pages import predict_rows, press, texts

Page = Callable[..., AppTest]
STUDENT, OTHER = "d" * 32, "e" * 32


@pytest.fixture
def linked(workspace: Workspace, guarded: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A student and the mother, of whom something is known, and somebody who is linked to nobody."""
    monkeypatch.setenv("GRADEWATCH_STUDENT_VIEW", "on")
    said = predict_rows(workspace, "workshop", rows=12)
    one, two = (replace(one, id=new_id(), student=who) for one, who in zip(said, (STUDENT, OTHER), strict=False))
    workspace.store.add_predictions([one, two])
    for name, role in (("tom", "student"), ("mum", "guardian"), ("lea", "student")):
        add(workspace, name, role)
    for name in ("tom", "mum"):
        link_user(workspace.store, name, STUDENT, domains=["workshop"], actor="officer")


@pytest.mark.usefixtures("linked")
def test_a_student_sees_the_own_result_with_its_range_and_a_guardian_the_same(page: Page, workspace: Workspace) -> None:
    for name, whose in (("tom", "your teachers"), ("mum", "your child's teachers")):
        st.cache_resource.clear()
        app = sign_in(page("own"), name)
        assert not app.exception
        said = texts(app)
        assert whose in said
        assert re.search(r"Final mark: most likely \d+(\.\d)? points", said)
        assert "Of ten students" in said
        assert not re.search(r"chance|rank|% of|of \d+ others", said)
        assert STUDENT not in said
        assert OTHER not in said
    looks = workspace.store.student_accesses("workshop", STUDENT)
    assert {one.actor for one in looks if one.action == "own record read"} == {"user:tom", "user:mum"}


@pytest.mark.usefixtures("linked")
def test_the_own_sheet_is_made_when_it_is_asked_for_and_that_is_recorded(page: Page, workspace: Workspace) -> None:
    app = press(sign_in(page("own"), "mum"), "This on a sheet")
    assert not app.exception
    offered = [one.proto.label for one in app.get("download_button")]
    assert "Download the sheet (page)" in offered
    looks = workspace.store.student_accesses("workshop", STUDENT)
    mine = {one.id for one in workspace.store.predictions("workshop", student=STUDENT)}
    assert [one.actor for one in looks if one.details.get("prediction") in mine] == ["user:mum"] * len(offered[:2])


@pytest.mark.usefixtures("linked")
def test_an_objection_takes_a_tick_and_a_press_and_then_nothing_is_shown(page: Page, workspace: Workspace) -> None:
    app = sign_in(page("own"), "mum")
    [button] = [one for one in app.button if one.label == "Object"]
    assert button.disabled
    app.checkbox[0].check().run()
    app = press(app, "Object")
    assert "nothing is predicted about them" in texts(app)
    assert "most likely" not in texts(app)
    [kept] = workspace.store.documents("objection")
    assert kept.body["actor"] == "role:guardian"
    st.cache_resource.clear()
    assert "nothing is predicted about you" in texts(sign_in(page("own"), "tom"))


@pytest.mark.usefixtures("linked")
def test_who_is_linked_to_nobody_is_told_so_and_whom_to_ask(page: Page) -> None:
    said = texts(sign_in(page("own"), "lea"))
    assert "Nobody has linked your account" in said
    assert "Ask your teacher" in said

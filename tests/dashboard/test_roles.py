"""Every page for every role: what the table allows and nothing else; and of a group, nothing that others change."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import streamlit as st
from msgspec.structs import replace
from streamlit.testing.v1 import AppTest

from access.roles import ROLES
from access.users import link_user
from clock import new_id, now
from dashboard import gate
from dashboard.gate import Tries
from dashboard.pages import pages
from database.records import Outcome, Prediction
from database.withdrawal import withdraw_predictions
from model.workspace import Workspace
from tests.dashboard.test_gate import add, sign_in
from tests.dashboard.test_pages import predict_rows, texts

Page = Callable[..., AppTest]
PEOPLE = [role for role, row in ROLES.items() if not row.of_program]
MAY_NOT = "your role does not allow you"
OF_THE_MOMENT = re.compile(r"As of [^·\n]*|\$\$ID-\w+|\d{4}-\d\d-\d\dT[\d:.+]+")  # and names made of it


@pytest.mark.usefixtures("guarded")
@pytest.mark.parametrize("role", PEOPLE)
def test_a_role_is_shown_the_pages_that_it_may_see_and_nothing_of_others(
    page: Page, workspace: Workspace, monkeypatch: pytest.MonkeyPatch, role: str
) -> None:
    monkeypatch.setenv("GRADEWATCH_STUDENT_VIEW", "on")
    row = {"age": 17, "mode": "day", "sex": "F", "student_id": "s1"}
    student = workspace.service.predict("workshop", [row], source="api")[0].student
    assert student is not None
    add(workspace, "pat", role)
    if ROLES[role].linked:  # type: ignore[index]
        link_user(workspace.store, "pat", student, domains=["workshop"], actor="officer")
    seen: dict[str, bool] = {}
    for one in pages():
        app = sign_in(page(one.address, "workshop"), "pat")
        assert not app.exception, one.address
        seen[one.address] = MAY_NOT not in texts(app)
        if not seen[one.address]:
            drawn = [*app.metric, *app.dataframe, *app.selectbox, *app.get("plotly_chart"), *app.title]
            assert drawn == [], one.address
            assert {button.label for button in app.button} <= {"Sign out"}, one.address
    may = ROLES[role].may  # type: ignore[index]
    assert seen == {one.address: not may.isdisjoint((one.permission, *one.also)) for one in pages()}


def shown(page: Page, user: str) -> Mapping[str, str]:
    """All that each page says and draws to a user."""
    found = {}
    gate._tries = Tries()
    for one in pages():
        st.cache_resource.clear()
        st.cache_data.clear()
        app = sign_in(page(one.address, "workshop"), user)
        assert not app.exception, one.address
        assert "sign in name" not in {field.key for field in app.text_input}, one.address
        drawn: list[Any] = [*app.get("plotly_chart"), *app.selectbox, *app.button]
        found[one.address] = OF_THE_MOMENT.sub("", "\n".join([texts(app), *(str(each.proto) for each in drawn)]))
    return found


@pytest.mark.usefixtures("guarded")
def test_no_page_shows_a_teacher_of_a_group_anything_that_others_change(page: Page, workspace: Workspace) -> None:
    made = predict_rows(workspace, "workshop", rows=80)

    def happens(rows: list[Prediction], group: str, low: float) -> list[Prediction]:
        known = [replace(one, id=new_id(), group=group, student=f"{n:032x}") for n, one in enumerate(rows)]
        workspace.store.add_predictions(known)
        workspace.store.add_outcomes(
            [Outcome(domain="workshop", target="mark", value=low, at=now(), student=one.student, group=group)
             for one in known]
        )  # fmt: skip
        return known

    happens(made[:40], "A", 11.0)
    add(workspace, "tom", "teacher", domains=("workshop",), groups=("A",))
    add(workspace, "anna", "admin")
    before, whole = shown(page, "tom"), shown(page, "anna")
    others = happens(made[40:], "B", 2.0)
    withdraw_predictions(workspace.store, "workshop", [others[0].id], reason="wrong class", actor="key:a")
    after = shown(page, "tom")
    assert after == before
    assert {name for name, said in shown(page, "anna").items() if said != whole[name]} >= {"today", "results"}

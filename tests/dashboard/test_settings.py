"""What an admin may change on the page Settings, and that it leaves nothing behind without their password."""

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from access.keys import keys
from access.roles import Forbidden
from access.users import users
from dashboard.shared_workspace import SharedWorkspace
from dashboard.visit import Visit
from jobs.schedules import schedules
from model.workspace import Workspace
from tests.dashboard.test_gate import PASSWORD, add, sign_in
from tests.dashboard.test_pages import press, texts

Page = Callable[..., AppTest]


def fill(app: AppTest, **values: str) -> AppTest:
    """The page with these texts in its fields, by key with a blank for each "_"."""
    for name, value in values.items():
        app.text_input(key=name.replace("_", " ")).set_value(value)
    return app


@pytest.mark.usefixtures("guarded")
def test_users_and_keys_are_made_with_the_admins_password_and_ended_without(page: Page, workspace: Workspace) -> None:
    add(workspace, "anna", "admin")
    app = sign_in(page("settings", "workshop"), "anna")
    assert "1 user may sign in" in app.title[0].value

    new = {"new_user": "tom", "new_password": "a long enough password"}
    press(fill(app, **new, own_user="guess"), "Add")
    assert "not your password" in app.error[0].value
    assert [user.name for user in users(workspace.store)] == ["anna"]
    press(fill(app, **new, own_user=PASSWORD), "Add")
    assert "tom may sign in" in app.success[0].value
    assert {user.name: user.grant.role for user in users(workspace.store)} == {"anna": "admin", "tom": "viewer"}
    app.selectbox(key="changed user").set_value("tom")
    press(app, "Shut out")
    assert [user.name for user in users(workspace.store) if user.disabled] == ["tom"]

    press(fill(app, new_key="lms", key_lifetime="90d", own_key="guess"), "Make")
    assert not keys(workspace.store)
    press(fill(app, new_key="lms", key_lifetime="90d", own_key=PASSWORD), "Make")
    [shown] = [code.value for code in app.code]
    assert shown.startswith("gw_") or len(shown) > 20
    assert not app.run().code, "once"
    press(app, "Revoke")
    assert keys(workspace.store)[0].revoked
    noted = {(one.actor, one.action) for one in workspace.store.accesses()}
    assert {("user:anna", what) for what in ("user added", "user disabled", "key created", "key revoked")} <= noted


def test_a_schedule_is_set_and_taken_off_and_each_rule_says_where_it_comes_from(
    page: Page, workspace: Workspace
) -> None:
    app = page("settings", "workshop")
    press(fill(app, planned_every="never"), "Have it done")
    assert "Nothing was changed" in app.error[0].value
    press(fill(app, planned_every="2d"), "Have it done")
    [planned] = schedules(workspace.store)
    assert (planned.name, str(planned.when)) == ("watch of workshop", "every 2 days")
    assert planned.arguments["plan"]["days"] == 2
    assert "watch of workshop" in texts(app)
    press(app, "Take off the schedule")
    assert not schedules(workspace.store)
    rules = [row for one in app.dataframe if "in files" in one.value for row in one.value.to_dict("records")]
    assert {"drift.q", "drift.ks_threshold", "trigger.alarms", "promotion.min_rows"} <= {
        row["in files"] for row in rules
    }
    assert {row["from"] for row in rules} == {"usual", "the subject's file"}
    assert not [row["rule"] for row in rules if "_" in row["rule"]], "a rule is said in words"


def test_who_may_not_administer_is_told_nothing(workspace: Workspace) -> None:
    from access.records import Grant, User
    from clock import now

    shared = SharedWorkspace(workspace, poll_seconds=1.0, max_rows=10, max_upload_mb=1)
    for role, domains in (("analyst", ()), ("admin", ("workshop",))):
        grant = Grant(role=role, domains=domains)  # type: ignore[arg-type]
        visit = Visit(shared, User(name="v", grant=grant, password="", created=now()).principal())
        for ask in (visit.accounts, visit.keys, visit.schedules, lambda: visit.rules("workshop")):  # noqa: B023
            with pytest.raises(Forbidden):
                ask()

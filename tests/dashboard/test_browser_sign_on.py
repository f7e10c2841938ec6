"""People sign on at the dashboard by a real OpenID provider, in a real browser."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from access.users import disable_user
from model.workspace import Workspace
from tests.dashboard.conftest import a_port, started
from tests.openid_provider import OpenIdProvider, openid_provider

Found = tuple[str, OpenIdProvider]


@pytest.fixture
def sign_on(guarded: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Found]:
    """The dashboard's address, and the provider that it sends people to."""
    pytest.importorskip("authlib", reason="make sign-on")
    port = a_port()
    with openid_provider(tmp_path, a_port(), f"http://localhost:{port}/oauth2callback") as provider:
        monkeypatch.setenv("GRADEWATCH_SIGN_ON", str(provider.rules("workshop")))
        monkeypatch.setenv("GRADEWATCH_DASHBOARD_URL", f"http://localhost:{port}")
        with started(tmp_path, port) as url:
            yield url, provider


def enter(page: Any, name: str) -> None:
    """By the provider's own pages: who one is, and that the dashboard may know."""
    page.get_by_role("button", name="Sign in with the school's account").click()
    page.get_by_placeholder("Enter any login").fill(name)
    page.get_by_placeholder("and password").fill("any")
    page.get_by_role("button", name="Sign-in").click()
    page.get_by_role("button", name="Continue").click()


def test_whoever_signs_on_is_let_in_by_the_rules_signs_out_and_is_shut_out(
    sign_on: Found, browser: Any, workspace: Workspace
) -> None:
    url, provider = sign_on
    provider.tell({"anna": {"groups": ["it"]}, "zoe": {"groups": ["pupils"]}})
    page = browser.new_page()
    page.set_default_timeout(120_000)
    page.goto(url)
    enter(page, "anna")
    page.get_by_text("Signed in as anna").wait_for()
    page.get_by_role("link", name="Settings").wait_for()
    page.reload()  # the cookie is fresh, and another session of the server begins by it
    page.get_by_text("Signed in as anna").wait_for()
    signed = workspace.store.accesses(actor="user:anna", action="signed in")
    assert [one.details["by"] for one in signed] == ["sign-on"] * 2
    disable_user(workspace.store, "anna", actor="test")
    page.reload()
    page.get_by_text("may not come in here").wait_for()
    page.close()
    other = browser.new_page()
    other.set_default_timeout(120_000)
    other.goto(url)
    enter(other, "zoe")
    other.get_by_text("may not come in here").wait_for()
    refused = {one.actor: one.details["words"] for one in workspace.store.accesses(action="refused")}
    assert refused["user:anna"] == "this user is disabled"
    assert "none of its rules" in refused["anonymous"]

"""The service where people sign on by a real OpenID provider."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from access.users import disable_user
from tests.api.conftest import start
from tests.api.guarded import GROUP, ON, Guarded
from tests.api.serving import UNIVERSITY, free_port
from tests.openid_provider import OpenIdProvider, openid_provider

Serving = tuple[OpenIdProvider, Guarded]
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"


@pytest.fixture(scope="module")
def serving(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = Path(shutil.copytree(trained, tmp_path_factory.mktemp("sign-on") / "installation"))
    with ExitStack() as stack:
        provider = stack.enter_context(
            openid_provider(tmp_path_factory.mktemp("provider"), free_port(), "http://localhost:8501/oauth2callback")
        )
        told = {**ON, "GRADEWATCH_SIGN_ON": str(provider.rules("university"))}
        yield provider, Guarded(start(stack, folder, told))


def sign_on(guarded: Guarded, id_token: str) -> httpx.Response:
    form = {"grant_type": JWT_BEARER, "assertion": id_token}
    return guarded.server.client.post("/api/v1/token", data=form)


def test_a_teacher_signs_on_and_predicts_for_the_own_class_until_the_provider_says_otherwise(serving: Serving) -> None:
    provider, guarded = serving
    provider.tell({"anna": {"groups": ["staff", f"class:{GROUP}"]}})
    answer = sign_on(guarded, provider.id_token("anna"))
    assert answer.status_code == 200, answer.text
    token = answer.json()["access_token"]
    said = guarded.ask("POST", "/api/v1/university/predict", token, json=UNIVERSITY)
    assert said.status_code == 200, "known to this worker at once"
    other = {**UNIVERSITY, "semester": 4}
    assert guarded.ask("POST", "/api/v1/university/predict", token, json=other).status_code == 403
    with guarded.server.store() as store:
        assert store.prediction(said.json()["id"]).actor == "user:anna"  # type: ignore[union-attr]
    guarded.recorded(lambda e: e.actor == "user:anna" and e.action == "signed in" and e.details["by"] == "sign-on")
    provider.tell({"anna": {"groups": ["staff"]}})
    later = sign_on(guarded, provider.id_token("anna")).json()["access_token"]
    assert guarded.ask("POST", "/api/v1/university/predict", token, json=UNIVERSITY).status_code == 401
    assert guarded.ask("POST", "/api/v1/university/predict", later, json=UNIVERSITY).status_code == 403


def test_nobody_else_comes_in_and_each_is_recorded(serving: Serving) -> None:
    provider, guarded = serving
    provider.tell({"zoe": {"groups": ["pupils"]}, "carl": {"groups": ["it"]}, "a-user": {"groups": ["it"]}})
    refused = sign_on(guarded, provider.id_token("zoe"))
    assert (refused.status_code, "none of its rules" in refused.json()["detail"]) == (401, True)
    guarded.user("a-user", "viewer")
    guarded.token("a-user")
    assert sign_on(guarded, provider.id_token("a-user")).status_code == 401, "that user has a password here"
    carl = provider.id_token("carl")
    assert sign_on(guarded, carl).status_code == 200
    with guarded.server.store() as store:
        disable_user(store, "carl", actor="test")
    assert sign_on(guarded, carl).status_code == 401
    assert guarded.sign_in("carl", "").status_code == 401
    altered = carl[:-8] + "AAAAAAAA"
    assert sign_on(guarded, altered).status_code == 401
    guarded.recorded(lambda e: e.actor == "user:carl" and e.action == "refused")
    assert carl not in guarded.server.words()


def test_without_a_provider_an_id_token_is_refused_in_words(guarded: Guarded) -> None:
    answer = sign_on(guarded, "a.b.c")
    assert (answer.status_code, "GRADEWATCH_SIGN_ON" in answer.json()["detail"]) == (422, True)

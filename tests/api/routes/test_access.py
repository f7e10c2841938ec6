"""Signing in: who may, what is said to who may not, and how often it may be tried."""

import pytest

from tests.api.guarded import PASSWORD, Guarded
from tests.api.serving import UNIVERSITY, Server

PREDICT = "/api/v1/university/predict"


FORM = {"content-type": "application/x-www-form-urlencoded"}


def test_a_signed_in_user_may_what_the_role_may(guarded: Guarded, anna: str) -> None:
    answer = guarded.ask("POST", PREDICT, anna, json=UNIVERSITY)
    assert answer.status_code == 200
    with guarded.server.store() as store:
        logged = store.prediction(answer.json()["id"])
    assert logged is not None
    assert logged.actor == "user:anna"
    assert guarded.ask("GET", "/api/v1/university/retrain", anna).status_code == 403
    guarded.recorded(lambda e: e.actor == "user:anna" and e.action == "signed in")
    refused = guarded.recorded(lambda e: e.action == "refused" and e.details["route"] == "GET /api/v1/{domain}/retrain")
    assert (refused.actor, refused.details["status"]) == ("user:anna", 403)


@pytest.mark.parametrize(
    ("name", "password"),
    [("anna", "wrong"), ("anna", ""), ("anna", PASSWORD + " "), ("nobody", PASSWORD), ("", ""), ("a-admin", PASSWORD)],
)
def test_a_wrong_name_and_a_wrong_password_get_the_same_answer(
    guarded: Guarded, anna: str, name: str, password: str
) -> None:
    assert anna
    answer = guarded.sign_in(name, password)
    assert answer.status_code == 401
    assert answer.json()["detail"] == "no user of that name and password may sign in"


@pytest.mark.parametrize("body", [b"", b"username=anna", b"username=a&username=b&password=c", b"\xff", b"{}",
                                  b"username=a&password=b&grant_type=client_credentials"])  # fmt: skip
def test_a_form_that_is_none_is_refused_in_words(guarded: Guarded, body: bytes) -> None:
    answer = guarded.server.client.post("/api/v1/token", content=body, headers=FORM)
    assert answer.status_code == 422, answer.text


def test_passwords_cannot_be_tried_without_end(guarded: Guarded) -> None:
    guarded.user("carl", "viewer")
    guarded.token("carl")
    codes = [guarded.sign_in("carl", "wrong").status_code for _ in range(21)]  # two windows at most: one is full
    assert 429 in codes
    assert set(codes) == {401, 429}
    guarded.recorded(lambda e: e.action == "refused" and e.actor == "user:carl" and e.details["status"] == 401)


def test_without_sign_in_nobody_signs_in_and_the_page_asks_for_nothing(shared: Server) -> None:
    assert shared.client.post("/api/v1/token", data={"username": "a", "password": "b"}).status_code == 404
    page = shared.get("/openapi.json")
    assert not any(operation.get("security") for item in page["paths"].values() for operation in item.values())
    assert "ratelimit-limit" not in shared.client.get("/api/v1/domains").headers

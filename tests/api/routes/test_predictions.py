"""Logged predictions are found by pseudonym and by key, and no key stands anywhere else."""

import json

import pytest

from tests.api.serving import ENGAGEMENT, Server
from tests.api.uploads import ended


def test_logged_predictions_of_a_student_are_found_by_pseudonym_and_by_key(shared: Server) -> None:
    said = shared.predict("engagement", ENGAGEMENT | {"student_id": "s-18"})
    by_pseudonym = shared.get("/api/v1/engagement/predictions", params={"student": said["student"]})
    by_key = shared.post("/api/v1/engagement/predictions/find", {"student": "s-18"}).json()
    assert [one["id"] for one in by_pseudonym["predictions"]] == [said["id"]]
    assert by_key == by_pseudonym
    assert shared.get(f"/api/v1/engagement/predictions/{said['id']}")["inputs"] == ENGAGEMENT


def test_a_student_key_stands_in_no_log_and_no_refusal(shared: Server) -> None:
    key = "maria.lopez@school.example"
    answers = [
        shared.post("/api/v1/engagement/predict", ENGAGEMENT | {"student_id": key}),
        shared.post("/api/v1/engagement/predict", ENGAGEMENT | {"attention": key}),
        shared.post("/api/v1/engagement/predict/batch", [{"student_id": "key-4711", "attention": "?"}]),
        shared.client.get("/api/v1/engagement/predictions", params={"student": "key-4711"}),
    ]
    assert [answer.status_code for answer in answers] == [422] * 4
    assert not any("maria" in answer.text or "key-4711" in answer.text for answer in answers)
    assert "maria" not in shared.words()


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (json.dumps([ENGAGEMENT] * 3), "application/json"),
        (json.dumps({"students": [ENGAGEMENT] * 3}), "application/json"),
        ("\n".join([json.dumps(ENGAGEMENT)] * 3), "application/x-ndjson"),
        ("\n".join([",".join(ENGAGEMENT), *[",".join(map(str, ENGAGEMENT.values()))] * 3]), "text/csv"),
    ],
    ids=["list", "students", "lines", "csv"],
)
def test_many_rows_of_any_form_are_answered_later_where_that_is_asked_for(shared: Server, body: str, kind: str) -> None:
    many, headers = "/api/v1/engagement/predict/batch", {"content-type": kind}
    at_once = shared.client.post(many, content=body, headers=headers, params={"async": "false"}).json()
    accepted = shared.client.post(many, content=body, headers=headers, params={"async": "true"})
    assert accepted.status_code == 202
    address = accepted.headers["location"]
    assert ended(shared, address)["state"] == "done"
    later = shared.get(f"{address}/answers")
    assert [one["answers"] for one in later["predictions"]] == [one["answers"] for one in at_once["predictions"]]
    assert shared.client.post(many, content=body, headers=headers, params={"async": "perhaps"}).status_code == 422
    if kind != "text/csv":  # what is wrong with a file is said by its job
        wrong = body.replace("attention", "atention")
        assert shared.client.post(many, content=wrong, headers=headers, params={"async": "true"}).status_code == 422
    assert shared.client.post("/predict/batch?async=1", content=body, headers=headers).status_code == 202

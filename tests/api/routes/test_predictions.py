"""Logged predictions are found by pseudonym and by key, and no key stands anywhere else."""

from tests.api.serving import ENGAGEMENT, Server


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

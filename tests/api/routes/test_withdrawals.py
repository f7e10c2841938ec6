"""What came in by mistake is taken back over the API, with a reason that names nobody."""

from tests.api.serving import Server


def test_what_came_in_by_mistake_is_withdrawn_and_figures_follow(shared: Server) -> None:
    path, row = "/api/v1/engagement", {"comprehension": 21, "attention": 22, "focus": 23, "retention": 24,
                                       "engagement_time": 25, "student_id": "w1"}  # fmt: skip
    before = shared.get(f"{path}/performance")["targets"][0]["n"]
    said, sent = shared.predict("engagement", row), [{"student_id": "w1", "assignment_score": 12}]
    shared.post(f"{path}/outcomes", sent)
    assert shared.get(f"{path}/performance")["targets"][0]["n"] == before + 1
    done = shared.post(f"{path}/withdrawals", {"outcomes": sent, "reason": "wrong class"})
    assert (done.status_code, done.json()["count"]) == (201, 1)
    assert shared.get(f"{path}/performance")["targets"][0]["n"] == before
    assert shared.post(f"{path}/withdrawals", {"predictions": [said["id"]], "reason": "wrong class"}).status_code == 201
    assert shared.post(f"{path}/withdrawals", {"predictions": [said["id"]], "reason": "again"}).status_code == 404
    both = {"reason": "both", "batch": "a", "predictions": ["b"]}
    assert shared.post(f"{path}/withdrawals", both).status_code == 422
    assert shared.post(f"{path}/withdrawals", {"reason": "of Ana Sousa", "batch": "a"}).status_code == 422

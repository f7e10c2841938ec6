"""Outcomes find their predictions, and bad ones are refused with every problem."""

import pytest

from tests.api.serving import Server


def test_outcomes_find_their_predictions_by_id_and_by_student(shared: Server) -> None:
    path = "/api/v1/university/outcomes"
    row = {"semester": 3, "subject": "Algorithms", "assignment_marks": 4, "quiz_marks": 8, "attendance_percentage": 90,
           "midterm_marks": 23, "previous_cgpa": 3.4}  # fmt: skip
    said = shared.predict("university", row)
    shared.predict("university", row | {"student_id": "u1"})
    outcomes = [
        {"prediction_id": said["id"], "final_marks": 77, "final_grade": "B"},
        {"student_id": "u1", "semester": 3, "subject": "Algorithms", "final_marks": 50, "final_grade": "D"},
    ]
    uploads = shared.get("/api/v1/university/uploads")
    dry = shared.post(f"{path}?dry=true", [*outcomes, {"prediction_id": "f" * 32, "final_marks": 60}]).json()
    assert dry == {"outcomes": 5, "matched": 4, "unmatched": 1, "undated": 5, "lacking": ["term"]}
    file = {"content": "student_id,final_marks\nu1,50\nu2,60\n", "headers": {"content-type": "text/csv"}}
    told = shared.client.post(f"{path}?dry=true", **file).json()
    assert (told["outcomes"], told["matched"], told["lacking"]) == (2, 1, ["semester", "subject", "term"])
    assert shared.get("/api/v1/university/uploads") == uploads
    assert shared.post(path, outcomes).json() == {"outcomes": 4, "new": 4, "corrected": 0, "known": 0, "undated": 4}
    assert shared.post(path, outcomes).json() == {"outcomes": 4, "new": 0, "corrected": 0, "known": 4, "undated": 4}
    corrected = shared.post(path, [{"prediction_id": said["id"], "final_marks": 78}]).json()
    assert corrected == {"outcomes": 1, "new": 0, "corrected": 1, "known": 0, "undated": 1}
    marks, grade = shared.get("/api/v1/university/performance")["targets"]
    assert (marks["n"], marks["students"], grade["n"]) == (2, 2, 2)
    assert (marks["verdict"], marks["mae"]) == ("not enough data", None)
    more = [{"student_id": f"m{place}"} | row for place in range(8)]
    values = [said["answers"][1]["value"]] * 2
    values += [one["answers"][1]["value"] for one in (shared.predict("university", one) for one in more)]
    keys = [{name: one[name] for name in ("student_id", "semester", "subject")} for one in more]
    shared.post(path, [key | {"final_marks": 60} for key in keys])
    marks, _ = shared.get("/api/v1/university/performance")["targets"]
    truth = [78, 50] + [60] * 8
    expected = sum(abs(value - true) for value, true in zip(values, truth, strict=True)) / 10
    assert marks["mae"]["value"] == pytest.approx(expected)
    assert marks["naive_mae"] is not None
    found = shared.get("/api/v1/university/performance", params={"target": "final_marks", "top": 3})["fairness"]
    (fairness,) = found
    assert (fairness["top"], fairness["quadrants"]["warned_failed"] + fairness["quadrants"]["warned_passed"]) == (3, 3)
    assert fairness["whole"]["miss"]["value"] == pytest.approx(expected)
    shown = shared.get("/api/v1/university/results", params={"target": "final_marks", "top": 3, "by": "day"})
    assert shown["fairness"] == fairness
    assert shown["timeline"]["windows"][-1]["mae"]["value"] == pytest.approx(expected)
    assert shared.client.get("/api/v1/university/results?moment=never").status_code == 422


def test_answers_that_came_when_the_outcome_was_known_do_not_count_and_strays_are_named(shared: Server) -> None:
    path, row = "/api/v1/engagement", {"comprehension": 61, "attention": 62, "focus": 63, "retention": 64,
                                       "engagement_time": 65}  # fmt: skip
    before = shared.get(f"{path}/performance")["targets"][0]

    def outcome(place: int, **more: object) -> dict[str, object]:
        return {"student_id": f"p{place}", "assignment_score": 70, **more}

    for place in range(4):
        shared.predict("engagement", row | {"student_id": f"p{place}"})
    shared.predict("engagement", row | {"student_id": "p0"})
    said = shared.post(f"{path}/outcomes", [outcome(0), outcome(1), outcome(2, happened_at="2026-01-05")]).json()
    assert (said["new"], said["undated"], "unmatched" in said) == (3, 2, False)
    shared.predict("engagement", row | {"student_id": "p1", "focus": 50})
    stray = shared.post(f"{path}/outcomes", [outcome(9), {"prediction_id": "f" * 32, "assignment_score": 70}]).json()
    assert stray["unmatched"] == 2
    refused = shared.post(f"{path}/outcomes", [outcome(3, happened_at="2999-01-01")]).json()
    assert "future" in refused["problems"][0]["rule"]
    found = shared.get(f"{path}/performance")["targets"][0]
    assert found["n"] - before["n"] == 2
    left_out = [found["left_out"].get(reason, 0) - before["left_out"].get(reason, 0)
                for reason in ("afterwards", "repeated")]  # fmt: skip
    assert left_out == [2, 1]


def test_bad_outcomes_are_refused_with_every_problem(shared: Server) -> None:
    answer = shared.post("/api/v1/engagement/outcomes", [{"assignment_score": 400}, {"student_id": "x"}])
    assert answer.status_code == 422
    assert {p["row"] for p in answer.json()["problems"]} == {1, 2}

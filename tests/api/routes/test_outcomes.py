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
    assert shared.post(path, outcomes).json() == {"outcomes": 4, "new": 4, "corrected": 0, "known": 0}
    assert shared.post(path, outcomes).json() == {"outcomes": 4, "new": 0, "corrected": 0, "known": 4}
    corrected = shared.post(path, [{"prediction_id": said["id"], "final_marks": 78}]).json()
    assert corrected == {"outcomes": 1, "new": 0, "corrected": 1, "known": 0}
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


def test_bad_outcomes_are_refused_with_every_problem(shared: Server) -> None:
    answer = shared.post("/api/v1/engagement/outcomes", [{"assignment_score": 400}, {"student_id": "x"}])
    assert answer.status_code == 422
    assert {p["row"] for p in answer.json()["problems"]} == {1, 2}

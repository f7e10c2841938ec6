"""Answers in the forms of the systems before this one say what theirs said, and all that ours say."""

import pytest

from api.older_addresses import GRADED_ROW, PUPIL_ROW, SCORED_ROW
from tests.api.guarded import Guarded, read

ROWS = {"engagement": SCORED_ROW, "university": GRADED_ROW, "school": PUPIL_ROW}


@pytest.mark.parametrize(
    ("path", "domain", "reads"),
    [("/predict", "engagement", ["predicted_score"]), ("/predict", "school", ["prediction.G3_score"]),
     ("/api/predict/", "university", ["prediction.predicted_grade", "prediction.predicted_final_marks"]),
     ("/api/predict", "university", ["prediction.predicted_grade", "prediction.predicted_final_marks"])],
)  # fmt: skip
def test_an_answer_in_an_older_form_says_all_that_ours_says_and_is_logged_like_it(
    older: Guarded, path: str, domain: str, reads: list[str]
) -> None:
    key, row = older.keys["teacher"], ROWS[domain]
    said = older.ask("POST", path, key, json=row).json()
    ours = older.ask("POST", f"/api/v1/{domain}/predict", key, json=row).json()
    assert [value for one in reads for value in read(said, one)] == [one["value"] for one in ours["answers"]]
    assert ours.keys() <= said.keys()
    assert said["answers"] == ours["answers"]  # interval, plain rule, chance of failing and all
    assert said["warning"] == ours["warning"] is not None  # learned from examples
    with older.server.store() as store:
        logged = store.prediction(said["id"])
    assert logged is not None
    assert (logged.domain, logged.actor) == (domain, "key:a-teacher")
    in_our_form = older.ask("POST", path, key, json=row, params={"form": "gradewatch"}).json()
    assert in_our_form.keys() == ours.keys()
    assert older.ask("POST", path, key, json=row, params={"form": "old"}).status_code == 422
    assert older.ask("POST", path, older.keys["viewer"], json=row).status_code == 403
    outcome = ours["answers"][0]["target"]
    assert "leave it out" in older.ask("POST", path, key, json=row | {outcome: 5}).text


def test_many_rows_have_their_places_and_are_answered_as_each_alone(older: Guarded) -> None:
    key, rows = older.keys["client"], [SCORED_ROW | {"focus": focus} for focus in range(101)]
    said = older.ask("POST", "/predict/batch", key, json={"students": rows}).json()
    ours = older.ask("POST", "/api/v1/engagement/predict/batch", key, json=rows).json()["predictions"]
    assert [one["student_index"] for one in said["predictions"]] == list(range(101))
    assert [one["predicted_score"] for one in said["predictions"]] == [one["answers"][0]["value"] for one in ours]
    assert [one["answers"] for one in said["predictions"]] == [one["answers"] for one in ours]
    assert (said["total_processed"], said["cache_hits"]) == (101, 0)
    in_our_form = older.ask("POST", "/predict/batch", key, json=rows[:2], params={"form": "gradewatch"}).json()
    assert in_our_form["count"] == 2


def test_what_is_asked_for_later_is_answered_by_a_worker_under_its_address(older: Guarded) -> None:
    key = older.keys["teacher"]
    queued = older.ask("POST", "/api/predict/", key, json=GRADED_ROW | {"async_mode": True})
    assert queued.headers["location"] == queued.json()["status_url"]
    older.server.until(lambda: older.ask("GET", queued.json()["status_url"], key).json()["state"] == "done")
    answers = older.ask("GET", queued.json()["status_url"] + "/answers", key).json()
    now = older.ask("POST", "/api/predict/", key, json=GRADED_ROW | {"async_mode": False}).json()
    assert answers["predictions"][0]["answers"] == now["answers"]
    assert older.ask("POST", "/api/predict/", key, json=GRADED_ROW | {"async_mode": "maybe"}).status_code == 422
    assert older.ask("POST", "/api/predict/", key, json={"async_mode": True}).status_code == 422


def test_who_is_named_and_may_be_read_about_is_advised(older: Guarded) -> None:
    teacher, place = older.keys["teacher"], {"subject": "Cloud Computing", "semester": 7}
    others = [GRADED_ROW | place | {"student_id": f"cloud {n}", "midterm_marks": 20 + n / 2} for n in range(12)]
    assert older.ask("POST", "/api/v1/university/predict/batch", teacher, json=others).status_code == 200
    behind = {"student_id": "behind", "midterm_marks": 6, "quiz_marks": 2, "attendance_percentage": 40}
    said = older.ask("POST", "/api/predict/", teacher, json=GRADED_ROW | place | behind).json()
    [subject] = said["weak_subjects"]
    assert (subject["semester"], subject["subject"], subject["others"]) == (7, "Cloud Computing", 12)
    assert subject["predicted_grade"] == said["prediction"]["predicted_grade"]
    advice = older.ask("GET", subject["plan_url"], teacher).json()
    assert subject["total"] == advice["weak_subjects"][0]["value"]
    titles = [one["entry"]["title"] for one in advice["plan"]["recommendations"]]
    assert [one["title"] for one in said["study_plan_links"]] == titles != []
    assert all(one["url"] for one in said["study_plan_links"])
    looked = older.recorded(lambda entry: entry.details.get("prediction") == said["id"])
    assert (looked.actor, looked.action) == ("key:a-teacher", "prediction read")
    refused = older.ask("POST", "/api/predict/", older.keys["client"], json=GRADED_ROW | place | behind).json()
    assert (refused["weak_subjects"], refused["study_plan_links"]) == ([], [])
    assert "permission to read" in refused["advice"]

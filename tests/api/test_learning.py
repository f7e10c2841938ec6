"""What is uploaded, what really happened, how good the answers were, and runs that learn from it."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.api.serving import ENGAGEMENT, Server

CSV = {"content-type": "text/csv", "x-file-name": "term.csv"}


def upload(server: Server, content: str | bytes, *, kind: str = "labeled", skip: bool = False) -> tuple[int, dict]:  # type: ignore[type-arg]
    params = {"kind": kind, "skip_bad_rows": str(skip).lower()}
    answer = server.client.post("/api/v1/engagement/batches", params=params, content=content, headers=CSV)
    return answer.status_code, answer.json()


def labeled(rows: int, *, score: float = 70) -> str:
    header = [*ENGAGEMENT, "assignment_score", "student_id"]
    lines = [[*(value - i / 100 for value in ENGAGEMENT.values()), score, f"b{i}"] for i in range(rows)]
    return "\n".join(",".join(map(str, line)) for line in [header, *lines])


def test_the_same_content_twice_is_stored_once_and_said_so(shared: Server) -> None:
    content = labeled(20)
    first, second = upload(shared, content), upload(shared, content + "\n\n")
    assert (first[0], first[1]["new"]) == (201, True)
    assert (second[0], second[1]["new"]) == (200, False)
    assert first[1]["batch"] == second[1]["batch"] | {"at": first[1]["batch"]["at"]}
    stored = [one["id"] for one in shared.get("/api/v1/engagement/batches", params={"kind": "labeled"})["batches"]]
    assert stored.count(first[1]["batch"]["id"]) == 1


def test_a_file_may_also_come_as_a_form(shared: Server) -> None:
    files = {"file": ("form.csv", labeled(7, score=33).encode())}
    answer = shared.client.post("/api/v1/engagement/batches", params={"kind": "labeled"}, files=files)
    assert answer.status_code == 201
    assert answer.json()["batch"]["name"] == "form.csv"
    empty = shared.client.post("/api/v1/engagement/batches", params={"kind": "labeled"}, files={"other": b"x"})
    assert (empty.status_code, "'file'" in empty.json()["detail"]) == (400, True)


def test_a_file_with_bad_rows_is_refused_whole_unless_they_may_be_skipped(shared: Server) -> None:
    content = labeled(5, score=41) + "\n" + ",".join([*["500"] * 5, "12", "b9"])
    status, refused = upload(shared, content)
    assert status == 422
    assert {(p["file"], p["row"]) for p in refused["problems"]} == {("term.csv", 7)}
    assert len(refused["problems"]) == 5
    status, kept = upload(shared, content, skip=True)
    assert (status, kept["batch"]["rows"], kept["skipped"], len(kept["problems"])) == (201, 5, 1, 5)


def test_files_that_cannot_be_read_or_are_too_large_are_refused_in_words(shared: Server) -> None:
    assert upload(shared, b"\x1f\x8b gzip")[0] == 422
    status, answer = upload(shared, b"a,b\n" + b"1,2\n" * 300_000)
    assert (status, "1 MB" in answer["detail"]) == (413, True)
    status, answer = upload(shared, labeled(1001))
    assert (status, "1,000" in answer["detail"]) == (413, True)
    answer = shared.client.post("/api/v1/engagement/batches", content=labeled(3)).json()
    assert answer["problems"][0]["column"] == "kind"


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


def test_an_upload_template_can_be_uploaded(shared: Server) -> None:
    for kind in ("csv", "xlsx"):
        file = shared.client.get("/api/v1/domains/engagement/template", params={"format": kind})
        assert upload(shared, file.content)[0] in (200, 201)
    assert re.search(r'filename="engagement\.xlsx"', file.headers["content-disposition"])


def test_a_file_is_judged_against_the_champions_own_data(shared: Server, trained: Path) -> None:
    lines = (trained / "examples" / "engagement.csv").read_text().splitlines()
    half = "\n".join(lines[:101])
    judged = shared.client.post("/api/v1/engagement/drift", content=half, headers=CSV).json()
    place = lines[0].split(",").index("attention")
    moved = [line.split(",") for line in lines[1:]]
    shifted = "\n".join([lines[0], *(",".join([*m[:place], "3", *m[place + 1 :]]) for m in moved)])
    alarmed = shared.client.post("/api/v1/engagement/drift", content=shifted, headers=CSV).json()
    assert (judged["alarm"], alarmed["alarm"]) == (False, True)
    assert alarmed["document"]["columns"][0]["column"] == "attention"
    newest = shared.get("/api/v1/engagement/drift")["reports"]
    assert [one["id"] for one in newest[:2]] == [alarmed["id"], judged["id"]]
    assert shared.get(f"/api/v1/engagement/drift/{judged['id']}") == judged
    files = {"file": shifted.encode(), "reference": half.encode()}
    assert shared.client.post("/api/v1/engagement/drift", files=files).json()["alarm"]
    assert shared.client.post("/api/v1/engagement/drift", files={"file": half, "reference": half}).status_code == 422


def test_a_window_of_predictions_is_judged_without_a_file(shared: Server) -> None:
    rows = [{**ENGAGEMENT, "attention": 20 + i} for i in range(40)]
    assert shared.post("/api/v1/engagement/predict/batch", rows).status_code == 200
    today = datetime.now(UTC).date().isoformat()
    judged = shared.post("/api/v1/engagement/drift/window", {"since": today})
    assert judged.status_code == 200
    assert judged.json()["document"]["n_current"] >= 40
    assert shared.get(f"/api/v1/engagement/drift/{judged.json()['id']}") == judged.json()
    for impossible in ({"since": "2020-01-01", "until": "2020-02-01"}, {"since": today, "until": today}):
        assert shared.post("/api/v1/engagement/drift/window", impossible).status_code == 422
    for misspelt in ({"since": "soon"}, {"from": today}, {}):
        assert shared.post("/api/v1/engagement/drift/window", misspelt).status_code == 400


def test_a_retraining_run_starts_at_once_and_its_decision_is_read_later(serve: Callable[..., Server]) -> None:
    server = serve()
    upload(server, labeled(20))
    answer = server.post("/api/v1/engagement/retrain", {})
    assert answer.status_code == 202
    assert server.post("/api/v1/engagement/retrain", {}).status_code == 409
    address = answer.headers["location"]
    run = server.until(lambda: (run := server.get(address))["state"] != "running" and run)
    assert (run["state"], run["exit_code"]) == ("finished", 0), run["words"]
    assert [one["verdict"] for one in run["decisions"]] == ["keep"]
    ended = server.until(lambda: [line for line in server.words().splitlines() if '"retraining ended"' in line])
    [line] = map(json.loads, ended)
    told = {name: line[name] for name in ("run", "domain", "state", "exit_code", "decisions")}
    [decision] = run["decisions"]
    assert told == {"run": run["id"], "domain": "engagement", "state": "finished", "exit_code": 0,
                    "decisions": [f"{decision['target']}@{decision['moment']}: keep"]}  # fmt: skip
    first = ("{", "starting the API", "INFO: ")  # the last are uvicorn's, until it serves
    assert not [line for line in server.words().splitlines() if not line.startswith(first)]
    listed = server.get("/api/v1/engagement/retrain")
    assert listed["decisions"] == run["decisions"]
    assert [one["id"] for one in listed["runs"]] == [run["id"]]
    assert server.post("/api/v1/engagement/retrain", {"target": "?"}).status_code == 422
    assert server.post("/api/v1/engagement/retrain", {"targets": []}).status_code == 400


def test_stopping_the_service_stops_its_retraining_run_and_frees_the_domain(serve: Callable[..., Server]) -> None:
    server = serve()
    server.post("/api/v1/engagement/retrain", {})
    server.stop()
    with server.store() as store:
        [event] = store.events("engagement", kind="retraining_finished")
        assert event.details["state"] == "stopped"
        assert store.try_lease("retrain:engagement", "test", 1.0) is None

"""Work in the background over HTTP: asked for, followed, cancelled, found again after a restart, seen by who may."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.api.serving import ENGAGEMENT, Server

CSV = {"content-type": "text/csv", "x-file-name": "term.csv"}
LATER = {"prefer": "respond-async"}
DRIFT = "/api/v1/engagement/drift"
SCORE = "/api/v1/engagement/predict/batch"


def rows_of(folder: Path, count: int) -> str:
    return "\n".join((folder / "examples" / "engagement.csv").read_text().splitlines()[: count + 1])


def ended(server: Server, address: str) -> Any:
    return server.until(lambda: (job := server.get(address))["finished"] and job)


def test_asked_to_answer_later_it_says_where_and_there_it_tells_of_the_report(shared: Server, trained: Path) -> None:
    answer = shared.client.post(DRIFT, content=rows_of(trained, 90), headers=CSV | LATER)
    assert (answer.status_code, answer.headers["preference-applied"]) == (202, "respond-async")
    address = answer.headers["location"]
    assert address == f"/api/v1/jobs/{answer.json()['id']}"
    job = ended(shared, address)
    assert (job["kind"], job["domain"], job["state"], job["attempts"]) == ("drift of a file", "engagement", "done", 1)
    assert job["asked"] <= job["started"] <= job["finished"]
    report = shared.get(job["result"]["address"])
    assert report["document"]["n_current"] == 90
    assert job["id"] in [one["id"] for one in shared.get("/api/v1/jobs", params={"kind": "drift of a file"})["jobs"]]
    assert shared.get("/api/v1/jobs", params={"state": "waiting", "kind": "drift of a file"})["jobs"] == []


def test_a_job_that_failed_tells_what_a_waiting_request_is_told(shared: Server) -> None:
    bad = "attention\n500\n"
    at_once = shared.client.post(DRIFT, content=bad, headers=CSV)
    assert at_once.headers["content-type"] == "application/problem+json"
    later = shared.client.post(DRIFT, content=bad, headers=CSV | LATER)
    assert ended(shared, later.headers["location"])["problem"] == at_once.json()
    as_file = shared.client.post(DRIFT, content=bad, headers=CSV | {"accept": "text/csv"})
    assert (as_file.status_code, as_file.headers["content-type"].split(";")[0]) == (422, "text/csv")
    assert as_file.text.count("\n") > 1


def test_the_answers_of_a_file_that_is_scored_later_are_those_that_are_told_at_once(
    shared: Server, trained: Path
) -> None:
    content = rows_of(trained, 60)
    at_once = shared.client.post(SCORE, content=content, headers=CSV).json()
    later = shared.client.post(SCORE, content=content, headers=CSV | LATER)
    job = ended(shared, later.headers["location"])
    told = shared.get(job["result"]["address"])
    assert (told["count"], told["note"]) == (60, at_once["note"])

    def said(answer: Any) -> list[Any]:
        return [[one["answers"], one["student"]] for one in answer["predictions"]]

    assert said(told) == said(at_once)
    assert {name for name in told if told[name] != at_once[name]} == {"predictions"}  # whose ids are others
    lines = shared.client.get(job["result"]["address"], headers={"accept": "application/x-ndjson"}).text
    assert lines.count("\n") == 60
    logged = shared.get(f"/api/v1/engagement/predictions/{told['predictions'][7]['id']}")
    assert logged["answers"][0]["value"] == told["predictions"][7]["answers"][0]["value"]
    assert shared.client.get(f"/api/v1/jobs/{'0' * 32}/answers").status_code == 404


def test_the_same_key_asks_for_the_same_work_and_another_request_with_it_is_refused(
    shared: Server, trained: Path
) -> None:
    content, key = rows_of(trained, 40), {"idempotency-key": '"of monday"'}
    first, again = (shared.client.post(SCORE, content=content, headers=CSV | key).json() for _ in range(2))
    assert first == again
    other = shared.client.post(SCORE, content=rows_of(trained, 41), headers=CSV | key)
    assert (other.status_code, other.json()["title"]) == (422, "KeyReused")
    empty = shared.client.post(SCORE, content=content, headers=CSV | {"idempotency-key": '""'})
    assert (empty.status_code, empty.json()["title"]) == (400, "BadPreference")
    run, same = (shared.post("/api/v1/school/retrain", {"dry_run": True}, headers=key) for _ in range(2))
    assert (run.status_code, run.json()["id"]) == (202, same.json()["id"])
    shared.client.delete(f"/api/v1/jobs/{run.json()['id']}")


def test_what_was_asked_of_a_service_that_was_killed_is_done_by_the_next_and_found_there(
    serve: Callable[..., Server], installation: Path
) -> None:
    first = serve()
    first.predict("engagement", ENGAGEMENT)
    address = first.client.post(SCORE, content=rows_of(installation, 50), headers=CSV | LATER).headers["location"]
    first.kill()
    second = serve()
    job = ended(second, address)
    assert job["state"] == "done"
    assert second.get(job["result"]["address"])["count"] == 50
    with second.store() as store:
        assert store.count_predictions("engagement") == 51


def test_elsewhere_than_on_one_machine_a_job_says_that_nobody_is_there_and_is_cancelled(
    postgres_url: str, serve: Callable[..., Server]
) -> None:
    server = serve(GRADEWATCH_DATABASE_URL=postgres_url)
    began = time.monotonic()
    answer = server.client.post(DRIFT, content="a,b\n1,2\n", headers=CSV)
    assert answer.status_code == 202
    assert time.monotonic() - began < 10
    job = server.get(answer.headers["location"])
    assert (job["state"], job["note"]) == (
        "waiting",
        "no worker has been seen yet: start one with gradewatch worker",
    )
    cancelled = server.client.delete(answer.headers["location"]).json()
    assert cancelled["state"] == "cancelled"
    assert server.client.delete(answer.headers["location"]).json() == cancelled
    assert server.client.delete("/api/v1/jobs/unknown").status_code == 404
    run = server.post("/api/v1/school/retrain", {}).headers["location"]
    assert server.post("/api/v1/school/retrain", {}).status_code == 409
    server.client.delete(f"/api/v1/jobs/{run.rpartition('/')[2]}")
    assert server.get(run)["state"] == "stopped"
    assert server.post("/api/v1/school/retrain", {}).status_code == 202  # the domain is free again


def test_a_request_waits_as_long_as_its_caller_says(shared: Server, trained: Path) -> None:
    answer = shared.client.post(DRIFT, content=rows_of(trained, 91), headers=CSV | {"prefer": "return=minimal, wait=0"})
    assert answer.status_code == 202
    assert "preference-applied" not in answer.headers
    assert ended(shared, answer.headers["location"])["state"] == "done"

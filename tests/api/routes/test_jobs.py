"""Work in the background over HTTP: asked for, followed, cancelled, found again after a restart, seen by who may."""

import time
from collections.abc import Callable
from pathlib import Path

from tests.api.serving import ENGAGEMENT, Server
from tests.api.uploads import CSV, DRIFT, LATER, SCORE, ended, rows_of


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

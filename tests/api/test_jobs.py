"""A request has work done in the background: it waits as long as is said, and the same key asks for the same work."""

from pathlib import Path

from tests.api.serving import Server
from tests.api.uploads import CSV, DRIFT, LATER, SCORE, ended, rows_of


def test_a_job_that_failed_tells_what_a_waiting_request_is_told(shared: Server) -> None:
    bad = "attention\n500\n"
    at_once = shared.client.post(SCORE, content=bad, headers=CSV)
    assert at_once.headers["content-type"] == "application/problem+json"
    later = shared.client.post(SCORE, content=bad, headers=CSV | LATER)
    assert ended(shared, later.headers["location"])["problem"] == at_once.json()
    as_file = shared.client.post(SCORE, content=bad, headers=CSV | {"accept": "text/csv"})
    assert (as_file.status_code, as_file.headers["content-type"].split(";")[0]) == (422, "text/csv")
    assert as_file.text.count("\n") > 1


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


def test_a_request_waits_as_long_as_its_caller_says(shared: Server, trained: Path) -> None:
    answer = shared.client.post(DRIFT, content=rows_of(trained, 91), headers=CSV | {"prefer": "return=minimal, wait=0"})
    assert answer.status_code == 202
    assert "preference-applied" not in answer.headers
    assert ended(shared, answer.headers["location"])["state"] == "done"

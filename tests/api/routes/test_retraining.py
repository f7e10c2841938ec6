"""Retraining runs start at once, are read later, and stop with the service."""

from collections.abc import Callable

from tests.api.serving import Server
from tests.api.uploads import labeled, upload


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
    [decision] = run["decisions"]
    with server.store() as store:
        [told] = store.events("engagement", kind="retraining_finished")
        assert told.details["decisions"] == [f"{decision['target']}@{decision['moment']}: keep"]
    first = ("{", "starting the API", "INFO: ")  # the last are uvicorn's, until it serves
    assert not [line for line in server.words().splitlines() if not line.startswith(first)]
    listed = server.get("/api/v1/engagement/retrain")
    assert listed["decisions"] == run["decisions"]
    assert [one["id"] for one in listed["runs"]] == [run["id"]]
    assert server.post("/api/v1/engagement/retrain", {"target": "?"}).status_code == 422
    assert server.post("/api/v1/engagement/retrain", {"targets": []}).status_code == 400


def test_stopping_the_service_gives_its_retraining_run_back_and_frees_the_domain(serve: Callable[..., Server]) -> None:
    server = serve()
    run = server.post("/api/v1/engagement/retrain", {}).json()["id"]
    server.until(lambda: server.get(f"/api/v1/jobs/{run}")["state"] != "waiting")
    server.stop()
    with server.store() as store:
        job = store.job(run)
        assert job is not None
        assert (job.state, job.attempts) in (("waiting", 0), ("done", 1))
        assert store.try_lease("retrain:engagement", "test", 1.0) is None

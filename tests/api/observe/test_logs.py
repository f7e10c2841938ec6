"""What stands in the log: JSON lines with the ids of answers, and never an address as it was typed."""

import json
from collections.abc import Callable

from tests.api.serving import ENGAGEMENT, Server
from tests.deployment.test_monitoring import indexed


def lines(server: Server) -> list[dict[str, object]]:
    return [json.loads(line) for line in server.words().splitlines() if line.startswith("{")]


def test_every_line_of_the_log_is_json(serve: Callable[..., Server]) -> None:
    server = serve()
    server.predict("engagement", ENGAGEMENT)
    server.stop()
    started = server.words().index("{")
    assert all(json.loads(line) for line in server.words()[started:].splitlines())


def test_a_request_is_found_in_the_log_by_the_id_of_its_answer(shared: Server) -> None:
    mine = "caller-4711.a"
    answer = shared.client.post("/api/v1/engagement/predict", json=ENGAGEMENT, headers={"x-request-id": mine})
    other = shared.client.post("/api/v1/engagement/predict", json={})
    forged = shared.client.get("/api/v1/domains", headers={"x-request-id": "a b;c"})
    assert answer.headers["x-request-id"] == mine
    assert forged.headers["x-request-id"] != "a b;c"
    last = forged.headers["x-request-id"]
    shared.until(lambda: last in shared.words())
    found = {line.get("request"): line for line in lines(shared)}
    assert found[mine]["status"] == 200
    assert found[other.headers["x-request-id"]]["status"] == 422
    assert found[mine]["route"] == "/api/v1/{domain}/predict"


def test_lines_have_the_names_of_ecs_where_that_is_set(serve: Callable[..., Server]) -> None:
    server = serve(GRADEWATCH_LOG_FORMAT="ecs")
    server.post("/api/v1/engagement/predict", ENGAGEMENT, headers={"x-request-id": "caller-1"})
    server.stop()
    said = lines(server)
    assert said
    always = {"@timestamp", "log.level", "message", "ecs.version", "service.name"}
    assert all(always <= line.keys() and line["service.name"] == "gradewatch" for line in said)
    (asked,) = (line for line in said if line.get("http.request.id") == "caller-1")
    assert asked["http.response.status_code"] == 200
    assert asked["gradewatch.route"] == "/api/v1/{domain}/predict"
    assert isinstance(asked["event.duration"], int)


def test_one_id_leads_from_a_request_to_its_job_and_what_the_worker_did(serve: Callable[..., Server]) -> None:
    server = serve(GRADEWATCH_LOG_FORMAT="ecs")
    head = {"x-request-id": "caller-9"}
    asked = server.client.post("/api/v1/engagement/predict/batch?async=true", json=[ENGAGEMENT] * 3, headers=head)
    assert asked.status_code == 202, asked.text
    job = asked.json()["id"]
    server.until(lambda: "scoring of engagement is done" in server.words())
    server.stop()
    mine = [line for line in lines(server) if line.get("http.request.id") == "caller-9"]
    assert {"job asked for", "request", "scoring of engagement begun", "scoring of engagement is done"} <= {
        line["message"] for line in mine
    }
    assert {line["gradewatch.job"] for line in mine if "gradewatch.job" in line} == {job}
    assert {name for line in lines(server) for name in line} <= indexed(), "Elasticsearch is told of each field"
    with server.store() as store:
        assert store.job(job).request == "caller-9"  # type: ignore[union-attr]

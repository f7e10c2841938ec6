"""What an operator sees: ids, JSON lines, metrics; and what must never be in them."""

import json
import re
from collections.abc import Callable

from tests.api.serving import ENGAGEMENT, Server

SAMPLE = re.compile(r'[a-z_]+(\{[a-z_]+="[^"\n]*"(,[a-z_]+="[^"\n]*")*\})? (-?[0-9.e+-]+|\+Inf)')


def lines(server: Server) -> list[dict[str, object]]:
    return [json.loads(line) for line in server.words().splitlines() if line.startswith("{")]


def metric(server: Server, start: str) -> float:
    text = server.client.get("/metrics").text
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(start))


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
    found = {line.get("request"): line for line in lines(shared)}
    assert found[mine]["status"] == 200
    assert found[other.headers["x-request-id"]]["status"] == 422
    assert found[mine]["route"] == "/api/v1/{domain}/predict"


def test_addresses_as_they_were_typed_are_in_no_log_and_no_metric(shared: Server) -> None:
    shared.client.get("/api/v1/engagement/predictions", params={"student": "pupil-0815"})
    shared.client.get("/students/pupil-0815")
    shared.client.request("PUPIL-0815", "/students")
    assert "0815" not in shared.words()
    assert "0815" not in shared.client.get("/metrics").text


def test_the_metrics_are_prometheus_text_and_count_what_was_answered(serve: Callable[..., Server]) -> None:
    server = serve()
    for _ in range(3):
        server.predict("engagement", ENGAGEMENT)
    server.post("/api/v1/engagement/predict/batch", [ENGAGEMENT] * 4)
    server.post("/api/v1/engagement/predict", {})
    answer = server.client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    samples = [line for line in answer.text.splitlines() if not line.startswith("#")]
    assert [line for line in samples if not SAMPLE.fullmatch(line)] == []
    predict = '{route="/api/v1/{domain}/predict",method="POST",status='
    assert metric(server, f'gradewatch_requests_total{predict}"200"') == 3
    assert metric(server, f'gradewatch_requests_total{predict}"422"') == 1
    assert metric(server, 'gradewatch_predictions_total{domain="engagement",moment="now"}') == 7
    assert metric(server, 'gradewatch_stage_seconds_count{stage="log"}') == 4
    assert metric(server, 'gradewatch_log_total{of="logged"}') == 7
    assert metric(server, 'gradewatch_champion_generation{domain="engagement"') == 1


def test_a_row_asked_again_is_not_scored_again_but_logged_again(serve: Callable[..., Server]) -> None:
    server = serve()
    first, second = (server.predict("engagement", ENGAGEMENT) for _ in range(2))
    assert first["answers"] == second["answers"]
    stats = server.get("/admin/cache/stats")
    assert (stats["hits"], stats["misses"], stats["entries"]) == (1, 1, 1)
    rows = [ENGAGEMENT, ENGAGEMENT | {"focus": 1}, ENGAGEMENT]
    batch = server.post("/api/v1/engagement/predict/batch", rows).json()["predictions"]
    assert batch[0]["answers"] == batch[2]["answers"] == first["answers"] != batch[1]["answers"]
    with server.store() as store:
        assert len({one.id for one in store.predictions("engagement")}) == 5
    assert server.client.delete("/admin/cache").json() == {"cleared": 2}
    assert server.get("/admin/cache/stats")["entries"] == 0

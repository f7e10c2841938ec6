"""Counts of what was answered, under labels that callers cannot multiply."""

from collections.abc import Callable
from typing import Any

from prometheus_client.parser import text_string_to_metric_families as parse_text

from tests.api.serving import ENGAGEMENT, Server, metric


def test_addresses_as_they_were_typed_are_in_no_log_and_no_metric(shared: Server) -> None:
    shared.client.get("/api/v1/engagement/predictions", params={"student": "pupil-0815"})
    shared.client.get("/students/pupil-0815")
    shared.client.request("PUPIL-0815", "/students")
    assert "pupil" not in shared.words().lower()
    assert "pupil" not in shared.client.get("/metrics").text.lower()


def test_the_metrics_count_what_was_answered(serve: Callable[..., Server]) -> None:
    server = serve()
    for _ in range(3):
        server.predict("engagement", ENGAGEMENT)
    server.post("/api/v1/engagement/predict/batch", [ENGAGEMENT] * 4)
    in_a_file = 2
    lines_of_csv = [",".join(ENGAGEMENT), *[",".join(map(str, ENGAGEMENT.values()))] * in_a_file]
    file: Any = {"content": "\n".join(lines_of_csv), "headers": {"content-type": "text/csv"}}
    assert server.client.post("/api/v1/engagement/predict/batch", **file).status_code == 200
    server.post("/api/v1/engagement/predict", {})
    server.client.get("/nowhere")
    predict = {"route": "/api/v1/{domain}/predict", "method": "POST"}
    assert metric(server, "requests_total", status="200", **predict) == 3
    assert metric(server, "requests_total", status="422", **predict) == 1
    assert metric(server, "request_seconds_count", route="/api/v1/{domain}/predict") == 4
    assert metric(server, "request_seconds_bucket", route="/api/v1/{domain}/predict", le="+Inf") == 4
    assert metric(server, "refused_total", reason="BadData", status="422") == 1
    assert metric(server, "refused_total", reason="NotFound", status="404") == 1
    assert metric(server, "predictions_total", domain="engagement", moment="now") == 7 + in_a_file
    for stage in ("read", "score", "log", "encode"):
        assert metric(server, "stage_seconds_count", stage=stage) == 4
    assert metric(server, "log_logged_total") == 7  # those of a file are logged by the worker that scores it
    assert metric(server, "log_waiting") == 0
    assert metric(server, "champion_generation", domain="engagement") == 1
    assert metric(server, "requests_at_work") == 1
    assert metric(server, "cache_hits_total", backend="memory") == 2  # of rows asked one by one
    assert metric(server, "cache_misses_total", backend="memory") == 1


def test_labels_do_not_grow_with_what_callers_send(shared: Server) -> None:
    def series() -> int:
        return len([one for family in parse_text(shared.client.get("/metrics").text) for one in family.samples])

    def strange(number: int) -> None:
        shared.client.get(f"/nowhere/{number}")
        shared.client.request(f"VERB{number}", "/api/v1/engagement/predict")
        shared.client.get("/api/v1/domains", headers={"x-request-id": f"number-{number}"})

    strange(0)
    before = series()
    for number in range(1, 6):
        strange(number)
    assert series() == before

"""What stands in the log: JSON lines with the ids of answers, and never an address as it was typed."""

import json
from collections.abc import Callable

from tests.api.serving import ENGAGEMENT, Server


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

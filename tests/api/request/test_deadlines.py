"""Neither a caller nor a stop is waited for without end, and what has begun is answered."""

import json
import signal
import socket
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import httpx

from tests.api.serving import ENGAGEMENT, Server, metric

PREDICT = b"POST /api/v1/engagement/predict HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"


def connect(server: Server) -> socket.socket:
    host, _, port = server.url.removeprefix("http://").rpartition(":")
    return socket.create_connection((host, int(port)), timeout=120)


def read_answer(caller: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of an answer, read until the service closes the connection or the body is whole."""
    got = b""
    while b"\r\n\r\n" not in got:
        part = caller.recv(65_536)
        if not part:
            raise ConnectionError("closed without an answer")
        got += part
    headers, _, body = got.partition(b"\r\n\r\n")
    status, *lines = headers.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        body += caller.recv(65_536)
    return int(status.split()[1]), headers, body


def at_work(server: Server) -> float:
    """How many requests the service is answering, this question among them."""
    return metric(server, "requests_at_work")


def predicted(server: Server) -> Any:
    """An answer, as soon as this machine is quick enough for the limits of the test."""
    asked = partial(server.post, "/api/v1/engagement/predict", ENGAGEMENT)
    return server.until(lambda: (answer := asked()).status_code == 200 and answer.json())


def test_a_body_that_trickles_in_is_not_waited_for(serve: Callable[..., Server]) -> None:
    server = serve(GRADEWATCH_BODY_SECONDS="0.4")
    caller = connect(server)
    caller.sendall(PREDICT + b"content-length: 1000\r\n\r\n{")
    stop = threading.Event()

    def trickle() -> None:
        while not stop.wait(0.05):
            try:
                caller.sendall(b" ")
            except OSError:
                return

    sender = threading.Thread(target=trickle)
    sender.start()
    status, headers, body = read_answer(caller)
    stop.set()
    sender.join()
    caller.close()
    assert (status, headers["connection"]) == (408, "close")
    assert json.loads(body)["detail"] == "the body did not come within 0.4 seconds; nothing of this request was kept"
    predicted(server)


def test_an_answer_that_takes_too_long_is_given_up_in_words(serve: Callable[..., Server]) -> None:
    server = serve(GRADEWATCH_REQUEST_SECONDS="0.5")
    said = predicted(server)
    outcome = {"prediction_id": said["id"], said["answers"][0]["target"]: 50}
    with server.locked_database():
        answer = server.post("/api/v1/engagement/outcomes", [outcome])
    assert (answer.status_code, answer.json()["title"]) == (503, "TookTooLong")
    assert answer.json()["detail"] == "no answer within 0.5 seconds; what was asked may still be done"
    assert answer.headers["retry-after"] == "30"


def test_a_stopping_service_answers_what_it_has_begun_and_loses_nothing(serve: Callable[..., Server]) -> None:
    server = serve()
    answered: list[str] = []
    enough = threading.Event()

    def ask() -> None:
        with httpx.Client(base_url=server.url, timeout=120) as client:
            while True:
                try:
                    answer = client.post("/api/v1/engagement/predict", json=ENGAGEMENT)
                except httpx.TransportError:  # the connection was closed between two requests
                    return
                assert answer.status_code == 200
                answered.append(answer.json()["id"])
                if len(answered) > 200:
                    enough.set()

    waiting = connect(server)  # has begun its request before the service is told, and sends the rest after
    body = json.dumps(ENGAGEMENT).encode()
    waiting.sendall(PREDICT + b"content-length: %d\r\n\r\n" % len(body))
    server.until(lambda: at_work(server) == 2)
    callers = [threading.Thread(target=ask) for _ in range(8)]
    for caller in callers:
        caller.start()
    assert enough.wait(60)
    server.process.send_signal(signal.SIGTERM)
    for caller in callers:
        caller.join(30)
    waiting.sendall(body)
    status, _, said = read_answer(waiting)
    waiting.close()
    server.process.wait(30)
    assert status == 200
    with server.store() as store:
        kept = {one.id for one in store.predictions("engagement", limit=None)}
    assert kept == {*answered, json.loads(said)["id"]}  # none lost, and none kept whose answer was cut off
    assert "Traceback" not in server.words()


def test_a_stopping_service_says_at_once_that_it_is_not_ready(serve: Callable[..., Server]) -> None:
    server = serve(GRADEWATCH_NOTICE_SECONDS="600")
    assert server.client.get("/ready").status_code == 200
    server.process.send_signal(signal.SIGTERM)
    answer = server.until(lambda: (found := server.client.get("/ready")).status_code == 503 and found)
    assert answer.json()["reasons"] == ["this worker is being stopped"]
    assert answer.headers["connection"] == "close"
    assert server.post("/api/v1/engagement/predict", ENGAGEMENT).status_code == 200
    server.process.send_signal(signal.SIGINT)  # which waits for no notice
    server.process.wait(30)


def test_a_request_that_outlasts_the_stop_is_ended_in_words(serve: Callable[..., Server]) -> None:
    server = serve(GRADEWATCH_STOP_SECONDS="0.3")
    caller = connect(server)
    caller.sendall(PREDICT + b"content-length: 1000\r\n\r\n{")
    server.until(lambda: at_work(server) == 2)
    server.process.send_signal(signal.SIGTERM)
    status, _, body = read_answer(caller)
    caller.close()
    assert status == 503
    assert json.loads(body)["title"] == "Stopping"
    server.process.wait(30)


def test_a_change_that_outlasts_its_request_is_recorded_all_the_same(serve: Callable[..., Server]) -> None:
    server = serve(GRADEWATCH_REQUEST_SECONDS="0.4")
    ask = partial(server.client.get, "/api/v1/models", params={"domain": "engagement"})
    [champion] = server.until(lambda: (found := ask()).status_code == 200 and found.json()["champions"])
    wanted = {"domain": "engagement", "version": champion["version"]}
    with server.locked_database():
        answer = server.post("/api/v1/models/activate", wanted)
        assert answer.status_code == 503, answer.text
        assert "may still be done" in answer.json()["detail"]

    def recorded() -> bool:
        with server.store() as store:
            return bool(store.accesses(action="champion activated"))

    server.until(recorded)

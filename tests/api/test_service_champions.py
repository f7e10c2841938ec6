"""A change of champion under load fails no request, and a killed worker keeps what it acknowledged."""

import json
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import httpx
import msgspec
from prometheus_client.parser import text_string_to_metric_families as parse_text

from database.records import ModelVersion
from model.pauses import EVERY_DOMAIN, RULE_OF, pause, resume
from model.registry import install, load_bundle
from model.workspace import Workspace
from preprocessing.schema import SHIPPED
from retraining.first_champions import register
from tests.api.serving import ENGAGEMENT, UNIVERSITY, Server, metric

PREDICT = "/api/v1/engagement/predict"


CONNECTIONS = 4


def another_version(workspace: Workspace) -> tuple[ModelVersion, ModelVersion]:
    """(the champion of engagement, a model that answers the same with another stated coverage), both registered."""
    [champion] = [one for one in workspace.store.champions() if one.domain == "engagement"]
    bundle = load_bundle(workspace.artifacts, champion.version)
    other = msgspec.structs.replace(bundle, manifest=msgspec.structs.replace(bundle.manifest, coverage=0.8))
    [present] = workspace.store.models(champion.key)
    return present, register(workspace.store, workspace.artifacts, other)


def test_a_model_meets_only_the_schema_that_it_learned(
    serve: Callable[..., Server], installation: Path, workspace: Workspace
) -> None:
    """Renamed under a live champion: nobody is answered there, the others are; back again, with another title, all."""
    [path, domains] = SHIPPED / "university.toml", installation / "domains"
    domains.mkdir()
    (domains / path.name).write_text(path.read_text().replace('name = "quiz_marks"', 'name = "quizzes_taken"'))
    server = serve(GRADEWATCH_DOMAINS_DIR=str(domains))
    row = {"quizzes_taken" if name == "quiz_marks" else name: value for name, value in UNIVERSITY.items()}
    for path_, body in (("/api/v1/university/predict", row), ("/api/v1/university/predict/batch", [row, row])):
        refused = server.post(path_, body)
        assert (refused.status_code, refused.json()["title"]) == (409, "SchemaChanged")
        assert "'quiz_marks' is gone" in refused.json()["detail"]
    assert server.predict("engagement", ENGAGEMENT)
    ready = server.get("/ready")
    assert ready["ready"]
    assert {(one["domain"], one["target"]) for one in ready["stopped"]} == {
        ("university", "final_marks"),
        ("university", "final_grade"),
    }
    assert metric(server, "champion_stopped", domain="university") == 2
    assert len(workspace.store.events("university", kind="champion_stopped")) == 2
    server.stop()
    (domains / path.name).write_text(path.read_text().replace("University, final", "Our university, final"))
    again = serve(GRADEWATCH_DOMAINS_DIR=str(domains))
    assert again.get("/ready")["stopped"] == []
    assert "title was" in again.predict("university", UNIVERSITY)["warning"]
    assert "title was" in again.post("/api/v1/university/predict/batch", [UNIVERSITY] * 2).json()["warning"]


def hammer(server: Server, ended: Event) -> list[tuple[int, str]]:
    """(status, id or reason) of every request until `ended`, over one connection."""
    answers = []
    with httpx.Client(base_url=server.url, timeout=120) as client:
        while not ended.is_set():
            try:
                answer = client.post(PREDICT, json=ENGAGEMENT)
            except httpx.TransportError as error:
                answers.append((0, repr(error)))
                break
            generation = str(answer.json()["answers"][0]["generation"]) if answer.status_code == 200 else answer.text
            answers.append((answer.status_code, generation))
    return answers


def test_twenty_promotions_under_load_fail_no_request(serve: Callable[..., Server], workspace: Workspace) -> None:
    server, models, ended = serve(), another_version(workspace), Event()
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        loads = [pool.submit(hammer, server, ended) for _ in range(CONNECTIONS)]
        for promotion in range(20):
            install(workspace.store, [models[(promotion + 1) % 2]], action="promote", actor="test", reason="load")
            generation = promotion + 2
            server.until(lambda g=generation: server.predict("engagement", ENGAGEMENT)["answers"][0]["generation"] == g)
        ended.set()
        answers = [answer for load in loads for answer in load.result()]
    assert {status for status, _ in answers} == {200}
    assert len({generation for _, generation in answers}) > 10


def test_while_the_database_takes_nothing_nobody_is_answered_and_afterwards_all_are(
    serve: Callable[..., Server], installation: Path
) -> None:
    server = serve(GRADEWATCH_DATABASE_URL=f"sqlite:///{installation / 'gradewatch.db'}?busy_timeout=100")
    with server.locked_database():
        for path, body in ((PREDICT, ENGAGEMENT), ("/api/v1/university/predict/batch", [UNIVERSITY])):
            refused = server.post(path, body)
            assert (refused.status_code, refused.json()["title"]) == (503, "StoreUnavailable")
            assert int(refused.headers["retry-after"]) > 0
    with server.store() as store:
        assert store.count_predictions() == 0
    assert server.post(PREDICT, ENGAGEMENT).status_code == 200


def test_a_terminated_service_answers_what_it_has_begun(serve_plain: Callable[..., Server]) -> None:
    server = serve_plain()
    body = json.dumps([ENGAGEMENT] * 20_000).encode()
    told = Event()

    def parts() -> Iterator[bytes]:
        yield body[:-1]
        told.wait(30)
        yield body[-1:]

    with ThreadPoolExecutor(1) as pool:
        pending = pool.submit(server.client.post, "/api/v1/engagement/predict/batch", content=parts())
        with httpx.Client(base_url=server.url, timeout=120) as other:
            server.until(lambda: "gradewatch_requests_at_work 2.0" in other.get("/metrics").text)
        server.process.send_signal(signal.SIGTERM)
        told.set()
        answer = pending.result()
    assert (answer.status_code, answer.json()["count"]) == (200, 20_000)
    assert server.process.wait(30) == -signal.SIGTERM  # uvicorn ends by the signal, after it has shut down
    assert "Application shutdown complete" in server.words()
    with server.store() as store:
        assert store.count_predictions("engagement") == 20_000


def test_all_workers_of_one_address_serve_a_new_champion_within_a_poll(
    serve_plain: Callable[..., Server], workspace: Workspace
) -> None:
    server, (_, other) = serve_plain(WEB_CONCURRENCY="2"), another_version(workspace)

    def serving() -> dict[str, int]:
        """The generation that each worker serves, by process; every question goes over a connection of its own."""
        found = {}
        for _ in range(20):
            families = {one.name: one for one in parse_text(httpx.get(f"{server.url}/metrics").text)}
            [build] = families["gradewatch_build_info"].samples
            generations = families["gradewatch_champion_generation"].samples
            assert {one.labels["process"] for one in generations} == {build.labels["process"]}
            found[build.labels["process"]] = int(
                next(one.value for one in generations if one.labels["domain"] == "engagement")
            )
        return found

    assert server.until(lambda: len(found := serving()) == 2 and found)
    install(workspace.store, [other], action="promote", actor="test", reason="converge")
    generations = server.until(lambda: set((found := serving()).values()) == {2} and len(found) == 2 and found)
    assert list(generations.values()) == [2, 2]
    answers = [httpx.post(f"{server.url}{PREDICT}", json=ENGAGEMENT).json()["answers"][0] for _ in range(20)]
    assert {answer["generation"] for answer in answers} == {2}


def test_a_pause_holds_on_all_workers_within_a_poll_and_says_why(
    serve_plain: Callable[..., Server], workspace: Workspace
) -> None:
    server, store = serve_plain(WEB_CONCURRENCY="2"), workspace.store
    version = server.predict("engagement", ENGAGEMENT)["answers"][0]["model"]

    def said(path: str = PREDICT, body: object = ENGAGEMENT) -> list[httpx.Response]:
        """Of twenty connections, which reach both workers."""
        return [httpx.post(f"{server.url}{path}", json=body) for _ in range(20)]

    def all_say(model: str) -> bool:
        return all(one.status_code == 200 and one.json()["answers"][0]["model"] == model for one in said())

    pause(store, "engagement", "plain rule", reason="the attention scores are wrong", actor="test")
    server.until(lambda: all_say(RULE_OF + version))
    told = server.predict("engagement", ENGAGEMENT)
    [answer] = told["answers"]
    assert answer["value"] == answer["naive"]
    assert not {name for name in ("interval", "probabilities", "below_pass") if answer.get(name)}
    assert "the attention scores are wrong" in told["warning"]
    many = server.post("/api/v1/engagement/predict/batch", [ENGAGEMENT] * 3).json()
    assert {one["answers"][0]["value"] for one in many["predictions"]} == {answer["value"]}
    assert store.predictions("engagement", limit=1)[0].answers[0].model == RULE_OF + version  # logged as what it is
    pause(store, EVERY_DOMAIN, "none", reason="an inquiry", actor="test")
    server.until(lambda: {one.status_code for one in said()} == {503})
    refused = server.post("/api/v1/engagement/predict/batch", [ENGAGEMENT])
    assert (refused.status_code, refused.json()["title"]) == (503, "Paused")
    assert "nothing is answered. an inquiry" in refused.json()["detail"]
    resume(store, EVERY_DOMAIN, reason="over", actor="test")
    resume(store, "engagement", reason="over", actor="test")
    server.until(lambda: all_say(version))
    assert [one.kind for one in store.events("engagement", limit=2)] == ["answers_resumed", "answers_paused"]

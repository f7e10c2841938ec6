"""Nothing that was acknowledged is lost: killed services, databases that go away, files that are gone, full disks."""

import resource
import shutil
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import pytest

from database.migrate import copy
from database.open import open_store
from model.workspace import Workspace
from tests.api.serving import ENGAGEMENT, Server
from tests.conftest import own_server

PREDICT = "/api/v1/engagement/predict"


CONNECTIONS = 4


KILLS = 3


def moved(installation: Path, url: str) -> None:
    """Bring what the installation's own database holds to `url`, champions and all."""
    source, target = open_store(f"sqlite:///{installation / 'gradewatch.db'}"), open_store(url)
    try:
        copy(source, target)
    finally:
        source.close()
        target.close()


def ask_until_it_ends(server: Server, acknowledged: list[str]) -> None:
    """One row at a time, and a batch every fifth time."""
    with httpx.Client(base_url=server.url, timeout=120) as client, suppress(httpx.TransportError):
        while True:
            acknowledged.append(client.post(PREDICT, json=ENGAGEMENT).json()["id"])
            if len(acknowledged) % 5 == 0:
                said = client.post(f"{PREDICT}/batch", json=[ENGAGEMENT] * 20).json()
                acknowledged.extend(one["id"] for one in said["predictions"])


@pytest.mark.parametrize("database", ["sqlite", "mongo"])
def test_killed_again_and_again_under_load_a_service_loses_nothing_it_acknowledged(
    database: str, serve: Callable[..., Server], installation: Path, request: pytest.FixtureRequest
) -> None:
    url = f"sqlite:///{installation / 'gradewatch.db'}"
    if database == "mongo":
        url = request.getfixturevalue("mongo_url")
        moved(installation, url)
    acknowledged: list[str] = []
    for _ in range(KILLS):
        server, before = serve(GRADEWATCH_DATABASE_URL=url), len(acknowledged)
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            asking = [pool.submit(ask_until_it_ends, server, acknowledged) for _ in range(CONNECTIONS)]
            server.until(lambda: len(acknowledged) > before + 300)  # noqa: B023 (called within this turn)
            server.kill()
            for one in asking:
                one.result()
    with server.store() as store:
        assert [lost for lost in acknowledged if store.prediction(lost) is None] == []


@pytest.mark.parametrize("kind", ["postgres", "mongo"])
def test_a_database_that_goes_away_under_load_costs_answers_and_no_record(
    kind: str, serve: Callable[..., Server], installation: Path
) -> None:
    with own_server(kind, 200) as (database, url):
        moved(installation, url)
        server, ended = serve(GRADEWATCH_DATABASE_URL=url), Event()
        acknowledged: list[str] = []
        refused: list[httpx.Response] = []

        def ask() -> None:
            with httpx.Client(base_url=server.url, timeout=120) as client:
                while not ended.is_set():
                    answer = client.post(PREDICT, json=ENGAGEMENT)
                    if answer.status_code == 200:
                        acknowledged.append(answer.json()["id"])
                    else:
                        refused.append(answer)

        with ThreadPoolExecutor(CONNECTIONS) as pool:
            asking = [pool.submit(ask) for _ in range(CONNECTIONS)]
            server.until(lambda: len(acknowledged) > 50)
            database.stop()
            server.until(lambda: len(refused) > CONNECTIONS)
            assert server.client.get("/ready").status_code == 503
            database.start()
            known = len(acknowledged)
            server.until(lambda: len(acknowledged) > known + 50)
            ended.set()
            for one in asking:
                one.result()
        assert {(one.status_code, one.json()["title"]) for one in refused} == {(503, "StoreUnavailable")}
        assert all(int(one.headers["retry-after"]) > 0 for one in refused)
        with server.store() as store:
            assert [lost for lost in acknowledged if store.prediction(lost) is None] == []
        server.stop()


def test_a_full_log_is_said_with_when_to_come_back(serve: Callable[..., Server], installation: Path) -> None:
    url = f"sqlite:///{installation / 'gradewatch.db'}?busy_timeout=20000"
    server = serve(GRADEWATCH_DATABASE_URL=url, GRADEWATCH_LOG_CAPACITY="2")
    with ThreadPoolExecutor(2) as pool:
        with server.locked_database():
            waiting = [pool.submit(httpx.post, server.url + PREDICT, json=ENGAGEMENT, timeout=120) for _ in range(2)]
            server.until(lambda: "gradewatch_log_waiting 2.0" in server.client.get("/metrics").text)
            full = server.post(PREDICT, ENGAGEMENT)
            assert full.status_code == 503
            assert full.json()["title"] == "LogFull"
            assert "at most 2" in full.json()["detail"]
            assert int(full.headers["retry-after"]) > 0
        assert [one.result().status_code for one in waiting] == [200, 200]


MANY = "/api/v1/engagement/predict/batch"


def kept(server: Server) -> int:
    with server.store() as store:
        return store.count_predictions("engagement")


def said(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json().get("title", "")


def test_nothing_is_acknowledged_that_goes_into_a_deleted_file(
    serve: Callable[..., Server], installation: Path
) -> None:
    server = serve()
    server.predict("engagement", ENGAGEMENT)
    file = installation / "gradewatch.db"
    away = file.rename(installation / "away.db")
    for answer in (server.post("/api/v1/engagement/predict", ENGAGEMENT), server.post(MANY, [ENGAGEMENT] * 200)):
        assert said(answer) == (503, "StoreUnavailable")
        assert answer.headers["retry-after"]
    assert server.client.get("/ready").status_code == 503
    assert server.client.get("/health").status_code == 200
    away.rename(file)
    server.until(lambda: server.client.get("/ready").status_code == 200)
    acknowledged = server.predict("engagement", ENGAGEMENT)["id"]
    with server.store() as store:
        assert store.prediction(acknowledged) is not None


def test_a_damaged_block_of_predictions_is_named_and_hurts_nothing_else(
    serve: Callable[..., Server], installation: Path
) -> None:
    server = serve()
    many = server.post(MANY, [ENGAGEMENT] * 60).json()["predictions"]
    with closing(sqlite3.connect(installation / "gradewatch.db")) as connection, connection:
        connection.execute("UPDATE prediction_blocks SET body = substr(body, 1, 100)")
    found = server.client.get(f"/api/v1/engagement/predictions/{many[7]['id']}")
    assert said(found) == (500, "Damaged")
    assert f"block {many[0]['id']}" in found.json()["detail"]
    later = server.predict("engagement", ENGAGEMENT)["id"]
    assert server.client.get(f"/api/v1/engagement/predictions/{later}").json()["id"] == later


def test_a_full_disk_refuses_what_cannot_be_kept_and_nothing_else(
    serve: Callable[..., Server], installation: Path
) -> None:
    server = serve()
    before, rows = kept(server), [ENGAGEMENT] * 100
    longest = max(file.stat().st_size for file in installation.glob("gradewatch.db*"))
    forever = resource.RLIM_INFINITY
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (longest + 200_000, forever))
    answers = [server.post(MANY, rows) for _ in range(100)]
    refused = [answer for answer in answers if answer.status_code != 200]
    assert {said(answer) for answer in refused} == {(503, "StoreUnavailable")}
    assert all(answer.headers["retry-after"] for answer in refused)
    assert server.get("/ready")["ready"]
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (forever, forever))
    server.until(lambda: server.post(MANY, rows).status_code == 200)
    assert kept(server) == before + 100 * (len(answers) - len(refused) + 1)


def test_while_the_database_cannot_be_read_nothing_is_ready_and_nothing_is_predicted(
    serve: Callable[..., Server], installation: Path
) -> None:
    server = serve()
    assert server.predict("engagement", ENGAGEMENT)["id"]
    with (installation / "gradewatch.db").open("r+b", buffering=0) as file:
        begins = file.read(100)  # the header of every SQLite file
        file.seek(0)
        file.write(bytes(100))
        server.until(lambda: server.client.get("/ready").status_code == 503)
        assert said(server.post(PREDICT, ENGAGEMENT)) == (503, "StoreUnavailable")
        assert said(server.post(MANY, [ENGAGEMENT] * 3)) == (503, "StoreUnavailable")
        file.seek(0)
        file.write(begins)
    server.until(lambda: server.client.get("/ready").status_code == 200)
    assert server.predict("engagement", ENGAGEMENT)["id"]


def test_without_its_files_a_version_is_not_made_champion_and_the_champion_serves_on(
    serve: Callable[..., Server], installation: Path, workspace: Workspace
) -> None:
    server = serve()
    version = next(one.version for one in workspace.store.champions() if one.domain == "engagement")
    shutil.rmtree(installation / "models")
    wanted: list[tuple[str, dict[str, Any]]] = [
        ("/api/v1/models/activate", {"domain": "engagement", "version": version}),
        ("/api/v1/engagement/trials", {"version": version, "mode": "shadow"}),
    ]
    for path, body in wanted:
        assert server.post(path, body).status_code in (404, 409), path
    assert server.predict("engagement", ENGAGEMENT)["answers"][0]["model"] == version
    assert server.get("/ready")["broken"] == []
    server.stop()
    again = serve()  # which has nothing to load
    assert said(again.post("/api/v1/engagement/predict", ENGAGEMENT)) == (409, "NoChampion")
    assert again.client.get("/ready").status_code == 503
    assert "engagement" in {one["domain"] for one in again.client.get("/ready").json()["broken"]}
    assert "request failed" not in again.words()


def test_a_service_that_only_reads_refuses_in_words_and_stays_ready(serve: Callable[..., Server]) -> None:
    server = serve(GRADEWATCH_READ_ONLY="on")
    server.until(lambda: server.client.get("/ready").status_code == 200)
    refused = server.post("/api/v1/engagement/predict", ENGAGEMENT)
    assert (refused.status_code, refused.json()["title"]) == (503, "ReadOnly")
    assert "GRADEWATCH_READ_ONLY" in refused.json()["detail"]
    assert refused.headers["retry-after"] == "60"
    assert server.get("/api/v1/models")["models"]
    with server.store() as store:
        assert store.count_predictions() == 0

"""What the service answers when its file, its disk or its models go away beneath it: as docs/how-to/operate.md says."""

import resource
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx

from model.workspace import Workspace
from tests.api.serving import ENGAGEMENT, Server

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

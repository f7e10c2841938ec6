"""Champions are changed by hand: at once, with who did it and why."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

from jobs.queue import TRACKING
from model.bundle import content_digest
from model.workspace import Workspace
from tests.api.guarded import Guarded
from tests.api.serving import ENGAGEMENT, Server
from tests.api.test_service_champions import another_version
from tests.command import run_command


def test_activating_and_rolling_back_is_served_at_once_and_kept_in_the_history(
    serve: Callable[..., Server], workspace: Workspace
) -> None:
    server = serve(GRADEWATCH_POLL_SECONDS="60")
    present, other = another_version(workspace)
    wanted = {"domain": "engagement", "version": other.version[:10], "reason": "a test"}
    assert server.post("/api/v1/models/activate", wanted).status_code == 200
    assert server.predict("engagement", ENGAGEMENT)["answers"][0]["model"] == other.version
    assert server.post("/api/v1/models/rollback", {"domain": "engagement"}).status_code == 200
    assert server.predict("engagement", ENGAGEMENT)["answers"][0]["model"] == present.version
    nothing_left = server.post("/api/v1/models/rollback", {"domain": "engagement"})
    assert (nothing_left.status_code, nothing_left.json()["title"]) == (404, "NoSuchModel")
    history = server.get("/api/v1/models/history", params={"domain": "engagement"})["successions"]
    assert [one["action"] for one in history] == ["promote", "activate", "rollback"]
    assert {one["version"] for one in server.get("/api/v1/models", params={"domain": "engagement"})["models"]} == {
        present.version,
        other.version,
    }
    assert server.post("/api/v1/models/activate", wanted | {"version": "nope"}).status_code == 404


def test_mlflow_is_told_of_a_change_behind_the_answer_and_one_that_is_away_holds_up_nothing(
    serve: Callable[..., Server], workspace: Workspace
) -> None:
    _, other = another_version(workspace)
    wanted = {"domain": "engagement", "version": other.version, "reason": "a test"}
    server = serve(MLFLOW_TRACKING_URI="http://127.0.0.1:9", MLFLOW_HTTP_REQUEST_MAX_RETRIES="0")
    assert server.post("/api/v1/models/activate", wanted).status_code == 200
    [job] = workspace.store.jobs(kind=TRACKING)
    server.until(lambda: (workspace.store.job(job.id) or job).ended)
    [told] = workspace.store.jobs(kind=TRACKING)
    assert (told.state, told.domain) == ("done", "engagement")
    assert "MLflow was not told" in (told.result or {})["problem"]
    assert serve().post("/api/v1/models/rollback", {"domain": "engagement"}).status_code == 200
    assert len(workspace.store.jobs(kind=TRACKING)) == 1, "nobody is asked where there is none"


def test_a_model_is_downloaded_as_one_file_by_whoever_may(guarded: Guarded, confined: str, tmp_path: Path) -> None:
    champion = guarded.ask("GET", "/api/v1/models?domain=university", guarded.keys["admin"]).json()["champions"][0]
    version = champion["version"]
    address = f"/api/v1/models/{version[:12]}/download?domain=university"
    told = guarded.ask("GET", address, guarded.keys["teacher"])
    assert told.status_code == 200, told.text
    with zipfile.ZipFile(io.BytesIO(told.content)) as archive:
        assert content_digest({name: archive.read(name) for name in archive.namelist()}) == version
    file = tmp_path / "model.zip"
    command = ("models", "download", version[:12], "-d", "university", "-o", str(file))
    done = run_command(guarded.server.folder, *command, **guarded.server.environment)
    assert done.returncode == 0, done.stderr
    assert file.read_bytes() == told.content
    assert guarded.entries(actor="key:a-teacher", action="model downloaded")[0].details == {"version": version}
    refused = [guarded.ask("GET", address, key).json() for key in (confined, guarded.keys["viewer"])]
    assert [one["status"] for one in refused] == [403, 403]
    assert "all groups" in refused[0]["detail"]


def test_a_card_is_read_by_whoever_sees_models_in_the_form_that_they_ask_for(guarded: Guarded, confined: str) -> None:
    viewer, path = guarded.keys["viewer"], "/api/v1/models"
    listed = guarded.ask("GET", f"{path}?domain=university", viewer).json()
    version = listed["champions"][0]["version"]
    address = f"{path}/{version[:12]}/card?domain=university"
    card = guarded.ask("GET", address, viewer).json()
    assert (card["version"], card["name"], card["serves"]) == (version, listed["names"][version], True)
    for form, begins in (("html", "<!doctype html>"), ("text", "# ")):
        said = guarded.ask("GET", f"{address}&format={form}", confined)
        assert said.status_code == 200, said.text
        assert said.text.startswith(begins)
        assert form in said.headers["content-type"] or "markdown" in said.headers["content-type"]
    refused = guarded.ask("GET", f"{address}&format=pdf", viewer)
    assert (refused.status_code, guarded.ask("GET", address, guarded.keys["client"]).status_code) == (422, 403)


def test_a_version_is_promoted_by_hand_on_the_champion_that_was_looked_at(
    serve: Callable[..., Server], workspace: Workspace
) -> None:
    server = serve(GRADEWATCH_POLL_SECONDS="60")
    present, other = another_version(workspace)
    wanted = {"domain": "engagement", "version": other.version, "reason": "the head asked for it"}
    unread = server.post("/api/v1/models/promote", wanted)
    assert (unread.status_code, unread.json()["title"]) == (409, "ChangesUnread")
    assert "changes?version=" in unread.json()["detail"]
    read = server.get("/api/v1/engagement/changes", params={"version": other.version[:12]})
    assert (read["version"], read["generation"], read["by_data"] or 0.0) == (other.version, 1, 0.0)
    stale = server.post("/api/v1/models/promote", wanted | {"generation": 7})
    assert (stale.status_code, stale.json()["title"]) == (409, "Conflict")
    assert server.post("/api/v1/models/promote", wanted | {"generation": 1}).status_code == 200
    assert server.predict("engagement", ENGAGEMENT)["answers"][0]["model"] == other.version
    server.get("/api/v1/engagement/changes", params={"version": present.version})
    again = server.post("/api/v1/models/promote", wanted | {"version": present.version})
    assert (again.status_code, "activate it" in again.json()["detail"]) == (404, True)
    newest = server.get("/api/v1/models/history", params={"domain": "engagement"})["successions"][-1]
    assert (newest["action"], newest["reason"]) == ("promote", "the head asked for it")


def test_changes_of_champions_name_who_made_them(guarded: Guarded) -> None:
    admin = guarded.keys["admin"]
    champion = guarded.ask("GET", "/api/v1/models?domain=school", admin).json()["champions"][0]
    activate = {"domain": "school", "version": champion["version"]}
    done = guarded.ask("POST", "/api/v1/models/activate", admin, json=activate)
    assert done.status_code == 200, done.text
    assert {one["actor"] for one in done.json()["successions"]} == {"key:a-admin"}

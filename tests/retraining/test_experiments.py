"""Trainings and refusals are recorded here, and told to a real MLflow server where there is one."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest

from database.ingest import add_batch
from database.records import ChampionKey
from model.registry import activate
from model.trial import start_trial, stop_trial
from model.workspace import Workspace
from retraining.experiments import TRAINING_EVENT, follow
from retraining.first_champions import train_domain
from retraining.run import Run, retrain
from tests.api.conftest import open_at as open_installation
from tests.api.conftest import start, train_all
from tests.api.serving import free_port
from tests.api.test_service_champions import another_version
from tests.training.making import MARK, SCHEMA, make_rows, typed

SERVER = Path(sys.prefix) / "apart" / "mlflow" / "bin" / "mlflow"
NOWHERE = "http://127.0.0.1:9"


class Tracking:
    """A running MLflow server, asked by its own REST interface."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, method: str, path: str, **what: Any) -> Any:
        answer = httpx.request(method, f"{self.url}/api/2.0/mlflow/{path}", timeout=120, **what)
        return answer.json() if answer.status_code == 200 else {}

    def runs(self) -> dict[str, dict[str, Any]]:
        """Every run by the record that it copies: its `tags`, its `metrics` and its `status`."""
        name = {"experiment_name": f"gradewatch/{SCHEMA.name}"}
        found = self.ask("GET", "experiments/get-by-name", params=name).get("experiment")
        asked = {"experiment_ids": [found["experiment_id"]], "max_results": 1000} if found else {}
        told = [
            {name: {one["key"]: one["value"] for one in run["data"].get(name, ())} for name in ("tags", "metrics")}
            | {"status": run["info"]["status"]}
            for run in (self.ask("POST", "runs/search", json=asked)["runs"] if found else ())
        ]
        by_record = {run["tags"]["gradewatch.record"]: run for run in told}
        assert len(by_record) == len(told), "a record was told twice"
        return by_record

    def alias(self, key: ChampionKey, alias: str) -> str | None:
        """The digest of the version that has an alias."""
        asked = {"name": f"gradewatch.{key.domain}.{key.target}.{key.moment}", "alias": alias}
        found = self.ask("GET", "registered-models/alias", params=asked).get("model_version", {})
        return {one["key"]: one["value"] for one in found.get("tags", ())}.get("gradewatch.version")


@pytest.fixture(scope="module")
def tracking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tracking]:
    pytest.importorskip("mlflow", reason="needs `make mlflow`")
    if not SERVER.exists():
        pytest.skip("needs `make apart-mlflow`")
    folder, port = tmp_path_factory.mktemp("mlflow"), free_port()
    where = ("--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}", "--artifacts-destination", str(folder))
    command = [SERVER, "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1", *where]
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "MLFLOW"))}
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, env=clean, start_new_session=True)
    try:
        wait_until_healthy(f"http://127.0.0.1:{port}/health", server, folder / "log")
        yield Tracking(f"http://127.0.0.1:{port}")
    finally:
        os.killpg(server.pid, signal.SIGKILL)  # its folder is the test's: nothing is to be saved
        server.wait()


def wait_until_healthy(address: str, server: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(900):
        assert server.poll() is None, log.read_text()
        with suppress(httpx.TransportError):
            if httpx.get(address).status_code == 200:
                return
        time.sleep(0.1)
    raise AssertionError(log.read_text())


def refused(workspace: Workspace) -> None:
    """A training of which nothing comes: every outcome is the same."""
    frame = typed(make_rows(60, seed=3)).with_columns(pl.lit(10.0).alias(MARK.target))
    (trained,) = train_domain(workspace, SCHEMA, frame, [MARK], actor="test")
    assert trained.bundle is None


def test_trainings_and_refusals_are_recorded_without_mlflow(workspace: Workspace) -> None:
    refused(workspace)
    newest, before = workspace.store.events(SCHEMA.name, kind=TRAINING_EVENT)
    assert (newest.details["verdict"], newest.details["actor"]) == ("refused", "test")
    assert "every outcome is 10" in newest.details["reason"]
    assert (before.details["verdict"], before.details["serves"]) == ("trained", True)
    assert before.details["version"] == workspace.store.champions()[0].version
    told = "import sys, retraining.run; print('mlflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True).stdout == "False\n"


def test_a_server_that_is_away_stops_no_training_and_is_told_later(
    workspace: Workspace, tracking: Tracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    away = replace(workspace, tracking=NOWHERE)
    frame = typed(make_rows(120, seed=5))
    (trained,) = train_domain(away, SCHEMA, frame, [MARK], actor="test")
    assert trained.model is not None
    refused(away)
    assert "MLflow was not told" in follow(away)
    assert follow(replace(workspace, tracking=tracking.url)) == ""
    told = tracking.runs()
    assert {model.version for model in workspace.store.models()} <= told.keys()
    assert told[trained.model.version]["tags"]["verdict"] == "trained"
    newest = workspace.store.events(SCHEMA.name, kind=TRAINING_EVENT, limit=1)[0]
    assert told[newest.id]["tags"]["reason"] == newest.details["reason"]
    assert (told[newest.id]["status"], told[trained.model.version]["status"]) == ("FAILED", "FINISHED")


def test_what_is_recorded_stands_in_mlflow_once_and_aliases_follow_the_registry(
    workspace: Workspace, tracking: Tracking
) -> None:
    tracked = replace(workspace, tracking=tracking.url)
    rows = make_rows(160, seed=7, first=1_000)
    add_batch(workspace.store, SCHEMA.name, rows, "labeled", name="new.csv")
    [result] = retrain(Run(tracked, SCHEMA, 1_000), [MARK])
    first, champion = workspace.store.successions(MARK)[0], workspace.store.champions()[0]
    assert tracking.alias(MARK, "champion") == champion.version
    told = tracking.runs()
    [decision] = workspace.store.decisions(SCHEMA.name)
    assert told[decision.id]["tags"]["decision"] == result.decision.verdict
    for model in workspace.store.models():
        metrics, scores = told[model.version]["metrics"], model.scores
        assert metrics["mae.value"] == pytest.approx(scores["mae"]["value"])
        assert metrics["naive.mae.value"] == pytest.approx(scores["naive"]["mae"]["value"])
    other = next(one for one in workspace.store.models(MARK) if one.version != champion.version)
    trial = start_trial(workspace.store, other, mode="shadow", actor="test", reason="tried")
    follow(tracked)
    assert tracking.alias(MARK, "challenger") == other.version
    stop_trial(workspace.store, trial.id, actor="test", why="seen enough")
    activate(workspace.store, SCHEMA.name, first.version, all_targets=False, actor="test", reason="back")
    follow(tracked)
    follow(tracked)
    assert tracking.alias(MARK, "challenger") is None
    assert tracking.alias(MARK, "champion") == first.version
    assert tracking.runs() == told


def test_a_champion_that_a_request_changed_is_told_by_a_worker(
    tracking: Tracking, prepared: Callable[..., Path], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(prepared("service", train_all), tmp_path / "installation"))
    with closing(open_installation(folder)) as installed:
        present, other = another_version(installed)
    with ExitStack() as stack:
        server = start(stack, folder, {"MLFLOW_TRACKING_URI": tracking.url})
        for wanted in (other, present):
            asked = {"domain": wanted.domain, "version": wanted.version, "reason": "a test"}
            assert server.post("/api/v1/models/activate", asked).status_code == 200
            server.until(lambda wanted=wanted: tracking.alias(wanted.key, "champion") == wanted.version)

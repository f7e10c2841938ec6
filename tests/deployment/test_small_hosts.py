"""Hosts of one file: their commands start the service, and 512 MB are enough for all but training."""

import os
import re
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any

import httpx
import polars as pl
import pytest
import yaml

from tests.api.serving import ENGAGEMENT, SECRET, free_port
from tests.command import environment_of

ROOT = Path(__file__).resolve().parents[2]
MEGABYTES_OF_HOST = 512
KEY = "gw_a-first-key-for-the-test-of-hosts"
RENDER: dict[str, Any] = yaml.safe_load((ROOT / "render.yaml").read_text(encoding="utf-8"))["services"][0]


class Usage:
    """The most memory that a group of processes ever had together, shared pages counted once (PSS)."""

    def __init__(self, group: int) -> None:
        self.most, self._group, self._stop = 0.0, group, Event()
        self._watch = Thread(target=self._look, daemon=True)
        self._watch.start()

    def _look(self) -> None:
        while not self._stop.wait(0.05):
            self.most = max(self.most, sum(map(_pss, _members(self._group))) / 1024)

    def end(self) -> float:
        self._stop.set()
        self._watch.join()
        return self.most


def _members(group: int) -> Iterator[int]:
    """The group and whatever it started, groups of their own included."""
    parents = {}
    for place in Path("/proc").iterdir():
        if place.name.isdigit():
            with suppress(OSError):
                parents[int(place.name)] = int(re.findall(r"PPid:\s+(\d+)", (place / "status").read_text())[0])
    found = {group}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    yield from found


def _pss(process: int) -> int:
    with suppress(OSError):
        return int(re.findall(r"^Pss:\s+(\d+)", Path(f"/proc/{process}/smaps_rollup").read_text(), re.MULTILINE)[0])
    return 0


@contextmanager
def started(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], httpx.Client]]:
    """render.yaml's command and variables, as Render runs them, on an embedded database: that costs most."""
    port, told = str(free_port()), {one["key"]: one["value"] for one in RENDER["envVars"] if "value" in one}
    secrets = {
        "GRADEWATCH_PSEUDONYM_SECRET": SECRET,
        "GRADEWATCH_TOKEN_SECRET": "a secret for tokens that is long enough",
        "GRADEWATCH_FIRST_KEY": KEY,
        "GRADEWATCH_RATE_LIMIT": "100000/minute",
    }
    environment = environment_of(folder, **(told | secrets), PORT=port)
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    log = (folder / "host.log").open("wb")
    process = subprocess.Popen(
        ["sh", "-c", RENDER["startCommand"]],
        cwd=folder,
        env=environment,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120) as client:
            client.headers["authorization"] = f"Bearer {KEY}"
            deadline = time.monotonic() + 120
            while time.monotonic() < deadline and process.poll() is None:
                with suppress(httpx.TransportError):
                    if client.get("/ready").status_code == 200:
                        break
                time.sleep(0.1)
            yield process, client
    finally:
        log.close()
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="memory is counted as Linux does it")
def test_512_megabytes_are_enough_for_files_and_ten_thousand_rows_and_training_is_refused(
    trained: Path, tmp_path: Path
) -> None:
    import shutil

    folder = Path(shutil.copytree(trained, tmp_path / "host"))
    workbook = tmp_path / "term.xlsx"
    pl.read_csv(folder / "examples" / "engagement.csv").write_excel(workbook)
    with started(folder) as (process, client):
        usage = Usage(process.pid)
        many = [{**ENGAGEMENT, "attention": n % 100} for n in range(10_000)]
        answer = client.post("/api/v1/engagement/predict/batch", json=many)
        assert answer.status_code == 200, answer.text[:500]
        assert len(answer.json()["predictions"]) == 10_000
        kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
        sent = client.post(
            "/api/v1/engagement/batches",
            params={"kind": "labeled"},
            content=workbook.read_bytes(),
            headers={"content-type": kind, "x-file-name": "term.xlsx"},
        )
        assert sent.status_code in (200, 201), sent.text[:500]
        for order in ("train", "retrain"):
            refused = client.post(f"/api/v1/engagement/{order}", json={})
            assert refused.status_code == 409
            assert "GRADEWATCH_TRAINING" in refused.json()["detail"]
        most = usage.end()
    print(f"{most:.0f} MB at most")
    assert most < MEGABYTES_OF_HOST


def commands() -> Iterator[str]:
    yield from re.split(" & exec ", RENDER["startCommand"])
    for line in (ROOT / "Procfile").read_text(encoding="utf-8").splitlines():
        yield line.partition(": ")[2]
    yield from tomllib.loads((ROOT / "fly.toml").read_text(encoding="utf-8"))["processes"].values()


def test_every_host_starts_a_command_that_there_is() -> None:
    for command in commands():
        program, verb, *options = command.split()
        assert program == "gradewatch"
        told = subprocess.run(
            [sys.executable, "-m", "cli", verb, "--help"], capture_output=True, text=True, check=True, cwd=ROOT
        )
        assert [one for one in options if one.startswith("--") and one not in told.stdout] == []


def test_what_hosts_set_is_a_setting() -> None:
    from settings import Settings, variable

    fly = tomllib.loads((ROOT / "fly.toml").read_text(encoding="utf-8"))["env"]
    named = {*fly, *(one["key"] for one in RENDER["envVars"])} - {"PYTHON_VERSION"}
    assert named <= {variable(name) for name in Settings.model_fields}

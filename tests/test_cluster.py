"""The same bytes from a cluster of real processes as from this one, also when a worker is killed on the way."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

distributed = pytest.importorskip("distributed", reason="the extra dask is not installed")

import cluster  # noqa: E402
from cluster import ClusterMismatch, ClusterUnavailable, map_on, versions  # noqa: E402
from drift import samples  # noqa: E402
from model import score_file as scoring  # noqa: E402
from model.score_file import score_file  # noqa: E402
from model.workspace import Workspace  # noqa: E402
from monitoring.drift_files import ReportOptions, report_file  # noqa: E402
from preprocessing.panel import weekly_files  # noqa: E402
from preprocessing.panel.example import write_district  # noqa: E402
from preprocessing.schema import DomainSchema, Feature, Target, load_domains  # noqa: E402
from retraining.backtest.replay import Replay  # noqa: E402
from retraining.backtest.run import backtest, read_history  # noqa: E402
from retraining.policies import Policies  # noqa: E402
from retraining.trigger import TriggerPolicy  # noqa: E402
from tests.retraining.conftest import begin, open_at  # noqa: E402
from tests.retraining.test_backtest import KEY, make_history  # noqa: E402
from tests.retraining.test_backtest import SCHEMA as TERMS  # noqa: E402
from tests.training.making import SCHEMA, make_rows  # noqa: E402

ROOT = Path(__file__).parents[1]
TABLE = DomainSchema(
    name="table",
    title="",
    features=(Feature(name="mark", kind="numeric"), Feature(name="level", kind="categorical", open=True)),
    targets=(Target(name="y"),),
)


class Cluster:
    """A scheduler and two workers in processes of their own; a worker that ends is replaced."""

    def __init__(self, folder: Path) -> None:
        self._file, self._stopped = folder / "scheduler.json", threading.Event()
        self._scheduler = self._start("scheduler", "--port", "0")
        deadline = time.monotonic() + 120
        while not self._file.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        self.address: str = json.loads(self._file.read_text())["address"]
        self._workers = [self._work() for _ in range(2)]
        self._keeper = threading.Thread(target=self._keep)
        self._keeper.start()

    def _start(self, what: str, *options: str) -> subprocess.Popen[bytes]:
        module = ["-m", f"distributed.cli.dask_{what}", "--scheduler-file", str(self._file), "--no-dashboard"]
        dask = {"SCHEDULER__ALLOWED_FAILURES": "1", "COMM__TIMEOUTS__CONNECT": "5s"}
        once = {f"DASK_DISTRIBUTED__{name}": value for name, value in dask.items()} | {"PYTHONPATH": str(ROOT)}
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return subprocess.Popen([sys.executable, *module, *options], cwd=ROOT, env=os.environ | once, **quiet)

    def _work(self) -> subprocess.Popen[bytes]:
        return self._start("worker", "--nthreads", "1", "--no-nanny")

    def _keep(self) -> None:
        while not self._stopped.wait(0.1):
            self._workers = [self._work() if one.poll() is not None else one for one in self._workers]

    def end_scheduler(self) -> None:
        self._scheduler.kill()
        self._scheduler.wait()

    def close(self) -> None:
        self._stopped.set()
        self._keeper.join()
        for worker in self._workers:
            worker.kill()
            worker.wait()
        self.end_scheduler()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    made = Cluster(tmp_path_factory.mktemp("dask"))
    yield made.address
    made.close()


def kill_one(address: str) -> None:
    """End a worker as the machine under it would."""
    with distributed.Client(address, set_as_default=False) as client:
        client.wait_for_workers(1, timeout=60)
        os.kill(min(client.run(os.getpid).values()), signal.SIGKILL)


def killing(address: str, when: str) -> tuple[Callable[[str, float], None], list[str]]:
    """A progress that kills a worker at the first word of a step, and what it heard."""
    heard: list[str] = []

    def progress(step: str, _share: float) -> None:
        if step.startswith(when) and not heard:
            kill_one(address)
            heard.append(step)

    return progress, heard


def double(shared: int, part: int) -> int:
    return shared * part


def fatal(marker: Path, part: int) -> int:
    """The first worker that does part 3 is killed."""
    if part == 3:
        try:
            marker.touch(exist_ok=False)
        except FileExistsError:
            return part
        os.kill(os.getpid(), signal.SIGKILL)
    return part


def deadly(_shared: None, _part: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def hesitant(marker: Path, part: int) -> int:
    try:
        marker.touch(exist_ok=False)
    except FileExistsError:
        return part
    raise OSError("the network is away")


def stuck(folder: Path, part: int) -> int:
    """The first worker that takes it says so, and does not come back before it is freed."""
    try:
        (folder / "taken").touch(exist_ok=False)
    except FileExistsError:
        return part
    while not (folder / "freed").exists():
        time.sleep(0.02)
    return -1


def test_results_come_in_the_order_of_parts_whoever_is_killed_or_fails_for_a_moment(
    address: str, tmp_path: Path
) -> None:
    assert list(map_on(address, double, range(30), 2)) == list(map_on(None, double, range(30), 2))
    assert list(map_on(address, fatal, range(8), tmp_path / "killed")) == list(range(8))
    assert (tmp_path / "killed").exists()
    assert list(map_on(address, hesitant, [7], tmp_path / "tried")) == [7]
    assert list(map_on(address, double, [], 2)) == []


def test_what_cannot_be_done_is_said(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ClusterUnavailable, match="part 0 "):
        list(map_on(address, deadly, [1], None))
    with pytest.raises(ZeroDivisionError):
        list(map_on(address, divmod, [0], 1))
    monkeypatch.setattr(cluster, "versions", lambda: versions() | {"gradewatch": "0.0.0"})
    with pytest.raises(ClusterMismatch, match=r"'gradewatch': '0\.0\.0'.*install the same everywhere"):
        list(map_on(address, double, [1], 2))
    monkeypatch.setattr(cluster, "SCHEDULER_SECONDS", 0.2)
    with pytest.raises(ClusterUnavailable, match="no Dask scheduler answers at tcp://127"):
        list(map_on("tcp://127.0.0.1:9", double, [1], 2))


def test_a_part_that_went_with_a_worker_is_sent_again(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "LOST_SECONDS", 0.5)

    def replace_the_other() -> None:
        try:
            with distributed.Client(address, set_as_default=False, timeout=120) as client:
                client.wait_for_workers(2)
                while not (tmp_path / "taken").exists():
                    time.sleep(0.02)
                for idle in [worker for worker, keys in client.processing().items() if not keys][:1]:
                    os.kill(client.run(os.getpid, workers=[idle])[idle], signal.SIGKILL)
        except BaseException:
            (tmp_path / "freed").touch()  # else nobody would end the part, and nothing say why
            raise

    helper = threading.Thread(target=replace_the_other)
    helper.start()
    try:
        assert list(map_on(address, stuck, [3], tmp_path)) == [3]
    finally:
        (tmp_path / "freed").touch()
        helper.join()


def test_a_scheduler_that_goes_away_is_said(tmp_path: Path) -> None:
    made = Cluster(tmp_path)
    try:
        results = map_on(made.address, double, range(100), 2)
        assert next(results) == 0
        made.end_scheduler()
        with pytest.raises(ClusterUnavailable, match="the Dask scheduler was lost"):
            list(results)
    finally:
        made.close()


@pytest.fixture(scope="module")
def taught(prepared: Callable[..., Path]) -> Path:
    """The folder of an installation with a champion."""
    return prepared("retraining", begin)


def copied(taught: Path, folder: Path) -> Workspace:
    return open_at(Path(shutil.copytree(taught, folder)))


def interrupted(address: str) -> Callable[..., Iterator[Any]]:
    """`map_on`, with a worker killed after the first result."""

    def work(*given: Any) -> Iterator[Any]:
        for number, result in enumerate(map_on(*given)):
            if not number:
                kill_one(address)
            yield result

    return work


def asked(path: Path, seed: int, rows: int = 600) -> Path:
    frame = pl.DataFrame([{"student": row.student, **row.inputs} for row in make_rows(rows, seed=seed)])
    frame.drop("midterm").write_csv(path)
    return path


def test_a_drift_report_of_a_file(address: str, taught: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    school = copied(taught, tmp_path / "home")
    monkeypatch.setattr(samples, "map_on", interrupted(address))
    now, before = asked(tmp_path / "now.csv", 5), asked(tmp_path / "before.csv", 6)
    for reference in (None, before):
        alone, together = (
            report_file(school, SCHEMA.name, now, reference, ReportOptions(cluster=one)).report.to_document()
            for one in (None, address)
        )
        assert json.dumps(alone) == json.dumps(together)
    school.close()


@pytest.mark.parametrize("log", [True, False], ids=["logged", "not logged"])
def test_the_answers_to_a_file_and_what_is_logged_of_it(
    address: str, taught: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: bool
) -> None:
    monkeypatch.setattr(scoring, "LOGGED_AT_ONCE", 20)
    path, found = asked(tmp_path / "in.csv", 7), []
    for name, where in (("alone", None), ("together", address)):
        workspace, output = copied(taught, tmp_path / name), tmp_path / f"{name}.csv"
        progress, heard = killing(address, "scoring") if where else (lambda *_: None, ["nobody"])
        scored = score_file(workspace, SCHEMA.name, path, output, log=log, cluster=where, progress=progress)
        assert heard
        logged = [(one.id, one.inputs, one.answers) for one in workspace.store.predictions(SCHEMA.name)]
        found.append((output.read_bytes(), logged, scored))
        workspace.close()
    assert found[0] == found[1]
    assert len(found[0][1]) == (600 if log else 0)


def test_a_backtest(address: str) -> None:
    frame = read_history(make_history(4, 80).write_csv().encode(), TERMS, name="history.csv").frame
    eager = {"eager": Policies(trigger=TriggerPolicy(alarms=1, windows=1, cool_down_days=0))}
    progress, heard = killing(address, "never")
    alone = backtest(Replay(TERMS, KEY), frame, eager)
    assert backtest(Replay(TERMS, KEY, progress=progress), frame, eager, cluster=address) == alone
    assert heard


def test_weekly_rows_of_a_district_are_one_file_here_and_there(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weekly_files, "PART_STUDENTS", 20)
    schema = load_domains()["k12"]
    write_district(tmp_path, schema, students=120, seed=1)
    weekly_files.write_weekly_rows(tmp_path, schema, tmp_path / "there.parquet", cluster=address)
    assert (tmp_path / "there.parquet").read_bytes() == (tmp_path / "rows.parquet").read_bytes()

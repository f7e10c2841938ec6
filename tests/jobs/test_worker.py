"""A worker runs each job in a process of its own, holds it, and gives it back; idle it costs little."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import pytest

from database.records import Job, JobProgress
from database.store import RecordStore
from jobs.kinds import JOB_KINDS, JobKind
from jobs.queue import JobRequest, ask, worker_for
from jobs.worker import Worker
from tests.jobs.acting import LINGER, LINGERING, job_of

ROOT = Path(__file__).resolve().parents[2]
IDLE_MEGABYTES = 60
HEAVY = ("polars", "sklearn", "scipy", "onnxruntime", "numpy")


@pytest.fixture(autouse=True)
def lingering(monkeypatch: pytest.MonkeyPatch, sqlite_url: str) -> None:
    monkeypatch.setitem(cast(dict[str, JobKind], JOB_KINDS), LINGER, LINGERING)
    monkeypatch.setenv("GRADEWATCH_DATABASE_URL", sqlite_url)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


@pytest.fixture
def store(sqlite_url: str, opened: Callable[[str], RecordStore]) -> RecordStore:
    return opened(sqlite_url)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path


def linger(store: RecordStore, place: Path) -> Job:
    return ask(store, JobRequest(LINGER, "school", "ann", {"place": str(place)}))


@contextmanager
def working(store: RecordStore, *, lease: float = 30.0, places: int = 2) -> Iterator[Worker]:
    """A worker of lingering jobs in a thread; stopped in order in the end."""
    command = (sys.executable, "-m", "tests.jobs.acting")
    worker, stop = Worker(store, command, (LINGER,), places=places, poll=0.05, lease=lease), threading.Event()
    thread = threading.Thread(target=worker.work, args=(stop,))
    thread.start()
    try:
        yield worker
    finally:
        stop.set()
        thread.join(120)
    assert not thread.is_alive()


def until(holds: Callable[[], object], patience: float = 120.0) -> None:
    deadline = time.monotonic() + patience
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def begun(place: Path) -> list[int]:
    file = place / "begun"
    return [int(line) for line in file.read_text().split()] if file.exists() else []


def folder_of(place: Path) -> Path:
    """Where the running job has its files: in a folder that the worker made for its process."""
    return Path((place / "folder").read_text())


def test_a_job_runs_in_a_process_of_its_own_and_tells_how_far_it_is(store: RecordStore, place: Path) -> None:
    job = linger(store, place)
    with working(store):
        until(lambda: (job_of(store, job.id).progress or JobProgress(step="")).step.startswith("turn"))
        assert worker_for(store, LINGER)
        assert begun(place) != [os.getpid()]
        (place / "end").touch()
        until(lambda: job_of(store, job.id).ended)
    ended = job_of(store, job.id)
    assert (ended.state, ended.attempts, len(begun(place))) == ("done", 1, 1)


def test_stopped_in_order_it_gives_its_job_back_at_once(store: RecordStore, place: Path) -> None:
    job = linger(store, place)
    with working(store):
        until(lambda: begun(place))
    back = job_of(store, job.id)
    assert (back.state, back.attempts, back.problem) == ("waiting", 0, None)
    assert not lives(begun(place)[0])
    (place / "end").touch()
    with working(store):
        until(lambda: job_of(store, job.id).ended)
    assert job_of(store, job.id).state == "done"


def test_a_running_job_is_cancelled(store: RecordStore, place: Path) -> None:
    job = linger(store, place)
    with working(store, lease=1.0):
        until(lambda: begun(place))
        store.cancel_job(job.id)
        until(lambda: job_of(store, job.id).ended)
        assert not lives(begun(place)[0])
    assert job_of(store, job.id).state == "cancelled"


def test_a_job_whose_process_is_killed_is_tried_again_after_a_pause_and_not_for_ever(
    store: RecordStore, place: Path
) -> None:
    job = linger(store, place)
    with working(store):
        for attempt in range(LINGERING.attempts):
            until(lambda attempt=attempt: len(begun(place)) == attempt + 1)  # type: ignore[misc]
            assert (folder_of(place) / "upload").exists()
            os.kill(begun(place)[-1], signal.SIGKILL)
            until(lambda: job_of(store, job.id).state != "running")
            assert not folder_of(place).parent.exists()
            between = job_of(store, job.id)
            assert between.problem is not None
            assert (between.problem.title, "signal 9" in between.problem.detail) == ("JobDied", True)
            if attempt < LINGERING.attempts - 1:
                assert between.state == "waiting"
                assert between.started is not None
                assert (between.due - between.started).total_seconds() > 2**attempt
    assert (between.state, between.attempts) == ("failed", LINGERING.attempts)


def test_a_job_outlives_its_worker_in_the_queue_and_not_as_a_process(store: RecordStore, place: Path) -> None:
    job = linger(store, place)
    script = (
        "import sys, threading\nfrom typing import cast\nfrom database.open import open_store\n"
        "from jobs.kinds import JOB_KINDS\nfrom jobs.worker import Worker\n"
        "from tests.jobs.acting import LINGER, LINGERING\nJOB_KINDS[LINGER] = LINGERING\n"
        "store = open_store(sys.argv[1])\ncommand = (sys.executable, '-m', 'tests.jobs.acting')\n"
        "Worker(store, command, (LINGER,), poll=.05, lease=1.0).work(threading.Event())"
    )
    process = subprocess.Popen([sys.executable, "-c", script, os.environ["GRADEWATCH_DATABASE_URL"]], cwd=ROOT)
    until(lambda: begun(place))
    process.kill()
    process.wait()
    until(lambda: not lives(begun(place)[0]))
    assert job_of(store, job.id).state == "running"
    assert not folder_of(place).parent.exists()
    (place / "end").touch()
    with working(store):
        until(lambda: job_of(store, job.id).ended)
    assert (job_of(store, job.id).state, job_of(store, job.id).attempts) == ("done", 2)


def test_a_long_job_leaves_a_place_to_short_ones(store: RecordStore, tmp_path: Path) -> None:
    kinds = cast(dict[str, JobKind], JOB_KINDS)
    kinds[LINGER] = JobKind(LINGERING.do, long=True)
    places = [tmp_path / name for name in ("a", "b")]
    for one in places:
        one.mkdir()
    jobs = [linger(store, one) for one in places]
    with working(store, places=2) as worker:
        until(lambda: begun(places[0]))
        time.sleep(0.3)
        assert [job_of(store, job.id).state for job in jobs] == ["running", "waiting"]
        assert worker.places == 2
        for one in places:
            (one / "end").touch()
        until(lambda: all(job_of(store, job.id).ended for job in jobs))


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read where Linux tells it")
def test_an_idle_worker_takes_little_memory_and_loads_nothing_that_jobs_need(
    store: RecordStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    environment = os.environ | {"GRADEWATCH_DATA_DIR": str(tmp_path)}
    gradewatch = Path(sys.executable).with_name("gradewatch")
    process = subprocess.Popen([str(gradewatch), "worker"], env=environment, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        assert "waits for jobs" in process.stderr.readline()
        until(store.workers)
        time.sleep(0.5)
        status, mapped = (Path(f"/proc/{process.pid}/{name}").read_text() for name in ("status", "maps"))
        megabytes = int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1024
        with capsys.disabled():
            print(f"\nan idle worker: {megabytes:.0f} MB")
        assert [name for name in HEAVY if f"/site-packages/{name}/" in mapped] == []
        assert megabytes <= IDLE_MEGABYTES
    finally:
        process.terminate()
        _, said = process.communicate(timeout=120)
    assert process.returncode == 0
    assert '"event":"stopped"' in said.splitlines()[-1]

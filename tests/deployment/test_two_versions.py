"""An upgrade without a pause: services of an older version and of this one at work on one database."""

import io
import shutil
import subprocess
import tarfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from database.open import open_store
from database.partitions import is_parted
from tests.api.conftest import train_all
from tests.api.guarded import ON
from tests.api.serving import ENGAGEMENT, SECRET, Server, begin_worker
from tests.api.test_service_losses import moved
from tests.command import ROOT, run_command
from tests.database.making import ask, connected
from tests.database.test_sql import migrate_to
from tests.deployment.test_two_nodes import KEY, Callers

OLDER = "3521d77aab8718fcd796391241a83905eb5f84be"
"""The last version before the tables of 0018; a later one follows when this may not run beside the newest any more."""

TABLES_OF_OLDER = "0017"


@pytest.fixture
def older(tmp_path: Path) -> Path:
    """The older version's program."""
    kept = subprocess.run(["git", "archive", OLDER], cwd=ROOT, capture_output=True, check=False)
    if kept.returncode:
        pytest.skip("this clone does not have the older version: git fetch --unshallow brings it")
    with tarfile.open(fileobj=io.BytesIO(kept.stdout)) as packed:
        packed.extractall(folder := tmp_path / "older", filter="data")
    return folder


def test_both_versions_answer_on_one_database_and_nobody_is_refused(
    prepared: Callable[..., Path], older: Path, postgres_url: str, tmp_path: Path
) -> None:
    trained = Path(shutil.copytree(prepared("service", train_all), tmp_path / "trained"))
    moved(trained, postgres_url)
    secret = {"GRADEWATCH_PSEUDONYM_SECRET": SECRET}
    run_command(trained, "setup", "--no-models", GRADEWATCH_DATABASE_URL=postgres_url, **secret)
    migrate_to(postgres_url, TABLES_OF_OLDER)
    told = {**ON, "GRADEWATCH_DATABASE_URL": postgres_url, "GRADEWATCH_FIRST_KEY": KEY}
    with ExitStack() as stack:
        old, new = (tmp_path / name for name in ("one", "two"))
        for folder in (old, new):
            folder.mkdir(mode=0o700)
        first = Server(old, {**told, "PYTHONPATH": str(older)})
        stack.callback(first.stop)
        first.until(lambda: first.client.get("/ready").status_code == 200)
        callers = Callers(first.url)
        stack.callback(callers.end)
        callers.until(50)
        assert not parted(postgres_url), "these are the older version's tables"
        second = Server(new, told)  # which brings the tables up to date, while the first answers
        stack.callback(second.stop)
        second.until(lambda: second.client.get("/ready").status_code == 200)
        more = Callers(second.url)
        stack.callback(more.end)
        assert parted(postgres_url)
        callers.until(100)
        more.until(100)
        end = begin_worker(first)
        stack.callback(end)
        assert state(second, asked(second)) == "done", "the older worker alone, on the newer tables"
        end()
        stack.callback(begin_worker(second))
        assert state(first, asked(first)) == "done"
        for one, other in ((callers, second), (more, first)):
            for known in one.acknowledged[:5]:
                answer = other.client.get(f"/api/v1/engagement/predictions/{known}", headers=AUTHORIZED)
                assert answer.status_code == 200, answer.text
        callers.end()
        more.end()
        assert (callers.refused, more.refused) == ([], [])
        ask(postgres_url, "UPDATE alembic_version SET version_num = '9999'")  # as the next version will
        assert state(second, asked(second)) == "done", "a job's process opens the database anew"
    store = open_store(postgres_url)
    known = [store.prediction(one) for one in (*callers.acknowledged, *more.acknowledged)]
    assert None not in known
    store.close()


def parted(url: str) -> bool:
    with connected(url) as connection:
        return is_parted(connection)


AUTHORIZED = {"authorization": f"Bearer {KEY}"}


def asked(server: Server) -> str:
    """A job that a service was asked for."""
    answer = server.client.post(
        "/api/v1/engagement/predict/batch?async=true", json=[ENGAGEMENT] * 3, headers=AUTHORIZED
    )
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def state(server: Server, job: str) -> str:
    """How it ended, as that service tells it."""
    for _ in range(600):
        found = server.client.get(f"/api/v1/jobs/{job}", headers=AUTHORIZED).json()["state"]
        if found in ("done", "failed"):
            return str(found)
        time.sleep(0.05)
    return str(found)

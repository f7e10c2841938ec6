"""What kinds of jobs do is done once, also when the worker was killed in the midst of it and the job is done again."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest

from database.ingest import add_batch
from database.records import Job
from database.store import RecordStore
from database.uploads import find_upload
from jobs.child import Claim, do_job
from jobs.job_settings import JobSettings
from jobs.kinds import JOB_KINDS
from jobs.queue import ANCHORING, BATCH_FILE, DRIFT_DAYS, RETRAINING, JobFile, JobRequest, ask
from model.workspace import Workspace
from preprocessing.synthetic import generate
from tests.jobs.acting import job_of
from tests.jobs.test_drift_watch import MONDAY
from tests.monitoring.asking import asked
from tests.training.making import MARK, SCHEMA, make_rows


class Killed(BaseException):
    """What no job survives."""


class Deadly:
    """A store whose user dies before or after one of its methods, and gives nothing back then."""

    def __init__(self, store: RecordStore, method: str, *, after: bool) -> None:
        self._store, self._method, self._after, self.dead = store, method, after, False

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        if name == "fenced":
            return lambda *held: self._over(found(*held))
        return found if not callable(found) else lambda *a, **k: self._call(name, found, *a, **k)

    def _over(self, store: RecordStore) -> "Deadly":
        self._store = store
        return self

    def _call(self, name: str, found: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        if self.dead:
            raise Killed
        if name != self._method:
            return found(*arguments, **named)
        self.dead = True
        if self._after:
            found(*arguments, **named)
        raise Killed


def do(workspace: Workspace, store: RecordStore | None = None) -> Job:
    """Claim a job, of any kind but the one of each day, and do it, through `store` where one is given."""
    claimed = workspace.store.claim_job(tuple(JOB_KINDS.keys() - {ANCHORING}), "w", 60)
    assert claimed is not None
    used = replace(workspace, store=store or workspace.store)
    do_job(used, Claim(claimed.id, claimed.token, 60), JobSettings(1000))
    return job_of(workspace.store, claimed.id)


def die(workspace: Workspace, method: str, *, after: bool) -> None:
    with pytest.raises(Killed):
        do(workspace, cast(RecordStore, Deadly(workspace.store, method, after=after)))
    [running] = workspace.store.jobs(states=["running"])
    workspace.store.renew_job(running.id, running.token, 0)  # its lease runs out


@pytest.mark.parametrize(("method", "after"), [("succeed", True), ("add_decision", True)])
def test_a_retraining_that_was_killed_promotes_once_and_is_done_by_the_next(
    workspace: Workspace, method: str, after: bool
) -> None:
    add_batch(workspace.store, SCHEMA.name, make_rows(200, seed=2, first=2000), "labeled", name="new.csv")
    job = ask(workspace.store, JobRequest(RETRAINING, SCHEMA.name, "ann", {"target": None, "moment": None}))
    die(workspace, method, after=after)
    ended = do(workspace)
    assert (ended.id, ended.state, ended.attempts) == (job.id, "done", 2)
    assert [one.action for one in workspace.store.successions(MARK)][1:] == ["promote"]
    [decision] = workspace.store.decisions(key=MARK)
    assert (decision.verdict, decision.champion) == ("promote", workspace.store.successions(MARK)[0].version)
    assert decision.id in (ended.result or {})["decisions"]
    assert len(workspace.store.events(kind="retraining_started")) == 1


def test_a_report_of_a_job_that_was_killed_is_there_once(workspace: Workspace) -> None:
    workspace.store.add_predictions(asked(MONDAY, 300, seed=50))
    choices = {"source": "predictions", "moment": None, "against": "champion", "exact": False, "by": None}
    arguments = {"since": MONDAY.isoformat(), "until": None, **choices}
    ask(workspace.store, JobRequest(DRIFT_DAYS, SCHEMA.name, "ann", arguments))
    die(workspace, "add_accesses", after=True)
    ended = do(workspace)
    assert ended.state == "done"
    assert [one.id for one in workspace.store.drift_reports()] == [(ended.result or {})["report"]]
    assert [one.action for one in workspace.store.accesses()] == ["drift judged"]


def test_an_upload_whose_worker_was_killed_is_stored_and_counted_once(workspace: Workspace) -> None:
    content = generate(workspace.schemas[SCHEMA.name], rows=30, seed=4).write_csv().encode()
    files, before = {"file": JobFile("marks.csv", content)}, len(workspace.store.batches(SCHEMA.name))
    job = ask(workspace.store, JobRequest(BATCH_FILE, SCHEMA.name, "ann", {"kind": "labeled"}, files=files))
    assert find_upload(workspace.store, SCHEMA.name, job.id).state == "received"
    die(workspace, "add_batch", after=True)
    assert find_upload(workspace.store, SCHEMA.name, job.id).state == "validating"
    assert do(workspace).state == "done"
    upload = find_upload(workspace.store, SCHEMA.name, job.id)
    assert (upload.state, upload.added, upload.updated, upload.unchanged) == ("done", 30, 0, 0)
    assert len(workspace.store.batches(SCHEMA.name)) == before + 1

"""What came in large numbers is caught up with by a job, asked for once, and by nobody who looks at a page."""

from dataclasses import replace
from datetime import timedelta

import pytest

from clock import now
from database import sql
from database.read_only import read_only
from database.records import Job, Outcome
from database.store import MADE_OF_PAIRS
from jobs import catching_up
from jobs.catching_up import FEW_DAYS, after_many, has_uncounted, is_behind
from jobs.child import Claim, do_job
from jobs.job_settings import JobSettings
from jobs.queue import CATCHING_UP, ask_catching_up, ask_in_passing
from jobs.tick import Pass, tick
from model.workspace import Workspace
from monitoring.evidence_archive import EvidenceArchive, Selection
from tests.monitoring.asking import asked
from tests.training.making import SCHEMA

MARK = SCHEMA.target_by_name["mark"]


@pytest.fixture(autouse=True)
def little_is_much(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (sql, catching_up):
        monkeypatch.setattr(module, "MOST_IN_PASSING", 10)
    monkeypatch.setattr(catching_up, "MADE_IN_PASSING", 10)


def come(workspace: Workspace, days: int) -> None:
    """Answers of so many days, of one of each the outcome."""
    for day in range(days):
        said = asked(now() - timedelta(days=day + 1), 10, seed=day)
        workspace.store.add_predictions(said)
        told = Outcome(domain=SCHEMA.name, target="mark", value=10.0, at=now(), prediction=said[0].id)
        workspace.store.add_outcomes([told])


def pass_once(workspace: Workspace) -> list[Job]:
    return [job for job in tick(Pass(workspace.store)).asked if job.kind == CATCHING_UP]


def do_next(workspace: Workspace) -> None:
    claimed = workspace.store.claim_job([CATCHING_UP], "w", 60)
    assert claimed is not None
    do_job(workspace, Claim(claimed.id, claimed.token, 60), JobSettings())


def test_a_pass_asks_once_and_afterwards_nothing_waits(workspace: Workspace) -> None:
    store, archive = workspace.store, EvidenceArchive(workspace.store, SCHEMA, workspace.learned)
    assert not pass_once(workspace)
    come(workspace, FEW_DAYS + 1)
    store.newest_answers(SCHEMA.name, "mark")
    assert store.newest_behind() == 10 * (FEW_DAYS + 1), "a page does not begin what it cannot end"
    assert archive.seen(MARK, Selection(), 10).behind == FEW_DAYS
    [job] = pass_once(workspace)
    assert pass_once(workspace) == [job]
    do_next(workspace)
    assert not is_behind(store)
    assert archive.seen(MARK, Selection(), 0).behind == 0
    assert not pass_once(workspace)
    come(workspace, 1)
    assert not is_behind(store), "one more day is left to whoever looks next"


def test_a_few_days_of_many_answers_are_said_and_not_asked_for(workspace: Workspace) -> None:
    store = workspace.store
    for seed in (1, 2):
        said = asked(now() - timedelta(days=1), 10, seed=seed)
        store.add_predictions(said)
        store.add_outcomes([Outcome(domain=SCHEMA.name, target="mark", value=10.0, at=now(), prediction=said[0].id)])
    store.catch_up_newest()
    assert has_uncounted(store, SCHEMA.name)
    assert not is_behind(store, [SCHEMA.name])


def test_what_came_of_a_domain_whose_file_is_gone_is_asked_for_once(workspace: Workspace) -> None:
    come(workspace, FEW_DAYS + 1)
    workspace = replace(workspace, schemas={})
    [job] = pass_once(workspace)
    assert pass_once(workspace) == [job]
    do_next(workspace)
    assert not pass_once(workspace)


def test_who_looks_at_an_installation_that_only_reads_is_shown_as_much(workspace: Workspace) -> None:
    come(workspace, 2)
    reading = read_only(workspace.store)
    ask_in_passing(reading, "page")
    assert not workspace.store.jobs(kind=CATCHING_UP)
    shown = EvidenceArchive(reading, SCHEMA, workspace.learned).matched(MARK)
    assert not workspace.store.documents(MADE_OF_PAIRS + MARK.name)
    assert shown.n == EvidenceArchive(workspace.store, SCHEMA, workspace.learned).matched(MARK).n == 2


def test_who_stored_much_has_it_looked_at_also_where_a_job_is_under_way(workspace: Workspace) -> None:
    store = workspace.store
    assert after_many(store, SCHEMA.name, "ann") is None
    come(workspace, 2)
    first = after_many(store, SCHEMA.name, "ann")
    assert first is not None
    assert ask_catching_up(store, "page").id == first.id
    store.claim_job([CATCHING_UP], "w", 60)
    assert ask_catching_up(store, "page").id == first.id
    second = after_many(store, SCHEMA.name, "ben")
    assert second is not None
    assert second.id != first.id

"""A student is erased to the end, wherever the work is cut off, and what is left of it says no key."""

from pathlib import Path
from typing import Any, cast

import pytest
from msgspec.structs import replace

from access.known import known_of
from access.records import Grant
from access.users import add_user, link_user
from database.store import RecordStore
from database.withdrawal import NamesSomebody
from jobs import holdings
from jobs.child import Claim, do_job
from jobs.erasures import ask_for_unfinished, ask_to_erase, erasures
from jobs.holdings import Holding
from jobs.job_settings import JobSettings
from jobs.queue import BATCH_FILE, JobFile, JobRequest, ask
from model.workspace import Workspace
from monitoring.days import DAY
from monitoring.profile_archive import ProfileArchive
from monitoring.profile_names import PROFILE_KIND
from tests.database.making import make_access, make_outcome
from tests.jobs.test_drift_watch import MONDAY
from tests.jobs.test_kinds import die, do
from tests.monitoring.asking import asked
from tests.training.making import SCHEMA

WHO, HERE = "student 119", SCHEMA.name
STEPS = ["put_document", "erase_student", "remove_document", "wipe", "add_job"]


def keep(workspace: Workspace) -> None:
    """Predictions and an outcome of a student whom models learned, a look, and the profile of the day."""
    store = workspace.store
    said = asked(MONDAY, 40, seed=7)
    store.add_predictions([replace(one, student=WHO) if n % 20 == 3 else one for n, one in enumerate(said)])
    store.add_outcomes([make_outcome(domain=HERE, target="mark", student=WHO)])
    store.add_accesses([make_access(domain=HERE, action="student looked up", details={"student": WHO})])
    add_user(store, "mum", Grant(role="guardian"), "correct horse battery", domains=[], actor="test")
    link_user(store, "mum", WHO, domains=[], actor="test")
    ProfileArchive(workspace, SCHEMA).parts("predictions", MONDAY, MONDAY + DAY)


def finish(workspace: Workspace) -> None:
    while workspace.store.jobs(states=["waiting", "running"]):
        assert do(workspace).state == "done"


def left(workspace: Workspace, text: str) -> list[str]:
    folder = Path(str(workspace.store._file._path)).parent  # type: ignore[attr-defined]
    return [one.name for one in folder.rglob("*") if one.is_file() and text.encode() in one.read_bytes()]


@pytest.mark.parametrize("method", [None, *STEPS])
@pytest.mark.parametrize("after", [False, True])
def test_it_is_done_to_the_end_wherever_it_is_cut_off(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, method: str | None, after: bool
) -> None:
    keep(workspace)
    reports = {WHO: ["a report"]}
    told = Holding(lambda *_: {}, lambda _store, _domain, who: [f"withdrawn: {one}" for one in reports.pop(who, [])])
    monkeypatch.setitem(cast(dict[str, Holding], holdings.HOLDINGS), "reports", told)
    known = known_of(workspace, HERE, WHO)
    assert known is not None
    assert (len(known.predictions), len(known.outcomes), len(known.rows), len(known.looks)) == (2, 1, 1, 1)
    assert any(one.serving for one in known.models)
    profile = workspace.store.documents(PROFILE_KIND, domain=HERE)
    rows = {one.name: one.body["rows"] for one in profile}
    ask_to_erase(workspace.store, HERE, WHO, reason="asked for in a letter", actor="ann")
    if method is not None:
        die(workspace, method, after=after)
    finish(workspace)
    assert known_of(workspace, HERE, WHO) is None
    [proof] = erasures(workspace.store)
    assert (proof.predictions, proof.outcomes, proof.rows, proof.looks) == (2, 1, 1, 1)
    assert (proof.who, proof.done is not None, proof.days) == (None, True, (MONDAY,))
    assert {one["version"] for one in proof.models} == {one.version for one in known.models}
    assert proof.remade == ("1 user linked to the student: unlinked and shut out", "withdrawn: a report")
    again = {one.name: one.body["rows"] for one in workspace.store.documents(PROFILE_KIND, domain=HERE)}
    assert {name: again.pop(name) for name in rows} == {name: count - 2 for name, count in rows.items()}
    assert list(again.values()) == [119]  # of its batch, of which none was kept before
    assert [one.details["count"] for one in workspace.store.events(kind="erasure")] == [4]
    assert left(workspace, WHO) == []
    assert list(ask_for_unfinished(workspace.store)) == []


def test_files_that_came_before_are_read_first_and_reasons_name_nobody(workspace: Workspace) -> None:
    keep(workspace)
    file = {"file": JobFile("marks.csv", b"hours\n1\n")}
    earlier = ask(workspace.store, JobRequest(BATCH_FILE, HERE, "ann", {"kind": "labeled"}, files=file))
    with pytest.raises(NamesSomebody):
        ask_to_erase(workspace.store, HERE, WHO, reason="of Ana Sousa", actor="ann")
    asked_for = ask_to_erase(workspace.store, HERE, WHO, reason="asked", actor="ann")
    claimed: Any = workspace.store.claim_job(["erasure"], "w", 60)
    assert claimed.id == asked_for.id
    waits = do_job(workspace, Claim(claimed.id, claimed.token, 60), JobSettings(1000))
    assert waits is not None
    assert (waits.state, waits.problem and waits.problem.title) == ("waiting", "UploadsUnderWay")
    assert earlier.id in (waits.problem.detail if waits.problem else "")


def test_what_jobs_told_of_cells_is_forgotten(workspace: Workspace) -> None:
    keep(workspace)
    store: RecordStore = workspace.store
    file = {"file": JobFile("a.csv", b"hours\nmany\n")}
    ask(store, JobRequest(BATCH_FILE, HERE, "ann", {"kind": "labeled"}, files=file))
    failed = do(workspace)
    assert failed.problem is not None
    assert failed.problem.problems
    ask_to_erase(store, HERE, WHO, reason="asked", actor="ann")
    finish(workspace)
    kept = store.job(failed.id)
    assert kept is not None
    assert (kept.state, kept.problem and kept.problem.problems) == ("failed", ())

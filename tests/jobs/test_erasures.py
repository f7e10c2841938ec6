"""A student is erased to the end, wherever the work is cut off, and what is left of it says no key."""

import shutil
import signal
from collections.abc import Callable
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from msgspec.structs import replace

from access.known import known_of
from access.records import Grant
from access.users import add_user, link_user
from advice.case_steps import NewStep
from advice.cases import Writer, take_step
from clock import now
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
from reports.archive import list_reports, read_report
from reports.make import make_report
from reports.names import REPORT_BLOBS
from reports.records import Occasion, stands_in
from tests.database.making import make_access, make_outcome
from tests.jobs.acting import act_until, begin
from tests.jobs.test_drift_watch import MONDAY
from tests.jobs.test_kinds import die, do
from tests.monitoring.asking import asked
from tests.reports.conftest import CLASS
from tests.reports.conftest import begin as begin_course
from tests.reports.conftest import open_at as open_course
from tests.reports.making import COURSE
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
    return traces(Path(str(workspace.store._file._path)).parent, text)  # type: ignore[attr-defined]


def traces(folder: Path, text: str) -> list[str]:
    """Files in which a text stands, in any byte."""
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


STATEMENTS_TRIED = 6


def test_a_worker_killed_within_any_statement_leaves_nothing_half_erased(
    prepared: Callable[..., Path], tmp_path: Path
) -> None:
    asked = Path(shutil.copytree(prepared("reports", begin_course), tmp_path / "asked"))
    ask_about_somebody(asked)
    counted, begun = tmp_path / "counted", Path(shutil.copytree(asked, tmp_path / "whole"))
    course = {COURSE.name: COURSE}
    begin(act_until, url_of(begun), begun, course, -1, counted).join()
    several = {*np.linspace(0, int(counted.read_text()) - 1, STATEMENTS_TRIED).round().astype(int).tolist()}
    for at in sorted(several):
        folder = Path(shutil.copytree(asked, tmp_path / f"killed {at}"))
        process = begin(act_until, url_of(folder), folder, course, at, counted)
        process.join()
        assert process.exitcode == -signal.SIGKILL
        workspace = open_course(folder)
        with closing(workspace):
            known = known_of(workspace, COURSE.name, CLASS[7])
            parts = [known.predictions, known.outcomes, known.rows] if known else []
            assert all(parts) or not any(parts), "all of it or nothing, even before the worker is back"
            for one in workspace.store.jobs(states=["running"]):
                workspace.store.renew_job(one.id, one.token, 0)  # its lease runs out
            finish(workspace)
            require_gone(workspace, CLASS[7])
        assert traces(folder, CLASS[7]) == [], at


def url_of(folder: Path) -> str:
    return f"sqlite:///{folder / 'gradewatch.db'}"


def ask_about_somebody(folder: Path) -> None:
    """Two reports on a class, an outcome, a look and a note about a student of it whose erasure is asked for."""
    with closing(open_course(folder)) as workspace:
        store, who = workspace.store, CLASS[7]
        for due in (date(2026, 3, 2), date(2026, 3, 23)):
            make_report(workspace, COURSE.name, Occasion("algebra", "2026-1", due), actor="test")
        store.add_outcomes([make_outcome(domain=COURSE.name, target="final", student=who)])
        store.add_accesses([make_access(domain=COURSE.name, action="student looked up", details={"student": who})])
        take_step(store, COURSE, who, NewStep("talked"), Writer("test"))
        workspace.objections.add(who, workspace.schemas, actor="test")
        ask_to_erase(store, COURSE.name, who, reason="asked for in a letter", actor="test")


def require_gone(workspace: Workspace, who: str) -> None:
    store = workspace.store
    assert known_of(workspace, COURSE.name, who) is None
    [proof] = erasures(store)
    assert (proof.who, proof.done is not None, proof.predictions, proof.outcomes) == (None, True, 2, 1)
    reports = list_reports(store, COURSE.name)
    assert [(one.edition, one.withdrawn, one.students) for one in reports] == [(2, 1, 39)] * 2
    assert not any(stands_in(read_report(store, one), who) for one in reports)
    assert {one.blob for one in reports} == {
        name for name in store.blobs(before=now()) if name.startswith(REPORT_BLOBS)
    }
    assert len(store.predictions(COURSE.name)) == 2 * 39
    workspace.objections.refresh()
    assert (who in workspace.objections, workspace.objections.students) == (True, frozenset())


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

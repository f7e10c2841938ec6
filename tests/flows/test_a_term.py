"""A term by a clock of its own: reports, corrections, final grades, a new champion, a student who is erased.

Everything is done as commands and jobs do it; only the clock is told.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from access.known import known_of
from clock import living_by, new_id, now
from database.records import ChampionKey
from database.uploads import Upload, UploadKind, new_upload, uploads_of
from jobs.erasures import ask_to_erase, erasures
from jobs.inline import do_here
from jobs.job_settings import JobSettings
from jobs.uploads import take_outcomes, take_rows
from model.workspace import Workspace
from monitoring.feedback import feed_back
from preprocessing.reading.chunks import open_source
from preprocessing.validation.pii import pseudonym
from reports.archive import latest_report, read_report, reports_of
from reports.make import make_report
from reports.records import CohortReport, Occasion
from reports.sentences import change_words
from retraining.first_champions import keys_of, train_records
from retraining.monitor import LookBack, Monitored, monitor
from tests.api.conftest import open_at
from tests.api.serving import SECRET

DOMAIN, GROUP, TERM = "course", "algebra", "2026-1"
COURSES = (GROUP, "physics", "logic", "optics", "botany", "music", "latin", "sports")
KEY = ChampionKey(DOMAIN, "final_grade", "now")
BEGINS = date(2026, 1, 12)
WHO = "Q1-algebra-0007"  # who is erased in the end
Row = dict[str, str | float]


def class_of(term: str, each: int, seed: int, harder: float = 0.0) -> list[Row]:
    """So many students of each course: who is there and was good before ends well, in a term that may be harder."""
    draw, rows = np.random.default_rng(seed), list[Row]()
    for course in COURSES:
        for n in range(each):
            before, there, study = draw.normal(65, 12), draw.uniform(40, 100), draw.uniform(2, 20)
            end = 0.5 * before + 0.3 * there + 0.5 * study - harder + draw.normal(0, 4)
            row = {"previous_grade": before, "attendance_rate": there, "study_hours_per_week": study}
            known = {"user_id": f"Q{term[-1]}-{course}-{n:04d}", "course_id": course, "period": term}
            cells = {
                name: round(float(np.clip(cell, 0, 100)), 1) for name, cell in (row | {"final_grade": end}).items()
            }
            rows.append({**known, **cells})
    return rows


class SetClock:
    """Stands where it was set, but for a tick with every look, so that what comes later is later."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def __call__(self) -> datetime:
        self.at += timedelta(milliseconds=1)
        return self.at


class School:
    """An installation, and what is done there on a day. files: what is sent, which is not kept there."""

    def __init__(self, workspace: Workspace, clock: SetClock, files: Path) -> None:
        self.workspace, self.clock, self.files = workspace, clock, files
        self.schema = workspace.schemas[DOMAIN]

    def on(self, week: int) -> None:
        """Go on to the Monday of a week of the term."""
        day = BEGINS + timedelta(weeks=week - 1)
        self.clock.at = datetime(day.year, day.month, day.day, 8, tzinfo=UTC)

    def send(self, kind: UploadKind, rows: list[Row], without: tuple[str, ...] = ()) -> Upload:
        names = [name for name in rows[0] if name not in without]
        path = self.files / f"{kind}-{now():%Y-%m-%d}.csv"
        path.write_text("\n".join([",".join(names), *(",".join(str(row[name]) for name in names) for row in rows)]))
        upload = new_upload(new_id(), DOMAIN, kind, name=path.name, actor="user:ann")
        if kind == "outcomes":
            take_outcomes(self.workspace, self.schema, path, upload, name=path.name)
        else:
            take_rows(self.workspace, self.schema, lambda: open_source(path, name=path.name), upload)
        return uploads_of(self.workspace.store, DOMAIN, limit=1)[0]

    def report(self) -> CohortReport:
        """Of every course; the one on GROUP."""
        self.workspace.champions.refresh()
        for course in COURSES:
            assert make_report(self.workspace, DOMAIN, Occasion(course, TERM, now().date()), actor="user:ann")[1]
        return read_report(self.workspace.store, latest_report(self.workspace.store, DOMAIN, GROUP, TERM))

    def watch(self) -> Monitored:
        return monitor(self.workspace, DOMAIN, LookBack(days=180, fewest=50, today=True, retrain=True))


@pytest.fixture
def school(tmp_path: Path) -> Iterator[School]:
    workspace, clock = open_at(tmp_path / "kept"), SetClock(datetime(2025, 7, 1, 8, tzinfo=UTC))
    (tmp_path / "sent").mkdir()
    with living_by(clock):
        yield School(workspace, clock, tmp_path / "sent")
    workspace.close()


def traces(folder: Path, words: list[str]) -> list[str]:
    """Files in which one of these stands, in any byte."""
    found = [file for file in folder.rglob("*") if file.is_file()]
    return [file.name for file in found if any(word.encode() in file.read_bytes() for word in words)]


@pytest.mark.timeout(600)
def test_a_term_from_its_first_upload_to_a_student_who_is_erased(school: School, tmp_path: Path) -> None:
    store, workspace = school.workspace.store, school.workspace
    assert school.send("labeled", class_of("2025-2", 25, seed=1)).added == 200
    [first] = train_records(workspace, school.schema, keys_of(school.schema), window=20_000, actor="user:ann")
    assert first.installed, first.reason

    school.on(1)
    rows = class_of(TERM, 25, seed=2, harder=12)
    assert school.send("unlabeled", rows, ("final_grade",)).added == 200
    school.on(3)
    third = school.report()
    assert (len(third.students), third.last) == (25, None)

    school.on(5)
    moved, came = rows[:4], dict(rows[0], user_id="Q1-algebra-9999")
    for row in moved:
        row["attendance_rate"] = 41.0
    corrected = school.send("unlabeled", [*moved, came], ("final_grade",))
    assert (corrected.added, corrected.updated, corrected.unchanged) == (1, 4, 0)
    school.on(6)
    sixth = school.report()
    assert sixth.last is not None
    assert sixth.last.due == third.due
    changed = [one for one in sixth.students if one.before and one.before.cells]
    assert {cell.feature for one in changed for cell in one.before.cells} == {"attendance_rate"}  # type: ignore[union-attr]
    assert len(changed) == 4
    told = " ".join(change_words(sixth))
    assert all(word in told for word in ("1 joined", "share of sessions attended (4)", "4 mainly by new data")), told

    school.on(20)
    ended = school.send("outcomes", rows, ("previous_grade", "attendance_rate", "study_hours_per_week"))
    assert ended.added == 200
    since = now() - timedelta(days=180)
    found = feed_back(store, school.schema, ["final_grade"], learned=workspace.learned, since=since, fewest=20)
    assert found.targets[0].parts[0].n >= 25
    seen = school.watch()
    assert seen.verdict == "worse", seen
    assert seen.retrained, seen

    school.on(21)
    last = school.report()
    [now_serving] = [one.version for one in last.models]
    assert now_serving != third.models[0].version == first.model.version  # type: ignore[union-attr]
    assert "model" in " ".join(change_words(last))

    student = pseudonym(WHO, SECRET.encode())
    known = known_of(workspace, DOMAIN, student)
    assert known is not None
    assert {one.version for one in known.models} == {now_serving}
    job = ask_to_erase(store, DOMAIN, student, reason="asked for in a letter", actor="user:ola")
    done = do_here(workspace, job.id, JobSettings(20_000))
    do_here(workspace, (done.result or {})["remaking"], JobSettings(20_000))
    [proof] = erasures(store)
    assert (proof.predictions, proof.outcomes, len(proof.remade)) == (len(known.predictions), 1, 3)
    assert [one.edition for one in reports_of(store, DOMAIN, GROUP, TERM)] == [2, 2, 2]
    assert traces(tmp_path / "kept", [WHO, student]) == []

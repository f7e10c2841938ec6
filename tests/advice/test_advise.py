"""Advice from what a store holds: who is compared with whom, what a confined reader learns, and the command."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from advice.advise import Cohorts, NothingKnown, advise, advise_student
from advice.catalogue import load_catalogue
from advice.positions import Place
from database.records import Answer, Outcome, Prediction, digest
from database.store import RecordStore
from preprocessing.schema import load_domains
from preprocessing.validation.pii import pseudonym
from tests.command import run_command
from tests.database.making import NOON, make_batch, make_prediction, make_row

SCHEMA, CATALOGUE = load_domains()["university"], load_catalogue()
OLD, NEW = Place("2 / Databases", "2025-2"), Place("3 / Algorithms", "2026-1")


def asked(student: str | None, place: Place, marks: float, days: int = 0, below: float = 0.2) -> Prediction:
    inputs = {"assignment_marks": 9.0, "quiz_marks": marks, "midterm_marks": marks, "attendance_percentage": 95.0}
    said = Answer(target="final_marks", value=50.0, naive=50.0, model="m", generation=1, below_pass=below)
    return make_prediction(
        NOON + timedelta(days=days), domain="university", moment="midterm", inputs=inputs, answers=(said,),
        student=student, group=place.group, period=place.period,
    )  # fmt: skip


def fill(store: RecordStore, own: str) -> Prediction:
    """Twenty others in an old and a new course, of which the old one has ended; the student was well and is not."""
    others = [asked(f"s{n}", place, 3 + n / 10) for n in range(20) for place in (OLD, NEW)]
    elsewhere = [asked(f"s{n}", Place(NEW.group, "2025-1"), 0) for n in range(20)]
    newest = asked(own, NEW, 1, days=2, below=0.7)
    store.add_predictions([*others, *elsewhere, asked(own, OLD, 9), asked(own, NEW, 9, days=1), newest])
    ended = [("s%d" % n, 40.0 + n) for n in range(20)] + [(own, 39.0)]  # noqa: UP031 (a comprehension of pairs)
    store.add_outcomes([
        Outcome(domain="university", target="final_marks", value=value, at=NOON + timedelta(days=3), student=student,
                group=OLD.group, period=OLD.period)
        for student, value in ended
    ])  # fmt: skip
    return newest


def keep_file(store: RecordStore, marks: list[tuple[str, float]]) -> None:
    rows = [
        make_row(
            number, record=digest(["university", student, *NEW]), targets={}, student=student, group=NEW.group,
            period=NEW.period, inputs={"assignment_marks": 9.0, "quiz_marks": value, "midterm_marks": value},
        )
        for number, (student, value) in enumerate(marks, 1)
    ]  # fmt: skip
    later = NOON + timedelta(days=4)
    store.add_batch(make_batch("b", later, domain="university", kind="unlabeled", rows=len(rows)), rows)


def test_own_results_are_compared_with_those_of_the_same_course_and_period(store: RecordStore) -> None:
    newest = fill(store, "own")
    found = advise_student(store, SCHEMA, CATALOGUE, "own")
    assert (found.prediction, found.below_pass) == (newest.id, 0.7)
    told = {(one.group, one.period): (one.basis, one.value, one.position and one.position.n) for one in found.subjects}
    assert told == {OLD: ("final", 39.0, 20), NEW: ("so far", 11 / 50, 20)}
    assert {(one.group, one.period) for one in found.weak_subjects} == {OLD, NEW}
    assert {one.entry.support for one in found.plan.recommendations} == {"institution"}
    confined = advise_student(store, SCHEMA, CATALOGUE, "own", groups=[OLD.group or ""])
    assert [(one.group, one.period) for one in confined.subjects] == [OLD]
    assert (confined.group, confined.period, confined.below_pass) == (*OLD, 0.2)
    with pytest.raises(NothingKnown):
        advise_student(store, SCHEMA, CATALOGUE, "own", groups=[])
    keep_file(store, [("own", 10), ("f1", 2)])
    [newer] = [one for one in advise_student(store, SCHEMA, CATALOGUE, "own").subjects if one.group == NEW.group]
    assert (newer.value, newer.others) == (29 / 50, 21), "a row of a file that came later stands for the student"
    with pytest.raises(NothingKnown, match="objected"):
        advise_student(store, SCHEMA, CATALOGUE, "own", objected={"own"})
    file_only = Cohorts(store, SCHEMA).own("f1")
    assert [(one.place, one.inputs["quiz_marks"]) for one in file_only] == [(NEW, 2)]
    nameless = advise(store, SCHEMA, CATALOGUE, asked(None, NEW, 1))
    assert [(one.group, one.position and one.position.n) for one in nameless.subjects] == [(NEW.group, 22)]


def test_the_command_takes_a_key_or_a_pseudonym_and_records_the_look(
    tmp_path: Path, sqlite_url: str, opened: Callable[[str], RecordStore]
) -> None:
    own = pseudonym("1001", b"s" * 32)
    store = opened(sqlite_url)
    fill(store, own)
    settings = {"GRADEWATCH_DATABASE_URL": sqlite_url, "GRADEWATCH_PSEUDONYM_SECRET": "s" * 32}
    by_key, by_pseudonym = (
        run_command(tmp_path, "students", "advice", key, "-d", "university", "--json", **settings)
        for key in ("1001", own)
    )
    assert by_key.returncode == 0, by_key.stderr
    assert by_key.stdout == by_pseudonym.stdout
    assert msgspec.json.decode(by_key.stdout)["plan"]["recommendations"][0]["entry"]["id"]
    read = run_command(tmp_path, "students", "advice", "1001", "-d", "university", **settings)
    assert "evidence:" in read.stdout
    assert "1001" not in read.stdout
    unknown = run_command(tmp_path, "students", "advice", "1002", "-d", "university", **settings)
    assert (unknown.returncode, "nobody was answered" in unknown.stderr) == (1, True)
    looks = store.accesses(action="student looked up")
    assert {one.details["student"] for one in looks} == {own, pseudonym("1002", b"s" * 32)}

"""Students answered by what is observed of them: alone as all together, anew where something came late, or why not."""

import shutil
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path

import msgspec
import polars as pl
import pytest

import language
from access.roles import LOCAL, Principal
from clock import now
from database.ingest import store_outcomes
from database.newest import Which
from database.observed import store_events
from database.records import Observation, Outcome
from jobs.inline import do_here
from jobs.job_settings import JobSettings
from jobs.queue import KEEPING_WEEKS
from jobs.tick import Pass, tick
from model.purpose import IntendedPurpose
from model.workspace import Workspace
from monitoring.at_risk import at_risk
from monitoring.feeds import STALE_DAYS, silent_at_close
from monitoring.results import ResultsQuestion, results_of
from monitoring.week_close import close_week, refresh
from monitoring.weekly_answers import WeeklyAnswer, WeeklyAnswers
from overview.conditions import find_conditions
from overview.describing import describe
from preprocessing.panel.computed import FEATURE_NAMES
from preprocessing.panel.live import GivenEvent
from preprocessing.validation.pii import pseudonym
from reports.sheet_forms import sheet_about
from tests.monitoring.weekly_making import K12, SECRET, begin_weeks, leaving, open_at

START = date(2025, 8, 25)
WEEK = 15
DAY = START + timedelta(days=7 * WEEK + 6)
DOMAIN, TARGET = K12.name, K12.targets[0]


@pytest.fixture
def folder(prepared: Callable[..., Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(prepared("weeks", begin_weeks), tmp_path / "installation"))


@pytest.fixture
def workspace(folder: Path) -> Iterator[Workspace]:
    workspace = open_at(folder)
    yield workspace
    workspace.close()


def rows_at(folder: Path, week: int) -> dict[str, dict[str, float | None]]:
    """By pseudonym what the file of weekly rows says."""
    rows = pl.read_parquet(folder / "district" / "rows.parquet").filter(pl.col("school_week") == week)
    return {pseudonym(row["student_id"], SECRET): row for row in rows.iter_rows(named=True)}


def ask(workspace: Workspace, *students: str, day: date = DAY, **asked: object) -> list[WeeklyAnswer]:
    weekly = WeeklyAnswers(workspace.store, workspace.service, K12, workspace.weeks)
    return weekly.answers(students, source="test", as_of=day, **asked)  # type: ignore[arg-type]


def absence(student: str, day: date, version: int = 1) -> GivenEvent:
    event = f"late {day}"
    return GivenEvent("attendance", student, event, version, (day - date(1970, 1, 1)).days, ("unexcused",), "nurse")


def test_all_are_answered_as_each_alone_and_as_the_file_of_weeks_has_them(workspace: Workspace, folder: Path) -> None:
    store, expected = workspace.store, rows_at(folder, WEEK)
    closed = close_week(workspace, DOMAIN, DAY)
    assert (closed.week, closed.answered) == (f"2025-26 W{WEEK}", len(expected))
    listed = at_risk(store, K12, which=Which(), limit=500)
    assert {one.student for one in listed.students} == {*expected}
    assert listed.ranked == len(listed.students) == len(expected)
    logged = {one.student: one for one in store.predictions(DOMAIN, limit=500)}
    for student, row in expected.items():
        for name in FEATURE_NAMES:
            assert logged[student].inputs[name] == row[name], name
    students = sorted(expected)[:20]
    for student, told in zip(students, ask(workspace, *students, factors=True), strict=True):
        [answer] = logged[student].answers
        assert told.risk == answer.below_pass
        assert [*told.risks] == [4, 8, 18]
        assert [*told.risks.values()] == sorted(told.risks.values())
        assert told.risks[18] == pytest.approx(told.risk)
        assert told.level in ("low", "medium", "high", "critical")
        assert told.rule == answer.naive
        assert told.since is not None
        assert told.since.week == f"2025-26 W{WEEK - 1}"
        assert len(told.factors) <= 5
        assert store.prediction(told.prediction or "") is not None


def test_what_comes_late_moves_its_student_at_once_and_others_at_the_next_close(workspace: Workspace) -> None:
    """Nothing of before its week moves, and what was answered then stays said."""
    store = workspace.store
    close_week(workspace, DOMAIN, DAY)
    listed = at_risk(store, K12, which=Which(), limit=500).students
    school = listed[0].group
    at_school = [one.student for one in listed if one.group == school]
    before = {one.student: one for one in ask(workspace, *at_school)}
    key = next(f"example-{n:07d}" for n in range(1, 200) if pseudonym(f"example-{n:07d}", SECRET) in at_school)
    student = pseudonym(key, SECRET)
    days = [START + timedelta(days=7 * (WEEK - 2) + day) for day in range(5)]
    again = [absence(key, day) for day in days]
    assert store_events(store, DOMAIN, again, secret=SECRET, at=now()).new == 5
    done = refresh(workspace, DOMAIN, as_of=DAY)
    assert (done.students, done.cells, done.answered) == (1, 3, 1)
    assert refresh(workspace, DOMAIN, as_of=DAY).students == 0
    after = {one.student: one for one in ask(workspace, *at_school)}
    inputs = {one: store.prediction(after[one].prediction or "").inputs for one in at_school}  # type: ignore[union-attr]
    former = {one: store.prediction(before[one].prediction or "").inputs for one in at_school}  # type: ignore[union-attr]
    assert inputs[student]["att_rate_4w"] < former[student]["att_rate_4w"]  # type: ignore[operator]
    assert all(inputs[one] == former[one] for one in at_school if one != student), "peers stand as of the last close"
    early = DAY - timedelta(days=21)
    [then] = ask(workspace, student, day=early)
    assert then.week == f"2025-26 W{WEEK - 3}"
    close_week(workspace, DOMAIN, DAY)
    moved = {one.student: one.prediction or "" for one in ask(workspace, *at_school)}
    told = {one: store.prediction(id_).inputs for one, id_ in moved.items()}  # type: ignore[union-attr]
    grade = after[student].grade
    mates = [one for one in at_school if one != student and after[one].grade == grade]
    compared = [one for one in mates if told[one]["att_vs_peers_4w"] is not None]
    assert all(told[one]["att_vs_peers_4w"] > inputs[one]["att_vs_peers_4w"] for one in compared)  # type: ignore[operator]
    assert compared
    elsewhere = {name: value for name, value in told[mates[0]].items() if "peers" not in name}
    assert elsewhere == {name: value for name, value in inputs[mates[0]].items() if "peers" not in name}


def test_where_nothing_can_be_said_it_is_said_why(workspace: Workspace, folder: Path) -> None:
    close_week(workspace, DOMAIN, DAY)
    key = next(one.student for one in at_risk(workspace.store, K12, which=Which(), limit=5).students)
    name = next(f"example-{n:07d}" for n in range(1, 200) if pseudonym(f"example-{n:07d}", SECRET) == key)
    assert [one.why_not for one in ask(workspace, key, "f" * 64)] == [None, "unknown"]
    assert [one.why_not for one in ask(workspace, key, groups=["elsewhere"])] == ["unknown"]
    for day, why in (
        (START - timedelta(days=9), "no_year"),
        (START + timedelta(days=11), "too_few_weeks"),
        (START + timedelta(days=400), "year_over"),
    ):
        [told] = ask(workspace, key, day=day)
        assert (told.why_not, told.risk, told.risks, told.prediction) == (why, None, {}, None)
        assert told.told
    left = leaving(folder, name, DAY - timedelta(days=20))
    assert store_events(workspace.store, DOMAIN, [left], secret=SECRET, at=now()).corrected == 1
    [gone] = ask(workspace, key)
    assert (gone.why_not, gone.risk) == ("withdrawn", None)
    close_week(workspace, DOMAIN, DAY + timedelta(days=7))
    assert key not in {one.student for one in at_risk(workspace.store, K12, which=Which(), limit=500).students}


def test_a_pass_asks_for_a_job_that_closes_what_is_over_and_then_answers_what_is_new(workspace: Workspace) -> None:
    """Done again it closes nothing again, and a domain whose weeks nobody closed is left alone."""
    store = workspace.store
    assert [one for one in tick(Pass(store)).asked if one.kind == KEEPING_WEEKS] == []
    close_week(workspace, DOMAIN, DAY)
    [asked] = [one for one in tick(Pass(store)).asked if one.kind == KEEPING_WEEKS]
    done = do_here(workspace, asked.id, JobSettings())
    assert (done.state, (done.result or {})["week"]) == ("done", "2025-26 W38"), "the last one of a year that is over"
    assert [one for one in tick(Pass(store)).asked if one.kind == KEEPING_WEEKS] == []
    key = next(f"example-{n:07d}" for n in range(1, 200) if pseudonym(f"example-{n:07d}", SECRET))
    store_events(store, DOMAIN, [absence(key, DAY)], secret=SECRET, at=now())
    [again] = [one for one in tick(Pass(store)).asked if one.kind == KEEPING_WEEKS]
    result = do_here(workspace, again.id, JobSettings()).result or {}
    assert (result["students"], "week" in result) == (1, False)


def test_a_school_without_records_is_a_fault_of_records_and_no_risk(workspace: Workspace) -> None:
    store = workspace.store
    close_week(workspace, DOMAIN, DAY)
    listed = at_risk(store, K12, which=Which(), limit=500).students
    school = listed[0].group
    gone = []
    for page in store.observation_pages(DOMAIN):
        for student, kind, event, version, source, day, *_ in zip(*page, strict=True):
            late = date(1970, 1, 1) + timedelta(days=day)
            at_school = {one.student for one in listed if one.group == school}
            if kind == "attendance" and student in at_school and DAY - timedelta(days=21) < late:
                gone.append((student, event, version, source, day))
    store.add_observations([
        Observation(domain=DOMAIN, student=student, kind="attendance", event=event, version=version + 1, source=source,
                    day=day, body=None, at=now())
        for student, event, version, source, day in gone
    ])  # fmt: skip
    closed = close_week(workspace, DOMAIN, DAY)
    assert closed.stale == (school,)
    [silent] = closed.silent
    assert (silent.school, silent.feed, silent.last) == (school, "attendance", DAY - timedelta(days=23))
    assert silent.days >= STALE_DAYS
    assert silent_at_close(store, DOMAIN, closed.week) == closed.silent
    assert silent.words.startswith(f"{school}: no attendance since {silent.last}, ")
    [held] = [one for one in find_conditions(workspace, LOCAL) if one.condition.kind == "silent feed"]
    assert held.condition.figures["schools"] == [school]
    with language.use("de"):
        assert f"Anwesenheit von {school}" in describe(held.condition, workspace.schemas).sentence
    elsewhere = Principal(name="user:t", permissions=LOCAL.permissions, groups=frozenset({"another school"}))
    assert not [one for one in find_conditions(workspace, elsewhere) if one.condition.kind == "silent feed"]
    assert closed.answered == sum(one.group != school for one in listed)
    [told] = ask(workspace, listed[0].student)
    assert told.why_not == "stale_feed"
    assert "records are missing" in (told.told or "")
    store.add_observations([
        Observation(domain=DOMAIN, student=student, kind="attendance", event=event, version=version + 2, source=source,
                    day=day, body=("present",), at=now())
        for student, event, version, source, day in gone if student == listed[0].student
    ])  # fmt: skip
    refresh(workspace, DOMAIN, as_of=DAY)
    assert not [one for one in find_conditions(workspace, LOCAL) if one.condition.kind == "silent feed"]


def test_a_model_of_before_there_were_ranges_goes_on_answering_without_them(workspace: Workspace) -> None:
    close_week(workspace, DOMAIN, DAY)
    student = workspace.store.predictions(DOMAIN, limit=1)[0].student or ""
    [ranged] = ask(workspace, student)
    assert ranged.interval is not None
    serving = workspace.champions.at(DOMAIN, "now")[TARGET.name].predictor
    serving.manifest = msgspec.structs.replace(serving.manifest, chance_ranges=None)
    [told] = ask(workspace, student)
    assert (told.risk, told.ranges, told.interval) == (ranged.risk, {}, None)


def test_the_sheet_of_a_student_says_of_how_many_of_a_hundred_it_came_true(workspace: Workspace) -> None:
    close_week(workspace, DOMAIN, DAY)
    said = workspace.store.predictions(DOMAIN, limit=1)[0]
    [told] = ask(workspace, said.student or "")
    assert told.interval is not None
    low, high = (round(end * 100) for end in told.interval)
    sheet = sheet_about(workspace, K12, said, IntendedPurpose(), "")
    words = f"Of a hundred students with such a number, {low} to {high} come to it within 18 weeks."
    assert words in [one for part in sheet.parts for one in part.sentences]


def test_chances_are_told_beside_what_happened_by_week_school_and_grade(workspace: Workspace, folder: Path) -> None:
    for week in (WEEK - 1, WEEK):
        close_week(workspace, DOMAIN, START + timedelta(days=7 * week + 6))
    known = pl.read_parquet(folder / "district" / "labelled.parquet").select("student_id", "week", TARGET.name)
    truth = {(pseudonym(student, SECRET), week): value for student, week, value in known.iter_rows()}
    said = workspace.store.predictions(DOMAIN, limit=500)
    outcomes = [
        Outcome(domain=DOMAIN, target=TARGET.name, value=truth[one.student, one.period], at=now(), prediction=one.id)
        for one in said if (one.student, one.period) in truth
    ]  # fmt: skip
    store_outcomes(workspace.store, K12, outcomes)
    found = results_of(workspace, DOMAIN, ResultsQuestion(target=TARGET.name))
    assert found is not None
    assert found.weekly is not None
    assert [one.name for one in found.weekly.weeks] == [f"2025-26 W{WEEK - 1}", f"2025-26 W{WEEK}"]
    assert sum(one.n for one in found.weekly.weeks) == found.weekly.whole.n == len(outcomes)
    rows = pl.read_parquet(folder / "district" / "rows.parquet").filter(pl.col("school_week") == WEEK)
    assert {one.name for one in found.weekly.schools} == {*rows["school"]}
    assert {one.name for one in found.weekly.grades} == {*rows["grade_level"]}
    happened = [
        truth[one.student, one.period] != TARGET.levels[-1] for one in said if (one.student, one.period) in truth
    ]
    assert found.weekly.whole.rate is not None
    assert found.weekly.whole.rate.value == pytest.approx(sum(happened) / len(happened))
    assert all(one.rate is None for one in found.weekly.grades if one.students < 10)

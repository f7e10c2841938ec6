"""The packed demo tells the story that it is there for, and living through it anew tells the same."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from clock import Clock, living_by, now
from demo.__main__ import build
from demo.clocks import LastDay
from demo.installation import add_demo, open_demo, open_installation
from demo.plot import CHANGED, DISTRICT, JOINED, LAST_INSTANT, REPLACED, SCHOOL, UNIVERSITY, WEEKS
from demo.snapshot import PACKED
from model.workspace import Workspace
from monitoring.alerts import deliveries
from monitoring.weekly_answers import WeeklyAnswers
from tests.demo.verdicts import share_inside, students_below, verdicts

LAST_CLOSED = date(2026, 11, 22)


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Workspace, Clock]]:
    folder = tmp_path_factory.mktemp("data")
    add_demo(folder)
    workspace, clock = open_demo(folder)
    yield workspace, clock
    workspace.close()


@pytest.fixture
def school(opened: tuple[Workspace, Clock]) -> Workspace:
    return opened[0]


def test_it_is_small_and_lives_on_its_last_day(opened: tuple[Workspace, Clock]) -> None:
    assert PACKED.stat().st_size <= 4_000_000
    with living_by(opened[1]):
        first = now()
        assert (first.date(), LAST_INSTANT <= first <= now()) == (LAST_INSTANT.date(), True)
    later = LastDay(LAST_INSTANT, iter([0.0, 86_400.0]).__next__)
    assert later().date() == LAST_INSTANT.date()


def test_a_school_joins_ranges_break_and_a_challenger_mends_it(school: Workspace) -> None:
    store = school.store
    joined = [one for one in store.predictions(SCHOOL, limit=10_000) if one.answers[0].out_of_range == ("school",)]
    assert len(joined) > 100
    n, inside = share_inside(school, SCHOOL, "G3", "G2", range(2, JOINED))
    assert (n >= 200, inside > 0.85) == (True, True), inside
    n, inside = share_inside(school, SCHOOL, "G3", "G2", range(JOINED + 1, REPLACED))
    assert (n >= 100, inside < 0.75) == (True, True), inside
    n, inside = share_inside(school, SCHOOL, "G3", "G2", range(WEEKS, WEEKS + 1))
    assert (n >= 100, inside > 0.8) == (True, True), inside


def test_it_was_promoted_rolled_back_and_activated_again_and_a_trial_waits(school: Workspace) -> None:
    found = verdicts(school)
    assert found["school: line"][str(CHANGED)] == [
        ("promote", "user:anna"),
        ("promote", "user:anna"),
        ("rollback", "user:anna"),
        ("activate", "user:anna"),
    ]
    assert found["school: trials"] == [("shadow", True, "champion better")]
    assert found["school: uploads"][-1] == ("outcomes", "refused")
    assert found["school: cases"] == 3
    assert 29 <= students_below(school, SCHOOL) <= 33


def test_the_university_is_calm(school: Workspace) -> None:
    found = verdicts(school)
    assert not any(found["university: looks"])
    assert len(found["university: looks"]) == 11
    assert deliveries(school.store, domain=UNIVERSITY) == []


def test_the_district_is_answered_week_by_week(opened: tuple[Workspace, Clock]) -> None:
    workspace, clock = opened
    store = workspace.store
    weeks = {one.period for one in store.predictions(DISTRICT, limit=10_000)}
    assert weeks == {f"2026-27 W{number:02d}" for number in range(3, WEEKS)}
    with living_by(clock):
        weekly = WeeklyAnswers(store, workspace.service, workspace.schemas[DISTRICT], workspace.weeks)
        students = sorted({one.student for one in store.predictions(DISTRICT, limit=200) if one.student})
        told = weekly.answers(students[:40], source="test", factors=True, as_of=LAST_CLOSED)
    answered = [one for one in told if one.why_not is None]
    assert len(answered) > 30
    assert all(one.risks[4] <= one.risks[8] <= one.risks[18] for one in answered)
    assert any(one.factors for one in answered)


@pytest.mark.rebuild
@pytest.mark.timeout(3600)
def test_living_through_it_anew_comes_to_the_same_verdicts(school: Workspace, tmp_path: Path) -> None:
    build(tmp_path)
    anew = open_installation(tmp_path)
    try:
        assert verdicts(anew) == verdicts(school)
    finally:
        anew.close()

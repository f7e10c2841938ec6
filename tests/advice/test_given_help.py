"""Help that a school's system exports is a step of the case that a warning began, and nobody's where there was none."""

from datetime import date, timedelta

from msgspec.structs import replace

from advice.case_steps import HelpGiven
from advice.cases import Writer, case_of
from advice.given_help import ExportedHelp, take_help
from clock import now
from database.store import RecordStore
from tests.advice.test_advise import NEW, SCHEMA, asked
from tests.database.making import NOON

ANNA = "5" * 64
BEGIN = NOON.date() + timedelta(days=1)
GIVEN = ExportedHelp(ANNA, "Tutoring", BEGIN, None, 8.0, None, "active")
BY = Writer("key:sis", kinds=["tutoring", "coaching"])


def test_help_is_a_step_once_and_again_where_its_end_is_told(store: RecordStore) -> None:
    store.add_predictions([asked(ANNA, NEW, 1)])
    assert take_help(store, SCHEMA, [GIVEN], BY, dry=True)[:2] == (1, 0)
    assert case_of(store, SCHEMA.name, ANNA).steps == ()
    assert take_help(store, SCHEMA, [GIVEN], BY) == (1, 0, {})
    assert take_help(store, SCHEMA, [GIVEN], BY) == (0, 1, {})
    begun = HelpGiven(kind="tutoring", start=BEGIN, dose="8 planned")
    [step] = case_of(store, SCHEMA.name, ANNA).steps
    assert (step.done, step.help, step.at.date(), step.actor, step.period) == (
        "helped", begun, BEGIN, "key:sis", NEW.period,
    )  # fmt: skip
    end = BEGIN + timedelta(days=20)
    stopped = GIVEN._replace(end=end, delivered=5.0, state="stopped")
    assert take_help(store, SCHEMA, [stopped], BY)[:2] == (1, 0)
    assert take_help(store, SCHEMA, [stopped], BY)[:2] == (0, 1)
    case = case_of(store, SCHEMA.name, ANNA)
    assert case.steps[0].text == "stopped"
    assert case.states[0].help == replace(begun, end=end, dose="5 of 8 given")
    assert len(case.steps) == 2


def test_what_is_no_step_is_told_by_its_reason(store: RecordStore) -> None:
    store.add_predictions([asked(ANNA, NEW, 1)])
    before = GIVEN._replace(begin=date(2020, 1, 7))
    given = [
        GIVEN._replace(student="6" * 64), before, GIVEN._replace(kind="massage"), GIVEN._replace(state="declined"),
        GIVEN._replace(state=None), GIVEN._replace(begin=now().date() + timedelta(days=9)),
        GIVEN._replace(end=BEGIN - timedelta(days=1)),
    ]  # fmt: skip
    done = take_help(store, SCHEMA, given, BY)
    assert done[:2] == (0, 0)
    assert done.left["nobody was answered about the student before it began"] == 2
    assert sum(done.left.values()) == len(given)
    assert "massage" in done.told
    assert "declined" in done.told
    objected = take_help(store, SCHEMA, [GIVEN], BY._replace(objected=[ANNA]))
    assert objected[:2] == (0, 0)
    assert case_of(store, SCHEMA.name, ANNA).steps == ()

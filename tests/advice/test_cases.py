"""What was done about a student is kept with who, when and the answer that it followed, on every store, and goes with
the student."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime

import msgspec
import pytest

from advice.advise import NothingKnown
from advice.case_files import TakenSteps, take_file
from advice.case_steps import LONGEST_NOTE, BadStep, CaseStep, HelpGiven, NewStep, Stage
from advice.cases import CASE_KIND, Writer, case_of, cases_of, list_cases, take_step
from advice.positions import Place
from clock import new_id, now
from database.records import Event
from database.store import RecordStore
from database.withdrawal import NamesSomebody
from jobs.holdings import HOLDINGS, files_about
from preprocessing.validation.pii import pseudonym
from preprocessing.validation.rules import BadData
from tests.advice.test_advise import NEW, OLD, SCHEMA, asked

HERE, ANNA = SCHEMA.name, "5" * 64


def take(store: RecordStore, step: NewStep, student: str = ANNA, **rules: object) -> CaseStep:
    return take_step(store, SCHEMA, student, step, Writer("key:t", kinds=["tutoring"])._replace(**rules))


def test_a_step_is_beside_the_answer_it_followed_and_shown_in_its_group_alone(store: RecordStore) -> None:
    before, newest = asked(ANNA, OLD, 9, below=0.1), asked(ANNA, NEW, 1, days=1, below=0.7)
    store.add_predictions([before, newest, asked("other", NEW, 5)])
    first = take(store, NewStep("talked", " tutoring  on Mondays "))
    second = take(store, NewStep("wrong", "was on leave", place=OLD), groups=[OLD.group or ""])
    case = case_of(store, HERE, ANNA)
    assert case.steps == (second, first)
    followed = [one.answer and (one.answer.prediction, one.answer.below_pass) for one in case.steps]
    told = [(one.done, one.text, one.group, said) for one, said in zip(case.steps, followed, strict=True)]
    assert told == [
        ("wrong", "was on leave", OLD.group, (before.id, 0.1)),
        ("talked", "tutoring on Mondays", NEW.group, (newest.id, 0.7)),
    ]
    assert cases_of(store, HERE, ["other", ANNA, "nobody"]) == {ANNA: case}
    assert case_of(store, HERE, ANNA, [NEW.group or ""]).steps == (first,)
    assert cases_of(store, HERE, [ANNA], ["elsewhere"]) == {}
    assert case_of(store, "school", ANNA).steps == ()


HELP = HelpGiven(kind="tutoring", start=date(2026, 3, 2), end=date(2026, 4, 2), dose="2 x 45 minutes", owner="tutors")


def test_a_case_goes_from_a_warning_to_help_a_review_and_an_end(store: RecordStore) -> None:
    store.add_predictions([asked(ANNA, NEW, 1), asked("other", NEW, 1), asked("gone", NEW, 2)])
    order: list[tuple[NewStep, Stage]] = [
        (NewStep("talked"), "noted"),
        (NewStep("accepted"), "accepted"),
        (NewStep("helped", help=msgspec.structs.replace(HELP, start=now().date(), end=None)), "helping"),
        (NewStep("helped", help=HELP), "review_due"),
        (NewStep("reviewed", "marks are better"), "reviewed"),
        (NewStep("closed"), "closed"),
        (NewStep("note", "came by"), "closed"),
        (NewStep("accepted"), "accepted"),
        (NewStep("not_applicable", "has moved away"), "closed"),
    ]
    for step, stage in order:
        take(store, step)
        (state,) = case_of(store, HERE, ANNA).states
        assert state.stage == stage
    assert state.help == HELP
    take(store, NewStep("wrong", "was ill"), "other")
    take(store, NewStep("accepted"), "gone")
    assert [one.student for one in list_cases(store, HERE).cases] == [ANNA, "other", "gone"]
    assert [one.student for one in list_cases(store, HERE, ["accepted"]).cases] == ["gone"]
    assert list_cases(store, HERE, groups=["elsewhere"]).cases == ()
    gone = store.predictions(HERE, student="gone")[0].id
    store.remove_predictions(HERE, [gone], Event(id=new_id(), kind="withdrawn", at=now(), domain=HERE))
    assert [one.student for one in list_cases(store, HERE).cases] == [ANNA, "other"]


def test_weeks_of_a_school_year_are_one_case(store: RecordStore) -> None:
    weeks = [Place("a", f"2025-26 W{week:02}") for week in (7, 8)]
    store.add_predictions([asked(ANNA, place, 1, days=number) for number, place in enumerate(weeks)])
    take(store, NewStep("accepted", place=weeks[0]))
    take(store, NewStep("helped", place=weeks[1]))
    (state,) = case_of(store, HERE, ANNA).states
    assert (state.stage, state.period) == ("helping", weeks[1].period)
    assert [one.state for one in list_cases(store, HERE).cases] == [state]


HEAD = "student,done,when,text,kind,start,end,dose,owner"
FILE = f"""{HEAD}
s-1,accepted,2026-11-01,,,,,,
s-1,helped,2026-11-02,,tutoring,2026-11-02,2026-11-20,2 x 45 minutes,tutors
s-2,wrong,2026-11-03,was ill,,,,,
"""


def test_a_file_of_steps_is_kept_whole_once_and_its_faults_are_told_together(store: RecordStore) -> None:
    long_ago = [asked(pseudonym(f"s-{n}", b"secret"), NEW, n, days=-400) for n in (1, 2)]
    store.add_predictions(long_ago)
    by = Writer("user:ann", kinds=["tutoring"])

    def give(text: str) -> TakenSteps:
        return take_file(store, SCHEMA, text.encode(), by, secret=b"secret", name="steps.csv")

    bad = [
        "s-1,danced,2026-11-01,,,,,,", "s-9,talked,2026-11-01,,,,,,", "s-1,talked,soon,,,,,,",
        "s-1,helped,2026-11-02,,chess,2026-11-02,,,", "s-1,reviewed,2026-11-01,better,,,,,",
        "s-1,talked,2026-11-01,Ana Sousa was ill,,,,,", "s-1,talked,2999-01-01,,,,,,",
    ]  # fmt: skip
    with pytest.raises(BadData) as caught:
        give("\n".join([FILE.strip(), *bad]))
    assert [one.row for one in caught.value.problems] == [5, 6, 7, 8, 9, 10, 11]
    with pytest.raises(BadData, match="shoes"):
        give("student,done,shoes\ns-1,talked,1")
    assert store.documents(CASE_KIND) == []
    some = take_file(store, SCHEMA, f"{FILE}{bad[0]}".encode(), by, secret=b"secret", name="f.csv", skip_bad_rows=True)
    assert (some.new, [one.row for one in some.problems]) == (3, [5])
    assert give(FILE) == TakenSteps(new=0, known=3, students=2)
    case = case_of(store, HERE, long_ago[0].student or "")
    assert [(one.done, one.began) for one in case.steps] == [
        ("helped", date(2026, 11, 2)), ("accepted", date(2026, 11, 1))
    ]  # fmt: skip


REFUSED: list[tuple[NewStep, str, dict[str, object], type[Exception]]] = [
    (NewStep("note", "Ana Sousa was ill"), ANNA, {}, NamesSomebody),
    (NewStep("talked", "write to ana@example.org"), ANNA, {}, NamesSomebody),
    (NewStep("note", "  "), ANNA, {}, BadStep),
    (NewStep("note", "x" * (LONGEST_NOTE + 1)), ANNA, {}, BadStep),
    (NewStep("talked"), "nobody", {}, NothingKnown),
    (NewStep("talked"), ANNA, {"groups": ["elsewhere"]}, NothingKnown),
    (NewStep("talked", place=Place(NEW.group, "1999")), ANNA, {}, NothingKnown),
    (NewStep("talked"), ANNA, {"objected": [ANNA]}, NothingKnown),
    (NewStep("wrong"), ANNA, {}, BadStep),
    (NewStep("reviewed", "better"), ANNA, {}, BadStep),
    (NewStep("closed"), ANNA, {}, BadStep),
    (NewStep("helped", help=msgspec.structs.replace(HELP, kind="chess")), ANNA, {}, BadStep),
    (NewStep("helped", help=msgspec.structs.replace(HELP, end=date(2026, 3, 1))), ANNA, {}, BadStep),
    (NewStep("helped", help=msgspec.structs.replace(HELP, owner="Ana Sousa")), ANNA, {}, NamesSomebody),
    (NewStep("talked", help=HELP), ANNA, {}, BadStep),
    (NewStep("talked", at=datetime(2026, 3, 1)), ANNA, {}, BadStep),  # noqa: DTZ001 - a time without its zone
]


def test_what_may_not_be_kept_is_refused_and_nothing_is(store: RecordStore) -> None:
    store.add_predictions([asked(ANNA, NEW, 1)])
    for step, who, rules, refusal in REFUSED:
        with pytest.raises(refusal):
            take(store, step, who, **rules)
    assert store.documents(CASE_KIND) == []


def test_no_step_of_several_at_once_is_lost_and_there_is_an_end(
    store: RecordStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.add_predictions([asked(ANNA, NEW, 1)])
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda n: take(store, NewStep("note", f"n {n}"), actor=f"key:{n}"), range(4)))
    assert sorted(one.id for one in case_of(store, HERE, ANNA).steps) == sorted(one.id for one in made)
    monkeypatch.setattr("advice.cases.MOST_OF_A_CASE", 4)
    with pytest.raises(BadStep):
        take(store, NewStep("talked"))


def test_it_is_handed_out_and_erased_with_the_student_whom_no_search_finds(store: RecordStore) -> None:
    store.add_predictions([asked(ANNA, NEW, 1), asked("other", NEW, 1)])
    for who in (ANNA, "other"):
        take(store, NewStep("helped"), who)
    handed = files_about(store, [HERE], ANNA)[f"{HERE}/notes.json"]
    assert [one["done"] for one in msgspec.json.decode(handed)] == ["helped"]
    kept = [content for _, content in store.export("documents")]
    assert kept
    assert not any(ANNA.encode() in content for content in kept)
    assert HOLDINGS["notes"].without(store, HERE, ANNA) == ["notes and actions: removed"]
    assert HOLDINGS["notes"].without(store, HERE, ANNA) == []
    assert case_of(store, HERE, ANNA).steps == ()
    assert len(case_of(store, HERE, "other").steps) == 1

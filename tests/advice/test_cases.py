"""What was done about a student is kept with who, when and the answer that it followed, on every store, and goes with
the student."""

from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest

from advice.advise import NothingKnown
from advice.cases import CASE_KIND, LONGEST_NOTE, BadStep, CaseStep, NewStep, case_of, cases_of, take_step
from advice.positions import Place
from database.store import RecordStore
from database.withdrawal import NamesSomebody
from jobs.holdings import HOLDINGS, files_about
from tests.advice.test_advise import NEW, OLD, SCHEMA, asked

HERE, ANNA = SCHEMA.name, "5" * 64


def take(store: RecordStore, step: NewStep, student: str = ANNA, **rules: object) -> CaseStep:
    return take_step(store, SCHEMA, student, step, **{"actor": "key:t", **rules})  # type: ignore[arg-type]


def test_a_step_is_beside_the_answer_it_followed_and_shown_in_its_group_alone(store: RecordStore) -> None:
    before, newest = asked(ANNA, OLD, 9, below=0.1), asked(ANNA, NEW, 1, days=1, below=0.7)
    store.add_predictions([before, newest, asked("other", NEW, 5)])
    first = take(store, NewStep("talked", " tutoring  on Mondays "))
    second = take(store, NewStep("not_useful", place=OLD), groups=[OLD.group or ""])
    case = case_of(store, HERE, ANNA)
    assert case.steps == (second, first)
    followed = [one.answer and (one.answer.prediction, one.answer.below_pass) for one in case.steps]
    told = [(one.done, one.text, one.group, said) for one, said in zip(case.steps, followed, strict=True)]
    assert told == [
        ("not_useful", "", OLD.group, (before.id, 0.1)),
        ("talked", "tutoring on Mondays", NEW.group, (newest.id, 0.7)),
    ]
    assert cases_of(store, HERE, ["other", ANNA, "nobody"]) == {ANNA: case}
    assert case_of(store, HERE, ANNA, [NEW.group or ""]).steps == (first,)
    assert cases_of(store, HERE, [ANNA], ["elsewhere"]) == {}
    assert case_of(store, "school", ANNA).steps == ()


REFUSED: list[tuple[NewStep, str, dict[str, object], type[Exception]]] = [
    (NewStep("note", "Ana Sousa was ill"), ANNA, {}, NamesSomebody),
    (NewStep("talked", "write to ana@example.org"), ANNA, {}, NamesSomebody),
    (NewStep("note", "  "), ANNA, {}, BadStep),
    (NewStep("note", "x" * (LONGEST_NOTE + 1)), ANNA, {}, BadStep),
    (NewStep("talked"), "nobody", {}, NothingKnown),
    (NewStep("talked"), ANNA, {"groups": ["elsewhere"]}, NothingKnown),
    (NewStep("talked", place=Place(NEW.group, "1999")), ANNA, {}, NothingKnown),
    (NewStep("talked"), ANNA, {"objected": [ANNA]}, NothingKnown),
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

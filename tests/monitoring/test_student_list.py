"""A list of students is all of them, each once, in its order, with the answer before and whoever is new among the
likely ones."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from clock import new_id
from database.newest import Which
from database.records import Answer, Prediction
from database.store import RecordStore
from model.objections import Objections
from monitoring.student_list import ListedStudent, StudentLists, missing_of
from preprocessing.schema import load_domains
from tests.database.making import NOON, make_prediction

SCHEMA = load_domains()["school"]
TARGET = SCHEMA.targets[0]
WEEK = timedelta(days=7)


def said(student: str, group: str | None, days: int, below: float | None) -> Prediction:
    """A prediction some days before noon; without a chance it is a guess, or no answer."""
    plain = {"target": "G3", "naive": 11.0, "model": "m", "generation": 1}
    if below is None:
        guess = days % 2 == 0
        silent = {"out_of_range": ("school",)} if guess else {"insufficient": ("G1",)}
        answer = Answer(**plain, value=11.0 if guess else None, **silent)  # type: ignore[arg-type]
    else:
        answer = Answer(**plain, value=20 - 20 * below, below_pass=below)  # type: ignore[arg-type]
    return make_prediction(
        NOON - timedelta(days=days), answers=(answer,), student=student, group=group, inputs={"G1": 11.0, "G2": None}
    )


made = st.builds(
    said,
    st.sampled_from(["a", "b", "c", "d"]),
    st.sampled_from([None, "A", "B"]),
    st.integers(0, 12),
    st.sampled_from([None, 0.1, 0.4, 0.5, 0.9]),
)


def walk(lists: StudentLists, **asked: object) -> list[ListedStudent]:
    found, place = list[ListedStudent](), None
    while True:
        page = lists.page(after=place, limit=3, since=NOON - WEEK, **asked)  # type: ignore[arg-type]
        found += page.students
        place = page.next
        if place is None:
            return found


@settings(
    max_examples=15,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(given_=st.lists(made, max_size=14), objected=st.sampled_from([(), ("a",), ("b", "c")]))
def test_a_list_has_each_student_once_in_order(
    given_: list[Prediction], objected: tuple[str, ...], sqlite_url: str, opened: Callable[[str], RecordStore]
) -> None:
    store, schema = opened(sqlite_url), replace(SCHEMA, name=new_id())
    there = [replace(one, domain=schema.name) for one in given_]
    store.add_predictions(there)
    objections = Objections(store, schema.name.encode())
    for student in objected:
        objections.add(student, [schema.name], actor="test")
    lists = StudentLists(store, schema, TARGET, objected=objections)
    history: dict[tuple[str | None, str | None], list[Prediction]] = {}
    for one in sorted(there, key=lambda one: (one.at, one.id)):
        history.setdefault((one.student, one.group), []).append(one)
    found = walk(lists)
    assert Counter((one.student, one.group) for one in found) == Counter(
        place for place in history if place[0] not in objected
    )
    chances = [one.answer.below_pass for one in found]
    ranked = [one for one in chances if one is not None]
    assert chances == sorted(ranked, reverse=True) + [None] * (len(chances) - len(ranked))
    for one in found:
        past = history[one.student, one.group]
        assert one.said == past[-1]
        assert one.earlier == (past[-2] if len(past) > 1 else None)
        then = [old.answers[0].below_pass or 0 for old in past if old.at < NOON - WEEK][-1:]
        now, answered = one.answer.below_pass or 0, one.said.at >= NOON - WEEK
        assert one.fresh == (answered and now >= 0.5 and not (then and then[0] >= 0.5))
        values = [old.answers[0].value for old in past[-2:]]
        change = values[1] - values[0] if len(values) == 2 and None not in values else None  # type: ignore[operator]
        assert one.change(TARGET) == change
        assert one.moved(TARGET) == (change is not None and abs(change) >= 0.4 - 1e-9)
    counts = lists.counts()
    assert (counts.ranked, counts.students) == (len(ranked), len(found)), "as many as are listed"
    assert counts.likely == counts.warned == sum(chance >= 0.5 for chance in ranked)
    assert [one.warned for one in found] == [(one.answer.below_pass or 0) >= 0.5 for one in found]
    assert [one.said.id for one in walk(lists, shown="warned")] == [
        one.said.id for one in found if (one.answer.below_pass or 0) >= 0.5
    ]
    for shown, why in (("guess", "out_of_range"), ("unanswered", "insufficient")):
        assert [one.said.id for one in walk(lists, shown=shown)] == [one.said.id for one in found if one.silent == why]
    within = StudentLists(store, schema, TARGET, Which(["A"]), objected=objections)
    assert [one.said.id for one in walk(within)] == [one.said.id for one in found if one.group == "A"]
    assert within.counts().students == sum(one.group == "A" for one in found)
    for student in objected:
        objections.lift(student)
    assert lists.counts().students == len(history)


def test_what_is_missing_is_what_a_model_may_see_by_then() -> None:
    one = said("a", None, 0, 0.5)
    missing, columns = missing_of(ListedStudent("a", None, None, one, one.answers[0]), SCHEMA)
    assert columns == len(SCHEMA.inputs_at("G2"))
    assert "G2" in missing
    assert "G1" not in missing
    assert "sex" not in missing

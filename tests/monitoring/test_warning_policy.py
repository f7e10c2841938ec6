"""Whom to warn of: laws of choosing, a list and a preview on every store, and policies that are used like models."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from clock import new_id
from database.errors import Conflict
from database.records import Answer
from database.store import RecordStore
from database.withdrawal import NamesSomebody
from model.pauses import RULE_OF, pause, resume
from monitoring.render import preview_tables, warned_table
from monitoring.student_list import StudentLists
from monitoring.warning_lists import WarningCause, WarningList, choose, preview
from monitoring.warning_lots import slots_of
from monitoring.warning_policy import (
    USUAL_WARNINGS,
    BadWarningPolicy,
    NoSuchPolicy,
    WarningPolicy,
    activate_policy,
    policies_in_use,
    policy_in_use,
    roll_back_policy,
)
from preprocessing.schema import DomainSchema, Feature, Target
from tests.database.making import NOON, make_prediction

MARK = Target(name="mark", cut_points=(10.0,))
FEATURES = (
    Feature(name="x", kind="numeric"),
    Feature(name="sex", kind="categorical", levels=("F", "M"), protected=True),
)
BY_HAND: dict[str, str] = {"actor": "ann", "reason": "two advisors are ill"}


def answer(number: int, below: float, group: str = "a") -> WarningCause:
    return WarningCause(f"s{number}", group, None, f"p{number:04}", NOON + timedelta(minutes=number), below)


@given(st.integers(0, 24), st.integers(1, 8), st.integers(0, 8), st.integers(0, 5), st.randoms())
def test_lots_fill_a_capacity_from_its_edge_alone_and_follow_from_the_seed(
    n: int, capacity: int, by_lot: int, seed: int, shuffled: Any
) -> None:
    answers = [answer(number, 0.9 - number / 100) for number in range(n)]
    policy = WarningPolicy(threshold=0.4, capacity=capacity, by_lot=min(by_lot, capacity), seed=seed)
    slots = slots_of(policy, answers)
    assert len(slots.sure) + len(slots.drawn) == min(n, capacity)
    assert [*slots.sure, *slots.standing] == answers[: len(slots.sure) + len(slots.standing)]
    assert set(slots.drawn) <= set(slots.standing)
    others = list(answers)
    shuffled.shuffle(others)
    assert choose(policy, others, {}) == sorted([*slots.sure, *slots.drawn], key=answers.index)


chances = st.lists(st.tuples(st.sampled_from([0.1, 0.4, 0.5, 0.5, 0.9]), st.sampled_from("ab")), max_size=30)


@given(chances, st.integers(1, 8), st.sampled_from(["in", "out", "older"]), st.randoms())
def test_a_capacity_holds_in_each_group_and_the_order_of_answers_changes_nothing(
    said: list[tuple[float, str]], capacity: int, ties: Any, shuffled: Any
) -> None:
    answers = [answer(number, below, group) for number, (below, group) in enumerate(said)]
    policy = WarningPolicy(threshold=0.4, capacity=capacity, ties=ties)
    found = choose(policy, answers, {})
    others = list(answers)
    shuffled.shuffle(others)
    assert choose(policy, others, {}) == found
    whole = choose(WarningPolicy(threshold=0.4), answers, {})
    for group in "ab":
        mine, all_of_it = ([one.below for one in part if one.group == group] for part in (found, whole))
        assert mine == all_of_it[: len(mine)]  # the likeliest
        edge = all_of_it[capacity - 1] if len(all_of_it) >= capacity else None
        if ties == "older":
            assert len(mine) == min(capacity, len(all_of_it))
        elif edge is not None:
            assert len(mine) >= capacity if ties == "in" else len(mine) <= capacity
            assert mine.count(edge) in (0, all_of_it.count(edge))


def test_nobody_is_warned_of_twice_in_a_cool_down_nor_without_a_transition() -> None:
    one, day = answer(1, 0.9), timedelta(days=1)
    cool, moved = WarningPolicy(cool_down_days=7), WarningPolicy(transitions_only=True)
    for earlier, cooled, told in [
        ([], True, True),
        ([(day, True)], False, False),
        ([(day, False), (3 * day, True)], False, True),
        ([(8 * day, True)], True, False),
    ]:
        found = [bool(choose(policy, [one], {"p0001": earlier})) for policy in (cool, moved)]
        assert found == [cooled, told]
    every_day = [[(n * day, True) for n in range(1, today + 1)] for today in range(30)]
    assert [at for at, earlier in enumerate(every_day) if choose(cool, [one], {"p0001": earlier})] == [0, 8, 16, 24]


def test_levels_are_cut_and_what_contradicts_itself_is_refused_whole() -> None:
    names = ("low", "some", "high", "highest")
    four = WarningPolicy(cuts=(0.25, 0.5, 0.75), levels=names)
    assert [four.level_of(chance) for chance in (0.0, 0.25, 0.74, 0.75, 1.0)] == [*names, "highest"]
    assert USUAL_WARNINGS.level_of(0.9) is None
    with pytest.raises(BadWarningPolicy, match=r"threshold is 2.*capacity is 0.*cuts are.*levels are 1; 2 cuts part 3"):
        WarningPolicy(threshold=2, capacity=0, cuts=(0.5, 0.5), levels=("one",))
    assert WarningPolicy(capacity=3).version != USUAL_WARNINGS.version == WarningPolicy().version


def fill(store: RecordStore, students: int = 40) -> DomainSchema:
    """Two answers a day apart about each student, the newer one likelier by a tenth; the plain rule warns of every
    fourth."""
    schema, asked = DomainSchema(name=new_id(), title="", features=FEATURES, targets=(MARK,)), []
    for number in range(students):
        for day in (0, 1):
            below = round(number / students * 0.9 + 0.1 * day, 3)
            naive = 9.0 if number % 4 == 0 else 11.0
            said = Answer(target="mark", value=10.0, naive=naive, model="m", generation=1, below_pass=below)
            asked.append(
                make_prediction(
                    NOON + timedelta(days=day, minutes=number),
                    domain=schema.name,
                    student=f"s{number:02}",
                    group=f"class {number % 2}",
                    period=None,
                    inputs={"x": 1.0, "sex": "F" if number < 6 else "M"},
                    answers=(said,),
                )
            )
    store.add_predictions(asked)
    return schema


def warned(store: RecordStore, schema: DomainSchema, policy: WarningPolicy | None = None) -> list[str]:
    return [one.cause.student for one in WarningList(store, schema, MARK, policy=policy).warned()]


def test_a_list_and_what_a_policy_would_change_on_every_store(store: RecordStore) -> None:
    schema = fill(store)
    usual = warned(store, schema)
    assert usual == [f"s{number:02}" for number in range(39, 17, -1)]
    moved = warned(store, schema, WarningPolicy(transitions_only=True))
    assert moved == [f"s{number:02}" for number in range(22, 17, -1)]  # below one half the day before
    assert WarningList(store, schema, MARK, objected=["s39"]).warned()[0].cause.student == "s38"
    found = preview(store, schema, MARK, WarningPolicy(capacity=3))
    said = {f"s{number:02}": round(number / 40 * 0.9 + 0.1, 3) for number in range(40)}
    six = [f"s{number}" for number in range(39, 33, -1)]
    assert found.against_present.entering == ()
    assert set(found.against_present.leaving) == set(usual) - set(six)
    assert set(found.against_rule.entering) == {one for one in six if int(one[1:]) % 4}
    proposed, rule = found.lists["proposed"], found.lists["plain rule"]
    assert (proposed.students, proposed.warned, rule.warned) == (40, 6, 10)
    assert proposed.hits == pytest.approx(sum(said[one] for one in six))
    assert proposed.missed == pytest.approx(sum(said.values()) - sum(said[one] for one in six))
    new, old = found.groups["group class 1"]
    assert (new.warned, old.warned, new.students) == (3, 11, 20)
    told = {name: pair[0].students for name, pair in found.groups.items() if "sex" in name}
    assert told == {"sex F": None, "sex M": None}  # these would give the six away
    paper = Console(record=True, width=120)
    paper.print(*preview_tables(found), warned_table(WarningList(store, schema, MARK).warned(), USUAL_WARNINGS))
    assert "0 come in and 16 go, beside the policy in use" in paper.export_text()


def test_whoever_is_at_risk_for_weeks_is_warned_of_once_and_where_it_is_now(store: RecordStore) -> None:
    """Of weeks the newest stands, whichever was answered last, and a cool-down looks back over weeks and schools."""
    schema = DomainSchema(name=new_id(), title="", features=FEATURES, targets=(MARK,))
    told = {"s1": [("a", 1, 0.9), ("a", 2, 0.8), ("b", 3, 0.7)], "s2": [("b", 2, 0.2), ("b", 3, 0.6)]}
    told["s3"] = [("a", 3, 0.2), ("a", 2, 0.9)]  # of the week before it was said later
    days = {1: 1, 2: 8, 3: 15}
    for student, weeks in told.items():
        for place, (group, week, below) in enumerate(weeks):
            said = Answer(target="mark", value=10.0, naive=9.0, model="m", generation=1, below_pass=below)
            at = NOON + timedelta(days=days[week], minutes=place, weeks=1 if student == "s3" and week == 2 else 0)
            period = f"2025-26 W{week:02d}"
            asked = make_prediction(
                at, domain=schema.name, student=student, group=group, period=period, answers=(said,)
            )
            store.add_predictions([asked])
    listed = {
        policy: [
            (one.cause.student, one.cause.group) for one in WarningList(store, schema, MARK, policy=policy).warned()
        ]
        for policy in (USUAL_WARNINGS, WarningPolicy(capacity=1), WarningPolicy(cool_down_days=20))
    }
    assert [*listed.values()] == [[("s1", "b"), ("s2", "b")], [("s1", "b")], [("s2", "b")]]
    assert warned(store, schema, WarningPolicy(transitions_only=True))[0] == "s2"
    counts = StudentLists(store, schema, MARK).counts()
    assert (counts.likely, counts.students) == (2, 3)
    [listed] = [one for one in StudentLists(store, schema, MARK).page().students if one.student == "s1"]
    assert listed.earlier is not None
    assert (listed.earlier.period, listed.earlier.group) == ("2025-26 W02", "a")


def test_while_answers_are_paused_the_plain_rule_says_whom_to_warn_of(store: RecordStore) -> None:
    schema = fill(store)
    usual, by_rule = warned(store, schema), [f"s{number:02}" for number in range(0, 40, 4)]
    pause(store, schema.name, "plain rule", **BY_HAND)
    assert warned(store, schema) == by_rule, "by what stands beside answers that were given before"
    said = Answer(target="mark", value=8.0, naive=8.0, model=f"{RULE_OF}m", generation=1)
    guess = msgspec.structs.replace(said, model="m", out_of_range=("x",))
    for student, answered in (("s01", said), ("s02", guess)):
        one = {"student": student, "group": "class 1", "inputs": {"x": 1.0}, "answers": (answered,)}
        store.add_predictions([make_prediction(NOON + timedelta(days=3), domain=schema.name, period=None, **one)])
    lists = StudentLists(store, schema, MARK)
    assert lists.counts().warned == len(warned(store, schema)) == 12  # both by the rule beside them
    assert warned(store, schema)[0] in ("s01", "s02"), "who lies lowest comes first"
    assert set(warned(store, schema, WarningPolicy(capacity=1))) <= {"s00", "s01", "s02"}
    pause(store, schema.name, "none", **BY_HAND)
    assert warned(store, schema) == []
    resume(store, schema.name, **BY_HAND)
    assert warned(store, schema) == [*usual, "s01"], "the rule answered one of them last; a guess gives no cause"
    listed, place = list[str](), None
    lists = StudentLists(store, schema, MARK)
    while page := lists.page("warned", after=place, limit=4):
        listed, place = [*listed, *(one.student for one in page.students if one.warned)], page.next
        if place is None:
            break
    assert listed == [*usual, "s01"]
    assert lists.counts().warned == len(listed)


def test_policies_come_into_use_and_go_back_like_models_and_no_two_at_once(store: RecordStore) -> None:
    domain, first, second = new_id(), WarningPolicy(capacity=10), WarningPolicy(threshold=0.3)
    assert policy_in_use(store, domain, "mark") == USUAL_WARNINGS
    with pytest.raises(NoSuchPolicy):
        roll_back_policy(store, domain, "mark", **BY_HAND)
    activate_policy(store, domain, "mark", first, **BY_HAND, preview={"entering": 3})  # type: ignore[arg-type]
    activate_policy(store, domain, "mark", second, **BY_HAND, expected=1)  # type: ignore[arg-type]
    with pytest.raises(Conflict):
        activate_policy(store, domain, "mark", first, **BY_HAND, expected=1)  # type: ignore[arg-type]
    with pytest.raises(NamesSomebody):
        activate_policy(store, domain, "mark", first, actor="ann", reason="for Ana Sousa")
    assert roll_back_policy(store, domain, "mark", **BY_HAND).policy == first
    assert roll_back_policy(store, domain, "mark", **BY_HAND).policy == USUAL_WARNINGS
    with pytest.raises(NoSuchPolicy):
        roll_back_policy(store, domain, "mark", **BY_HAND)
    history = policies_in_use(store, domain, "mark")
    assert [one.generation for one in history] == [1, 2, 3, 4]
    assert history[0].preview == {"entering": 3}
    assert len(store.events(domain)) == 4
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: activate_policy(store, domain, "mark", second, actor="a", reason=""), range(8)))
    assert [one.generation for one in policies_in_use(store, domain, "mark")] == list(range(1, 13))

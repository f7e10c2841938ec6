"""Saying that a condition is known hides it until it is another one; nothing is forgotten, on any database."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from access.roles import LOCAL, PERMISSIONS, Forbidden, Principal
from clock import new_id, now
from database.ingest import store_outcomes
from database.records import Outcome
from database.store import RecordStore
from database.withdrawal import NamesSomebody, withdraw_outcomes
from model.artifacts import ArtifactFolder
from model.workspace import Workspace
from overview.acknowledgements import ACKNOWLEDGED, OVER, NoSuchCondition, acknowledge, find_condition, known_conditions
from overview.conditions import find_conditions
from overview.feed import FeedFilter, read_feed
from overview.records import WORSE_BY, Acknowledgement, Held, OpenCondition
from tests.training.making import SCHEMA

ANNA = LOCAL.named("user:anna")
TEACHER = Principal(name="user:tim", permissions=PERMISSIONS["teacher"], groups=frozenset({"A"}))


@pytest.fixture
def school(store: RecordStore, tmp_path: Any) -> Workspace:
    """An installation without models, on each database in turn."""
    return Workspace({SCHEMA.name: SCHEMA}, store, ArtifactFolder(tmp_path), b"a secret for tests, long enough")


def strays(first: int, n: int = 60) -> list[Outcome]:
    """Outcomes of students whom nobody asked about."""
    return [
        Outcome(domain=SCHEMA.name, target="mark", value=12.0, at=now(), student=f"nobody {number}")
        for number in range(first, first + n)
    ]


def held(school: Workspace) -> Held | None:
    found = find_conditions(school, ANNA)
    assert len(found) <= 1
    return found[0] if found else None


def told(school: Workspace) -> list[str]:
    asked = FeedFilter(kinds=["acknowledgement"])
    return [f"{one.sentence} {one.who}".strip() for one in read_feed(school.store, school.schemas, ANNA, asked)]


def test_what_is_seen_is_recorded_ends_when_it_is_over_and_is_shown_when_it_comes_back(school: Workspace) -> None:
    given = strays(0)
    store_outcomes(school.store, SCHEMA, given)
    found = held(school)
    assert found is not None
    assert found.seen is None
    acknowledge(school.store, find_condition([found], found.condition.id[:6]), ANNA, "the file is mended")
    seen = held(school)
    assert seen is not None
    assert seen.seen is not None
    assert (seen.seen.actor, seen.seen.note) == ("user:anna", "the file is mended")
    (access,) = school.store.accesses(action="condition acknowledged")
    assert (access.actor, access.details["condition"]) == ("user:anna", found.condition.id)

    withdraw_outcomes(school.store, SCHEMA.name, given, reason="the wrong file", actor="user:anna")
    assert held(school) is None
    assert held(school) is None  # and that it is over is told once
    assert [line.partition(":")[0] for line in told(school)] == ["No longer so", "Seen"]
    store_outcomes(school.store, SCHEMA, strays(0))
    again = held(school)
    assert again is not None
    assert again.seen is None


def test_who_may_not_judge_says_nothing_for_all_and_no_note_names_anybody(school: Workspace) -> None:
    store_outcomes(school.store, SCHEMA, strays(0))
    found = held(school)
    assert found is not None
    for viewer in (TEACHER, Principal(name="user:head", permissions=PERMISSIONS["viewer"])):
        with pytest.raises(Forbidden):
            acknowledge(school.store, found.condition, viewer)
    with pytest.raises(NamesSomebody):
        acknowledge(school.store, found.condition, ANNA, "asked anna.berg@school.example")
    with pytest.raises(NoSuchCondition):
        find_condition([found], "unknown")
    assert known_conditions(school.store) == {}
    assert school.store.events(kind=ACKNOWLEDGED) == school.store.events(kind=OVER) == []


def make(worse: float, *, hours: float = 0.0, **fields: Any) -> OpenCondition:
    plain: dict[str, Any] = {"kind": "coverage", "urgency": "look", "domain": "school", "about": "x", "page": "results"}
    return OpenCondition(worse=worse, since=now() + timedelta(hours=hours), **(plain | fields))


@given(before=st.floats(0, 1), after=st.floats(0, 1))
def test_what_is_no_worse_stays_seen_and_what_is_much_worse_never_does(before: float, after: float) -> None:
    seen = Acknowledgement(id=new_id(), condition=make(before), actor="user:anna", at=now())
    if after <= before:
        assert seen.covers(make(after))
    if after > before * WORSE_BY + 0.03:
        assert not seen.covers(make(after))
    assert not seen.covers(make(after, urgency="act"))
    began = make(after, kind="drift", hours=1.0)
    assert not msgspec.structs.replace(seen, condition=make(before, kind="drift")).covers(began)

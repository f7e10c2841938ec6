"""Which changes of a domain's file a model outlives: one table, held as a law over generated changes."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from preprocessing.schema import DomainSchema, find_problems
from preprocessing.schema_changes import EFFECTS, Effect, changes_for, document_of
from tests.training.making import SCHEMA

INPUTS = ("hours", "before", "support", "subject")
SEEN = {"hours": (2.0, 31.0), "before": (0.0, 20.0)}
Document = dict[str, Any]
Change = Callable[[Document], None]


def of(part: str, name: str, /, **fields: Any) -> Change:
    """Set fields of the feature or target `name`."""

    def change(document: Document) -> None:
        next(one for one in document[part] if one["name"] == name).update(fields)

    return change


def gone(name: str) -> Change:
    def change(document: Document) -> None:
        document["features"] = [one for one in document["features"] if one["name"] != name]
        for target in document["targets"]:
            target["naive"] = [column for column in target["naive"] if column != name]

    return change


def new(name: str, /, **fields: Any) -> Change:
    return lambda document: document["features"].append({"name": name, "kind": "numeric", **fields})


def whole(**fields: Any) -> Change:
    return lambda document: document.update(fields)


def renamed(document: Document) -> None:
    of("features", "hours", name="hours_a_week")(document)


HARMLESS: Mapping[str, Change] = {
    "title": whole(title="Another title"),
    "description": whole(description="Other words"),
    "alias": of("features", "before", aliases=["earlier mark"]),
    "alias of the target": of("targets", "mark", aliases=["result"]),
    "words": of("features", "support", description="who helps"),
    "wider range": of("features", "before", minimum=-5, maximum=100),
    "no range": of("features", "before", minimum=None, maximum=None),
    "narrower, around all of training": of("features", "hours", minimum=2, maximum=31),
    "a new optional column": new("clubs", optional=True),
    "a new protected column": new("village", protected=True),
    "a new column of a later moment": new("final_exam", known_at="half"),
    "whole numbers": of("features", "hours", integer=True),
    "may be missing": of("features", "before", optional=True),
    "may not be missing": of("features", "hours", optional=False),
    "another level of an open column": of("features", "subject", levels=["art", "music"]),
    "levels in another order": of("features", "support", levels=["high", "low", "mid"]),
    "open now": of("features", "support", open=True),
    "a column of a later moment in another unit": of("features", "midterm", unit="points"),
    "a protected column without a level": of("features", "sex", levels=["f", "x"]),
    "a protected column gone": gone("sex"),
    "another target": of("targets", "grade", levels=["bad", "good"]),
    "the student's column": whole(student={"name": "pupil"}),
    "a period": whole(period="term", context=[{"name": "term"}]),
    "a moment between": whole(moments=["start", "third", "half"]),
    "cut points": of("targets", "mark", cut_points=[8], min_gain=0.5),
    "the plain rule": of("targets", "mark", naive=["before"]),
}
MATTERS: Mapping[str, Change] = {
    "renamed": renamed,
    "removed": gone("subject"),
    "retyped": of("features", "before", kind="categorical", minimum=None, maximum=None, open=True),
    "another level": of("features", "support", levels=["low", "mid", "high", "very high"]),
    "a level less": of("features", "support", levels=["low", "high"]),
    "a level renamed": of("features", "support", levels=["none", "mid", "high"]),
    "another unit": of("features", "hours", unit="minutes"),
    "another scale": of("features", "before", maximum=1),
    "a scale that starts higher": of("features", "hours", minimum=5),
    "known only later": of("features", "support", known_at="half"),
    "protected": of("features", "before", protected=True),
    "a new required column": new("entrance_exam"),
    "the target gone": lambda document: whole(targets=document["targets"][1:])(document),
    "the target on another scale": of("targets", "mark", maximum=100),
    "the target in another unit": of("targets", "mark", unit="percent"),
    "the target in classes": of(
        "targets", "mark", kind="ordered_class", levels=["no", "yes"], minimum=None, maximum=None
    ),
    "no such moment": lambda document: (
        whole(moments=["half"])(document),
        [one.update(known_at="") for one in document["features"]],
    )[0],
}


def applied(*changes: Change) -> DomainSchema:
    document: Document = json.loads(msgspec.json.encode(SCHEMA))
    for change in changes:
        change(document)
    return msgspec.convert(document, DomainSchema)


def told(schema: DomainSchema) -> tuple[Effect, ...]:
    found = changes_for(document_of(SCHEMA), schema, target="mark", moment="start", inputs=INPUTS, seen=SEEN)
    return tuple(change.effect for change in found)


@pytest.mark.parametrize("kind", EFFECTS, ids=lambda kind: kind.__name__)
def test_every_field_of_a_schema_has_its_line_in_the_table(kind: type[msgspec.Struct]) -> None:
    assert set(EFFECTS[kind]) == set(kind.__struct_fields__)


def test_the_same_schema_has_not_changed() -> None:
    assert told(SCHEMA) == ()


@given(
    harmless=st.lists(st.sampled_from(sorted(HARMLESS)), unique=True, max_size=4),
    matters=st.lists(st.sampled_from(sorted(MATTERS)), unique=True, max_size=2),
)
def test_what_matters_stops_a_model_whatever_else_changed_and_nothing_else_does(
    harmless: list[str], matters: list[str]
) -> None:
    changes = [*(HARMLESS[name] for name in harmless), *(MATTERS[name] for name in matters)]
    try:
        schema = applied(*changes)
    except StopIteration:  # a change of what another one took away
        return
    if not find_problems(schema):
        assert (Effect.STOP in told(schema)) == bool(matters)


@pytest.mark.parametrize("name", sorted({**HARMLESS, **MATTERS}))
def test_each_change_alone(name: str) -> None:
    """What makes the law above say something: each change is possible by itself, and none goes unseen by accident."""
    schema = applied({**HARMLESS, **MATTERS}[name])
    assert find_problems(schema) == []
    silent = {"levels in another order", "a moment between", "cut points", "another target"}
    silent |= {"a new column of a later moment", "a column of a later moment in another unit"}
    assert max(told(schema), default=Effect.SILENT) == (
        Effect.STOP if name in MATTERS else Effect.SILENT if name in silent else Effect.WARN
    )


def test_a_renamed_column_is_told_with_the_new_one() -> None:
    about = {"target": "mark", "moment": "start", "inputs": INPUTS}
    first = changes_for(document_of(SCHEMA), applied(renamed), **about)[0]  # type: ignore[arg-type]
    assert first.words == "column 'hours' is gone, or known only later; new is 'hours_a_week'"

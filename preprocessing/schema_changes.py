"""What a change of a domain's file means for a model that learned before it: nothing, a word, or that it must stop.

One table (`EFFECTS`) says so for every field of a schema; `changes_for` applies it to one model. Who serves is not
decided here, and no row is looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from enum import IntEnum
from typing import Any, NamedTuple

import msgspec

from preprocessing.schema import ContextColumn, DomainSchema, Feature, Target

Part = Mapping[str, Any]
"""A column or a domain as plain values, by field."""

Range = tuple[float, float] | None
"""The lowest and the highest value of a column that training rows had."""


LONGEST_VALUE = 60
"""Characters of a value in a sentence."""


class Effect(IntEnum):
    """SILENT: the model means what it meant. WARN: it does, but whoever reads its answers should know. STOP: what it
    would be given is not what it learned."""

    SILENT = 0
    WARN = 1
    STOP = 2


class SchemaChange(NamedTuple):
    """One change in words, and what it does to a model."""

    words: str
    effect: Effect


Rule = Effect | Callable[[Part, Part, Range], Effect]


def _lower_end(old: Part, new: Part, seen: Range) -> Effect:
    return _end(old["minimum"], new["minimum"], seen and seen[0], 1)


def _upper_end(old: Part, new: Part, seen: Range) -> Effect:
    return _end(old["maximum"], new["maximum"], seen and seen[1], -1)


def _end(old: float | None, new: float | None, seen: float | None, inwards: int) -> Effect:
    """A range may grow, and shrink as far as to the values of training; beyond them it is another scale."""
    if new is None or (old is not None and new * inwards <= old * inwards):
        return Effect.WARN
    return Effect.WARN if seen is not None and new * inwards <= seen * inwards else Effect.STOP


def _levels(old: Part, new: Part, _: Range) -> Effect:
    """Inputs have levels in no order. An open column takes any: the list is only those that are named."""
    if set(old["levels"]) == set(new["levels"]):
        return Effect.SILENT
    return Effect.WARN if old["open"] and new["open"] else Effect.STOP


def _protected(_: Part, new: Part, __: Range) -> Effect:
    """What is protected now may be no input of a model."""
    return Effect.STOP if new["protected"] else Effect.WARN


_WORDS: Mapping[str, Rule] = {"description": Effect.WARN, "aliases": Effect.WARN}
_READ: Mapping[str, Rule] = {
    "accepts": Effect.WARN,
    "missing": Effect.WARN,
    "level_aliases": Effect.WARN,
    "labels": Effect.SILENT,
}

EFFECTS: Mapping[type, Mapping[str, Rule]] = {
    DomainSchema: {
        "name": Effect.STOP,
        "title": Effect.WARN,
        "description": Effect.WARN,
        "moment_titles": Effect.SILENT,
        "moments": Effect.SILENT,  # the model's own must be there, and knows the same columns: `changes_for`
        "student": Effect.SILENT,  # columns, compared one by one
        "group": Effect.WARN,
        "period": Effect.WARN,
        "period_order": Effect.SILENT,
        "allow": Effect.SILENT,
        "context": Effect.SILENT,
        "panel": Effect.WARN,
        "features": Effect.SILENT,
        "targets": Effect.SILENT,
    },
    ContextColumn: {"name": Effect.WARN, **_WORDS, "allow": Effect.SILENT},
    Feature: {
        "name": Effect.STOP,
        "kind": Effect.STOP,
        **_WORDS,
        **_READ,
        "unit": Effect.STOP,
        "minimum": _lower_end,
        "maximum": _upper_end,
        "integer": Effect.WARN,
        "levels": _levels,
        "open": Effect.WARN,
        "known_at": Effect.SILENT,  # as the moments
        "optional": Effect.WARN,
        "protected": _protected,
        "allow": Effect.SILENT,
        "drift_threshold": Effect.SILENT,
        "trusted": Effect.SILENT,
        "family": Effect.SILENT,
        "better": Effect.SILENT,
        "concern": Effect.SILENT,
        "of": Effect.STOP,  # made of something else
        "weeks_before": Effect.STOP,
        "theme": Effect.SILENT,
    },
    Target: {
        "name": Effect.STOP,
        "kind": Effect.STOP,
        **_WORDS,
        **_READ,
        "unit": Effect.STOP,
        "minimum": Effect.STOP,
        "maximum": Effect.STOP,
        "integer": Effect.WARN,
        "levels": Effect.STOP,
        "naive": Effect.WARN,  # the model answers beside the rule that it learned
        "cut_points": Effect.SILENT,
        "min_gain": Effect.SILENT,
        "within": Effect.STOP,  # its levels are other times
        "flags": Effect.WARN,  # as naive
    },
}
"""What a change of each field does to a model that reads the column. Of other columns it stops nothing."""


def document_of(schema: DomainSchema) -> dict[str, Any]:
    """The schema as plain values, as a bundle keeps it and gives it back."""
    document: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(schema))
    return document


def changes_for(
    learned: Part,
    schema: DomainSchema,
    *,
    target: str,
    moment: str,
    inputs: Collection[str],
    seen: Mapping[str, tuple[float, float]] | None = None,
) -> tuple[SchemaChange, ...]:
    """All that has changed for a model of `target` at `moment` since it learned, what stops it first.

    learned: `document_of` the schema of then. inputs: columns that the model reads. seen: their ranges in training.

    >>> from preprocessing.schema import load_domains
    >>> school = load_domains()["school"]
    >>> here = msgspec.structs.replace(school, title="Our school", moments=("start", "first", "G2"))
    >>> about = {"target": "G3", "moment": "G1", "inputs": ["age", "G1"]}
    >>> for change in changes_for(document_of(school), here, **about):
    ...     print(change.effect.name, change.words)
    STOP there is no moment 'G1' any more
    WARN title was 'School subject, final grade', is now 'Our school'
    """
    new = document_of(schema)
    found = list(_fields(DomainSchema, "", learned, new))
    found += _places(learned, new)
    if moment not in schema.moments:
        found.append(SchemaChange(f"there is no moment {moment!r} any more", Effect.STOP))
    else:
        found += _features(learned, new, moment, inputs, seen or {})
    found += _target(learned, new, target)
    return tuple(sorted((one for one in found if one.effect), key=lambda one: -one.effect))


def changed_columns(
    learned: Part, schema: DomainSchema, *, moment: str, seen: Mapping[str, tuple[float, float]]
) -> list[tuple[str, str]]:
    """The features known at `moment` both then and now whose values mean something else, whether a model reads them or
    not, and what has changed. learned, seen: as for `changes_for`. That a column is protected now changes no value."""
    old, new = _known(learned, moment), _known(document_of(schema), moment)
    found = []
    for name in sorted(old.keys() & new.keys()):
        before = {**old[name], "protected": new[name]["protected"]}
        changes = _fields(Feature, "", before, new[name], seen.get(name))
        if why := [change.words for change in changes if change.effect is Effect.STOP]:
            found.append((name, "; ".join(why)))
    return found


def _fields(kind: type, what: str, old: Part, new: Part, seen: Range = None) -> Iterator[SchemaChange]:
    """The changed fields of one part. A field that one of them lacks has its default, as bundles from before it."""
    usual = _defaults(kind)
    old, new = usual | dict(old), usual | dict(new)
    for field, rule in EFFECTS[kind].items():
        if _plain(old[field]) != _plain(new[field]):
            effect = rule if isinstance(rule, Effect) else rule(old, new, seen)
            yield SchemaChange(f"{what}{field} was {_said(old[field])}, is now {_said(new[field])}", effect)


def _features(
    learned: Part, schema: Part, moment: str, inputs: Collection[str], seen: Mapping[str, tuple[float, float]]
) -> Iterator[SchemaChange]:
    """Of the columns known at the moment; those that become known later concern no model of it."""
    old, new = _known(learned, moment), _known(schema, moment)
    fresh = [name for name in new if name not in old]
    for name, before in old.items():
        reads = name in inputs
        if name not in new:
            there = f"; new is {', '.join(map(repr, fresh))}" if fresh else ""
            words = f"column {name!r} is gone, or known only later{there}"
            yield SchemaChange(words, Effect.STOP if reads else Effect.WARN)
        else:
            changed = _fields(Feature, f"column {name!r}: ", before, new[name], seen.get(name))
            yield from changed if reads else (_at_most_warned(one) for one in changed)
    for name in fresh:
        harmless = new[name]["optional"] or new[name]["protected"]
        words = f"column {name!r} is new, and unknown to the model" + ("" if harmless else ", though it is required")
        yield SchemaChange(words, Effect.WARN if harmless else Effect.STOP)


def _known(schema: Part, moment: str) -> dict[str, Part]:
    """The features known at a moment, by name; all where the schema does not have it."""
    moments = list(schema["moments"])
    last = moments.index(moment) if moment in moments else len(moments)
    usual = _defaults(Feature)
    features = [usual | dict(feature) for feature in schema["features"]]
    return {f["name"]: f for f in features if moments.index(f["known_at"] or moments[0]) <= last}


def _at_most_warned(change: SchemaChange) -> SchemaChange:
    return change._replace(effect=min(change.effect, Effect.WARN))


def _target(learned: Part, schema: Part, name: str) -> Iterator[SchemaChange]:
    old, new = ({one["name"]: one for one in each["targets"]} for each in (learned, schema))
    if name not in new:
        yield SchemaChange(f"target {name!r} is gone", Effect.STOP)
    else:
        yield from _fields(Target, f"target {name!r}: ", old[name], new[name])


def _places(learned: Part, schema: Part) -> Iterator[SchemaChange]:
    """The columns that say whose row it is, in which group and when: no model reads them."""
    old, new = ({one["name"]: one for one in _placing(each)} for each in (learned, schema))
    yield from (SchemaChange(f"column {name!r} is gone", Effect.WARN) for name in old if name not in new)
    yield from (SchemaChange(f"column {name!r} is new", Effect.WARN) for name in new if name not in old)
    for name in sorted(old.keys() & new.keys()):
        yield from _fields(ContextColumn, f"column {name!r}: ", old[name], new[name])


def _placing(schema: Part) -> Iterable[Part]:
    return [*([schema["student"]] if schema.get("student") else []), *schema.get("context", ())]


def _defaults(kind: type) -> dict[str, Any]:
    return {
        field.name: None if field.default is msgspec.NODEFAULT else field.default
        for field in msgspec.structs.fields(kind)
    }


def _plain(value: object) -> object:
    return list(value) if isinstance(value, list | tuple) else value


def _said(value: object) -> str:
    """A value in a sentence, cut short where it is long."""
    words = ", ".join(map(str, value)) if isinstance(value, list | tuple) else repr(value)
    return (
        "nothing"
        if value is None or not words
        else words
        if len(words) <= LONGEST_VALUE
        else words[: LONGEST_VALUE - 1] + "…"
    )

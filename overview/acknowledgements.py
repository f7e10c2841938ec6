"""Saying that a condition is known: an event with who, when and what was seen, which hides it until it is another one.

Nothing is changed or forgotten: a condition that is over is told as such, and one that comes back is shown again.
"""

from collections.abc import Iterable, Sequence

import msgspec

from access.journal import note
from access.roles import Forbidden, Principal
from clock import new_id, now
from database.records import Event, digest
from database.store import RecordStore
from database.withdrawal import require_nobody_named
from errors import Category, GradewatchError
from overview.records import Acknowledgement, Held, OpenCondition, may_acknowledge

ACKNOWLEDGED, OVER = "acknowledged", "condition over"
"""Kinds of events: that somebody has seen a condition, and that one which somebody had seen holds no more."""

SEEN_LOOKED_THROUGH = 1_000
"""Newest events of each kind that are looked through; what was seen before them is shown again."""


class NoSuchCondition(GradewatchError):
    """No condition of that id holds; the message says how to list those that do."""

    category = Category.UNKNOWN


def acknowledge(store: RecordStore, condition: OpenCondition, viewer: Principal, words: str = "") -> Acknowledgement:
    """Say for all that a condition is known. words: why that is enough, kept for good. Raises Forbidden,
    NamesSomebody."""
    if not may_acknowledge(viewer, condition):
        raise Forbidden("to say for all that something is known takes a role that may compare, in all groups")
    require_nobody_named(words, "the note")
    details = {"condition": msgspec.to_builtins(condition), "actor": viewer.name, "note": words}
    event = Event(id=new_id(), kind=ACKNOWLEDGED, at=now(), domain=condition.domain or None, details=details)
    note(store, viewer.name, "condition acknowledged", condition.domain or None, condition=condition.id)
    store.add_event(event)
    return acknowledgement_of(event)


def find_condition(found: Sequence[Held], id: str) -> OpenCondition:
    """The condition whose id begins so. Raises NoSuchCondition."""
    fitting = [one.condition for one in found if id and one.condition.id.startswith(id)]
    if len(fitting) != 1:
        told = "no condition" if not fitting else f"{len(fitting)} conditions"
        raise NoSuchCondition(f"{told} with an id that begins with {id!r:.80}; gradewatch conditions list names them")
    return fitting[0]


def acknowledgement_of(event: Event) -> Acknowledgement:
    """What an event of either kind says."""
    condition = msgspec.convert(event.details["condition"], OpenCondition)
    known = {name: event.details.get(name) or "" for name in ("actor", "note")}
    return Acknowledgement(id=event.id, condition=condition, at=event.at, **known)


def known_conditions(store: RecordStore) -> dict[str, Acknowledgement]:
    """What somebody has seen and is not over, by the condition's id."""
    found = [one for kind in (ACKNOWLEDGED, OVER) for one in store.events(kind=kind, limit=SEEN_LOOKED_THROUGH)]
    known: dict[str, Acknowledgement] = {}
    for event in sorted(found, key=lambda one: (one.at, one.id)):
        told = acknowledgement_of(event)
        if event.kind == ACKNOWLEDGED:
            known[told.condition.id] = told
        else:
            known.pop(told.condition.id, None)
    return known


def close_what_is_over(store: RecordStore, known: Iterable[Acknowledgement], found: Iterable[OpenCondition]) -> None:
    """Tell that conditions which somebody had seen hold no more, each once: should one come back, it is shown again.

    known: those that would be among `found` if they still held."""
    holding = {one.id for one in found}
    for one in known:
        if one.condition.id not in holding:
            details = {"condition": msgspec.to_builtins(one.condition)}
            about = digest([OVER, one.id])
            store.add_event(Event(id=about, kind=OVER, at=now(), domain=one.condition.domain or None, details=details))

"""Slots of a warning policy's capacity that are given by lot, so that chance alone says who of those at its edge is
warned of, and what warning did can be told from what would have been.

The lot of a student follows from the policy's seed: whoever knows it can draw again. A draw is kept by predictions and
names nobody; that it was made is an event, which the log seals.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Generic, NamedTuple, Protocol, TypeVar

import msgspec

from clock import new_id, now
from database.records import Document, Event, digest
from database.store import RecordStore
from errors import Category, GradewatchError
from monitoring.warning_policy import WarningPolicy

LOT_KIND = "warning lots"
"""The kind of the documents, one of each draw."""

DRAWN_EVENT = "warning_slots_drawn"
MOST_DRAWS = 10_000


class NoLots(GradewatchError):
    """The policy in use gives no slots by lot."""

    category = Category.CONFLICT


class LotHolder(Protocol):
    """Somebody who may be warned of."""

    @property
    def student(self) -> str: ...
    @property
    def group(self) -> str | None: ...
    @property
    def period(self) -> str | None: ...
    @property
    def prediction(self) -> str: ...


C = TypeVar("C", bound=LotHolder)


class Slots(NamedTuple, Generic[C]):
    """Those of one group, the likeliest first, by who has a slot for sure, who stands for one by lot, and who drew."""

    sure: Sequence[C]
    standing: Sequence[C]
    drawn: Sequence[C]


class Ticket(msgspec.Struct, frozen=True, kw_only=True):
    """Who stood for a slot, as the prediction, and the lot: the smallest have one."""

    prediction: str
    lot: float
    drawn: bool


class LotBlock(msgspec.Struct, frozen=True, kw_only=True):
    """Those of one group among whom lots were drawn."""

    group: str | None
    tickets: tuple[Ticket, ...]


class LotDraw(msgspec.Struct, frozen=True, kw_only=True):
    """That slots were given by lot. policy: its version."""

    id: str
    at: datetime
    domain: str
    target: str
    policy: str
    seed: int
    actor: str
    blocks: tuple[LotBlock, ...]

    @property
    def proof(self) -> str:
        """Changes with whoever stood and whoever drew; the event of the draw has it."""
        return digest(msgspec.to_builtins([self.seed, self.blocks]))


def lot_of(seed: int, one: LotHolder) -> float:
    """From 0 to 1, as if by chance, and always the same of a student in a group and period."""
    told = "\t".join([str(seed), one.student, one.group or "", one.period or ""])
    return int.from_bytes(hashlib.sha256(told.encode()).digest()[:6], "big") / 2**48


def slots_of(policy: WarningPolicy, ordered: Sequence[C]) -> Slots[C]:
    """Who of a group has the slots of a capacity. For the slots by lot stand so many as there are slots, and as many
    who come next; where there are slots for all, nobody draws."""
    capacity = policy.capacity
    if capacity is None or not policy.by_lot or len(ordered) <= capacity:
        return Slots(ordered[:capacity], (), ())
    standing = ordered[capacity - policy.by_lot : capacity + policy.by_lot]
    drawn = sorted(standing, key=lambda one: lot_of(policy.seed, one))[: policy.by_lot]
    return Slots(ordered[: capacity - policy.by_lot], standing, drawn)


def keep_draw(
    store: RecordStore,
    domain: str,
    target: str,
    policy: WarningPolicy,
    groups: Mapping[str | None, Slots[C]],
    actor: str,
) -> LotDraw:
    """Keep who stood for a slot by lot and who drew one."""
    blocks = tuple(_block(policy, group, slots) for group, slots in groups.items() if slots.standing)
    made = LotDraw(
        id=new_id(),
        at=now(),
        domain=domain,
        target=target,
        policy=policy.version,
        seed=policy.seed,
        actor=actor,
        blocks=blocks,
    )
    body = msgspec.to_builtins(made)
    store.put_document(Document(kind=LOT_KIND, name=made.id, revision=1, at=made.at, domain=domain, body=body))
    told = {"target": target, "policy": policy.version, "seed": policy.seed, "actor": actor, "draw": made.id}
    told |= {"proof": made.proof, "stood": sum(len(one.tickets) for one in blocks), "groups": len(blocks)}
    store.add_event(Event(id=new_id(), kind=DRAWN_EVENT, at=made.at, domain=domain, details=told))
    return made


def _block(policy: WarningPolicy, group: str | None, slots: Slots[C]) -> LotBlock:
    drawn = {one.prediction for one in slots.drawn}
    tickets = (
        Ticket(prediction=one.prediction, lot=lot_of(policy.seed, one), drawn=one.prediction in drawn)
        for one in slots.standing
    )
    return LotBlock(group=group, tickets=tuple(tickets))


def draws_of(store: RecordStore, domain: str, target: str) -> list[LotDraw]:
    """The oldest first."""
    kept = [msgspec.convert(dict(one.body), LotDraw) for one in store.documents(LOT_KIND, domain=domain)]
    return sorted((one for one in kept if one.target == target), key=lambda one: (one.at, one.id))


class ToldDraw(msgspec.Struct, frozen=True, kw_only=True):
    """A draw that was drawn again, without who stood: so many did in so many groups, and so many drew. policy: its
    version. wrong: what does not follow from the seed, or from the event in the sealed log, in words. gone: predictions
    that are not kept any more, whose lots nobody can draw again."""

    id: str
    at: datetime
    actor: str
    policy: str
    seed: int
    groups: int
    stood: int
    drew: int
    wrong: Sequence[str]
    gone: int


def check_draw(store: RecordStore, draw: LotDraw) -> ToldDraw:
    """Draw again, and count."""
    tickets = [ticket for block in draw.blocks for ticket in block.tickets]
    known = {one.id: one for one in store.predictions_of([ticket.prediction for ticket in tickets])}
    events = store.events(draw.domain, kind=DRAWN_EVENT, limit=MOST_DRAWS)
    said = [one.details["proof"] for one in events if one.details["draw"] == draw.id]
    wrong = [] if said == [draw.proof] else ["who stood and drew is not what its event says"]
    for ticket in tickets:
        one = known.get(ticket.prediction)
        asked = _Stood(one.student, one.group, one.period, one.id) if one and one.student else None
        if asked and abs(lot_of(draw.seed, asked) - ticket.lot) > 1e-12:
            wrong.append(f"the lot of prediction {ticket.prediction} does not follow from the seed")
    for block in draw.blocks:
        ordered = sorted(block.tickets, key=lambda one: one.lot)
        if any(not one.drawn and other.drawn for one, other in pairwise(ordered)):
            wrong.append(f"in {block.group or 'no group'} somebody with a larger lot drew")
    return ToldDraw(
        id=draw.id,
        at=draw.at,
        actor=draw.actor,
        policy=draw.policy,
        seed=draw.seed,
        groups=len(draw.blocks),
        stood=len(tickets),
        drew=sum(ticket.drawn for ticket in tickets),
        wrong=tuple(wrong),
        gone=len(tickets) - len(known),
    )


class _Stood(NamedTuple):
    student: str
    group: str | None
    period: str | None
    prediction: str

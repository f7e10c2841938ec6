"""Taking back what came in by mistake: a batch, outcomes, predictions. The reason is kept, and every figure follows.

What is withdrawn is deleted, so that no reader must know of it; an event says what it was. It erases no student.
"""

from collections.abc import Sequence

import msgspec

from database.records import Event, Outcome, new_id, now
from database.store import RecordStore
from errors import Category, GradewatchError
from preprocessing.validation.pii import names_somebody

WITHDRAWN = "withdrawn"
"""The kind of the events that say so."""


class NothingToWithdraw(GradewatchError):
    """Nothing that is stored is what was to be withdrawn."""

    category = Category.UNKNOWN


class NamesSomebody(GradewatchError):
    """A text that is kept for good names a person."""

    category = Category.INVALID


class Withdrawal(msgspec.Struct, frozen=True, kw_only=True):
    """What was withdrawn: so many of a kind ("batch", "outcomes", "predictions"); which: the batch's id and name."""

    kind: str
    count: int
    reason: str
    actor: str
    which: str = ""


def require_nobody_named(text: str, what: str = "the reason") -> str:
    """`text` as it is. Raises NamesSomebody."""
    if found := names_somebody(text):
        raise NamesSomebody(f"{what} is kept for good and holds {found}: say it without")
    return text


def withdraw_batch(store: RecordStore, domain: str, batch: str, *, reason: str, actor: str) -> Withdrawal:
    """Take back the batch whose id begins so, with its rows. Raises NothingToWithdraw, NamesSomebody."""
    require_nobody_named(reason)
    found = [one for one in store.batches(domain) if batch and one.id.startswith(batch)]
    if len(found) != 1:
        raise NothingToWithdraw(f"{len(found)} batches of {domain} have an id that begins with {batch!r}")
    which = f"{found[0].id} {found[0].name}"
    done = Withdrawal(kind="batch", count=found[0].rows, reason=reason, actor=actor, which=which)
    _told(store, domain, done)  # before: nothing is deleted of which no reason is kept
    store.remove_batch(found[0].id)
    return done


def withdraw_outcomes(
    store: RecordStore, domain: str, outcomes: Sequence[Outcome], *, reason: str, actor: str
) -> Withdrawal:
    """Take back those of `outcomes` that are kept with the same value. What one had corrected does not come back.
    Raises NothingToWithdraw, NamesSomebody."""
    require_nobody_named(reason)
    return _of_many(store, domain, "outcomes", store.remove_outcomes(domain, outcomes), reason, actor)


def withdraw_predictions(store: RecordStore, domain: str, ids: Sequence[str], *, reason: str, actor: str) -> Withdrawal:
    """Take back predictions by their ids. Raises NothingToWithdraw, NamesSomebody."""
    require_nobody_named(reason)
    return _of_many(store, domain, "predictions", store.remove_predictions(domain, ids), reason, actor)


def _of_many(store: RecordStore, domain: str, kind: str, count: int, reason: str, actor: str) -> Withdrawal:
    if not count:
        raise NothingToWithdraw(f"none of these {kind} are stored in {domain}")
    return _told(store, domain, Withdrawal(kind=kind, count=count, reason=reason, actor=actor))


def _told(store: RecordStore, domain: str, done: Withdrawal) -> Withdrawal:
    store.add_event(Event(id=new_id(), kind=WITHDRAWN, at=now(), domain=domain, details=msgspec.to_builtins(done)))
    return done

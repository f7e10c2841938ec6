"""Taking back what came in by mistake: a batch, outcomes, predictions. The reason is kept, and every figure follows.

What is withdrawn is deleted together with the writing of an event that says what it was, so that no reader must know of
it. It erases no student.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import msgspec

from clock import new_id, now
from database.records import Event, Outcome
from database.store import RecordStore
from errors import Category, GradewatchError
from preprocessing.validation.pii import names_somebody

MOST_WITHDRAWALS = 1_000  # of a domain, the newest, that are looked through
WITHDRAWN = "withdrawn"
"""The kind of the events that say so."""


class NothingToWithdraw(GradewatchError):
    """Nothing that is stored is what was to be withdrawn."""

    category = Category.UNKNOWN


class NamesSomebody(GradewatchError):
    """A text that is kept for good names a person."""

    category = Category.INVALID


class Withdrawal(msgspec.Struct, frozen=True, kw_only=True):
    """What was withdrawn: so many of a kind ("batch", "outcomes", "predictions"); which: the batch's id and name.
    receipt: its number among the uploads. models: how many rows of a batch models had learned, by version."""

    kind: str
    count: int
    reason: str
    actor: str
    which: str = ""
    receipt: int = 0
    models: Mapping[str, int] = {}


def require_nobody_named(text: str, what: str = "the reason") -> str:
    """`text` as it is. Raises NamesSomebody."""
    if found := names_somebody(text):
        raise NamesSomebody(f"{what} is kept for good and holds {found}: say it without")
    return text


def withdraw_batch(
    store: RecordStore,
    domain: str,
    batch: str,
    *,
    reason: str,
    actor: str,
    learned: Callable[[str], Mapping[str, int]] = lambda _: {},
) -> Withdrawal:
    """Take back the batch whose id begins so, with its rows. learned: of a batch, how many of its rows models learned,
    by version. Raises NothingToWithdraw, NamesSomebody."""
    require_nobody_named(reason)
    found = [one for one in store.batches(domain) if batch and one.id.startswith(batch)]
    if len(found) != 1:
        told = f"{len(found)} batches of {domain} have an id that begins with {batch!r}"
        raise NothingToWithdraw(f"{told}; its history names those that are stored")
    event = _event(domain, "batch", reason, actor, f"{found[0].id} {found[0].name}", learned(found[0].id))
    return _withdrawn(store.remove_batch(found[0].id, event), event)


def withdraw_outcomes(
    store: RecordStore, domain: str, outcomes: Sequence[Outcome], *, reason: str, actor: str
) -> Withdrawal:
    """Take back what `outcomes` say, as if nobody had ever said it: what one had corrected comes back. Raises
    NothingToWithdraw, NamesSomebody."""
    event = _event(domain, "outcomes", reason, actor)
    return _withdrawn(store.remove_outcomes(domain, outcomes, event), event)


def withdraw_predictions(store: RecordStore, domain: str, ids: Sequence[str], *, reason: str, actor: str) -> Withdrawal:
    """Take back predictions by their ids. Raises NothingToWithdraw, NamesSomebody."""
    event = _event(domain, "predictions", reason, actor)
    return _withdrawn(store.remove_predictions(domain, ids, event), event)


def rows_withdrawn(store: RecordStore, domain: str, since: datetime | None = None) -> Mapping[str, int]:
    """How many of the rows that models learned from were withdrawn afterwards, or since then, by version."""
    found: Counter[str] = Counter()
    for event in store.events(domain, kind=WITHDRAWN, limit=MOST_WITHDRAWALS):
        if since is None or event.at > since:
            found.update(event.details.get("models", {}))
    return found


def _event(
    domain: str,
    kind: str,
    reason: str,
    actor: str,
    which: str = "",
    models: Mapping[str, int] = {},
) -> Event:
    require_nobody_named(reason)
    details = {"kind": kind, "reason": reason, "actor": actor, "which": which, "models": dict(models)}
    return Event(id=new_id(), kind=WITHDRAWN, at=now(), domain=domain, details=details)


def _withdrawn(told: Event | None, event: Event) -> Withdrawal:
    if told is None:
        raise NothingToWithdraw(f"none of these {event.details['kind']} are stored in {event.domain}")
    return msgspec.convert(told.details, Withdrawal)

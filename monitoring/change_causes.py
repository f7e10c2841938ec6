"""Whether it is time to look what changed for students: a model, the warning policy, or a load of data came since that
was told last.

It looks at no answer, and loads no library of numbers; reports are `monitoring.change_reports`'.
"""

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from database.errors import Conflict
from database.records import Document
from database.store import RecordStore
from monitoring.warning_policy import policies_in_use

ChangeCause = Literal["model", "policy", "data"]


TOLD_KIND = "changes told"
"""The kind of the documents, one of each domain and target, that say up to when changes are told."""

FEWEST_NEW = 10  # answers that are a load of data; single ones are not
LOAD_OVER = timedelta(minutes=2)  # without a new answer, after which a load is over


class ToldChanges(msgspec.Struct, frozen=True, kw_only=True):
    """Up to when changes about a target are told. champions: generations by moment; policy: the generation of the
    warning policy. revision: of the document."""

    at: datetime
    champions: Mapping[str, int]
    policy: int
    revision: int = 0


def told_of(store: RecordStore, domain: str, target: str) -> ToldChanges | None:
    """None where nothing was looked at yet."""
    kept = store.document(TOLD_KIND, _name_of(domain, target))
    if kept is None:
        return None
    return msgspec.structs.replace(msgspec.convert(dict(kept.body), ToldChanges), revision=kept.revision)


def stands(store: RecordStore, domain: str, target: str, at: datetime) -> ToldChanges:
    """How things stand now."""
    about = domain, target
    champions = {one.moment: one.generation for one in store.champions() if (one.domain, one.target) == about}
    return ToldChanges(at=at, champions=champions, policy=len(policies_in_use(store, domain, target)))


def begin_telling(store: RecordStore, domain: str, target: str, at: datetime) -> None:
    """Changes are told from now on."""
    keep_told(store, domain, target, stands(store, domain, target, at), 1)


def changes_due(
    store: RecordStore, domain: str, target: str, told: ToldChanges, at: datetime
) -> tuple[ChangeCause, ...]:
    """What happened since then that is a cause to look; nothing while a load of data comes in."""
    present = stands(store, domain, target, at)
    new = store.count_predictions(domain, since=told.at)
    loaded = new >= FEWEST_NEW and not store.count_predictions(domain, since=at - LOAD_OVER)
    happened: dict[ChangeCause, bool] = {
        "model": present.champions != told.champions,
        "policy": present.policy != told.policy,
        "data": loaded,
    }
    return tuple(cause for cause, true in happened.items() if true)


def keep_told(store: RecordStore, domain: str, target: str, told: ToldChanges, revision: int) -> None:
    """Changes are told up to this; nothing where another process was first."""
    body = msgspec.to_builtins(msgspec.structs.replace(told, revision=0))
    with suppress(Conflict):  # another process was first
        store.put_document(
            Document(
                kind=TOLD_KIND, name=_name_of(domain, target), revision=revision, at=told.at, domain=domain, body=body
            )
        )


def _name_of(domain: str, target: str) -> str:
    return f"{domain}/{target}"

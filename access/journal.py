"""The record of access: who looked at or changed what about students, who signed in, who was refused.

It makes and stores entries. Whether something may be done is decided elsewhere.
"""

from typing import Any, Literal

from clock import new_id, now
from database.records import Access
from database.store import AccessLog

Action = Literal[
    "predictions listed", "prediction read", "student looked up", "students listed", "report made", "report read",
    "student exported", "student erased", "student noted", "notes read", "steps imported",
    "objection recorded", "objection lifted",
    "batch uploaded", "outcomes uploaded", "events sent", "export taken in", "withdrawn", "model downloaded",
    "drift judged", "training started", "retraining started", "champion promoted", "champion activated", "changes read",
    "champion rolled back", "trial started", "trial stopped", "condition acknowledged", "cache emptied",
    "evidence written", "answers paused", "answers resumed", "warning policy activated", "warning policy rolled back",
    "key created", "key revoked", "user added", "user changed", "user disabled", "user enabled", "user linked",
    "user unlinked", "password changed", "signed in", "own record read", "refused",
]  # fmt: skip
"""Everything that is recorded. Predictions are not among them: the log of predictions names who asked."""


def entry(actor: str, action: Action, domain: str | None = None, **details: Any) -> Access:
    """An entry of this moment. details: JSON-ready, no student data but pseudonyms; None values are left out."""
    known = {name: value for name, value in details.items() if value is not None}
    return Access(id=new_id(), actor=actor, action=action, at=now(), domain=domain, details=known)


def note(log: AccessLog, actor: str, action: Action, domain: str | None = None, **details: Any) -> None:
    """Store an entry before returning. Raises StoreUnavailable: then what it is about must not happen either."""
    log.add_accesses([entry(actor, action, domain, **details)])

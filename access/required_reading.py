"""That whoever promotes a model by hand has looked at whose answers it would move: what was looked at is an entry of
access, and so it is asked for.

What changes, `monitoring.what_changed` finds out; promotions that a contest decides need no reader.
"""

from datetime import timedelta
from typing import Any

from access.journal import Action, note
from clock import now
from database.newest import Which
from database.records import ModelVersion
from database.store import RecordStore
from errors import Category, GradewatchError
from monitoring.what_changed import WhatChanged, generation_of

READ_FOR = timedelta(days=1)
"""For how long having looked counts."""

CHANGES_READ: Action = "changes read"
LOOKS_READ = 1000  # of one person in a day


class ChangesUnread(GradewatchError):
    """A model is to be promoted by hand by somebody who has not looked at whose answers it moves."""

    category = Category.CONFLICT


def note_read(store: RecordStore, actor: str, found: WhatChanged, which: Which) -> None:
    """Keep that somebody has looked at what changed, or would by a model beside the champion of that generation."""
    details: dict[str, Any] = {"target": found.target, "groups": which.groups, "period": which.period}
    if found.version is not None:
        details |= {"version": found.version, "generation": found.generation}
    note(store, actor, CHANGES_READ, found.domain, **details)


def require_read(store: RecordStore, actor: str, model: ModelVersion) -> None:
    """Raises ChangesUnread where `actor` has not looked within a day at what a model would change for everybody, beside
    the champion of now."""
    wanted = {"version": model.version, "generation": generation_of(store, model.key)}
    looks = store.accesses(
        actor=actor, domain=model.domain, action=CHANGES_READ, since=now() - READ_FOR, limit=LOOKS_READ
    )
    whole = (one.details for one in looks if not {"groups", "period"} & one.details.keys())
    if not any(wanted.items() <= dict(details).items() for details in whole):
        short = model.version[:12]
        raise ChangesUnread(
            f"read first whose answers {short} would move, beside the model in use now: gradewatch changes --domain "
            f"{model.domain} --model {short}, or GET /api/v1/{model.domain}/changes?version={short}"
        )

"""Whether the chances of ending below a pass mark were kept, as feedback found last: what lists by chance must say.

It keeps the figures of the last feedback that had enough, a document for each target, and measures nothing.
"""

from datetime import datetime

import msgspec

from database.errors import Conflict
from database.read_only import ReadOnly
from database.records import Document
from database.store import Documents
from language.ending_words import plain_ending_words
from monitoring.feedback import Feedback, PassChance

CHANCES_KIND = "chances"


class FoundChances(msgspec.Struct, frozen=True, kw_only=True):
    """What feedback found at that time of the answers since then."""

    at: datetime
    since: datetime
    found: PassChance


def keep_chances(store: Documents, feedback: Feedback, at: datetime) -> None:
    """Keep what feedback found, of every target of which it had enough."""
    for one in feedback.targets:
        found = one.parts[0].below_pass
        if found is None:
            continue
        name = f"{feedback.domain}/{one.target}"
        body = msgspec.to_builtins(FoundChances(at=at, since=feedback.since, found=found))
        known = store.document(CHANCES_KIND, name)
        revision = known.revision + 1 if known else 1
        try:
            store.put_document(
                Document(kind=CHANCES_KIND, name=name, revision=revision, at=at, domain=feedback.domain, body=body)
            )
        except (Conflict, ReadOnly):
            continue  # another feedback of this moment is as good, or none is kept


def known_chances(store: Documents, domain: str, target: str) -> FoundChances | None:
    """What feedback found last; None where it never had enough."""
    kept = store.document(CHANCES_KIND, f"{domain}/{target}")
    return None if kept is None else msgspec.convert(kept.body, FoundChances)


def chances_warning(store: Documents, domain: str, target: str, *, event: bool) -> str | None:
    """A sentence where feedback found chances off by more than chance explains."""
    known = known_chances(store, domain, target)
    if known is None or known.found.kept:
        return None
    found, gap = known.found, known.found.gap
    off = "more ended" if gap.high < 0 else "fewer ended" if gap.low > 0 else "not as many of each tenth ended"
    where = plain_ending_words(event=event).expected
    return (
        f"{off} {where} than chances said, by feedback of {known.at:%Y-%m-%d}: of {found.n:,} answers "
        f"since {known.since:%Y-%m-%d} {found.said:.0%} were said and {found.happened:.0%} happened "
        f"[difference {gap.low:+.0%} to {gap.high:+.0%}]"
    )

"""From when on answers can be trusted, as it is told and kept: one record of each domain and target.

What it says, `retraining.backtest.earliness` finds out, which trains for it; a page and the API read what is kept.
"""

from datetime import datetime

import msgspec

from clock import now
from database.records import Document
from database.store import RecordStore
from model.scores import Estimate

SHARE_PUT_FIRST = 0.1
"""The share of students who are warned of at each moment or week, where precision and lead are told."""

EARLINESS_KIND = "earliness"
"""The kind of the documents."""


class EarlyStage(msgspec.Struct, frozen=True, kw_only=True):
    """One moment, or school week. mae, naive_mae: of the model and the plain rule on the same n rows; gain: how much
    smaller the first is. base: the share that failed. precision, naive_precision: of SHARE_PUT_FIRST whom either
    puts first, those that failed, with intervals. gap: the mean chance to fail less what happened. All four None
    without a pass mark; gap also where no chance is told."""

    stage: str
    n: int
    clusters: int
    mae: Estimate
    naive_mae: Estimate
    gain: Estimate
    base: float | None = None
    precision: tuple[float, float, float] | None = None
    naive_precision: tuple[float, float, float] | None = None
    gap: float | None = None


class Lead(msgspec.Struct, frozen=True, kw_only=True):
    """Of `failed` students with weeks after which they failed, `found` were put first in one of these or before; weeks:
    how long before the last of these, at the median."""

    failed: int
    found: int
    weeks: float | None


class Earliness(msgspec.Struct, frozen=True, kw_only=True):
    """learned_from: the periods of the models; judged: the one after. stages: in their order. trusted_from: the first
    one from which on the model is credibly better than the plain rule at every one. lead, naive_lead: of weeks.
    left_out: moments at which no model could be trained, with why. event: whether "failed" is said of whoever an event
    came to."""

    domain: str
    target: str
    unit: str
    learned_from: tuple[str, ...]
    judged: str
    stages: tuple[EarlyStage, ...]
    trusted_from: str | None
    lead: Lead | None = None
    naive_lead: Lead | None = None
    left_out: tuple[str, ...] = ()
    event: bool = False


class KeptEarliness(msgspec.Struct, frozen=True, kw_only=True):
    """What was found at a time. job: that found it. rows: stored records with outcomes that it was found in."""

    at: datetime
    job: str
    rows: int
    found: Earliness


def keep_earliness(store: RecordStore, found: Earliness, *, job: str, rows: int) -> KeptEarliness:
    """Keep it in the place of what was found before; of a job that is done again the same stays. Raises Conflict."""
    before = store.document(EARLINESS_KIND, _name_of(found.domain, found.target))
    if before is not None and before.body["job"] == job:
        return msgspec.convert(dict(before.body), KeptEarliness)
    made = KeptEarliness(at=now(), job=job, rows=rows, found=found)
    store.put_document(
        Document(
            kind=EARLINESS_KIND,
            name=_name_of(found.domain, found.target),
            revision=1 if before is None else before.revision + 1,
            at=made.at,
            domain=found.domain,
            body=msgspec.to_builtins(made),
        )
    )
    return made


def kept_earliness(store: RecordStore, domain: str, target: str) -> KeptEarliness | None:
    """What was found last; None where nobody asked."""
    kept = store.document(EARLINESS_KIND, _name_of(domain, target))
    return None if kept is None else msgspec.convert(dict(kept.body), KeptEarliness)


def _name_of(domain: str, target: str) -> str:
    return f"{domain}/{target}"

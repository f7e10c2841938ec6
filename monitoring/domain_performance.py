"""How the answers of a whole domain turned out: each target beside the plain rule, and at each moment for whom.

It reads matched predictions; how they are measured, `monitoring.performance` and `monitoring.fairness` know.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from database.pairs import Learned
from database.store import RecordStore
from monitoring.evidence import EvidenceColumns, evidence_among
from monitoring.evidence_archive import EvidenceArchive, Selection
from monitoring.fairness import Fairness, judge_fairness
from monitoring.performance import TargetPerformance, measure_target, tellable
from monitoring.warning_policy import WarningPolicy, policy_in_use
from preprocessing.schema import DomainSchema, Target


class DomainPerformance(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of each target, in the order of the schema; and of each at each moment, whom a warning found and
    how groups fared, where that gives no few students away."""

    domain: str
    since: datetime | None
    targets: tuple[TargetPerformance, ...]
    fairness: tuple[Fairness, ...] = ()


def measure(
    store: RecordStore,
    schema: DomainSchema,
    targets: Sequence[str] | None = None,
    *,
    learned: Learned,
    since: datetime | None = None,
    limit: int | None = None,
    groups: Sequence[str] | None = None,
    top: int | None = None,
) -> DomainPerformance:
    """The performance of each of `targets` (all by default).

    learned: what models learned from. since: of predictions from then on. limit: the newest so many predictions with an
    outcome per target. groups: of these groups only. top: as `Fairness` has it. Raises KeyError for a target that the
    schema does not have.
    """
    archive, asked = EvidenceArchive(store, schema, learned), Selection(since, limit, groups)
    found, fairness = [], list[Fairness]()
    for target in (schema.target_by_name[name] for name in targets or schema.target_by_name):
        known, left_out = evidence_among(archive.matched(target, asked))
        found.append(measure_target(target, known, left_out))
        fairness += _by_moment(schema, target, known, top, policy_in_use(store, schema.name, target.name))
    return DomainPerformance(domain=schema.name, since=since, targets=tuple(found), fairness=tuple(fairness))


def _by_moment(
    schema: DomainSchema, target: Target, known: EvidenceColumns, top: int | None, policy: WarningPolicy
) -> list[Fairness]:
    answered = known.take(known.answered).moments
    parts = {moment: known.at_moment(moment) for moment in schema.moments if moment in answered}
    told = tellable([part.take(part.answered).students for part in parts.values()])
    return [
        judge_fairness(schema, target, moment, part, top=top, policy=policy)
        for (moment, part), one in zip(parts.items(), told, strict=True)
        if one
    ]

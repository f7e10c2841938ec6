"""What is known of the models behind a report: where they come from, how good they were, how answers turned out.

A report is read by people confined to its group: of outcomes only those of this group count here (decision 0114).
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from database.records import Answer, ChampionKey, ModelVersion, Succession
from database.store import RecordStore
from model.bundle import EXAMPLES
from model.registry import Champions
from model.scores import Estimate
from model.workspace import Workspace
from monitoring.domain_performance import measure
from monitoring.performance import TargetPerformance
from preprocessing.schema import DomainSchema
from reports.records import DriftSeen, ReportedModel


def models_of(
    store: RecordStore, champions: Champions, domain: str, answered: Iterable[tuple[str, Answer]]
) -> tuple[ReportedModel, ...]:
    """The models that gave these answers, each with its moment, in the order of targets and moments."""
    used = {(one.target, moment, one.model) for moment, one in answered}
    found = []
    for target, moment, version in sorted(used):
        key = ChampionKey(domain, target, moment)
        model = next((one for one in store.models(key) if one.version == version), None)
        serving = next((one for one in reversed(store.successions(key)) if one.version == version), None)
        loaded = champions.loaded.get(key)
        changes = loaded.changes if loaded and loaded.predictor.version == version else ()
        if model is not None:
            found.append(_reported(model, serving, changes))
    return tuple(found)


def _reported(model: ModelVersion, serving: Succession | None, changes: tuple[str, ...]) -> ReportedModel:
    mae, naive = _error(model.scores), _error(model.scores.get("naive", {}))
    doubts = [f"since it learned the domain's file has changed: {words}." for words in changes]
    if mae and naive and mae.value >= naive.value:
        doubts.append("On those rows it was no better than the plain rule.")
    return ReportedModel(
        version=model.version,
        target=model.target,
        moment=model.moment,
        candidate=model.candidate,
        trained=model.at,
        rows=model.lineage["rows"],
        examples=model.lineage["source"] == EXAMPLES,
        serves=serving.at if serving else None,
        why=serving.reason if serving else "",
        n=model.scores.get("n", 0),
        mae=mae,
        naive_mae=naive,
        doubts=tuple(doubts),
    )


def _error(scores: Mapping[str, Any]) -> Estimate | None:
    return msgspec.convert(scores["mae"], Estimate) if "mae" in scores else None


def performance_of(workspace: Workspace, schema: DomainSchema, group: str) -> tuple[TargetPerformance, ...]:
    """How earlier answers about a group turned out."""
    return measure(workspace.store, schema, learned=workspace.learned, groups=[group]).targets


def newest_drift(store: RecordStore, domain: str) -> DriftSeen | None:
    """Whether the newest drift report of a domain alarmed."""
    return next((DriftSeen(at=one.at, alarm=one.alarm) for one in store.drift_reports(domain, limit=1)), None)

"""Two versions of one model side by side: errors on the same rows, what each looks at, and what each learned from.

Scores of different rows are never set side by side. It reads bundles and decisions, and decides nothing.
"""

from collections.abc import Mapping

import msgspec

from database.records import ModelVersion
from database.store import RecordStore
from drift.compare import Findings, compare
from drift.profile import Profile
from drift.records import DriftReport, NotComparable, SameSample
from model.artifacts import Artifacts
from model.bundle import Bundle
from model.registry import NoSuchModel, load_bundle
from model.standing import VersionStanding, judged_together, standing_of
from model.version_names import version_names
from monitoring.row_findings import changed_of, effective_shares_of_model, reference_of
from preprocessing.schema import DomainSchema

SAME_ROWS = "both learned from the same rows"


class ModelComparison(msgspec.Struct, frozen=True, kw_only=True):
    """Two versions of the same domain, target and moment. names: what each is called.

    together: how the second did, and the first, on the same rows that neither had seen; None where no contest compared
    them. importance: column to the rise of either's error without it, in target units; None where one does not read it.
    drift: the rows that the second learned from against the first's; None where `alike` says why.
    """

    first: ModelVersion
    second: ModelVersion
    names: tuple[str, str]
    together: VersionStanding | None
    importance: Mapping[str, tuple[float | None, float | None]]
    drift: DriftReport | None
    alike: str = ""


def compare_models(
    store: RecordStore, artifacts: Artifacts, schema: DomainSchema, first: ModelVersion, second: ModelVersion
) -> ModelComparison:
    """Raises NoSuchModel for versions of different keys, and what loading a bundle raises."""
    if first.key != second.key:
        known = f"{first.version[:12]} is of {first.key}, {second.version[:12]} of {second.key}"
        raise NoSuchModel(f"{known}: give two of the same")
    one, other = (load_bundle(artifacts, model.version) for model in (first, second))
    decisions = store.decisions(key=first.key)
    together = None
    if judged_together(decisions, first.version, second.version):
        together = standing_of(other.manifest, second.version, decisions, first.version)
    names = version_names(store.models(first.key))
    drift, alike = _drift_between(one, other, schema)
    return ModelComparison(
        first=first,
        second=second,
        names=(names[first.version], names[second.version]),
        together=together,
        importance=_importance(one, other),
        drift=drift,
        alike=alike,
    )


def _importance(first: Bundle, second: Bundle) -> dict[str, tuple[float | None, float | None]]:
    """Of all columns that either reads, those that matter most to either first."""
    one, other = first.manifest.importance, second.manifest.importance
    most = sorted(one.keys() | other.keys(), key=lambda name: (-max(one.get(name, 0.0), other.get(name, 0.0)), name))
    return {name: (one.get(name), other.get(name)) for name in most}


def _drift_between(first: Bundle, second: Bundle, schema: DomainSchema) -> tuple[DriftReport | None, str]:
    """What the second learned from against the first's, column by column; or why that cannot be said."""
    try:
        before, after = (_learned_from(bundle, schema) for bundle in (first, second))
        changed = (*changed_of(first.manifest, schema), *changed_of(second.manifest, schema))
        shares = effective_shares_of_model(first.manifest), effective_shares_of_model(second.manifest)
        findings = Findings(importance=second.manifest.importance, effective=shares, not_compared=changed)
        return compare(before, after, schema, rows=findings), ""
    except SameSample:
        return None, SAME_ROWS
    except NotComparable as error:
        return None, str(error)


def _learned_from(bundle: Bundle, schema: DomainSchema) -> Profile:
    """The columns of the rows that it learned from, without what a model said of them."""
    profile = reference_of(bundle.manifest, Profile.from_bytes(bundle.profile), schema)
    said = [name for name in profile.columns if name.startswith("_")]
    return profile.read_as(schema.fingerprint, without=said)

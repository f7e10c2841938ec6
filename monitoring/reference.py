"""What a champion learned from, read as its domain's file is now: the profile that reports compare with.

A change of the file that leaves values what they were leaves them comparable; a column whose values mean something else
is left out by name, and one that the model reads stops the model itself (`preprocessing.schema_changes`).
"""

from __future__ import annotations

from drift.profile import Profile
from drift.records import NotComparable, NotCompared
from model.bundle import Manifest, changes_since
from model.predictor import Predictor
from preprocessing.schema import DomainSchema
from preprocessing.schema_changes import Effect, changed_columns


def reference_of(manifest: Manifest, profile: Profile, schema: DomainSchema) -> Profile:
    """A profile that goes with a model, of the columns that mean now what they meant when it learned.

    Raises NotComparable where the model does not fit the schema, or is too old to say what it learned.
    """
    if profile.fingerprint == schema.fingerprint:
        return profile
    return profile.read_as(schema.fingerprint, without=[one.column for one in changed_of(manifest, schema)])


def population_of(predictor: Predictor, schema: DomainSchema) -> Profile:
    """All rows that were offered to the predictor's training, those that lack an input included: what a file is
    compared with, whose rows may lack some too. (Logged predictions lack none: they were asked for at their moment.)"""
    answered = Profile.from_bytes(predictor.profile)
    whole = answered + Profile.from_bytes(predictor.aside) if predictor.aside else answered
    return reference_of(predictor.manifest, whole, schema)


def changed_of(manifest: Manifest, schema: DomainSchema) -> tuple[NotCompared, ...]:
    """The columns that mean something else now, and what has changed. Raises as `reference_of`."""
    if manifest.schema == schema.fingerprint:
        return ()
    what = f"the model learned another {schema.name} than its file describes now"
    if stopping := [one.words for one in changes_since(manifest, schema) if one.effect is Effect.STOP]:
        raise NotComparable(f"{what}: {'; '.join(stopping)}")
    if not manifest.learned:
        raise NotComparable(f"{what}, and is too old to say in what they differ; train a new one")
    found = changed_columns(manifest.learned, schema, moment=manifest.moment, seen=manifest.ranges)
    return tuple(NotCompared(name, f"means something else since the model learned: {why}") for name, why in found)


def comparable_features(manifest: Manifest, schema: DomainSchema) -> list[str]:
    """The features known at the model's moment of which what it learned from tells something. Raises as
    `reference_of`."""
    here = [feature.name for feature in schema.features_at(manifest.moment)]
    if manifest.schema == schema.fingerprint:
        return here
    changed = {one.column for one in changed_of(manifest, schema)}
    known = {feature["name"] for feature in manifest.learned["features"]} - changed
    return [name for name in here if name in known]

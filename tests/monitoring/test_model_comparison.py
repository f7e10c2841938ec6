"""Two versions side by side: only what can be compared is, and it is said of which rows."""

import msgspec
import pytest

from database.records import ModelVersion
from drift.profile import build_profile
from model.registry import NoSuchModel
from model.workspace import Workspace
from monitoring.model_comparison import compare_models
from tests.model.registry_making import KEYS, keep, make_bundle
from tests.model.test_card import ITS, OWN, decided
from tests.retraining.conftest import open_at
from tests.training.making import SCHEMA, make_frame


def other(workspace: Workspace, number: float, *, rows: int, importance: dict[str, float]) -> ModelVersion:
    """A model that learned from so many other rows."""
    bundle = make_bundle(number)
    manifest = msgspec.structs.replace(bundle.manifest, importance=importance)
    profile = build_profile(make_frame(rows, seed=9), SCHEMA).to_bytes()
    made = msgspec.structs.replace(bundle, manifest=manifest, profile=profile)
    return keep(workspace.store, workspace.artifacts, made)


def test_scores_stand_side_by_side_only_where_both_were_judged_on_the_same_rows(tmp_path) -> None:  # type: ignore[no-untyped-def]
    workspace = open_at(tmp_path)
    first = keep(workspace.store, workspace.artifacts, make_bundle(1.0))
    second = other(workspace, 2.0, rows=90, importance={"before": 0.5, "hours": 0.1})
    found = compare_models(workspace.store, workspace.artifacts, SCHEMA, first, second)
    assert (found.names, found.together) == (("v1", "v2"), None)
    assert found.importance == {"before": (None, 0.5), "hours": (None, 0.1)}
    assert found.drift is not None
    assert (found.drift.n_reference, found.drift.n_current) == (60, 90)
    assert not any(column.column.startswith("_") for column in found.drift.columns)
    workspace.store.add_decision(decided(first, second))
    both = compare_models(workspace.store, workspace.artifacts, SCHEMA, first, second).together
    turned = compare_models(workspace.store, workspace.artifacts, SCHEMA, second, first).together
    assert both is not None
    assert turned is not None
    assert (both.own, both.others, turned.own, turned.others) == (OWN, ITS, ITS, OWN)
    third = keep(workspace.store, workspace.artifacts, make_bundle(3.0))
    alike = compare_models(workspace.store, workspace.artifacts, SCHEMA, first, third)
    assert (alike.drift, alike.alike) == (None, "both learned from the same rows")
    elsewhere = keep(workspace.store, workspace.artifacts, make_bundle(4.0, KEYS[1]))
    with pytest.raises(NoSuchModel, match="give two of the same"):
        compare_models(workspace.store, workspace.artifacts, SCHEMA, first, elsewhere)
    workspace.close()

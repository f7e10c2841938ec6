"""Who is champion: promoting, undoing, choosing; workers that follow, and keep the old one when the new is broken."""

import os
import random
import shutil
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from database.errors import Conflict
from database.open import open_store
from database.records import ChampionKey, ModelVersion
from database.store import RecordStore
from database.withdrawal import NamesSomebody
from model.artifacts import ArtifactFolder
from model.registry import (
    Champions,
    NoChampion,
    NoSuchModel,
    SchemaChanged,
    activate,
    collect_garbage,
    find_model,
    install,
    load_bundle,
    rollback,
)
from model.version_names import version_names
from preprocessing.schema_changes import document_of
from tests.model.registry_making import DOMAINS, KEYS, MARK, answers, keep, make_bundle, put
from tests.training.making import SCHEMA

HALF = KEYS[1]
FIRST = datetime(2026, 1, 1, tzinfo=UTC)


def test_no_change_by_hand_keeps_a_reason_that_names_somebody(tmp_path: Path) -> None:
    with closing(open_store(f"sqlite:///{tmp_path / 'g.db'}")) as store:
        for reason in ("Ana Sousa complained", "ana@example.org wrote", "ring +34 612 345 678"):
            with pytest.raises(NamesSomebody):
                rollback(store, [MARK], actor="test", reason=reason)
            with pytest.raises(NamesSomebody):
                activate(store, "invented", "0", all_targets=False, actor="test", reason=reason)


def champion(store: RecordStore) -> tuple[str, int, str]:
    (one,) = [one for one in store.champions() if one.key == MARK]
    return one.version, one.generation, one.action


def back(store: RecordStore) -> None:
    rollback(store, [MARK], actor="test", reason="test")


def choose(store: RecordStore, version: str, *, all_targets: bool = False) -> None:
    activate(store, "invented", version, all_targets=all_targets, actor="test", reason="test")


def test_a_rollback_undoes_and_a_second_one_undoes_what_was_before(
    store: RecordStore, artifacts: ArtifactFolder
) -> None:
    a, b, c = put(store, artifacts, 1, 2, 3)
    assert champion(store) == (c.version, 3, "promote")
    back(store)
    assert champion(store) == (b.version, 4, "rollback")
    back(store)
    assert champion(store) == (a.version, 5, "rollback")
    with pytest.raises(NoSuchModel, match="no champion before the present one: invented/mark@start"):
        back(store)
    assert [one.generation for one in store.successions(MARK)] == [1, 2, 3, 4, 5]


class Undo:
    """What a rollback means: a stack."""

    def __init__(self) -> None:
        self.stack: list[str] = []

    def take(self, version: str) -> None:
        if not self.stack or self.stack[-1] != version:
            self.stack.append(version)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moves=st.lists(st.sampled_from(["a", "b", "c", "choose a", "choose b", "back", "back"]), max_size=8))
def test_any_course_of_changes_can_be_undone_to_its_beginning(
    moves: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("course")
    store, undo = open_store(f"sqlite:///{folder / 'registry.db'}"), Undo()
    models = {name: record(name) for name in "abc"}
    for model in models.values():
        store.add_model(model)
    for move in moves:
        if move == "back":
            if len(undo.stack) > 1:
                undo.stack.pop()
                back(store)
            else:
                with pytest.raises(NoSuchModel):
                    back(store)
        elif move.startswith("choose"):
            choose(store, move[-1] * 10)
            undo.take(move[-1] * 64)
        else:
            install(store, [models[move]], action="promote", actor="test", reason="test")
            undo.take(models[move].version)
        assert [one.version for one in store.champions()] == undo.stack[-1:]
    store.close()


def record(name: str, key=MARK, run: str = "run") -> ModelVersion:  # type: ignore[no-untyped-def]
    from clock import now

    return ModelVersion(
        version=name * 64,
        domain=key.domain,
        target=key.target,
        moment=key.moment,
        candidate="ridge",
        scores={},
        lineage={"training": run},
        at=now(),
    )


def test_all_targets_of_a_training_run_are_chosen_together(store: RecordStore) -> None:
    old = [record("a", KEYS[0], "old"), record("b", KEYS[1], "old")]
    new = [record("c", KEYS[0], "new"), record("d", KEYS[1], "new")]
    again = record("e", KEYS[0], "old")
    for model in (*old, *new, again):
        store.add_model(model)
    install(store, new, action="promote", actor="test", reason="test")
    choose(store, "a" * 64, all_targets=True)
    assert {one.key: one.version[0] for one in store.champions()} == {KEYS[0]: "a", KEYS[1]: "b"}
    assert {one.generation for one in store.champions()} == {2}
    choose(store, "c" * 64)
    assert {one.key: one.version[0] for one in store.champions()} == {KEYS[0]: "c", KEYS[1]: "b"}
    rollback(store, KEYS, actor="test", reason="test")
    assert {one.key: one.version[0] for one in store.champions()} == {KEYS[0]: "a", KEYS[1]: "d"}
    choose(store, "b" * 64, all_targets=True)  # of two of one key the newer goes along
    assert {one.key: one.version[0] for one in store.champions()} == {KEYS[0]: "e", KEYS[1]: "b"}


def test_a_rollback_of_several_leaves_alone_what_has_nothing_before_it(store: RecordStore) -> None:
    for model in (a := record("a"), b := record("b"), other := record("c", HALF)):
        store.add_model(model)
    install(store, [a, other], action="promote", actor="test", reason="test")
    install(store, [b], action="promote", actor="test", reason="test")
    (done,) = rollback(store, KEYS, actor="test", reason="test")
    assert (done.key, done.version) == (MARK, a.version)


def test_a_version_is_found_by_its_beginning_unless_that_is_ambiguous(store: RecordStore) -> None:
    with pytest.raises(NoSuchModel, match="no version 'a' in invented; the newest are: none"):
        find_model(store, "a", "invented")
    for name in ("a", "b"):
        store.add_model(record(name))
    assert find_model(store, "aaa", "invented").version == "a" * 64
    assert find_model(store, "b", MARK).version == "b" * 64
    with pytest.raises(NoSuchModel, match=r"no version 'c'.*bbbbbbbbbbbb"):
        find_model(store, "c", MARK)
    with pytest.raises(NoSuchModel, match="beginning of 2 versions"):
        find_model(store, "", "invented")
    assert find_model(store, "v2", "invented").version == "b" * 64
    store.add_model(record("c", HALF))
    assert find_model(store, "v1", HALF).version == "c" * 64
    with pytest.raises(NoSuchModel, match=r"v1 is the name of 2 models in invented; give one of .*aaaaaaaaaaaa"):
        find_model(store, "v1", "invented")


@given(st.lists(st.sampled_from(KEYS), min_size=1, max_size=12), st.randoms())
def test_versions_are_numbered_by_key_as_they_were_registered_and_keep_their_number(
    keys: list[ChampionKey], chance: random.Random
) -> None:
    models = [
        msgspec.structs.replace(record("a", key), version=f"{place:064x}", at=FIRST + timedelta(seconds=place))
        for place, key in enumerate(keys)
    ]
    before, shuffled = version_names(models[:-1]), chance.sample(models, len(models))
    names = version_names(shuffled)
    assert names == version_names(models)
    assert before.items() <= names.items()
    for key in set(keys):
        mine = [names[model.version] for model in models if model.key == key]
        assert mine == [f"v{number + 1}" for number in range(len(mine))]


def test_a_decision_made_on_an_older_generation_changes_nothing(store: RecordStore) -> None:
    for model in (a := record("a"), b := record("b"), other := record("c", HALF)):
        store.add_model(model)
    install(store, [a], action="promote", actor="test", reason="test")
    install(store, [b], action="promote", actor="test", reason="test")
    for stale in ({MARK: 1}, {}, {MARK: 3}):
        with pytest.raises(Conflict):
            install(store, [other, a], action="promote", actor="test", reason="test", expected=stale)
    assert [one.version[0] for one in store.champions()] == ["b"]  # not even the key that was right


def test_a_refresh_swaps_in_what_changed_and_nothing_else(store: RecordStore, artifacts: ArtifactFolder) -> None:
    champions = Champions(store, artifacts, DOMAINS)
    assert champions.refresh() == []
    with pytest.raises(NoChampion, match="train one first"):
        champions.at("invented", "start")
    put(store, artifacts, 1)
    put(store, artifacts, 7, key=HALF)
    assert sorted(champions.refresh()) == sorted(KEYS)
    half = champions.at("invented", "half")["mark"]
    put(store, artifacts, 2)
    assert answers(champions) == {"start": 1, "half": 7}  # until the next refresh
    assert champions.refresh() == [MARK]
    assert answers(champions) == {"start": 2, "half": 7}
    assert champions.at("invented", "half")["mark"] is half
    assert champions.at("invented", "start")["mark"].generation == 2
    assert champions.refresh() == []
    with pytest.raises(NoChampion, match="there are some at half, start"):
        champions.at("invented", "end")


@pytest.mark.parametrize("fault", ["corrupt", "missing", "unreadable", "no bundle"])
def test_a_broken_model_leaves_the_old_one_serving_says_so_once_and_recovers(
    store: RecordStore, artifacts: ArtifactFolder, fault: str, tmp_path: Path
) -> None:
    (old,) = put(store, artifacts, 1)
    champions = Champions(store, artifacts, DOMAINS)
    champions.refresh()
    new = keep(store, artifacts, make_bundle(2))
    path, aside = artifacts.folder / new.version, tmp_path / "aside"
    shutil.copytree(path, aside)
    if fault == "corrupt":
        (path / "graph.onnx").write_bytes((path / "graph.onnx").read_bytes()[:-1])
    elif fault == "missing":
        shutil.rmtree(path)
    elif fault == "unreadable":
        (path / "graph.onnx").unlink()
        (path / "graph.onnx").mkdir()
    else:
        strange = artifacts.save({"manifest.json": b"{}"})
        new = ModelVersion(**{name: getattr(new, name) for name in new.__struct_fields__} | {"version": strange})
        path = artifacts.folder / strange
    install(store, [new], action="promote", actor="test", reason="test")
    put(store, artifacts, 7, key=HALF)
    assert champions.refresh() == [HALF]
    assert champions.refresh() == []
    assert answers(champions) == {"start": 1, "half": 7}
    assert champions.broken == {MARK: 2}
    (event,) = store.events("invented", kind="champion_not_loaded")
    assert event.details["version"] == new.version
    assert event.details["serving_instead"] == old.version
    Champions(store, artifacts, DOMAINS).refresh()
    assert len(store.events("invented")) == 1
    assert event.details["why"]
    if fault == "no bundle":
        back(store)
        assert champions.refresh() == [MARK]
        assert answers(champions)["start"] == 1
    else:
        shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(aside, path)
        assert champions.refresh() == [MARK]
        assert answers(champions)["start"] == 2
    assert champions.broken == {}
    assert len(store.events("invented")) == 1


def test_a_champion_that_learned_another_schema_is_stopped_until_one_of_the_new_form_serves(
    store: RecordStore, artifacts: ArtifactFolder
) -> None:
    old, new = put(store, artifacts, 1, 2)
    put(store, artifacts, 7, key=HALF)
    unit = [msgspec.structs.replace(f, unit="percent" if f.name == "midterm" else f.unit) for f in SCHEMA.features]
    changed = {SCHEMA.name: msgspec.structs.replace(SCHEMA, title="Ours", features=tuple(unit))}
    stop = {SCHEMA.name: msgspec.structs.replace(SCHEMA, features=SCHEMA.features[:1] + SCHEMA.features[2:])}
    champions = Champions(store, artifacts, changed)
    for _ in range(2):
        champions.refresh()
    assert champions.at("invented", "start")["mark"].changes == ("title was 'An invented school', is now 'Ours'",)
    assert store.events("invented") == []  # this one reads no midterm
    for _ in range(3):  # processes, one after another
        champions = Champions(store, artifacts, stop)
        for _ in range(2):
            champions.refresh()
    assert (champions.loaded, set(champions.stopped)) == ({}, set(KEYS))
    with pytest.raises(SchemaChanged, match=r"invented/mark@start: .*column 'before' is gone.*gradewatch train"):
        champions.at("invented", "start")
    assert [event.kind for event in store.events("invented")] == ["champion_stopped"] * 2
    about: dict[str, Any] = {"actor": "test", "reason": "", "artifacts": artifacts, "schemas": stop}
    with pytest.raises(SchemaChanged, match="'before' is gone"):
        rollback(store, [MARK], **about)
    with pytest.raises(SchemaChanged, match="'before' is gone"):
        activate(store, "invented", old.version, all_targets=False, **about)
    assert champion(store) == (new.version, 2, "promote")
    fits = msgspec.structs.replace(make_bundle(3).manifest, inputs=(), learned=document_of(stop[SCHEMA.name]))
    model = keep(store, artifacts, msgspec.structs.replace(make_bundle(3), manifest=fits))
    install(store, [model], action="promote", actor="test", reason="test")
    assert champions.refresh() == [MARK]
    assert (answers(champions), set(champions.stopped)) == ({"start": 3}, {HALF})


def test_a_model_whose_files_are_gone_cannot_be_brought_back(store: RecordStore, artifacts: ArtifactFolder) -> None:
    a, b = put(store, artifacts, 1, 2)
    shutil.rmtree(artifacts.folder / a.version)
    with pytest.raises(NoSuchModel, match="cannot be served"):
        rollback(store, [MARK], actor="test", reason="test", artifacts=artifacts)
    with pytest.raises(NoSuchModel, match="cannot be served"):
        activate(store, "invented", a.version, all_targets=False, actor="t", reason="", artifacts=artifacts)
    assert champion(store) == (b.version, 2, "promote")


def make_old(artifacts: ArtifactFolder) -> None:
    for path in artifacts.folder.iterdir():
        os.utime(path, (time.time() - 7200,) * 2)


def test_garbage_is_what_is_neither_champion_nor_recent_nor_young(
    store: RecordStore, artifacts: ArtifactFolder
) -> None:
    first = put(store, artifacts, 1)[0]
    trained = [keep(store, artifacts, make_bundle(number)) for number in range(100, 112)]
    orphan = artifacts.save({"rows.bin": b"never registered"})
    (artifacts.folder / ".writing-cut-off").mkdir()
    make_old(artifacts)
    young = artifacts.save({"rows.bin": b"being registered"})
    gone = collect_garbage(store, artifacts)
    assert set(gone) == {orphan, ".writing-cut-off", trained[0].version, trained[1].version}
    assert set(artifacts.digests()) == {first.version, young, *(model.version for model in trained[2:])}
    assert load_bundle(artifacts, first.version).manifest.target.name == "mark"


def test_the_last_ten_champions_can_be_rolled_back_to(store: RecordStore, artifacts: ArtifactFolder) -> None:
    champions = put(store, artifacts, *range(12))
    for number in range(100, 111):
        keep(store, artifacts, make_bundle(number))
    make_old(artifacts)
    collect_garbage(store, artifacts)
    for model in reversed(champions[2:11]):
        rollback(store, [MARK], actor="test", reason="test", artifacts=artifacts)
        assert champion(store)[0] == model.version
    with pytest.raises(NoSuchModel, match="cannot be served"):
        rollback(store, [MARK], actor="test", reason="test", artifacts=artifacts)

"""Bundles are there whole or not at all."""

import os
import stat
import time
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.artifacts import ArtifactFolder, CorruptArtifact, MissingArtifact
from model.bundle import content_digest

FILES = {"graph.onnx": b"graph", "manifest.json": b"{}"}


def names_in(artifacts: ArtifactFolder) -> set[str]:
    return {path.name for path in artifacts.folder.iterdir()}


def age(path: Path, seconds: float = 7200.0) -> None:
    os.utime(path, (time.time() - seconds,) * 2)


def test_what_is_saved_is_loaded_under_the_digest_of_its_content(artifacts: ArtifactFolder) -> None:
    digest = artifacts.save(FILES)
    assert digest == content_digest(FILES)
    assert artifacts.load(digest) == FILES
    assert artifacts.save(FILES) == digest
    assert artifacts.digests() == [digest]
    assert names_in(artifacts) == {digest}


@given(st.dictionaries(st.text("abc", min_size=1), st.binary(max_size=3), min_size=1), st.data())
def test_any_change_of_any_file_changes_the_digest(files: dict[str, bytes], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(files)))
    assert content_digest(files | {name: files[name] + b"x"}) != content_digest(files)
    assert content_digest(files | {name + "x": b""}) != content_digest(files)
    assert content_digest(dict(reversed(files.items()))) == content_digest(files)


def test_a_missing_bundle_and_a_spoiled_one_are_told_apart(artifacts: ArtifactFolder) -> None:
    with pytest.raises(MissingArtifact, match="no model 0123456789ab"):
        artifacts.load("0123456789abcdef")
    digest = artifacts.save(FILES)
    (artifacts.folder / digest / "graph.onnx").write_bytes(b"grapH")
    with pytest.raises(CorruptArtifact, match="have changed"):
        artifacts.load(digest)
    (artifacts.folder / digest / "graph.onnx").unlink()
    with pytest.raises(CorruptArtifact, match="have changed"):
        artifacts.load(digest)
    (artifacts.folder / digest / "graph.onnx").mkdir()
    with pytest.raises(CorruptArtifact, match="cannot be read"):
        artifacts.load(digest)


def test_saving_again_mends_a_spoiled_bundle(artifacts: ArtifactFolder) -> None:
    digest = artifacts.save(FILES)
    (artifacts.folder / digest / "graph.onnx").write_bytes(b"")
    assert artifacts.save(FILES) == digest
    assert artifacts.load(digest) == FILES
    assert names_in(artifacts) == {digest}


def test_many_writers_of_the_same_bytes_leave_one_whole_bundle_and_never_take_it_away(
    artifacts: ArtifactFolder,
) -> None:
    failures: list[BaseException] = []

    def write(number: int) -> None:
        try:
            for _ in range(20):
                artifacts.load(artifacts.save(FILES))
                artifacts.save({**FILES, "rows.bin": bytes([number])})
        except BaseException as error:  # told to the test
            failures.append(error)

    threads = [Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert len(names_in(artifacts)) == 5


def test_a_sweep_removes_old_orphans_and_unfinished_writes_and_nothing_else(artifacts: ArtifactFolder) -> None:
    kept, old, young = (artifacts.save({"rows.bin": bytes([number])}) for number in range(3))
    unfinished, starting = artifacts.folder / ".writing-1", artifacts.folder / ".writing-2"
    notes = artifacts.folder / "notes of ours"
    for folder in (unfinished, starting, notes):
        folder.mkdir()
        (folder / "graph.onnx").write_bytes(b"gra")
    for path in (artifacts.folder / kept, artifacts.folder / old, unfinished, notes):
        age(path)
    assert set(artifacts.sweep([kept])) == {old, unfinished.name}
    assert names_in(artifacts) == {kept, young, starting.name, notes.name}
    assert artifacts.sweep([kept]) == []


def test_what_is_saved_again_counts_as_new(artifacts: ArtifactFolder) -> None:
    digest = artifacts.save(FILES)
    age(artifacts.folder / digest)
    artifacts.save(FILES)
    assert artifacts.sweep([]) == []
    age(artifacts.folder / digest)
    artifacts.require(digest)
    assert artifacts.sweep([]) == []
    with pytest.raises(MissingArtifact):
        artifacts.require("f" * 64)


def test_a_folder_that_is_not_there_yet_holds_nothing(artifacts: ArtifactFolder) -> None:
    assert artifacts.digests() == artifacts.sweep([]) == []


def test_what_is_made_is_its_owners_alone(artifacts: ArtifactFolder) -> None:
    before = os.umask(0)
    try:
        folder = artifacts.folder / artifacts.save(FILES)
    finally:
        os.umask(before)
    assert {stat.S_IMODE(path.stat().st_mode) for path in (artifacts.folder, folder)} == {0o700}
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}

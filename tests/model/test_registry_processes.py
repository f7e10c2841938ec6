"""The registry among processes: killed at every step, racing, swept while it is read."""

import multiprocessing
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import Any

import pytest

from database.open import open_store
from database.store import RecordStore
from model.artifacts import ArtifactFolder
from model.registry import Champions, NoSuchModel, activate, collect_garbage, install, load_bundle
from tests.model.registry_making import (
    DOMAINS,
    KEYS,
    answers,
    collect_often,
    keep,
    make_bundle,
    promote,
    promote_often,
    put,
    watch_champions,
    write_steps,
)

START = Callable[..., ForkServerProcess]


@pytest.fixture(scope="module")
def context() -> ForkServerContext:
    """Processes forked from one that has everything imported and nothing open."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.model.registry_making"])
    return context


@pytest.fixture
def start(context: ForkServerContext) -> Iterator[START]:
    processes = []

    def start(do: Callable[..., Any], *args: Any) -> ForkServerProcess:
        process = context.Process(target=do, args=args)
        process.start()
        processes.append(process)
        return process

    yield start
    for process in processes:
        if process.is_alive():
            process.kill()
        process.join()


def finished(process: ForkServerProcess) -> int | None:
    process.join(60)
    return process.exitcode


def steps_of_a_promotion(start: START, folder: Path) -> list[str]:
    url = f"sqlite:///{folder / 'count.db'}"
    assert finished(start(promote, url, str(folder / "count"), 1.0)) == 0
    assert finished(start(write_steps, url, str(folder / "count"), str(folder / "steps"))) == 0
    return (folder / "steps").read_text().split("\n")


def assert_old_or_new_and_whole(store: RecordStore, artifacts: ArtifactFolder, *, done: bool) -> None:
    champions = Champions(store, artifacts, DOMAINS)
    champions.refresh()
    said = answers(champions)
    assert said in ({"start": 1, "half": 1}, {"start": 2, "half": 2}), said
    assert (said["start"] == 2) == done
    assert not champions.broken
    for model in store.models():
        load_bundle(artifacts, model.version)
    for key in KEYS:
        assert [one.generation for one in store.successions(key)] == [1, 2][: int(said["start"])]


@pytest.mark.timeout(600)
def test_a_promotion_killed_at_any_step_has_happened_or_not_and_can_be_repeated(start: START, tmp_path: Path) -> None:
    steps = steps_of_a_promotion(start, tmp_path)
    assert steps.count("fsync") >= 10  # four files and two folders, twice
    assert set(steps) == {"fsync", "rename", "add_model", "succeed", "commit"}
    assert steps[-2:] == ["succeed", "commit"]
    begin_with_ones(tmp_path / "begun")
    for number, step in enumerate(steps):
        for after in (False, True):
            folder = tmp_path / f"{number}-{step}-{after}"
            shutil.copytree(tmp_path / "begun", folder)
            url, artifacts = f"sqlite:///{folder / 'registry.db'}", ArtifactFolder(folder / "models")
            killed = start(promote, url, str(artifacts.folder), 2.0, number, after)
            assert finished(killed) == -signal.SIGKILL, folder.name
            store, done = open_store(url), after and number >= len(steps) - 2
            assert_old_or_new_and_whole(store, artifacts, done=done)
            if not done:
                promote_again(store, artifacts)
            assert_old_or_new_and_whole(store, artifacts, done=True)
            collect_garbage(store, artifacts, older_than=-1)
            assert names_in(artifacts.folder) == {model.version for model in store.models()}
            store.close()


def begin_with_ones(folder: Path) -> None:
    store, artifacts = open_store(f"sqlite:///{folder / 'registry.db'}"), ArtifactFolder(folder / "models")
    for model in [keep(store, artifacts, make_bundle(1.0, key)) for key in KEYS]:
        put_first(store, model)
    store.close()


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def put_first(store: RecordStore, model: Any) -> None:
    install(store, [model], action="promote", actor="test", reason="first", expected={})


def promote_again(store: RecordStore, artifacts: ArtifactFolder) -> None:
    models = [keep(store, artifacts, make_bundle(2.0, key)) for key in KEYS]
    install(store, models, action="promote", actor="test", reason="again", expected=dict.fromkeys(KEYS, 1))


@pytest.mark.timeout(300)
def test_racing_promoters_each_win_a_generation_alone_and_readers_never_see_half_of_one(
    start: START, store: RecordStore, artifacts: ArtifactFolder, url: str, tmp_path: Path
) -> None:
    for model in [keep(store, artifacts, make_bundle(20.0, key)) for key in KEYS]:
        put_first(store, model)
    stop, folder = tmp_path / "stop", str(artifacts.folder)
    readers = [start(watch_champions, url, folder, str(stop), str(tmp_path / f"read{n}")) for n in range(2)]
    wait_for(tmp_path / "read0.ready", tmp_path / "read1.ready")
    promoters = [
        start(promote_often, url, folder, [n + i / 100 for i in range(25)], str(tmp_path / f"won{n}"))
        for n in range(1, 4)
    ]
    assert [finished(process) for process in promoters] == [0, 0, 0]
    stop.touch()
    assert [finished(process) for process in readers] == [0, 0]
    won = [int((tmp_path / f"won{n}").read_text()) for n in range(1, 4)]
    for key in KEYS:
        assert [one.generation for one in store.successions(key)] == list(range(1, sum(won) + 2))
    for number in range(2):
        first, *bad = (tmp_path / f"read{number}").read_text().rstrip("\n").split("\n")
        reads, different = map(int, first.split())
        assert not bad, bad[:3]
        assert reads >= different > 1


def wait_for(*paths: Path) -> None:
    deadline = time.monotonic() + 120
    while not all(path.exists() for path in paths):
        assert time.monotonic() < deadline, f"{paths} not there"
        time.sleep(0.01)


@pytest.mark.timeout(300)
def test_garbage_collected_all_the_time_never_takes_a_champion(
    start: START, store: RecordStore, artifacts: ArtifactFolder, url: str, tmp_path: Path
) -> None:
    stop, ready = tmp_path / "stop", [tmp_path / "collect0", tmp_path / "collect1"]
    models = put(store, artifacts, *range(12))
    for path in ready:
        start(collect_often, url, str(artifacts.folder), str(stop), str(path))
    wait_for(*ready)
    champions, outcomes = Champions(store, artifacts, DOMAINS), []
    for number in range(100, 150):
        models.append(keep(store, artifacts, make_bundle(number)))
        old = models[-11]  # no longer among the ten newest: garbage from now on, unless it becomes champion
        os.utime(artifacts.folder / old.version, (time.time() - 7200,) * 2)
        outcomes.append(activated(store, artifacts, old.version))
        champions.refresh()
        assert not champions.broken
        if outcomes[-1]:
            assert champions.at("invented", "start")["mark"].predictor.version == old.version
    stop.touch()
    assert outcomes.count(True) > 0


def activated(store: RecordStore, artifacts: ArtifactFolder, version: str) -> bool:
    """Whether it is champion now; its files may have been swept just before."""
    try:
        activate(store, "invented", version, all_targets=False, actor="t", reason="", artifacts=artifacts)
    except NoSuchModel:
        return False
    return True

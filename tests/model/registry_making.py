"""Small models for tests of artifacts and the registry: each always answers one number, so that an answer names it.

Also what other processes do in those tests: `promote`, which can be made to kill itself at any of its steps.
"""

import os
import signal
from collections.abc import Callable
from functools import cache, wraps
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from sklearn.linear_model import LinearRegression

from clock import now
from database.errors import Conflict
from database.open import open_store
from database.records import ChampionKey, ModelVersion
from database.store import RecordStore
from drift.profile import build_profile
from model.artifacts import ArtifactFolder
from model.bundle import Bundle, Lineage, Manifest
from model.export import export_graph
from model.naive import NaiveRule
from model.registry import Champions, collect_garbage, install
from model.scores import Estimate, ValueScores
from preprocessing.encode import Encoding, NumericPart
from preprocessing.schema_changes import document_of
from tests.training.making import MARK, SCHEMA, make_frame

DOMAINS = {SCHEMA.name: SCHEMA}
KEYS = (MARK, ChampionKey("invented", "mark", "half"))


@cache
def _profile() -> bytes:
    return build_profile(make_frame(60), SCHEMA).to_bytes()


def make_bundle(number: float, key: ChampionKey = MARK, *, run: str = "run") -> Bundle:
    """A model of `key` that always answers `number`."""
    X = np.zeros((2, 1), dtype=np.float32)
    estimate = Estimate(1.0, 0.5, 1.5)
    scores = ValueScores(n=60, clusters=60, mae=estimate, rmse=estimate, r2=estimate)
    manifest = Manifest(
        domain=key.domain,
        target=SCHEMA.target_by_name[key.target],
        moment=key.moment,
        schema=SCHEMA.fingerprint,
        inputs=("before",),
        encoding=Encoding(numeric=(NumericPart(name="before", fill=0.0),), categorical=()),
        candidate="ridge",
        naive=NaiveRule(column=None, constant=10.0),
        ranges={},
        importance={},
        scores={"naive": scores, "ridge": scores},
        beats_naive=True,
        parity=0.0,
        learned=document_of(SCHEMA),
        lineage=Lineage(data="d", training=run, source="records", rows=60, split="row", seed=0, code="0", libraries={}),
    )
    graph = export_graph(LinearRegression().fit(X, [number, number]), 1)
    return Bundle(manifest=manifest, graph=graph, profile=_profile(), rows=frozenset({f"{int(number):032x}"}))


def keep(store: RecordStore, artifacts: ArtifactFolder, bundle: Bundle) -> ModelVersion:
    """The bundle's files, then its record."""
    manifest = bundle.manifest
    model = ModelVersion(
        version=artifacts.save(bundle.files()),
        domain=manifest.domain,
        target=manifest.target.name,
        moment=manifest.moment,
        candidate=manifest.candidate,
        scores=msgspec.to_builtins(manifest.scores["ridge"]),
        lineage=msgspec.to_builtins(manifest.lineage),
        at=now(),
    )
    store.add_model(model)
    return model


def put(store: RecordStore, artifacts: ArtifactFolder, *numbers: float, key: ChampionKey = MARK) -> list[ModelVersion]:
    """Keep and promote models that answer `numbers`, in turn."""
    models = [keep(store, artifacts, make_bundle(number, key)) for number in numbers]
    for model in models:
        install(store, [model], action="promote", actor="test", reason="test")
    return models


def answers(champions: Champions) -> dict[str, float]:
    """What each loaded champion answers, by moment."""
    return {
        key.moment: round(serving.predictor.answer([{"before": 1.0}], generation=0)[0].value, 3)  # type: ignore[arg-type]
        for key, serving in champions.loaded.items()
    }


class Steps:
    """Counts the steps of a promotion that touch disk or database, and kills this process before or after one."""

    def __init__(self, die_at: int | None, *, after: bool) -> None:
        self.names: list[str] = []
        self._die_at = die_at
        self._after = after

    def watch(self, name: str, do: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(do)
        def step(*args: Any, **kwargs: Any) -> Any:
            here = len(self.names) == self._die_at
            self.names.append(name)
            if here and not self._after:
                os.kill(os.getpid(), signal.SIGKILL)
            done = do(*args, **kwargs)
            if here:
                os.kill(os.getpid(), signal.SIGKILL)
            return done

        return step


def promote(url: str, folder: str, number: float, die_at: int | None = None, after: bool = False) -> list[str]:
    """Keep models that answer `number` for both keys and make them champions at once; the steps it took."""
    store, artifacts = open_store(url), ArtifactFolder(Path(folder))
    steps = Steps(die_at, after=after)
    dialect = store._engine.dialect  # type: ignore[attr-defined]  # a commit can be seen nowhere else
    bundles = [make_bundle(number, key) for key in KEYS]
    os.fsync = steps.watch("fsync", os.fsync)
    Path.rename = steps.watch("rename", Path.rename)  # type: ignore[method-assign]
    dialect.do_commit = steps.watch("commit", dialect.do_commit)
    store.add_model = steps.watch("add_model", store.add_model)  # type: ignore[method-assign]
    store.succeed = steps.watch("succeed", store.succeed)  # type: ignore[method-assign]
    models = [keep(store, artifacts, bundle) for bundle in bundles]
    install(store, models, action="promote", actor="test", reason=f"{number:g}")
    store.close()
    return steps.names


def write_steps(url: str, folder: str, path: str) -> None:
    Path(path).write_text("\n".join(promote(url, folder, 2.0)))


def promote_often(url: str, folder: str, numbers: list[float], path: str) -> None:
    """Try to promote each number on the generation seen just before; write how many others were not first."""
    store, artifacts = open_store(url), ArtifactFolder(Path(folder))
    won = 0
    for number in numbers:
        expected = {champion.key: champion.generation for champion in store.champions()}
        models = [keep(store, artifacts, make_bundle(number, key)) for key in KEYS]
        try:
            install(store, models, action="promote", actor="test", reason="test", expected=expected)
            won += 1
        except Conflict:
            pass
    Path(path).write_text(str(won))
    store.close()


def watch_champions(url: str, folder: str, stop: str, path: str) -> None:
    """Load and ask the champions until the file `stop` is there; write reads and what was wrong with them."""
    store, artifacts = open_store(url), ArtifactFolder(Path(folder))
    champions = Champions(store, artifacts, DOMAINS)
    reads, bad, seen = 0, [], set()
    while not Path(stop).exists() or not reads:
        champions.refresh()
        said = answers(champions)
        reads += 1
        Path(f"{path}.ready").touch()
        seen.add(tuple(sorted(said.items())))
        if champions.broken or set(said) != {"start", "half"} or len(set(said.values())) != 1:
            bad.append(f"{said} {champions.broken}")
    Path(path).write_text(f"{reads} {len(seen)}\n" + "\n".join(bad))
    store.close()


def collect_often(url: str, folder: str, stop: str, ready: str) -> None:
    """Collect garbage until the file `stop` is there."""
    store, artifacts = open_store(url), ArtifactFolder(Path(folder))
    Path(ready).touch()
    while not Path(stop).exists():
        collect_garbage(store, artifacts)
    store.close()

"""Champions as files, for the workers of a cluster, which have neither the store nor the folder of artifacts.

A worker opens them once and answers with them as this process would, to the last bit; it logs nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from database.records import ChampionKey
from model.bundle import read_bundle
from model.pauses import Pause
from model.predictor import Predictor
from model.registry import Challenger, Champions, Serving
from model.service import PredictionService
from model.trial import Trial
from model.workspace import Workspace
from preprocessing.schema import DomainSchema


class SentModel(NamedTuple):
    """A champion as its bundle's files, and the challenger that is tried beside it, if any."""

    key: ChampionKey
    generation: int
    version: str
    files: Mapping[str, bytes]
    trial: Trial | None
    trial_files: Mapping[str, bytes]


@dataclass(frozen=True)
class SentModels:
    """The champions of one domain."""

    schema: DomainSchema
    models: tuple[SentModel, ...]
    paused: Mapping[str, Pause]

    @cached_property
    def service(self) -> PredictionService:
        champions = _OpenedChampions({one.key: _serving(one) for one in self.models}, self.paused)
        return PredictionService({self.schema.name: self.schema}, champions, _NoLog(), secret=b"")


def send_models(workspace: Workspace, schema: DomainSchema) -> SentModels:
    """What this process answers rows of a domain with. Raises MissingArtifact, CorruptArtifact."""
    load, found = workspace.artifacts.load, list[SentModel]()
    for key, one in workspace.champions.loaded.items():
        if key.domain == schema.name:
            trial, version = one.challenger.trial if one.challenger else None, one.predictor.version
            tried = load(trial.challenger) if trial else {}
            found.append(SentModel(key, one.generation, version, load(version), trial, tried))
    return SentModels(schema, tuple(found), dict(workspace.champions.paused))


def _serving(sent: SentModel) -> Serving:
    predictor = Predictor(read_bundle(dict(sent.files)), sent.version)
    if sent.trial is None:
        return Serving(predictor, sent.generation)
    challenger = Predictor(read_bundle(dict(sent.trial_files)), sent.trial.challenger)
    return Serving(predictor, sent.generation, Challenger(challenger, sent.trial))


class _OpenedChampions(Champions):
    """Champions as they were sent; nothing here could change them."""

    def __init__(self, loaded: Mapping[ChampionKey, Serving], paused: Mapping[str, Pause]) -> None:
        self.loaded, self.stopped, self.paused = loaded, {}, paused
        self._broken = {}


class _NoLog:
    """Nobody logs on a worker: the client does, in order."""

    def add_predictions(self, *_given: object, **_named: object) -> None:
        raise AssertionError("what a worker answers is logged by the client")

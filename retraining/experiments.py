"""Keeps an MLflow tracking server in step with what is recorded here: trainings, refusals, decisions, champions.

The record is the database's and complete without MLflow; this copies it there, and what is there already stays. What
could not be told is told after the next training. Nothing is read back, and a server that is away stops nothing.
"""

import logging
import math
import os
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

from clock import new_id, now
from database.records import ChampionKey, DecisionRecord, Event, ModelVersion
from database.store import RecordStore
from errors import MissingExtra
from model.trial import running_trials
from model.workspace import Workspace

if TYPE_CHECKING:
    from mlflow import MlflowClient

TRAINING_EVENT = "training"
"""The event that says what came of a training: a model, or the reason for none."""

SHORT_PATIENCE = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "10", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}
"""MLflow's own waits for minutes; whoever sets these variables is obeyed."""

RECORD_TAG, VERSION_TAG = "gradewatch.record", "gradewatch.version"
CHAMPION, CHALLENGER = "champion", "challenger"
LONGEST_PARAMETER, LONGEST_TAG = 500, 5_000  # characters, within what every server takes
RUNS_PAGE = 1_000

log = logging.getLogger("gradewatch.experiments")


class TrackedRun(NamedTuple):
    """A run as MLflow is told it. record: the id of what it copies."""

    record: str
    name: str
    at: datetime
    tags: Mapping[str, str]
    parameters: Mapping[str, str] = {}
    metrics: Mapping[str, float] = {}


def tell_training(
    store: RecordStore, key: ChampionKey, actor: str, *, reason: str, version: str | None = None, serves: bool = False
) -> None:
    """Record what came of training `key`: whether there is MLflow or not."""
    told = {"target": key.target, "moment": key.moment, "actor": actor, "reason": reason}
    told |= {"verdict": "refused" if version is None else "trained"} | ({"version": version} if version else {})
    details = told | {"serves": serves}
    store.add_event(Event(id=new_id(), kind=TRAINING_EVENT, at=now(), domain=key.domain, details=details))


def follow(workspace: Workspace) -> str:
    """Bring the tracking server up to date, where there is one. What stood in the way, in words; "" for nothing."""
    if not workspace.tracking:
        return ""
    try:
        _Mirror(_client(workspace.tracking), workspace.store).bring_up(sorted(workspace.schemas))
    except MissingExtra as error:
        said = str(error)
    except Exception as error:  # whatever its client raises: MLflow is told of trainings, it does not decide about them
        said = f"MLflow was not told ({type(error).__name__}): it is after the next training"
    else:
        return ""
    log.warning(said)
    return said


def _client(uri: str) -> "MlflowClient":
    for name, value in SHORT_PATIENCE.items():
        os.environ.setdefault(name, value)
    try:
        from mlflow import MlflowClient
    except ImportError:
        raise MissingExtra("telling MLflow of trainings", "mlflow") from None
    return MlflowClient(tracking_uri=uri, registry_uri=uri)


class _Mirror:
    """One look at a tracking server: what it has, and what it lacks."""

    def __init__(self, client: "MlflowClient", store: RecordStore) -> None:
        self._client = client
        self._store = store

    def bring_up(self, domains: list[str]) -> None:
        """Tell what is not told yet, oldest first; then who is champion, and who is tried beside it."""
        champions = self._store.champions()
        trials = running_trials(self._store, champions)
        for domain in domains:
            runs = sorted(runs_of_domain(self._store, domain), key=lambda run: run.at)
            if runs:
                self._tell_runs(f"gradewatch/{domain}", runs)
        serving = {champion.key: champion.version for champion in champions}
        for key in sorted(serving):
            tried = trials[key].challenger if key in trials else None
            self._name(key, {CHAMPION: serving[key], CHALLENGER: tried})

    def _tell_runs(self, name: str, runs: list[TrackedRun]) -> None:
        found = self._client.get_experiment_by_name(name)
        experiment = found.experiment_id if found else self._client.create_experiment(name)
        told = self._told(experiment)
        for run in runs:
            if run.record not in told:
                self._tell(experiment, run)

    def _told(self, experiment: str) -> set[str]:
        """The records that have a finished run."""
        told: set[str] = set()
        token: str | None = None
        while True:
            page = self._client.search_runs([experiment], max_results=RUNS_PAGE, page_token=token)
            told |= {one.data.tags.get(RECORD_TAG, "") for one in page if one.info.status != "RUNNING"}
            token = page.token
            if not token:
                return told

    def _tell(self, experiment: str, run: TrackedRun) -> None:
        from mlflow.entities import Metric, Param, RunTag

        at = round(run.at.timestamp() * 1000)
        tags = {**run.tags, RECORD_TAG: run.record}
        made = self._client.create_run(experiment, start_time=at, run_name=run.name).info.run_id
        self._client.log_batch(
            made,
            metrics=[Metric(_plain(name), value, at, 0) for name, value in run.metrics.items()],
            params=[Param(_plain(name), value[:LONGEST_PARAMETER]) for name, value in run.parameters.items()],
            tags=[RunTag(name, value[:LONGEST_TAG]) for name, value in tags.items()],
        )
        self._client.set_terminated(made, "FAILED" if run.tags["verdict"] == "refused" else "FINISHED", end_time=at)

    def _name(self, key: ChampionKey, aliases: Mapping[str, str | None]) -> None:
        """Give the aliases of a champion's key to these versions, which are made where they are not there."""
        name = f"gradewatch.{key.domain}.{key.target}.{key.moment}"
        known = self._versions(name)
        for alias, version in aliases.items():
            if version is not None:
                number = known.get(version) or self._add_version(name, version)
                self._client.set_registered_model_alias(name, alias, number)
            elif alias in self._client.get_registered_model(name).aliases:
                self._client.delete_registered_model_alias(name, alias)

    def _versions(self, name: str) -> dict[str, str]:
        """The numbers that MLflow gave the versions of a model, which it has from now on."""
        if not self._client.search_registered_models(f"name = '{name}'"):
            self._client.create_registered_model(name)
        found = self._client.search_model_versions(f"name = '{name}'")
        return {one.tags[VERSION_TAG]: one.version for one in found if VERSION_TAG in one.tags}

    def _add_version(self, name: str, version: str) -> str:
        """The bundle stays where it is, so that no source leads to it; its digest is a tag."""
        made = self._client.create_model_version(name, f"gradewatch:/{version}", tags={VERSION_TAG: version})
        return str(made.version)


def runs_of_domain(store: RecordStore, domain: str) -> Iterator[TrackedRun]:
    """Everything of a domain that MLflow is told: models, refused trainings, decisions."""
    models = (_of_model(one) for one in store.models() if one.domain == domain)
    events = store.events(domain, kind=TRAINING_EVENT, limit=RUNS_PAGE)
    refused = (_of_refusal(one) for one in events if one.details["verdict"] == "refused")
    return chain(models, refused, map(_of_decision, store.decisions(domain)))


def _of_model(model: ModelVersion) -> TrackedRun:
    about = {"target": model.target, "moment": model.moment, "candidate": model.candidate}
    lineage = {name: _text(value) for name, value in model.lineage.items()}
    return TrackedRun(
        model.version,
        f"{model.target}@{model.moment} {model.version[:12]}",
        model.at,
        about | {"verdict": "trained", VERSION_TAG: model.version},
        about | lineage,
        dict(_numbers(model.scores)),
    )


def _of_refusal(event: Event) -> TrackedRun:
    told = {name: str(value) for name, value in event.details.items()}
    return TrackedRun(event.id, f"{told['target']}@{told['moment']} refused", event.at, told)


def _of_decision(decision: DecisionRecord) -> TrackedRun:
    about = {"target": decision.target, "moment": decision.moment, "decision": decision.verdict}
    who = {"champion": decision.champion or "", "challenger": decision.challenger or ""}
    reasons = "; ".join(decision.document.get("reasons", ()))
    verdict = "decided" if decision.challenger else "refused"
    tags = about | who | {"verdict": verdict, "reasons": reasons}
    name = f"{decision.target}@{decision.moment} decision: {decision.verdict}"
    return TrackedRun(decision.id, name, decision.at, tags, about | who, dict(_numbers(decision.document)))


def _numbers(scores: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, float]]:
    """The numbers of nested records under dotted names; what is no finite number is no metric."""
    for name, value in scores.items():
        if isinstance(value, Mapping):
            yield from _numbers(value, f"{before}{name}.")
        elif isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            yield f"{before}{name}", float(value)


def _plain(name: str) -> str:
    """A name with no other characters than MLflow takes: a level "A+" is "A_"."""
    return re.sub(r"[^\w\-. /]", "_", name)


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {one}" for name, one in value.items())
    return str(value)

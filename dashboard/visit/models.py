"""What Models asks: versions, decisions, trials, and changes of the champion."""

from access.journal import Action
from dashboard.gate import record, require
from dashboard.visit.base import VisitBase
from database.records import ChampionKey, DecisionRecord, ModelVersion, Succession
from model.registry import activate, rollback
from model.trial import Trial
from monitoring.trial_report import TrialReport, report_trial


class ModelQuestions(VisitBase):
    """Every method as `Visit` says."""

    def decisions(self, domain: str, limit: int = 100) -> list[DecisionRecord]:
        return self._shared.workspace.store.decisions(self._own(domain), limit=limit)

    def models(self, key: ChampionKey) -> list[ModelVersion]:
        self._own(key.domain)
        return self._shared.workspace.store.models(key)

    def successions(self, key: ChampionKey) -> list[Succession]:
        self._own(key.domain)
        return self._shared.workspace.store.successions(key)

    def trial_report(self, trial: Trial) -> TrialReport:
        """Of the visitor's groups."""
        workspace, schema = self._shared.workspace, self.schemas[self._own(trial.domain)]
        return report_trial(workspace.store, schema, trial, learned=workspace.learned, groups=self._groups)

    def roll_back(self, key: ChampionKey, reason: str) -> list[Succession]:
        """Raises NoSuchModel, Conflict."""
        present, workspace = require(self._shared, "change", self._own(key.domain)), self._shared.workspace
        done = rollback(
            workspace.store,
            [key],
            actor=present.name,
            reason=reason,
            artifacts=workspace.artifacts,
            schemas=workspace.schemas,
        )
        return self._changed("champion rolled back", key, done)

    def activate(self, key: ChampionKey, version: str, *, all_targets: bool, reason: str) -> list[Succession]:
        """Raises NoSuchModel, Conflict."""
        present, workspace = require(self._shared, "change", self._own(key.domain)), self._shared.workspace
        done = activate(
            workspace.store,
            key.domain,
            version,
            all_targets=all_targets,
            actor=present.name,
            reason=reason,
            artifacts=workspace.artifacts,
            schemas=workspace.schemas,
        )
        return self._changed("champion activated", key, done)

    def _changed(self, action: Action, key: ChampionKey, done: list[Succession]) -> list[Succession]:
        record(self._shared, action, key.domain, champion=str(key))
        self._shared.look_again()
        return done

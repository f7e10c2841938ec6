"""What Models asks: versions, decisions, trials, and changes of the champion."""

from datetime import datetime

from access.journal import Action
from access.required_reading import note_read, require_read
from clock import now
from dashboard.gate import record, require
from dashboard.visit.base import VisitBase
from database.newest import Which
from database.records import ChampionKey, DecisionRecord, ModelVersion, Succession
from model.card import ModelCard, card_of
from model.decision import confined
from model.registry import activate, find_model, promote, rollback
from model.trial import Trial, stop_trial
from monitoring.model_comparison import ModelComparison, compare_models
from monitoring.trial_report import TrialReport, report_trial
from monitoring.what_changed import WhatChanged, what_changed
from overview.standing import trial_standing, waits_for_decision

ALARMS_READ = 50  # newest drift reports among which alarms are looked for


class ModelQuestions(VisitBase):
    """Every method as `Visit` says."""

    def decisions(self, domain: str, limit: int = 100) -> list[DecisionRecord]:
        """Newest first; of the slices that are groups, only the visitor's own."""
        found = self._shared.workspace.store.decisions(self._own(domain), limit=limit)
        return [confined(one, self._groups) for one in found]

    def decisions_about(self, key: ChampionKey) -> list[DecisionRecord]:
        """Newest first; of the slices that are groups, only the visitor's own."""
        self._own(key.domain)
        return [confined(one, self._groups) for one in self._shared.workspace.store.decisions(key=key)]

    def drift_alarms(self, domain: str, since: datetime) -> list[datetime]:
        """When stored drift reports raised an alarm, newest first."""
        found = self._shared.workspace.store.drift_reports(self._own(domain), limit=ALARMS_READ)
        return [one.at for one in found if one.alarm and one.at >= since]

    def model_card(self, key: ChampionKey, version: str) -> ModelCard:
        """Of the visitor's groups. Raises what loading a bundle raises."""
        workspace, schema = self._shared.workspace, self.schemas[self._own(key.domain)]
        model = find_model(workspace.store, version, key)
        return card_of(workspace.store, workspace.artifacts, schema, model, groups=self._groups)

    def compare_models(self, key: ChampionKey, first: str, second: str) -> ModelComparison:
        """Raises what loading a bundle raises."""
        workspace, schema = self._shared.workspace, self.schemas[self._own(key.domain)]
        one, other = (find_model(workspace.store, version, key) for version in (first, second))
        return compare_models(workspace.store, workspace.artifacts, schema, one, other)

    def count_since(self, domain: str, since: datetime) -> int:
        """Predictions of the visitor's groups."""
        return self._shared.workspace.store.count_predictions(self._own(domain), since=since, groups=self._groups)

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

    def is_to_be_decided(self, trial: Trial) -> bool:
        """Whether a trial waits for somebody, as Today says; not told to whoever is confined to groups."""
        workspace, schema = self._shared.workspace, self.schemas[self._own(trial.domain)]
        return self._groups is None and waits_for_decision(trial_standing(workspace, schema, trial))

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

    def promote(self, key: ChampionKey, version: str, generation: int, reason: str) -> list[Succession]:
        """In the place of the champion of this generation. Raises ChangesUnread, NoSuchModel,
        Conflict."""
        present, workspace = require(self._shared, "change", self._own(key.domain)), self._shared.workspace
        require_read(workspace.store, present.name, find_model(workspace.store, version, key))
        done = promote(
            workspace.store,
            key.domain,
            version,
            actor=present.name,
            reason=reason,
            generation=generation,
            artifacts=workspace.artifacts,
            schemas=workspace.schemas,
        )
        return self._changed("champion promoted", key, done)

    def what_would_change(self, key: ChampionKey, version: str, most: int) -> WhatChanged:
        """Whose answers a version would move, which who promotes it has to have read; that it was looked at is
        recorded. Raises NoSuchModel."""
        present, workspace = require(self._shared, "read", self._own(key.domain)), self._shared.workspace
        model, schema = find_model(workspace.store, version, key), self.schemas[key.domain]
        target, which = schema.target_by_name[key.target], Which(self._groups)
        found = what_changed(workspace, schema, target, now(), which, most=most, model=model)
        note_read(workspace.store, present.name, found, which)
        return found

    def stop_trial(self, trial: Trial, why: str) -> Trial:
        """Raises NoSuchTrial, Conflict."""
        present, workspace = require(self._shared, "change", self._own(trial.domain)), self._shared.workspace
        ended = stop_trial(workspace.store, trial.id, actor=present.name, why=why, domain=trial.domain)
        record(self._shared, "trial stopped", trial.domain, version=ended.challenger, mode=ended.mode)
        self._shared.look_again()
        return ended

    def activate(self, key: ChampionKey, version: str, reason: str) -> list[Succession]:
        """Raises NoSuchModel, Conflict."""
        present, workspace = require(self._shared, "change", self._own(key.domain)), self._shared.workspace
        done = activate(
            workspace.store,
            key.domain,
            version,
            all_targets=False,
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

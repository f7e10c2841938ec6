"""What Today and Activity ask."""

from collections.abc import Sequence
from datetime import date, datetime

from dashboard.gate import require
from dashboard.visit.base import VisitBase
from database.records import Before, ChampionKey, Succession
from monitoring.change_reports import ChangeReport, change_reports
from overview.acknowledgements import acknowledge, find_condition
from overview.conditions import find_conditions
from overview.feed import ANYTHING, ENTRIES_OF_PAGE, FeedFilter, read_feed
from overview.happenings import Entry
from overview.records import JUDGES, Held, OpenCondition, may_acknowledge
from overview.standing import AnswerStanding, standings_of


class TodayQuestions(VisitBase):
    """Every method as `Visit` says."""

    def conditions(self, domain: str | None = None) -> list[Held]:
        """What needs a person now, and who has seen it; of one domain, or of all that are the visitor's."""
        domains = [] if domain is None else [self._own(domain)]
        found = find_conditions(self._shared.workspace, self._principal, domains)
        if any(one.condition.kind == "uncounted" for one in found):
            self._have_counted(None)
        return found

    def may_acknowledge(self, condition: OpenCondition) -> bool:
        """Whether the button is worth drawing."""
        return may_acknowledge(self._principal, condition)

    def acknowledge(self, condition: str, words: str) -> None:
        """Say for all that a condition, by its id, is known. Raises Forbidden, NamesSomebody; NoSuchCondition where it
        holds no more."""
        present, workspace = require(self._shared, JUDGES), self._shared.workspace
        found = find_condition(find_conditions(workspace, present), condition)
        acknowledge(workspace.store, found, present, words)

    def feed(
        self, asked: FeedFilter = ANYTHING, *, before: Before | None = None, limit: int = ENTRIES_OF_PAGE
    ) -> list[Entry]:
        """What happened, newest first."""
        return read_feed(self._shared.workspace.store, self.schemas, self._principal, asked, before=before, limit=limit)

    def change_reports(self, domain: str, limit: int = 50) -> Sequence[ChangeReport]:
        """What changed for students, as jobs found, newest first; nothing for whoever is confined to groups, since it
        is of all."""
        return (
            []
            if self._groups is not None
            else change_reports(self._shared.workspace.store, self._own(domain), limit=limit)
        )

    def newest_changes(self) -> dict[ChampionKey, Succession]:
        """What made each present champion champion."""
        found = self._shared.workspace.store.champions()
        return {one.key: one for one in found if one.domain in self.schemas}

    def predictions_per_day(self, domain: str, since: datetime) -> dict[date, int]:
        """Of the visitor's groups."""
        return self._shared.workspace.store.predictions_per_day(self._own(domain), since, groups=self._groups)

    def standings(self, domain: str, target: str) -> list[AnswerStanding]:
        """How answers turned out, at each moment; of the visitor's groups."""
        schema = self.schemas[self._own(domain)]
        return standings_of(self._shared.workspace, schema, schema.target_by_name[target], self._groups)

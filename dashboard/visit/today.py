"""What Today and Activity ask."""

from datetime import date, datetime

from dashboard.visit.base import VisitBase
from database.records import ChampionKey, Event, Succession
from database.withdrawal import WITHDRAWN
from model.workspace import SECRET_EVENT

EVENTS_READ = 200  # those of domains that the visitor may not see are left out
OF_ALL_GROUPS = (WITHDRAWN, "retraining_proposed")  # kinds of events with figures of every group


class TodayQuestions(VisitBase):
    """Every method as `Visit` says."""

    def newest_changes(self) -> dict[ChampionKey, Succession]:
        """What made each present champion champion."""
        found = self._shared.workspace.store.champions()
        return {one.key: one for one in found if one.domain in self.schemas}

    def count_predictions(self, domain: str) -> int:
        """Of the visitor's groups."""
        return self._shared.workspace.store.count_predictions(self._own(domain), groups=self._groups)

    def predictions_per_day(self, domain: str, since: datetime) -> dict[date, int]:
        """Of the visitor's groups."""
        return self._shared.workspace.store.predictions_per_day(self._own(domain), since, groups=self._groups)

    def events(self) -> list[Event]:
        """Of the visitor's domains, or of none in particular; newest first. Whoever is confined to groups sees none
        that tell of all."""
        hidden = {SECRET_EVENT} if self._groups is None else {SECRET_EVENT, *OF_ALL_GROUPS}
        return [
            one
            for one in self._shared.workspace.store.events(limit=EVENTS_READ)
            if one.kind not in hidden and (one.domain is None or one.domain in self.schemas)
        ]

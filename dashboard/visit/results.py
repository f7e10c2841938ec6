"""What Results asks: how predictions turned out."""

from datetime import datetime

from dashboard.visit.base import VisitBase
from database.pairs import LeftOut
from monitoring.error_timeline import ErrorTimeline, follow_target, newest_of
from monitoring.evidence import EvidenceColumns, evidence_among
from monitoring.evidence_archive import EvidenceArchive, Selection


class ResultQuestions(VisitBase):
    """Every method as `Visit` says."""

    def turned_out(
        self, domain: str, target: str, since: datetime | None
    ) -> tuple[EvidenceColumns, LeftOut, list[ErrorTimeline]]:
        """Predictions of a target with their outcomes, of the visitor's groups, for aggregates; how many show nothing;
        and their course."""
        workspace, schema = self._shared.workspace, self.schemas[self._own(domain)]
        about, asked = schema.target_by_name[target], Selection(since, groups=self._groups)
        matched = EvidenceArchive(workspace.store, schema, workspace.learned).matched(about, asked)
        newest = newest_of(workspace, domain, asked)
        return *evidence_among(matched), follow_target(workspace, schema, about, matched, newest)

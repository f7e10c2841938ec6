"""What Data asks: drift reports, kept and new ones."""

from datetime import date

from access.confined import confine_report
from access.roles import require as require_of
from dashboard.visit.base import VisitBase
from database.records import DriftRecord
from monitoring.drift_days import Against, days_of
from monitoring.drift_files import KeptReport, ReportOptions, report_file
from monitoring.drift_monitor import report_days
from monitoring.profile_archive import ArchivePart, ProfileArchive
from preprocessing.reading.raw_table import UnreadableFile


class DataQuestions(VisitBase):
    """Every method as `Visit` says."""

    def drift_reports(self, domain: str, limit: int) -> list[DriftRecord]:
        """Stored reports, newest first; of segments that are groups, only the visitor's own."""
        found = self._shared.workspace.store.drift_reports(self._own(domain), limit=limit)
        return [confine_report(one, self._principal.groups, self.schemas[domain]) for one in found]

    def days_of_predictions(self, domain: str, since: date, until: date) -> list[ArchivePart]:
        """What is kept of each day, of all groups. Raises Forbidden for who may not compare."""
        require_of(self._principal, "compare", domain)
        schema = self.schemas[self._own(domain)]
        return ProfileArchive(self._shared.workspace, schema).parts("predictions", since, until)

    def compare_file(
        self, domain: str, name: str, content: bytes, *, sheet: str = "", skip_bad_rows: bool = False
    ) -> KeptReport:
        """A stored drift report of a file. Raises UnreadableFile, BadData, NoChampion, and what cannot be compared."""
        self._begin("compare", "drift judged", domain)
        if len(content) > self.max_upload_mb * 1_000_000:
            raise UnreadableFile(f"{name} is larger than {self.max_upload_mb} MB; use `gradewatch drift` for it")
        options = ReportOptions(sheet=sheet, skip_bad_rows=skip_bad_rows)
        return report_file(self._shared.workspace, domain, content, options=options, name=name)

    def compare_days(self, domain: str, since: date, *, moment: str, against: Against, rows: int) -> KeptReport:
        """A stored drift report of the days from `since` on, which hold so many rows."""
        self._begin("compare", "drift judged", domain, predictions=rows)
        return report_days(self._shared.workspace, domain, days_of(since, None, moment=moment, against=against))

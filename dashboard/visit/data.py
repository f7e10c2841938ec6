"""What Data asks: drift reports and what came into use meanwhile, and work that others do (a report, a retraining)."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from access.confined import confine_report
from access.journal import Action
from access.roles import Permission
from access.roles import require as require_of
from dashboard.gate import record, require
from dashboard.visit.base import VisitBase
from dashboard.visit.given import GivenFile
from database.records import DriftRecord, Job, Succession
from jobs.inline import do_here
from jobs.queue import DRIFT_DAYS, DRIFT_FILE, RETRAINING, JobFile, JobRequest, absence, ask, ask_alone
from monitoring.drift_days import Against
from monitoring.profile_archive import ArchivePart, ProfileArchive
from preprocessing.reading.raw_table import UnreadableFile


class DataQuestions(VisitBase):
    """Every method as `Visit` says."""

    def drift_reports(self, domain: str, limit: int) -> list[DriftRecord]:
        """Stored reports, newest first; of segments that are groups, only the visitor's own."""
        found = self._shared.workspace.store.drift_reports(self._own(domain), limit=limit)
        return [confine_report(one, self._principal.groups, self.schemas[domain]) for one in found]

    def champion_changes(self, domain: str) -> list[Succession]:
        """All of a domain's, oldest first."""
        store = self._shared.workspace.store
        keys = [one.key for one in store.champions() if one.domain == self._own(domain)]
        return sorted((one for key in keys for one in store.successions(key)), key=lambda one: one.at)

    def days_of_predictions(self, domain: str, since: date, until: date) -> list[ArchivePart]:
        """What is kept of each day, of all groups. Raises Forbidden for who may not compare."""
        require_of(self._principal, "compare", domain)
        schema = self.schemas[self._own(domain)]
        return ProfileArchive(self._shared.workspace, schema).parts("predictions", since, until)

    def ask_drift_of_file(self, domain: str, file: GivenFile) -> Job:
        """A report of a file against what the champion learned from. Raises UnreadableFile for a large one."""
        if len(file.content) > self.max_upload_mb * 1_000_000:
            raise UnreadableFile(f"{file.name} is larger than {self.max_upload_mb} MB; use `gradewatch drift` for it")
        arguments = {"by": None, "sheet": file.sheet, "reference_sheet": "", "skip_bad_rows": file.skip_bad_rows}
        given = {"file": JobFile(file.name, file.content)}
        return self._ask("compare", "drift judged", DRIFT_FILE, domain, arguments, given)

    def ask_drift_of_days(self, domain: str, since: date, *, moment: str, against: Against) -> Job:
        """A report of the predictions from a day on."""
        arguments: dict[str, Any] = {"since": since.isoformat(), "until": None, "by": None, "source": "predictions"}
        arguments |= {"moment": moment, "against": against, "exact": False}
        return self._ask("compare", "drift judged", DRIFT_DAYS, domain, arguments)

    def ask_retraining(self, domain: str) -> Job:
        """Of all champions of a domain. Raises AlreadyAsked."""
        present = require(self._shared, "retrain", self._own(domain))
        record(self._shared, "retraining started", domain)
        wanted = JobRequest(RETRAINING, domain, present.name, {"serving": True})
        return ask_alone(self._shared.workspace.store, wanted)

    def _ask(
        self,
        permission: Permission,
        action: Action,
        kind: str,
        domain: str,
        arguments: Mapping[str, Any],
        files: Mapping[str, JobFile] | None = None,
    ) -> Job:
        present = require(self._shared, permission, self._own(domain))
        record(self._shared, action, domain)
        return ask(self._shared.workspace.store, JobRequest(kind, domain, present.name, arguments, files=files or {}))

    def job(self, id: str) -> Job | None:
        """One that the visitor asked for."""
        found = self._shared.workspace.store.job(id)
        return found if found and found.actor == self._principal.name else None

    def nobody_does(self, job: Job) -> str | None:
        """That no worker is there for a job that waits; None where one is."""
        return absence(self._shared.workspace.store, job)

    def do_now(self, job: Job) -> Job:
        """Do a job of seconds here, where no worker is. Raises JobWaits, JobFailed."""
        return do_here(self._shared.workspace, job.id, self._shared.jobs)

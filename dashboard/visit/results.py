"""What Results asks: how predictions turned out, and what a file of outcomes would match."""

from datetime import UTC, datetime
from time import monotonic

from access.roles import Principal
from access.roles import require as require_of
from dashboard.gate import require
from dashboard.shared_workspace import SharedWorkspace
from dashboard.visit.base import Uncounted, VisitBase
from dashboard.visit.given import GivenFile
from database.ingest import MatchedOutcomes
from database.records import Job
from database.store import MADE_IN_PASSING
from jobs.queue import EARLINESS, JobRequest, absence, ask_alone
from jobs.uploads import match_file
from monitoring.days import midnight
from monitoring.earliness import KeptEarliness, kept_earliness
from monitoring.evidence_archive import EvidenceArchive, Seen, Selection
from monitoring.results import Results, ResultsQuestion, newest_moment, results_of
from monitoring.warning_policy import policy_in_use
from preprocessing.reading.raw_table import UnreadableFile
from reports.effect_report import EffectReport, report_effects

KEPT_SECONDS, MOST_KEPT = 60.0, 20
JOBS_LOOKED_AT = 20


class ResultQuestions(VisitBase):
    """Every method as `Visit` says."""

    def __init__(self, shared: SharedWorkspace, principal: Principal) -> None:
        super().__init__(shared, principal)
        self._read: dict[tuple[str, str, datetime | None], Seen] = {}

    def results(
        self,
        domain: str,
        target: str,
        moment: str,
        *,
        since: datetime | None,
        until: datetime | None,
        top: int | None = None,
    ) -> Results | None:
        """How the answers about a target at a moment turned out, of the visitor's groups; None where there are none.
        since: from the beginning of its day, UTC. top: as `monitoring.fairness.Fairness` has it; to choose it takes the
        permission to read predictions.

        What was measured less than KEPT_SECONDS ago is shown again, unless outcomes came in or were taken back."""
        if top is not None:
            require_of(self._principal, "read", self._own(domain))
        start, groups, cells = _day_of(since), self._groups, self.may("read", self._own(domain))
        newest, kept = self._shared.workspace.store.changes(domain).newest, self._shared.kept
        policy = policy_in_use(self._shared.workspace.store, domain, target).version
        among = None if groups is None else tuple(groups)
        key = (domain, target, moment, start, until, top, cells, among, newest, policy)
        if (known := kept.get(key)) is not None and monotonic() - known[0] < KEPT_SECONDS:
            return known[1]
        asked = Selection(start, groups=groups, until=until)
        question = ResultsQuestion(target=target, moment=moment, asked=asked, top=top, with_cells=cells)
        seen = self._matched(domain, target, start)
        found = results_of(self._shared.workspace, domain, question, seen.found)
        if seen.behind:
            return found
        kept[key] = monotonic(), found
        while len(kept) > MOST_KEPT:
            kept.popitem(last=False)
        return found

    def newest_moment(self, domain: str, target: str, since: datetime | None) -> str | None:
        """The moment of the newest answer since then that has an outcome."""
        return newest_moment(self._matched(domain, target, _day_of(since)).found)

    def uncounted_days(self, domain: str, target: str, since: datetime | None) -> Uncounted | None:
        """Days since then whose outcomes no figure knows of yet."""
        behind = self._matched(domain, target, _day_of(since)).behind
        return self._have_counted(behind) if behind else None

    def _matched(self, domain: str, target: str, since: datetime | None) -> Seen:
        """Read once in a visit. since: the beginning of a day, UTC."""
        key = (self._own(domain), target, since)
        if key not in self._read:
            workspace, schema = self._shared.workspace, self.schemas[domain]
            archive = EvidenceArchive(workspace.store, schema, workspace.learned)
            asked = Selection(since, groups=self._groups)
            self._read[key] = archive.seen(schema.target_by_name[target], asked, MADE_IN_PASSING)
        return self._read[key]

    def earliness(self, domain: str, target: str) -> KeptEarliness | None:
        """From when on answers can be trusted, as a job found it last."""
        return kept_earliness(self._shared.workspace.store, self._own(domain), target)

    def earliness_job(self, domain: str, target: str) -> Job | None:
        """The newest job that was asked to find it; None for who may not."""
        if not self.may("compare", self._own(domain)):
            return None
        found = self._shared.workspace.store.jobs(domain=domain, kind=EARLINESS, limit=JOBS_LOOKED_AT)
        first = self.schemas[domain].targets[0].name
        return next((one for one in found if one.arguments.get("target", first) == target), None)

    def nobody_works_on(self, job: Job) -> str | None:
        """That no worker is there for a job that waits; None where one is."""
        return absence(self._shared.workspace.store, job)

    def ask_earliness(self, domain: str, target: str) -> Job:
        """Have it found. Raises AlreadyAsked."""
        present = require(self._shared, "compare", self._own(domain))
        wanted = JobRequest(EARLINESS, domain, present.name, {"target": target})
        return ask_alone(self._shared.workspace.store, wanted)

    def effects(self, domain: str, target: str) -> EffectReport:
        """What help did, among the visitor's groups."""
        store, schema = self._shared.workspace.store, self.schemas[self._own(domain)]
        return report_effects(store, schema, schema.target_by_name[target], groups=self._groups)

    def match_outcomes(self, domain: str, file: GivenFile) -> MatchedOutcomes:
        """To how many predictions the outcomes of a file belong, of the visitor's groups; nothing is kept. Raises
        UnreadableFile, also for more than is taken at once; BadData."""
        present = require(self._shared, "upload", self._own(domain))
        if len(file.content) > self.max_upload_mb * 1_000_000:
            raise UnreadableFile(f"{file.name} is larger than {self.max_upload_mb} MB; use `gradewatch outcomes`")
        return match_file(
            self._shared.workspace,
            self.schemas[domain],
            file.content,
            name=file.name,
            groups=None if present.groups is None else sorted(present.groups),
            sheet=file.sheet,
            skip_bad_rows=file.skip_bad_rows,
            most_rows=self.max_rows,
        )


def _day_of(since: datetime | None) -> datetime | None:
    return None if since is None else midnight(since.astimezone(UTC).date())
